"""The sink that writes planes as an OME-Zarr image, every level in the same sweep."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Use, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError, StoreError
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.compressor import Compressor
from hoaconv.io.folder import Claim
from hoaconv.io.leading import Leading
from hoaconv.io.open_output import InTurn, OpenOutput
from hoaconv.io.packed import PackedFile, PackedMemory
from hoaconv.io.scratch import ScratchFolder
from hoaconv.io.zarr import ArrayWriter, write_json
from hoaconv.kernels.downsample import downsample, downsample_bytes
from hoaconv.ops.measure import Histogram
from hoaconv.pyramid.cascade import Cascade
from hoaconv.pyramid.layers import Layers
from hoaconv.pyramid.levels import Level, levels
from hoaconv.pyramid.metadata import (
    ImageInfo,
    as_label,
    attributes,
)
from hoaconv.pyramid.root import windows_of, write_group, write_label_list
from hoaconv.pyramid.trial import packed_bytes, trial_seconds
from hoaconv.pyramid.waiting import Room, Waiting

__all__ = ["OmeZarr"]

HISTOGRAM = Histogram()
"""The fold whose value says which voxel values a viewer shows."""

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class OmeZarr(InTurn):
    """An OME-Zarr image at `path`; chunks, shards and factors are (z, y, x).

    See `hoaconv.stack_to_omezarr` for what the fields mean.
    """

    has_levels: ClassVar[bool] = True

    path: Path
    image: ImageInfo
    chunks: Triple
    shards: Triple | None
    compressor: Compressor
    ngff: str = "0.5"
    factors: Triple | None = None
    level_count: int | None = None
    overwrite: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)
    scratch: Path | None = None
    """Folder under which layers wait that don't fit in memory; by default the output."""
    labels: tuple[str, ...] = ()
    """Names of label images that other sinks of the sweep write under ``labels/``."""
    is_label: bool = False
    """True if this is such a label image: the image's sink then claims the folder."""
    leading: Leading = field(default_factory=Leading)
    """The times and channels of the image, and which of them is written."""
    store: OpenOutput | None = field(default=None, compare=False)
    """The image's store, where several sweeps write it."""

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is.

        Raises
        ------
        PlanError
            If labels would not be whole numbers.
        """
        self.arrays(spec)
        if self.is_label and spec.dtype.kind == "f":
            raise PlanError(
                f"label {self.path.name} would be {spec.dtype}; labels are whole numbers: "
                "end its ops with a threshold or a cast"
            )
        return spec

    def requires(self, spec: Spec) -> tuple[Fold, ...]:  # noqa: ARG002 - of any planes
        """Return the histogram, by which viewers are told what to show; a label needs none."""
        return () if self.is_label else (HISTOGRAM,)

    def serves(self, fold: Fold, required: Fold) -> bool:  # noqa: ARG002 - there is one
        """Return whether a fold tells the percentiles that the image's metadata are made of."""
        return isinstance(fold, Histogram) and fold.percentiles == HISTOGRAM.percentiles

    def levels(self, spec: Spec) -> tuple[Level, ...]:
        """Return the shapes and factors of the pyramid."""
        edges = spec.geometry.edges
        return levels(spec.shape, self.chunks, edges, self.factors, self.level_count)

    def arrays(self, spec: Spec) -> tuple[ArraySpec, ...]:
        """Return the array of each level."""
        return tuple(self._array(level, spec) for level in self.levels(spec))

    def _array(self, level: Level, spec: Spec) -> ArraySpec:
        zarr_format = 3 if self.ngff == "0.5" else 2
        return ArraySpec(
            level.shape,
            spec.dtype,
            self.chunks,
            self.shards,
            self.compressor,
            zarr_format,
            self.leading.shape,
            self.leading.names,
        )

    def layers(self, spec: Spec, economy: Economy) -> Layers:
        """Return the layers of all levels, of which as many are spilled as save memory."""
        spilled = min(economy.spilled, _layers(self, spec).spillable)
        return _layers(self, spec, spilled, packed=economy.packed)

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        """Count the layers of all levels, and the workspace of downsampling."""
        layers = self.layers(spec, economy).uses(str(self), workers)
        threads = min(workers + 1, spec.plane_shape[0])  # a band has at least a row
        shrinking = threads * downsample_bytes(spec.shape[2], spec.dtype)
        return (*layers, Use(str(self), f"downsampling in {threads} threads", shrinking))

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:
        """Return the bytes of a layer's chunks on their way to disk; levels are stored in turn."""
        return max(array.write_bytes(workers, lean=economy.tight) for array in self.arrays(spec))

    def lends(self, spec: Spec, economy: Economy) -> int:
        """Return the planes of the first layer: its buffer has a slot for each from the start."""
        return 0 if self.layers(spec, economy).spilled else self.arrays(spec)[0].unit[0]

    def spillable(self, spec: Spec) -> int:
        """Return how many levels' layers may wait in scratch, the largest first."""
        return self.layers(spec, Economy()).spillable

    def through_scratch(self, spec: Spec, economy: Economy) -> int:
        """Return the bytes of the levels whose layers wait in scratch."""
        waiting = self.levels(spec)[: self.layers(spec, economy).spilled]
        return sum(prod(level.shape) for level in waiting) * spec.dtype.itemsize

    def packs(self, spec: Spec) -> bool:
        """Return whether less is held if planes of the levels from 1 on wait packed."""
        return _packs(self, spec)

    def spills(self, spec: Spec, economy: Economy) -> str:
        """Return which layers wait in scratch."""
        count = self.layers(spec, economy).spilled
        largest = "the largest level" if count == 1 else f"the {count} largest levels"
        return f"layers of {largest}" if count else ""

    @property
    def scratch_place(self) -> Path:
        """The folder in or under which layers wait that don't in memory."""
        return self.scratch or self.home

    @property
    def home(self) -> Path:
        """Folder in which layers wait: the image's, since a label's is erased with an old image."""
        return self.path.parent.parent if self.is_label else self.path

    def scratch_bytes(self, spec: Spec, economy: Economy) -> int:
        """Return the bytes of planes that don't wait in memory, as if none were smaller packed."""
        return self.layers(spec, economy).scratch_bytes

    def files(self, spec: Spec) -> int:
        """Count shards or chunks of all levels, and metadata; chunks of zeros are not stored."""
        arrays = self.arrays(spec)
        metadata = 1 if self.ngff == "0.5" else 2  # of a group as of an array
        groups = 1 + bool(self.labels)
        objects = sum(array.objects for array in arrays) * self.leading.count
        return objects + metadata * (len(arrays) + groups)

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds to copy and downsample a plane, and to pack its share of chunks."""
        return trial_seconds(self.arrays(spec)[0], self.levels(spec), self.image.method, plane)

    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes of all levels before compression: the most that chunks take."""
        voxels = sum(prod(level.shape) for level in self.levels(spec))
        return voxels * spec.dtype.itemsize * self.leading.count

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:
        """Return the estimated bytes of all levels on disk."""
        of_one = packed_bytes(self.arrays(spec)[0], self.levels(spec), plane)
        return of_one * self.leading.count

    @property
    def is_part(self) -> bool:
        """True for a label image, which lies in the folder of its image."""
        return self.is_label

    def record(self, values: Mapping[str, Any]) -> int:
        """Put what a run tells of itself into the image's provenance; see `OutputSink.record`."""
        file = self.path / ("zarr.json" if self.ngff == "0.5" else ".zattrs")
        try:
            text = file.read_bytes()
            whole = json.loads(text)
            attributes = whole["attributes"] if self.ngff == "0.5" else whole
            attributes["hoaconv"]["report"] = dict(values)
            return write_json(file, whole) - len(text)
        except (OSError, ValueError, LookupError) as error:
            raise StoreError(
                f"the report can't be put into {file}: {error}; the output is complete"
            ) from error

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "OmeZarrWriter":
        """Claim the folder. Raise StoreError where that isn't possible."""
        return OmeZarrWriter(self, spec, pool, buffers, economy)

    def warm(self, spec: Spec) -> None:
        """Compile the downsampling of this dtype for each distinct step."""
        for step in {level.step for level in self.levels(spec)[1:]}:
            plane = np.zeros((1, 1), spec.dtype)
            downsample(self.image.method, (plane,) * step[0], 1, *step[1:], np.empty_like(plane))

    def __str__(self) -> str:
        return f"label {self.path.name}" if self.is_label else self.path.name


