"""Zarr arrays opened for reading, box by box, through tensorstore."""

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from hoaconv.engine import stop
from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.kvstore import kvstore, refused_name
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_size import Axes
from hoaconv.io.zarr_store import ArrayNode

__all__ = ["ZarrArray"]

LOOKED_AT = 1000
"""Files whose sizes are read, at most: the total is estimated from their mean."""

_NOISE = re.compile(r" \[(source locations|tensorstore_spec)=.*", re.DOTALL)
"""Form of the part of a message that tensorstore writes for its own developers."""


class ZarrArray(StoredArray):
    """An open array of a zarr store.

    Raises
    ------
    SourceError
        If it can't be opened.
    """

    scheme = "zarr"

    def __init__(self, node: ArrayNode) -> None:
        self.node = node
        self.path, self.name, self.axes = node.path, node.name, node.axes
        self.image_name, self.labels = node.image_name, node.labels
        self.channels, self.image_label = node.channels, node.image_label
        self.levels = tuple(map(str, node.levels))
        self.store = _opened(node)
        self._objects = tuple(self.store.chunk_layout.write_chunk.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(self.store.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the stored voxels."""
        dtype: np.dtype[Any] = np.dtype(self.store.dtype.numpy_dtype)
        return dtype

    @cached_property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk; in a shard, of one of its chunks."""
        return tuple(self.store.chunk_layout.read_chunk.shape)

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder of the chunks."""
        return (self.path / ("c" if self.node.zarr_format == 3 else "0"),)

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of the voxels as the image around the array tells."""
        return self.node.geometry(axes)

    def reading_bytes(self, chunks: int) -> int:
        """Return the bytes of so many chunks, packed and decoded, and of a shard's index."""
        chunk_bytes = prod(self.chunks) * self.dtype.itemsize
        return 2 * chunks * chunk_bytes + self._index_bytes

    @property
    def _index_bytes(self) -> int:
        """Bytes of a shard's index of the places of its chunks, packed and unpacked."""
        chunks = prod(o // c for o, c in zip(self._objects, self.chunks, strict=True))
        return 2 * 16 * chunks if chunks > 1 else 0

    def read(self, box: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return the voxels of a box. A missing chunk has the fill value.

        Raises
        ------
        SourceError
            If a stored chunk can't be read completely.
        """
        try:
            coming = self.store[box].read()
            stop.wait(lambda seconds: _is_there(coming, seconds))
            voxels: np.ndarray[Any, Any] = coming.result()
        except Exception as error:  # for damaged chunks, codecs raise exceptions of any kind
            where = ", ".join(f"{side.start}:{side.stop}" for side in box)
            raise SourceError(
                f"{self.path}, voxels {where}, can't be read ({_words(error)}); a chunk may be "
                "damaged or cut short: copy it again"
            ) from error
        return voxels

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of all chunks or shards on disk, estimated from `LOOKED_AT` if there are more."""
        counts: list[int] = [-(-n // c) for n, c in zip(self.shape, self._objects, strict=True)]
        total: int = prod(counts)
        asked = min(total, LOOKED_AT)
        sizes = (self._size(np.unravel_index(i * total // asked, counts)) for i in range(asked))
        return sum(sizes) * total // asked

    def _size(self, where: tuple[np.intp, ...]) -> int:
        file = self.path / self._key([int(i) for i in where])
        try:
            return file.stat().st_size
        except OSError:
            return 0  # a missing chunk takes no bytes; a forbidden one raises when it is read

    def _key(self, where: Sequence[int]) -> str:
        """Return the file of a chunk or shard, relative to the array's folder."""
        numbers, metadata = map(str, where), self.node.metadata
        if self.node.zarr_format == 2:
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


def _opened(stored: ArrayNode) -> Any:
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
