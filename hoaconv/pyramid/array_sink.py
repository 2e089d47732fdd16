"""The sinks that write planes as an array of a zarr store, without a pyramid."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Use, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.compressor import Compressor
from hoaconv.io.frame_writer import FrameSpec, FrameWriter
from hoaconv.io.leading import Leading
from hoaconv.io.open_output import InTurn, OpenOutput
from hoaconv.io.output import OutputSink
from hoaconv.io.packed import PackedFile
from hoaconv.io.scratch import ScratchFolder, waiting_place
from hoaconv.io.zarr import ArrayWriter
from hoaconv.pyramid.cascade import Cascade
from hoaconv.pyramid.layers import Layers
from hoaconv.pyramid.levels import Level
from hoaconv.pyramid.trial import packed_bytes, trial_seconds
from hoaconv.pyramid.waiting import Room, Waiting

__all__ = ["ArraySink", "FrameSink", "ZarrSink"]

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class ArraySink(OutputSink):
    """A sink that writes its planes as a volume of one array.

    A subclass says what the array is, and how it is written.
    """

    path: Path
    overwrite: bool = False
    scratch: Path | None = None
    """Folder under which layers wait that don't fit in memory; by default the store."""

    @abstractmethod
    def array(self, spec: Spec) -> ArraySpec:
        """Return the array for planes of this spec."""

    @property
    @abstractmethod
    def out(self) -> OpenOutput | None:
        """The open store, if several sweeps write it."""

    @abstractmethod
    def writer(self, array: ArraySpec, workers: int, out: OpenOutput, *, lean: bool) -> ArrayWriter:
        """Return the writer of the array."""

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is."""
        self.array(spec)
        return spec

    def layers(self, spec: Spec, economy: Economy) -> Layers:
        """Return the layers, which wait in scratch if that saves memory and is wanted."""
        spilled = min(economy.spilled, _layers(self, spec).spillable)
        return _layers(self, spec, spilled)

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        """Count the layer."""
        return self.layers(spec, economy).uses(str(self), workers)

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:
        """Return the bytes of a layer's chunks on their way to disk."""
        return self.array(spec).write_bytes(workers, lean=economy.tight)

    def lends(self, spec: Spec, economy: Economy) -> int:
        """Return the planes of the first layer: its buffer has a slot for each from the start."""
        return 0 if self.layers(spec, economy).spilled else self.array(spec).unit[0]

    def spillable(self, spec: Spec) -> int:
        """Return 1 if layers may wait in scratch and take less memory then."""
        return self.layers(spec, Economy()).spillable

    def through_scratch(self, spec: Spec, economy: Economy) -> int:
        """Return the bytes of all layers, if they wait in scratch."""
        return spec.nbytes if self.layers(spec, economy).spilled else 0

    def spills(self, spec: Spec, economy: Economy) -> str:
        """Return which layers wait in scratch."""
        return f"layers of {self}" if self.layers(spec, economy).spilled else ""

    @property
    def home(self) -> Path:
        """The store that is claimed."""
        return self.out.path if self.out else self.path

    @property
    def scratch_place(self) -> Path:
        """The folder in or under which layers wait that don't in memory."""
        return self.scratch or waiting_place(self.home) or self.home

    def scratch_bytes(self, spec: Spec, economy: Economy) -> int:
        """Return the bytes of a layer in scratch, as if no part of it were smaller packed."""
        return self.layers(spec, economy).scratch_bytes

    def files(self, spec: Spec) -> int:
        """Count shards or chunks, and metadata; chunks of the fill value are not stored."""
        return self.array(spec).objects * self.count + 2

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds to copy a plane, and to pack its share of chunks."""
        return trial_seconds(self._alone(spec), self._level(spec), "nearest", plane)

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:
        """Return the estimated bytes on disk."""
        return packed_bytes(self._alone(spec), self._level(spec), plane) * self.count

    def _alone(self, spec: Spec) -> ArraySpec:
        """Return a plain array such as a trial packs."""
        made = self.array(spec)
        compressor = made.compressor
        return ArraySpec(spec.shape, spec.dtype, made.chunks, None, compressor, made.zarr_format)

    def _level(self, spec: Spec) -> tuple[Level, ...]:
        return (Level(spec.shape, (1, 1, 1), (1, 1, 1)),)

    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes before compression: the most that chunks take."""
        return spec.nbytes * self.count

    @property
    def count(self) -> int:
        """Number of volumes that sweeps write to the array."""
        return 1

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "ArraySinkWriter":
        """Claim the store. Raise StoreError where that isn't possible."""
        return ArraySinkWriter(self, spec, pool, buffers, economy)

    def warm(self, spec: Spec) -> None:
        """Do nothing: no kernel is called."""

    def row(self, array: ArrayWriter) -> Mapping[str, Any]:
        """Return what the report tells of a volume; after the last one, write the metadata."""
        return {"path": str(self.path), "files": array.counts.files, "bytes": array.counts.bytes}

    @property
    def finishes(self) -> bool:
        """True if the store is complete when this volume is."""
        return True

    def __str__(self) -> str:
        return self.path.name


@lru_cache
def _layers(sink: ArraySink, spec: Spec, spilled: int = 0) -> Layers:
    return Layers((sink.array(spec),), (1,), spilled)


