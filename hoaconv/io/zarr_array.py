"""Zarr arrays opened for reading, piece by piece, through tensorstore."""

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
import tensorstore as ts

from hoaconv.engine import stop
from hoaconv.engine.spec import KNOWN, Slab, Spec
from hoaconv.errors import SourceError
from hoaconv.io.kvstore import kvstore, refused_name
from hoaconv.io.zarr_store import StoredArray

__all__ = ["Piece", "ZarrArray"]

PIECE_BYTES = 1 << 22
"""Smaller chunks are read several in one call, so that Python is called less often."""

LOOKED_AT = 1000
"""Files whose sizes are read, at most: the total is estimated from their mean."""

_NOISE = re.compile(r" \[(source locations|tensorstore_spec)=.*", re.DOTALL)
"""Form of the part of a message that tensorstore writes for its own developers."""

Piece = tuple[slice, slice]
"""Rows and columns of a layer that are decoded in one call; they cover whole chunks."""


class ZarrArray:
    """An open array (z, y, x); axes of length 1 before z are dropped.

    Raises
    ------
    SourceError
        If it can't be opened, isn't one 3-D volume, or has a dtype that hoaconv doesn't take.
    """

    def __init__(self, stored: StoredArray) -> None:
        self.stored = stored
        whole = _opened(stored)
        lead = _leading(stored, tuple(whole.shape))
        self.store = whole[(0,) * lead] if lead else whole
        self.holds_bools = whole.dtype.numpy_dtype == np.bool_
        """True if voxels are booleans, which are read as 0 and 1."""
        self.spec = Spec(tuple(self.store.shape), _dtype(stored, whole))
        layout = whole.chunk_layout
        self.chunk: tuple[int, ...] = tuple(layout.read_chunk.shape)
        self.depth, *self._across = self.chunk[lead:]
        self._objects = tuple(layout.write_chunk.shape)
        self._shape = tuple(whole.shape)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a decoded chunk, counted whole even if the array ends within it."""
        return prod(self.chunk) * self.spec.dtype.itemsize

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Pieces of a layer: one chunk each, or several along x if chunks are small."""
        (ny, nx), (dy, dx) = self.spec.plane_shape, self._across
        dx *= self._many
        corners = product(range(0, ny, dy), range(0, nx, dx))
        return tuple((slice(y, min(y + dy, ny)), slice(x, min(x + dx, nx))) for y, x in corners)

    @property
    def piece_count(self) -> int:
        """Number of pieces of a layer, not listed."""
        rows, columns = self._widths
        return -(-self.spec.shape[1] // rows) * -(-self.spec.shape[2] // columns)

    @property
    def _many(self) -> int:
        return min(
            max(1, PIECE_BYTES // self.chunk_bytes), -(-self.spec.shape[2] // self._across[1])
        )

    def piece_bytes(self, planes: int) -> int:
        """Return the bytes held while a piece is read: packed and decoded chunks, chosen planes."""
        rows, columns = (
            min(n, c) for n, c in zip(self.spec.plane_shape, self._widths, strict=True)
        )
        picked = planes * rows * columns * self.spec.dtype.itemsize
        return picked + 2 * self._many * self.chunk_bytes + self._index_bytes

    @property
    def _widths(self) -> tuple[int, int]:
        return self._across[0], self._across[1] * self._many

    @property
    def _index_bytes(self) -> int:
        """Bytes of a shard's index of the places of its chunks, packed and unpacked."""
        chunks = prod(o // c for o, c in zip(self._objects, self.chunk, strict=True))
        return 2 * 16 * chunks if chunks > 1 else 0

    def read(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        """Decode a piece of some planes of a layer, in ascending order, into `out` (z, y, x).

        A missing chunk has the fill value.

        Raises
        ------
        SourceError
            If a stored chunk can't be read completely.
        """
        part = self.store[(_index(planes), *piece)]
        try:
            coming = part.read()
            stop.wait(lambda seconds: _is_there(coming, seconds))
            out[...] = coming.result()
        except Exception as error:  # for damaged chunks, codecs raise exceptions of any kind
            raise SourceError(
                f"{self.stored.path}, planes {planes[0]} to {planes[-1]}, can't be read "
                f"({_words(error)}); a chunk may be damaged or cut short: copy it again"
            ) from error

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of all chunks or shards on disk, estimated from `LOOKED_AT` if there are more."""
        counts: list[int] = [-(-n // c) for n, c in zip(self._shape, self._objects, strict=True)]
        total: int = prod(counts)
        asked = min(total, LOOKED_AT)
        sizes = (self._size(np.unravel_index(i * total // asked, counts)) for i in range(asked))
        return sum(sizes) * total // asked

    def _size(self, where: tuple[np.intp, ...]) -> int:
        file = self.stored.path / self._key([int(i) for i in where])
        try:
            return file.stat().st_size
        except OSError:
            return 0  # a missing chunk takes no bytes; a forbidden one raises when it is read

    def _key(self, where: Sequence[int]) -> str:
        """Return the file of a chunk or shard, relative to the array's folder."""
        numbers, metadata = map(str, where), self.stored.metadata
        if self.stored.zarr_format == 2:
            return str(metadata.get("dimension_separator", ".")).join(numbers)
        encoding = metadata["chunk_key_encoding"]
        default = encoding["name"] == "default"
        separator = encoding.get("configuration", {}).get("separator", "/" if default else ".")
        return str(separator).join([*(["c"] if default else []), *numbers])


def _is_there(coming: Any, seconds: float) -> bool:
    """Wait for a read for so many seconds at most; return True if it is done or has failed."""
    with suppress(TimeoutError):
        coming.exception(timeout=seconds)
    return bool(coming.done())


def _opened(stored: StoredArray) -> Any:
    if stored.zarr_format == 2 and not isinstance(stored.metadata.get("dtype"), str):
        raise SourceError(f"{stored.path} has voxels of several fields; hoaconv takes one value")
    refused = refused_name(stored.path)
    if refused:
        raise SourceError(refused)
    spec = {
        "driver": "zarr3" if stored.zarr_format == 3 else "zarr",
        "kvstore": kvstore(stored.path),
        "context": {"cache_pool": {"total_bytes_limit": 0}},
    }
    try:
        return ts.open(spec, open=True, read=True).result()
    except Exception as error:
        raise SourceError(f"{stored.path} can't be opened: {_words(error)}") from error


def _words(error: Exception) -> str:
    """Return the message of tensorstore, without the locations in its source code."""
    return _NOISE.sub("", str(error)).partition(": ")[2] or str(error)


def _dtype(stored: StoredArray, store: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(store.dtype.numpy_dtype)
    if dtype == np.bool_:
        return np.dtype(np.uint8)
    if dtype not in KNOWN:
        known = ", ".join(map(str, KNOWN))
        raise SourceError(
            f"{stored.path} holds {store.dtype.name} voxels; hoaconv takes {known}: convert "
            "it first"
        )
    return dtype


def _leading(stored: StoredArray, shape: tuple[int, ...]) -> int:
    """Return the number of axes before z, y and x. Raise SourceError if it is no 3-D volume."""
    names = stored.axes if len(stored.axes) == len(shape) else (None,) * len(shape)
    lead = len(shape) - 3
    found = ", ".join(f"{name or 'unnamed'} {n}" for name, n in zip(names, shape, strict=True))
    if lead not in (0, 1, 2) or any(n != 1 for n in shape[:lead]):
        raise SourceError(
            f"{stored.path} has the axes {found or 'of a single number'}; hoaconv takes one "
            "volume: z, y, x, and before them only t and c of length 1"
        )
    if any(_is_other(name, axis) for name, axis in zip(names[lead:], "zyx", strict=True)):
        raise SourceError(f"{stored.path} has the axes {found}; hoaconv takes them as z, y, x")
    if min(shape) < 1:
        raise SourceError(f"{stored.path} holds no voxel: its axes are {found}")
    return lead


def _is_other(name: str | None, axis: str) -> bool:
    """Return True if the name is that of another known axis; unknown names are accepted."""
    return name is not None and name.lower() in "tczyx" and name.lower() != axis


def _index(planes: Sequence[int]) -> slice | list[int]:
    whole = planes[-1] - planes[0] + 1 == len(planes)
    return slice(planes[0], planes[-1] + 1) if whole else list(planes)
