"""A zarr array opened for reading, piece by piece, through tensorstore."""

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
from hoaconv.engine.spec import DTYPES, Slab, Spec
from hoaconv.errors import SourceError
from hoaconv.io.kvstore import kvstore, refused_name
from hoaconv.io.zarr_store import StoredArray

__all__ = ["Piece", "ZarrArray"]

PIECE_BYTES = 1 << 22
"""Chunks of fewer bytes are read several at a time, so that Python is called less often."""

LOOKED_AT = 1000
"""Files whose sizes are asked for, at the most: their mean tells those of all."""

_NOISE = re.compile(r" \[(source locations|tensorstore_spec)=.*", re.DOTALL)
"""What tensorstore says for its own developers."""

Piece = tuple[slice, slice]
"""Rows and columns of a layer that are decoded in one call: whole chunks."""


class ZarrArray:
    """An open array, whose axes of length 1 before z are left out.

    Raises
    ------
    SourceError
        If it can't be opened, isn't one 3-D volume, or has a dtype that doesn't flow.
    """

    def __init__(self, stored: StoredArray) -> None:
        self.stored = stored
        whole = _opened(stored)
        lead = _leading(stored, tuple(whole.shape))
        self.store = whole[(0,) * lead] if lead else whole
        self.spec = Spec(tuple(self.store.shape), _dtype(stored, whole))
        layout = whole.chunk_layout
        self.chunk: tuple[int, ...] = tuple(layout.read_chunk.shape)
        self.depth, *self._across = self.chunk[lead:]
        self._objects = tuple(layout.write_chunk.shape)
        self._shape = tuple(whole.shape)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk, decoded: all of it, even where the array ends within."""
        return prod(self.chunk) * self.spec.dtype.itemsize

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Of a layer: a chunk each, or as many along x as are worth a call."""
        (ny, nx), (dy, dx) = self.spec.plane_shape, self._across
        dx *= self._many
        corners = product(range(0, ny, dy), range(0, nx, dx))
        return tuple((slice(y, min(y + dy, ny)), slice(x, min(x + dx, nx))) for y, x in corners)

    @property
    def piece_count(self) -> int:
        """How many pieces a layer has, without listing them."""
        rows, columns = self._widths
        return -(-self.spec.shape[1] // rows) * -(-self.spec.shape[2] // columns)

    @property
    def _many(self) -> int:
        return min(
            max(1, PIECE_BYTES // self.chunk_bytes), -(-self.spec.shape[2] // self._across[1])
        )

    def piece_bytes(self, planes: int) -> int:
        """Bytes held while a piece of so many planes is read: packed chunks, decoded, picked."""
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
        """Of a shard's index: where each of its chunks lies, packed and not."""
        chunks = prod(o // c for o, c in zip(self._objects, self.chunk, strict=True))
        return 2 * 16 * chunks if chunks > 1 else 0

    def read(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        """Decode some ascending planes of a layer, as far as the piece reaches, into `out`.

        Raises
        ------
        SourceError
            If a chunk that is there can't be read whole. One that isn't is the fill value.
        """
        part = self.store[(_index(planes), *piece)]
        try:
            coming = part.read()
            stop.wait(lambda seconds: _is_there(coming, seconds))
            out[...] = coming.result()
        except Exception as error:  # damaged chunks make the codecs raise every kind
            raise SourceError(
                f"{self.stored.path}, planes {planes[0]} to {planes[-1]}, can't be read "
                f"({_words(error)}); a chunk may be damaged or cut short: copy it again"
            ) from error

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of all chunks or shards on disk; of very many, as some of them tell."""
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
            return 0  # a chunk that isn't there takes no bytes; one that is forbidden tells later

    def _key(self, where: Sequence[int]) -> str:
        """The file of a chunk or shard."""
        numbers, metadata = map(str, where), self.stored.metadata
        if self.stored.zarr_format == 2:
            return str(metadata.get("dimension_separator", ".")).join(numbers)
        encoding = metadata["chunk_key_encoding"]
        default = encoding["name"] == "default"
        separator = encoding.get("configuration", {}).get("separator", "/" if default else ".")
        return str(separator).join([*(["c"] if default else []), *numbers])


def _is_there(coming: Any, seconds: float) -> bool:
    """Wait for what is being read so many seconds; return whether it is there, or never will be."""
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
    """What tensorstore says, without its source code's lines."""
    return _NOISE.sub("", str(error)).partition(": ")[2] or str(error)


def _dtype(stored: StoredArray, store: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(store.dtype.numpy_dtype)
    if dtype not in DTYPES:
        known = ", ".join(map(str, DTYPES))
        raise SourceError(
            f"{stored.path} holds {store.dtype.name} voxels; hoaconv takes {known}: convert "
            "it first"
        )
    return dtype


def _leading(stored: StoredArray, shape: tuple[int, ...]) -> int:
    """How many axes stand before z, y and x. Raises SourceError for what is no 3-D volume."""
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
    """Whether an axis is known to be another one; a name that says nothing is taken."""
    return name is not None and name.lower() in "tczyx" and name.lower() != axis


def _index(planes: Sequence[int]) -> slice | list[int]:
    whole = planes[-1] - planes[0] + 1 == len(planes)
    return slice(planes[0], planes[-1] + 1) if whole else list(planes)
