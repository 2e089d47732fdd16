"""The sink that writes planes as a chunked dataset of an HDF5 file, with NeXus's marks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Use, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.errors import StoreError
from hoaconv.io.compressor import Compressor
from hoaconv.io.encoded import not_written
from hoaconv.io.file_claim import FileClaim, hidden_folder
from hoaconv.io.hdf5_chunks import packed, packing_bytes
from hoaconv.io.hdf5_file import Hdf5File
from hoaconv.io.layer_buffer import LayerBuffer
from hoaconv.io.output import OutputSink
from hoaconv.io.scratch import ScratchFolder

__all__ = ["Hdf5Sink"]

Triple = tuple[int, int, int]
Corner = tuple[int, int]
"""First row and column of a chunk of a layer."""

_INDEX = 128
"""Bytes of a chunk's place in the file's index, at most."""

_LIBRARY = 8 << 20
"""Bytes that the HDF5 library holds for metadata of the file."""

_TRIED = 1 << 20
"""Voxels of a chunk that a trial packs, at most."""


@dataclass(frozen=True)
class Hdf5Sink(OutputSink):
    """A dataset of a new HDF5 file at `path`; chunks are (z, y, x).

    See `hoaconv.Hdf5` for what the fields mean.
    """

    path: Path
    dataset: str
    chunks: Triple
    compressor: Compressor
    overwrite: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is: HDF5 holds all dtypes."""
        return spec

    def chunk(self, spec: Spec) -> Triple:
        """Return the shape of a chunk, which is no larger than the volume."""
        z, y, x = map(min, self.chunks, spec.shape)
        return (z, y, x)

    def _chunk_bytes(self, spec: Spec) -> int:
        return prod(self.chunk(spec)) * spec.dtype.itemsize

    def corners(self, spec: Spec) -> list[Corner]:
        """Return where each chunk of a layer begins."""
        (rows, columns), (_, height, width) = spec.plane_shape, self.chunk(spec)
        return list(product(range(0, rows, height), range(0, columns, width)))

    def _count(self, spec: Spec) -> int:
        return prod(-(-n // c) for n, c in zip(spec.shape, self.chunk(spec), strict=True))

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:  # noqa: ARG002
        """Count the layer of chunks, and what HDF5 holds."""
        layer = self.chunk(spec)[0] * spec.plane_bytes
        index = _LIBRARY + self._count(spec) * _INDEX // 8
        return (
            Use(str(self), "a layer of chunks", layer),
            Use(str(self), "the index of the file", index),
        )

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:  # noqa: ARG002
        """Return the bytes of chunks that are being packed, and of packed ones."""
        at_once = min(workers + 1, len(self.corners(spec)))
        each = self._chunk_bytes(spec)
        waiting = min(_batch(workers), len(self.corners(spec))) * (each + each // 8 + (1 << 16))
        return at_once * packing_bytes(each) + waiting

    def lends(self, spec: Spec, economy: Economy) -> int:  # noqa: ARG002 - the contract
        """Return the planes of the first layer."""
        return self.chunk(spec)[0]

    def files(self, spec: Spec) -> int:  # noqa: ARG002 - the contract
        """Return 1."""
        return 1

    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes of all chunks, whole ones at the edges too, and of their index."""
        return self._count(spec) * (self._chunk_bytes(spec) + _INDEX) + (1 << 20)

    @property
    def scratch_place(self) -> Path:
        """The hidden folder in which the file is written."""
        return hidden_folder(self.path)

    def scratch_for_job(self, under: Path | None) -> ScratchFolder:
        """Return the place of what the job lets wait: in the hidden folder, else under another."""
        return ScratchFolder.of(self.path if under else hidden_folder(self.path), under)

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds that a thread takes to pack the chunks of a plane."""
        part = self._part(spec, plane)
        start = perf_counter()
        packed(self.compressor, part)
        return (perf_counter() - start) / part.size * prod(spec.plane_shape)

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:
        """Return the estimated bytes of all chunks, from a part of a plane."""
        part = self._part(spec, plane)
        share = len(packed(self.compressor, part)) / part.nbytes
        return int(share * spec.nbytes) + self._count(spec) * _INDEX

    def _part(self, spec: Spec, plane: Plane) -> Slab:
        """Return rows and columns of a plane, as many voxels as a chunk has."""
        voxels = min(_TRIED, prod(self.chunk(spec)))
        columns = min(plane.shape[1], voxels)
        rows = max(1, min(len(plane), voxels // columns))
        return np.ascontiguousarray(plane[None, :rows, :columns])

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "Hdf5Writer":  # noqa: ARG002
        """Claim the file. Raise StoreError where that isn't possible."""
        return Hdf5Writer(self, spec, pool, buffers)

    def warm(self, spec: Spec) -> None:
        """Do nothing: there are no kernels to compile."""

    def __str__(self) -> str:
        return self.path.name


def _batch(workers: int) -> int:
    """Return the chunks that are packed before they are written."""
    return 4 * (workers + 1)


class Hdf5Writer(Writer):
    """An `Hdf5Sink` being written: chunks are packed in the pool, and written one by one."""

    def __init__(self, sink: Hdf5Sink, spec: Spec, pool: Pool, buffers: Buffers) -> None:
        self._sink, self._spec, self._pool = sink, spec, pool
        self._chunk, self._corners = sink.chunk(spec), sink.corners(spec)
        self._layer = LayerBuffer(spec, self._chunk[0], buffers, self._store)
        self._claim = FileClaim(sink.path, overwrite=sink.overwrite)
        self._file: Hdf5File | None = None

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
        """Write a layer, some chunks at once."""
        self._claim.check()
        size = _batch(self._pool.workers)
        for first in range(0, len(self._corners), size):
            corners = self._corners[first : first + size]
            done: dict[Corner, bytes] = {}
            self._pool.map("encode", partial(self._pack, layer, done), corners)
            self._pool.timed("store", partial(self._write, z, done))

    def _pack(self, layer: Slab, done: dict[Corner, bytes], corner: tuple[int, int]) -> None:
        """Pack a chunk; those at the edges are filled up with zeros."""
        (y, x), (_, rows, columns) = corner, self._chunk
        part = layer[:, y : y + rows, x : x + columns]
        if part.shape != self._chunk:
            whole = np.zeros(self._chunk, part.dtype)
            whole[tuple(slice(0, n) for n in part.shape)] = part
            part = whole
        done[corner] = packed(self._sink.compressor, part)

    def _write(self, z: int, done: Mapping[Corner, bytes]) -> None:
        try:
            file = self._opened()
            for (y, x), chunk in sorted(done.items()):
                file.write((z, y, x), chunk)
        except (OSError, RuntimeError, ValueError) as error:  # as h5py translates those of HDF5
            raise _said(self._sink.path, error) from error

    def _opened(self) -> Hdf5File:
        if self._file is None:
            sink = self._sink
            self._file = Hdf5File(
                self._claim.part,
                sink.dataset,
                self._spec,
                self._chunk,
                sink.compressor,
                sink.provenance,
            )
        return self._file

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: ARG002
        """Close the file; return path, files and bytes."""
        self._layer.check_whole()
        self._claim.check()
        try:
            self._let_go()
            nbytes = self._claim.part.stat().st_size
        except (OSError, RuntimeError, ValueError) as error:
            raise _said(self._sink.path, error) from error
        return {"path": str(self._sink.path), "files": 1, "bytes": nbytes}

    def release(self) -> None:
        """Put the file on disk, and in its place."""
        self._claim.finish()

    def abort(self) -> bool:
        """Remove what was written; return whether anything was."""
        try:
            self._let_go()
        except (OSError, RuntimeError, ValueError):
            self._file = None  # what can't be flushed is removed all the same
        try:
            return self._claim.abandon()
        except OSError as error:
            raise StoreError(f"{self._sink.path}: what was written stays: {error}") from error

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _said(path: Path, error: Exception) -> StoreError:
    """Return the error for a file that can't be written; HDF5 tells the system's within its own."""
    if "No space left" in str(error):
        return StoreError(f"{path} can't be written: the disk is full; free some space")
    return not_written(path, error)