class ArraySinkWriter(Writer):
    """An `ArraySink` being written."""

    def __init__(
        self, sink: ArraySink, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy
    ) -> None:
        self._sink, self._spec = sink, spec
        self._out = sink.out or OpenOutput(sink.path, overwrite=sink.overwrite)
        self._out.made = self._out.made or _made(sink.array(spec))
        layers = sink.layers(spec, economy)
        (array,) = layers.arrays
        self._array = sink.writer(array, pool.workers, self._out, lean=economy.tight)
        self._scratch = ScratchFolder.of(sink.home, sink.scratch).open()
        self._room = Room(buffers.take((layers.room,), spec.dtype))
        waiting = None
        if layers.waits(0):
            store: PackedFile = self._scratch.file("layer")
            waiting = Waiting(self._array, store, lambda _: True, pool)
        self._cascade = Cascade(
            self._array, layers.planes(0), pool, buffers, "nearest", waiting=waiting
        )
        self._out.claim()

    def lend(self, z: int) -> Plane | None:
        """Return its slot in the layer, if that is free."""
        return self._cascade.lend(z)

    @property
    def filled(self) -> bool:
        """True if the next plane lies in its slot."""
        return self._cascade.filled

    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band of the next plane (y, x); it is copied."""
        self._cascade.take(plane, rows)

    def advance(self) -> None:
        """Go on to the next plane: this one is taken, or was lent its slot."""
        self._cascade.advance(self._room)
        if self._cascade.planes == self._spec.planes:
            self._room = Room(np.empty(0, self._spec.dtype))

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: ARG002
        """Write the metadata, if this is the last volume; return files and bytes."""
        if self._cascade.planes != self._spec.planes:
            raise PlanError(f"{self._cascade.planes} planes came of {self._spec.planes}")
        self._out.check()
        self._scratch.remove()
        return self._sink.row(self._array)

    def release(self) -> None:
        """Put the store on disk and take its mark away, if this is the last volume."""
        if self._sink.finishes:
            self._out.finish()

    def abort(self) -> bool:
        """Remove what all sweeps have written, and what waits; return whether anything was."""
        try:
            self._scratch.remove()
        finally:
            removed = self._out.abandon()
        return removed


def _made(array: ArraySpec) -> tuple[str, ...]:
    """Return the names of what is made in the folder of an array, besides its metadata."""
    first, unit = (*array.leading, array.shape[0])[0], 1 if array.leading else array.unit[0]
    return ("c",) if array.zarr_format == 3 else tuple(map(str, range(-(-first // unit))))


@dataclass(frozen=True)
class FrameSink(ArraySink):
    """A frame of an array in a store that the caller claims and completes."""

    frame: FrameSpec = field(kw_only=True)
    store: OpenOutput | None = field(default=None, compare=False)

    @property
    def out(self) -> OpenOutput | None:
        """The open store."""
        return self.store

    def array(self, spec: Spec) -> ArraySpec:  # noqa: ARG002 - the frame says it all
        """Return the frame."""
        return self.frame

    def writer(
        self,
        array: ArraySpec,  # noqa: ARG002 - the frame says it all
        workers: int,
        out: OpenOutput,
        *,
        lean: bool,
    ) -> ArrayWriter:
        """Return the writer of the frame."""
        counts = out.counts(self.path)
        return FrameWriter(
            self.path, self.frame, workers, lean=lean, guard=out.check, counts=counts
        )

    @property
    def finishes(self) -> bool:
        """False: the caller completes the store."""
        return False


@dataclass(frozen=True)
class ZarrSink(ArraySink, InTurn):
    """An array of its own, without a pyramid; chunks and shards are (z, y, x).

    See `hoaconv.Zarr` for what the fields mean.
    """

    chunks: Triple = (64, 64, 64)
    shards: Triple | None = None
    compressor: Compressor = field(default_factory=lambda: Compressor("none"))
    zarr_format: int = 3
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False)
    leading: Leading = field(default_factory=Leading)
    store: OpenOutput | None = field(default=None, compare=False)

    @property
    def out(self) -> OpenOutput | None:
        """The open store, if several sweeps write it."""
        return self.store

    def array(self, spec: Spec) -> ArraySpec:
        """Return the array."""
        return ArraySpec(
            spec.shape,
            spec.dtype,
            self.chunks,
            self.shards,
            self.compressor,
            self.zarr_format,
            self.leading.shape,
            self.leading.names,
            self.attributes,
        )

    def writer(self, array: ArraySpec, workers: int, out: OpenOutput, *, lean: bool) -> ArrayWriter:
        """Return the writer of this volume."""
        index, counts = self.leading.index, out.counts(self.path)
        guard = out.check
        return ArrayWriter(
            self.path, array, workers, lean=lean, guard=guard, index=index, counts=counts
        )

    def row(self, array: ArrayWriter) -> Mapping[str, Any]:
        """Write the metadata, if this is the last volume; return files and bytes."""
        if self.finishes:
            array.write_metadata()
        return super().row(array)

    @property
    def count(self) -> int:
        """Number of all volumes of the array."""
        return self.leading.count

    @property
    def finishes(self) -> bool:
        """True for the last volume."""
        return self.leading.is_last
