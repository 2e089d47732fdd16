"""Sinks that write planes as blocks, each a file, of a format that is neither zarr nor HDF5.

Tensorstore packs the blocks. A layer of them is held, and written when it is whole. Blocks of zeros
alone aren't stored. The metadata are written last, so that an unfinished folder can't be opened.
"""

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import tensorstore as ts

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Use, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.errors import StoreError
from hoaconv.io.array_spec import ArraySpec, regions
from hoaconv.io.compressor import Compressor
from hoaconv.io.contents import SCRATCH, Contents
from hoaconv.io.folder import Claim
from hoaconv.io.kvstore import kvstore
from hoaconv.io.layer_buffer import LayerBuffer
from hoaconv.io.output import OutputSink
from hoaconv.io.zarr import Counts, reason, write_json, write_parts

__all__ = ["BlocksSink", "Triple"]

Triple = tuple[int, int, int]

_METADATA = 1 << 14
"""Bytes of the files of metadata, at most."""

_TRIED = 1 << 20
"""Voxels that a trial packs, at most."""


@dataclass(frozen=True)
class BlocksSink(OutputSink):
    """A folder of blocks; `chunks` is the shape of a block (z, y, x).

    A subclass says what the format is.
    """

    path: Path
    chunks: Triple = (64, 64, 64)
    overwrite: bool = False

    holds: ClassVar[Contents]
    """By which such a folder is known before it is overwritten."""
    made: ClassVar[tuple[str, ...]]
    """Names of what is made in the folder."""

    @property
    def compressor(self) -> Compressor:
        """The compressor, for the memory that packing takes."""
        return Compressor("none")

    @abstractmethod
    def format(self, spec: Spec) -> dict[str, Any]:
        """Return tensorstore's specification of the array, without the place of its files."""

    @abstractmethod
    def in_order(self, opened: Any) -> Any:
        """Return an opened array with the axes z, y, x, each from 0 on."""

    @abstractmethod
    def file(self, spec: Spec, first: Triple) -> str:
        """Return the file of the block that begins at a voxel (z, y, x)."""

    @abstractmethod
    def metadata(self, spec: Spec) -> Mapping[str, Any]:
        """Return the content of the files of metadata in the order in which they are written."""

    @property
    def inner(self) -> str:
        """The folder that tensorstore writes to, in the output's; empty for that itself."""
        return ""

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is."""
        return spec

    def grid(self, spec: Spec) -> ArraySpec:
        """Return the blocks as the chunks of an array, which is written in the same way."""
        return ArraySpec(spec.shape, spec.dtype, self.chunks, None, self.compressor, 3)

    def opened(self, spec: Spec, store: Mapping[str, Any], workers: int) -> Any:
        """Open the array for writing, with the axes z, y, x; nothing is read or written."""
        found = ts.open(
            {
                **self.format(spec),
                "kvstore": dict(store),
                "open": True,
                "assume_metadata": True,
                "context": {
                    "cache_pool": {"total_bytes_limit": 0},
                    "data_copy_concurrency": {"limit": workers},
                    "file_io_concurrency": {"limit": max(4, workers)},
                    "file_io_sync": False,
                }
                if store["driver"] == "file"
                else {},
            }
        )
        return self.in_order(found.result())

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:  # noqa: ARG002
        """Count the layer of blocks."""
        layer = self.grid(spec).chunks[0] * spec.plane_bytes
        return (Use(str(self), "a layer of chunks", layer),)

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:
        """Return the bytes of blocks on their way to disk, which are turned to the file's order."""
        grid = self.grid(spec)
        calls = grid.in_flight(workers, lean=economy.tight)
        turned = calls * prod(grid.write_shape) * spec.dtype.itemsize
        return turned + grid.write_bytes(workers, lean=economy.tight)

    def lends(self, spec: Spec, economy: Economy) -> int:  # noqa: ARG002 - the contract
        """Return the planes of the first layer."""
        return self.grid(spec).chunks[0]

    def files(self, spec: Spec) -> int:
        """Count blocks and metadata."""
        return self.grid(spec).objects + len(self.metadata(spec))

    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes of all blocks, whole ones at the edges too."""
        grid = self.grid(spec)
        each = prod(grid.chunks) * spec.dtype.itemsize + 64
        return grid.objects * each + _METADATA

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds that a thread takes to pack a plane."""
        part = _part(plane)
        start = perf_counter()
        self._packed(spec, part)
        return (perf_counter() - start) / part.size * prod(spec.plane_shape)

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:
        """Return the estimated bytes of all blocks, from a part of a plane."""
        part = _part(plane)
        return int(self._packed(spec, part) / part.nbytes * spec.nbytes) + _METADATA

    def _packed(self, spec: Spec, part: Slab) -> int:
        """Pack voxels into memory, which is then let go; return the bytes."""
        z, y, x = part.shape
        array = self.opened(Spec((z, y, x), spec.dtype), {"driver": "memory"}, 1)
        array.write(part).result()
        blocks: Any = array.kvstore
        found = (blocks.read(key).result().value for key in blocks.list().result())
        return sum(map(len, found))

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "BlocksWriter":
        """Claim the folder. Raise StoreError where that isn't possible."""
        return BlocksWriter(self, spec, pool, buffers, economy)

    def warm(self, spec: Spec) -> None:
        """Do nothing: there are no kernels to compile."""

    def __str__(self) -> str:
        return self.path.name