@lru_cache
def _layers(sink: OmeZarr, spec: Spec, spilled: int = 0, *, packed: bool = False) -> Layers:
    """Return the layers if so many levels are spilled; `fit` asks hundreds of times."""
    groups = (*(level.step[0] for level in sink.levels(spec)[1:]), 1)
    return Layers(sink.arrays(spec), groups, spilled, packed)


@lru_cache
def _packs(sink: OmeZarr, spec: Spec) -> bool:
    """Return whether packing saves memory, however many levels are spilled."""
    steps = range(_layers(sink, spec).spillable + 1)
    held = ((_layers(sink, spec, n, packed=packed).held for packed in (True, False)) for n in steps)
    return any(packed < plain for packed, plain in held)


class OmeZarrWriter(Writer):
    """An `OmeZarr` being written."""

    def __init__(
        self, sink: OmeZarr, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy
    ) -> None:
        self._sink, self._spec, self._pool, self._buffers = sink, spec, pool, buffers
        self._levels, self._layers = sink.levels(spec), sink.layers(spec, economy)
        out = sink.store or OpenOutput(sink.path, overwrite=sink.overwrite)
        self._out = out
        self._arrays = [
            ArrayWriter(
                path := sink.path / str(i),
                array,
                pool.workers,
                lean=economy.tight,
                guard=self._check,
                index=sink.leading.index,
                counts=out.counts(path),
            )
            for i, array in enumerate(self._layers.arrays)
        ]
        self._waits_as = f"label-{sink.path.name}-" if sink.is_label else ""
        self._scratch = ScratchFolder.of(sink.home, sink.scratch).open()
        self._room = Room(buffers.take((self._layers.room,), spec.dtype))
        self._top = self._cascade()
        if not sink.is_label:  # a label lies in the image's folder, whose sink claims it
            out.made = self._made()
            out.claim()

    def _check(self) -> None:
        """Raise StoreError if the folder isn't this run's; remove what was there before."""
        if not self._sink.is_label:
            self._out.check()
        elif claim := Claim.on(self._sink.path.parent.parent):
            claim.check()
            claim.begin()

    def _cascade(self, i: int = 0) -> Cascade:
        """Return the cascade of level `i` and all below."""
        array, layers, given = self._arrays[i], self._layers, (self._pool, self._buffers)
        last = i + 1 == len(self._levels)
        below = None if last else (self._levels[i + 1], self._cascade(i + 1))
        waiting = None
        if layers.waits(i):
            waiting = Waiting(array, self._store(i), partial(layers.lasts, i), self._pool)
        method, late = self._sink.image.method, layers.late and not i
        return Cascade(array, layers.planes(i), *given, method, below, waiting, late=late)

    def _store(self, i: int) -> PackedFile | PackedMemory | Room:
        """Return the place where the layer of level `i` waits."""
        file = self._scratch.file(f"{self._waits_as}level-{i}")
        nbytes = self._layers.waiting_bytes(i)
        if i < self._layers.spilled:
            return file
        if self._layers.packed:
            return PackedMemory(nbytes, file, self._buffers)
        dtype = self._spec.dtype
        return Room(self._buffers.take((nbytes // dtype.itemsize,), dtype))

    def lend(self, z: int) -> Plane | None:
        """Return its slot in the layer, if that is free."""
        return self._top.lend(z)

    @property
    def filled(self) -> bool:
        """True if the next plane lies in its slot."""
        return self._top.filled

    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band of the next plane (y, x); it is copied."""
        self._top.take(plane, rows)

    def advance(self) -> None:
        """Go on to the next plane: this one is taken, or was lent its slot."""
        if self._top.filled:
            self._top.fill(self._room)
        else:
            self._top.advance(self._room)
        if self._top.planes == self._spec.planes:
            self._room = Room(np.empty(0, self._spec.dtype))

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Write the metadata, the image's own last. Return a row a level, files and bytes."""
        if self._top.planes != self._spec.planes:
            raise PlanError(f"{self._top.planes} planes came of {self._spec.planes}")
        self._check()
        self._scratch.remove()
        kept = self._out.kept.setdefault(self._sink.path, {})
        kept[self._sink.leading.index] = folds.get(HISTOGRAM, {})
        files, nbytes = self._write_all_metadata() if self._sink.leading.is_last else (0, 0)
        rows = [self._row(i) for i in range(len(self._levels))]
        return {
            "path": str(self._sink.path),
            "levels": rows,
            "files": files + sum(array.counts.files for array in self._arrays),
            "bytes": nbytes + sum(array.counts.bytes for array in self._arrays),
        }

    def release(self) -> None:
        """Put the store on disk and take its mark away. If that fails, all of it stays as it is."""
        if not self._sink.is_label and self._sink.leading.is_last:
            self._out.finish()

    def abort(self) -> bool:
        """Remove what was written, and what waits; return whether anything was."""
        try:
            self._scratch.remove()
        finally:
            removed = not self._sink.is_label and self._out.abandon()
        return removed

    def _made(self) -> list[str]:
        """Return what the run puts into the folder; a file that others put there isn't in it."""
        levels = [str(i) for i in range(len(self._levels))]
        return [*levels, *(["labels"] if self._sink.labels else [])]

    def _write_all_metadata(self) -> tuple[int, int]:
        """Write metadata of arrays and groups, the image's last; return files, bytes of groups."""
        for array in self._arrays:
            array.write_metadata()
        sink = self._sink
        kept = self._out.kept[sink.path]
        listed = write_label_list(sink.path, sink.ngff, sink.labels)
        stored = [
            {"path": str(i), "files": array.counts.stored, "empty": array.counts.empty}
            for i, array in enumerate(self._arrays)
        ]
        provenance = {**sink.provenance, "levels": stored}
        values = attributes(
            sink.image,
            self._spec.geometry,
            self._levels,
            sink.ngff,
            windows_of(sink.leading, kept, self._spec.dtype),
            provenance,
            sink.leading,
        )
        if sink.is_label:
            values = as_label(values, sink.ngff)
        own = write_group(sink.path, sink.ngff, values)
        return listed[0] + own[0], listed[1] + own[1]

    def _row(self, i: int) -> dict[str, Any]:
        level, array = self._levels[i], self._arrays[i].spec
        return {
            "level": i,
            "shape": level.shape,
            "factor": level.factor,
            "chunks": array.chunks,
            "shards": array.shards,
            "bytes": prod(level.shape) * array.dtype.itemsize,
        }
