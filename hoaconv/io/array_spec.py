"""Specification of a zarr array to write: shape, chunks, shards, metadata, memory for writing.

It covers zarr v3 (sharded or not) and v2, as in https://zarr-specs.readthedocs.io.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np

from hoaconv.errors import SpellingError
from hoaconv.io.compressor import Compressor
from hoaconv.io.zarr_memory import packing_bytes

__all__ = ["ArraySpec", "regions"]

WRITE_BYTES = 1 << 22
"""Smaller chunks are written several in one call, so that Python is called less often."""

PIECE_BYTES = 1 << 26
"""Bytes of a layer in scratch that are read back at once; at least one shard or chunk is read."""


@dataclass(frozen=True)
class ArraySpec:
    """One array of a store: shape, chunks and shards are (z, y, x), in voxels.

    `shards` is None if every chunk is an object of its own. Chunks are cut to the array's shape,
    and shards to the whole chunks that cover it. The array may have axes before z, along which
    chunks and shards are 1 long: `leading` has their lengths, and `names` the names of all axes.
    Numbers and bytes are then those of one volume of them.

    Raises
    ------
    SpellingError
        If the compressor is plain zstd and the format is zarr v2: tensorstore leaves the size out
        of the frame's header, and zarr-python with numcodecs before 0.16 can't read such a frame.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    chunks: tuple[int, int, int]
    shards: tuple[int, int, int] | None
    compressor: Compressor
    zarr_format: int
    leading: tuple[int, ...] = ()
    names: tuple[str | None, ...] = ("z", "y", "x")
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.zarr_format == 2 and self.compressor.codec == "zstd":
            raise SpellingError(
                "plain zstd in zarr v2 can't be read by every reader; write "
                f'`compressor="blosc-zstd:{min(max(self.compressor.level, 1), 9)}:shuffle"`, '
                'or take `ngff="0.5"`'
            )
        cut = _map(min, self.chunks, self.shape)
        object.__setattr__(self, "chunks", cut)
        if self.shards is not None:
            whole = _map(lambda n, c: -(-n // c) * c, self.shape, cut)
            inside = _map(lambda s, c: -(-s // c) * c, self.shards, cut)
            object.__setattr__(self, "shards", _map(min, inside, whole))

    @property
    def unit(self) -> tuple[int, int, int]:
        """Shape (z, y, x) of the object that is written whole, once: the shard, else the chunk."""
        return self.shards or self.chunks

    @property
    def objects(self) -> int:
        """Number of shards of the array, or of chunks if it has no shards."""
        return prod(-(-n // u) for n, u in zip(self.shape, self.unit, strict=True))

    @property
    def write_shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) of one call: one unit, or several along x if units are small."""
        size = prod(self.unit) * self.dtype.itemsize
        many = max(1, WRITE_BYTES // size)
        return (*self.unit[:2], self.unit[2] * many)

    @property
    def piece_shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) of a piece: the part of a layer in scratch that is read back at once."""
        depth, height, width = self.write_shape
        many = max(1, PIECE_BYTES // (prod(self.write_shape) * self.dtype.itemsize))
        return _map(min, (depth, height, width * many), self.shape)

    @property
    def pieces(self) -> tuple[tuple[slice, slice], ...]:
        """Rows and columns of each piece of a layer."""
        return tuple(regions(self.shape[1:], self.piece_shape[1:]))

    @property
    def piece_count(self) -> int:
        """Number of pieces of a layer, not listed: the list would be long for a huge volume."""
        return _cells(self.shape[1:], self.piece_shape[1:])

    def in_flight(self, workers: int, *, lean: bool) -> int:
        """Return the number of write calls that are under way at once.

        Each worker gets two chunks to pack, or one if `lean`. One thread then writes a whole shard
        to disk, which takes up to a quarter of the time of packing it. So one more shard is packed
        meanwhile for every four workers, but never more than half a layer at once.
        """
        chunks = prod(self.write_shape) // prod(self.chunks)
        packed = -(-(workers if lean else 2 * workers) // chunks)
        if lean or not self.shards:
            return packed
        calls = _cells(self.shape[1:], self.write_shape[1:])  # of one layer
        return max(packed, min(1 + -(-workers // 4), calls // 2))

    def write_bytes(self, workers: int, *, lean: bool) -> int:
        """Return the bytes held while a layer is being written, besides the layer.

        If the array ends within a shard, tensorstore copies all chunks of that shard.
        """
        chunk, sharded = prod(self.chunks), self.shards is not None
        chunks = -(-self._voxels_in_flight(workers, lean=lean) // chunk)
        copied = any(n % u for n, u in zip(self.shape, self.unit, strict=True))
        packed = chunks, chunk * self.dtype.itemsize, self.compressor, workers
        return packing_bytes(*packed, sharded=sharded, copied=copied)

    def _voxels_in_flight(self, workers: int, *, lean: bool) -> int:
        """Return the voxels of the chunks in consecutive calls under way, at the most."""
        padded = [-(-n // c) * c for n, c in zip(self.shape[1:], self.chunks[1:], strict=True)]
        depth, height, width = self.write_shape
        calls, row = self.in_flight(workers, lean=lean), -(-self.shape[2] // width)
        last = calls // row  # at least so many of the calls are the last of their row
        columns = (calls - last) * width + last * (padded[1] - (row - 1) * width)
        return min(depth * min(height, padded[0]) * columns, self.unit[0] * prod(padded))

    def metadata(self) -> dict[str, Any]:
        """Return the content of the array's ``zarr.json`` or ``.zarray``."""
        return self._v3() if self.zarr_format == 3 else self._v2()

    def metadata_files(self) -> dict[str, Any]:
        """Return the content of all metadata files of the array, by their names."""
        if self.zarr_format == 3:
            return {"zarr.json": self.metadata()}
        named = {"_ARRAY_DIMENSIONS": list(self.names)}
        return {".zattrs": {**self.attributes, **named}, ".zarray": self.metadata()}

    def _whole(self, sides: tuple[int, int, int]) -> list[int]:
        """Return the shape of a chunk or shard along all axes."""
        return [1] * len(self.leading) + list(sides)

    def _v3(self) -> dict[str, Any]:
        # The checksum makes a flipped byte an error: few compressors notice it themselves.
        packed = [_bytes_codec(), *self.compressor.v3(self.dtype.itemsize), {"name": "crc32c"}]
        sharding = {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": self._whole(self.chunks),
                "codecs": packed,
                "index_codecs": [_bytes_codec(), {"name": "crc32c"}],
                "index_location": "end",
            },
        }
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [*self.leading, *self.shape],
            "data_type": self.dtype.name,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": self._whole(self.unit)},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [sharding] if self.shards else packed,
            "dimension_names": list(self.names),
            "attributes": dict(self.attributes),
        }

    def _v2(self) -> dict[str, Any]:
        return {
            "zarr_format": 2,
            "shape": [*self.leading, *self.shape],
            "chunks": self._whole(self.chunks),
            "dtype": self.dtype.newbyteorder("<").str,
            "compressor": self.compressor.v2(),
            "fill_value": 0,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }


def _bytes_codec() -> dict[str, Any]:
    return {"name": "bytes", "configuration": {"endian": "little"}}


def _map(function: Any, *triples: tuple[int, int, int]) -> tuple[int, int, int]:
    z, y, x = (function(*values) for values in zip(*triples, strict=True))
    return z, y, x


def _cells(shape: tuple[int, int], by: tuple[int, int]) -> int:
    """Return the number of cells of a grid."""
    return prod(-(-n // step) for n, step in zip(shape, by, strict=True))


def regions(shape: tuple[int, int], by: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of each cell of a grid (y, x); cells are cut at the grid's ends."""
    (ny, nx), (dy, dx) = shape, by
    for y, x in product(range(0, ny, dy), range(0, nx, dx)):
        yield slice(y, min(y + dy, ny)), slice(x, min(x + dx, nx))