def _part(plane: Plane) -> Slab:
    """Return rows and columns of a plane, as many voxels as a trial packs."""
    columns = min(plane.shape[1], _TRIED)
    rows = max(1, min(len(plane), _TRIED // columns))
    return np.ascontiguousarray(plane[None, :rows, :columns])


class BlocksWriter(Writer):
    """A `BlocksSink` being written."""

    def __init__(
        self, sink: BlocksSink, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy
    ) -> None:
        self._sink, self._spec, self._grid = sink, spec, sink.grid(spec)
        self._counts = Counts()
        self._layer = LayerBuffer(spec, self._grid.chunks[0], buffers, self._store)
        self._in_flight = self._grid.in_flight(pool.workers, lean=economy.tight)
        self._array = sink.opened(spec, kvstore(sink.path / sink.inner), pool.workers)
        self._claim = Claim(sink.path, overwrite=sink.overwrite, holds=sink.holds)

    def lend(self, z: int) -> Plane | None:
        """Return its place in the layer, if that is free."""
        return self._layer.lend(z)

    @property
    def filled(self) -> bool:
        """True if the next plane lies in its place."""
        return self._layer.filled

    def take(self, plane: Plane, rows: slice) -> None:
        """Copy a band of the next plane."""
        self._layer.take(plane, rows)

    def advance(self) -> None:
        """Go on to the next plane; write the layer if it is whole."""
        self._layer.advance()

    def _store(self, z: int, layer: Slab) -> None:
        """Write a layer, some blocks at once; then look whether each is there."""
        self._check()
        try:
            write_parts(self._parts(z, layer), self._in_flight)
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._sink.path}: {reason(error)}") from error
        _, height, width = self._grid.chunks
        for y, x in product(range(0, layer.shape[1], height), range(0, layer.shape[2], width)):
            self._count((z, y, x), layer[:, y : y + height, x : x + width])

    def _parts(self, z: int, layer: Slab) -> Iterator[tuple[Any, Any]]:
        for rows, columns in regions(layer.shape[1:], self._grid.write_shape[1:]):
            there = self._array[z : z + len(layer), rows, columns]
            yield there, layer[:, rows, columns]

    def _count(self, first: Triple, block: Slab) -> None:
        """Count a block that was written. Raise StoreError if its file is missing or empty."""
        file = self._sink.path / self._sink.file(self._spec, first)
        size = None
        with suppress(FileNotFoundError, NotADirectoryError):
            size = os.stat(file).st_size
        if size:
            self._counts.stored += 1
            self._counts.files += 1
            self._counts.bytes += size
        elif size == 0 or block.any():
            what = "is empty" if size == 0 else "is missing"
            raise StoreError(
                f"{file} was written and {what}: the folder was moved or changed meanwhile, or its "
                "disk fails; convert again"
            )
        else:
            self._counts.empty += 1

    def _check(self) -> None:
        """Raise StoreError if the folder isn't this run's; remove what was there before."""
        self._claim.check()
        self._claim.begin()

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: ARG002
        """Write the metadata; return path, files and bytes."""
        self._layer.check_whole()
        self._check()
        for name, values in self._sink.metadata(self._spec).items():
            self._counts.files += 1
            self._counts.bytes += write_json(self._sink.path / name, values)
        path = str(self._sink.path)
        return {"path": path, "files": self._counts.files, "bytes": self._counts.bytes}

    def release(self) -> None:
        """Put the folder on disk and take its mark away."""
        self._claim.finish()

    def abort(self) -> bool:
        """Remove what was written; return whether anything was."""
        names = [name + end for name in self._sink.made for end in ("", ".tmp")]
        try:
            return self._claim.abandon([*names, SCRATCH])
        except OSError as error:
            raise StoreError(f"{self._sink.path}: what was written stays: {error}") from error
