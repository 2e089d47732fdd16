"""The sink that writes planes as an OME-Zarr image, every level in the same sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Use, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError, StoreError
from hoaconv.io.addition import Addition
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.compressor import Compressor
from hoaconv.io.folder import SCRATCH, ZARR_FILES, Claim
from hoaconv.io.output import OutputSink
from hoaconv.io.packed import PackedFile, PackedMemory
from hoaconv.io.scratch import ScratchFolder
from hoaconv.io.zarr import ArrayWriter
from hoaconv.kernels.downsample import downsample, downsample_bytes
from hoaconv.ops.measure import Histogram
from hoaconv.pyramid.added import Added, AddedLevels
from hoaconv.pyramid.cascade import Cascade
from hoaconv.pyramid.distinct import Distinct
from hoaconv.pyramid.layers import Layers
from hoaconv.pyramid.levels import Level, levels
from hoaconv.pyramid.metadata import ImageInfo, label_list, write_group
from hoaconv.pyramid.root import LevelWritten, put_report, root_of
from hoaconv.pyramid.trial import packed_bytes, trial_seconds
from hoaconv.pyramid.waiting import Room, Waiting

__all__ = ["OmeZarr"]

HISTOGRAM = Histogram()
"""The fold whose value says which voxel values a viewer shows."""

DISTINCT = Distinct()
"""The fold whose values get colors: the labels that there are."""

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class OmeZarr(OutputSink):
    """An OME-Zarr image at `path`; chunks, shards and factors are (z, y, x).

    See `hoaconv.stack_to_omezarr` for what the fields mean.
    """

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
    first: int = 0
    """The first level that is written; the planes that come are those of this level."""
    begins: int = 0
    """The first level of the image, if sinks `beside` write those before `first`."""
    whole: Spec | None = None
    """Level 0, if another one is the first."""
    steps: tuple[Triple, ...] = ()
    """The first steps from level to level, if these are known."""
    added: Added | None = None
    """What this adds to a store that is there; None if it makes a store."""
    window: bool = True
    """Whether the image's metadata tell which voxel values a viewer shows."""
    beside: bool = False
    """True if it writes level `first` alone, and another sink the rest and the metadata."""
    others: list[LevelWritten] = field(default_factory=list, compare=False)
    """The levels that sinks `beside` have written, for the sink of the metadata."""

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
        if self.is_label or self.beside:
            return (DISTINCT,) if self.is_label and self.added else ()
        return (HISTOGRAM,) if self.window else ()

    @property
    def looks_back(self) -> bool:
        """True if voxel values are those of level 0, which isn't among the planes that come."""
        return self.first > 0

    def serves(self, fold: Fold, required: Fold) -> bool:
        """Return whether a fold tells what the image's metadata are made of."""
        if required != HISTOGRAM:
            return fold == required
        return isinstance(fold, Histogram) and fold.percentiles == HISTOGRAM.percentiles

    def levels(self, spec: Spec) -> tuple[Level, ...]:
        """Return the shapes and factors of the levels that are written."""
        own = self.all_levels(self.whole or spec)[self.first :]
        return own[:1] if self.beside else own

    def all_levels(self, whole: Spec) -> tuple[Level, ...]:
        """Return the shapes and factors of the pyramid, given level 0."""
        edges, by = whole.geometry.edges, self.factors
        return levels(whole.shape, self.chunks, edges, by, self.level_count, self.steps)

    def name_of(self, i: int) -> str:
        """Return the name of the array of a level, counted from the first that is written."""
        named = self.added.names if isinstance(self.added, AddedLevels) else ()
        return named[self.first + i] if named else str(self.first + i)

    @property
    def folder(self) -> Path:
        """Folder of the group while it is written."""
        return self.added.folder if self.added else self.path

    def arrays(self, spec: Spec) -> tuple[ArraySpec, ...]:
        """Return the array of each level."""
        return tuple(self._array(level, spec) for level in self.levels(spec))

    def _array(self, level: Level, spec: Spec) -> ArraySpec:
        zarr_format = 3 if self.ngff == "0.5" else 2
        return ArraySpec(
            level.shape, spec.dtype, self.chunks, self.shards, self.compressor, zarr_format
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
        return sum(array.objects for array in arrays) + metadata * (len(arrays) + groups)

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds to copy and downsample a plane, and to pack its share of chunks."""
        return trial_seconds(self.arrays(spec)[0], self.levels(spec), self.image.method, plane)

    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes of all levels before compression: the most that chunks take."""
        return sum(prod(level.shape) for level in self.levels(spec)) * spec.dtype.itemsize

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:
        """Return the estimated bytes of all levels on disk."""
        return packed_bytes(self.arrays(spec)[0], self.levels(spec), plane)

    def scratch_for_job(self, under: Path | None) -> ScratchFolder:
        """Return the place of what the whole job lets wait; see `OutputSink.scratch_for_job`."""
        return ScratchFolder.of(self.home, under)

    @property
    def is_part(self) -> bool:
        """True for a label image, which lies in the folder of its image."""
        return self.is_label and not self.added

    def record(self, values: Mapping[str, Any]) -> int:
        """Put what a run tells of itself into the image's provenance; see `OutputSink.record`."""
        return put_report(self.folder, self.ngff, values, isinstance(self.added, AddedLevels))

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "OmeZarrWriter":
        """Claim the folder. Raise StoreError where that isn't possible."""
        return OmeZarrWriter(self, spec, pool, buffers, economy)

    def warm(self, spec: Spec) -> None:
        """Compile the downsampling of this dtype for each distinct step."""
        for step in {level.step for level in self.levels(spec)[1:]}:
            plane = np.zeros((1, 1), spec.dtype)
            downsample(self.image.method, (plane,) * step[0], 1, *step[1:], np.empty_like(plane))

    def __str__(self) -> str:
        what = "label " if self.is_label else f"level {self.first} of " if self.beside else ""
        return what + self.path.name


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
        of = partial(ArrayWriter, workers=pool.workers, lean=economy.tight, guard=self._check)
        folders = (sink.folder / sink.name_of(i) for i in range(len(self._levels)))
        self._arrays = list(map(of, folders, self._layers.arrays))
        self._waits_as = f"label-{sink.path.name}-" if sink.is_label else f"from-{sink.first}-"
        self._scratch = ScratchFolder.of(sink.home, sink.scratch).open()
        self._room = Room(buffers.take((self._layers.room,), spec.dtype))
        self._top = self._cascade()
        self._claim: Claim | Addition | None = None  # a label lies in what its image claims
        if sink.beside:
            pass
        elif sink.added:
            self._claim = Addition(sink.added.store, sink.added.moves)
        elif not sink.is_label:
            self._claim = Claim(sink.path, overwrite=sink.overwrite)

    def _check(self) -> None:
        """Raise StoreError if the folder isn't this run's; remove what was there before."""
        claim = self._claim or Claim.on(self._sink.home)
        if claim:
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
        for array in self._arrays:
            array.write_metadata()
        self._scratch.remove()
        made = list(map(LevelWritten.of, count(self._sink.first), self._levels, self._arrays))
        files, nbytes = 0, 0
        if self._sink.beside:
            self._sink.others.extend(made)
        else:
            made = [*self._sink.others, *made]
            files, nbytes = self._write_root(folds, made)
        return {
            "path": str(self._sink.path),
            "levels": [level.row for level in made],
            "files": files + sum(level.files for level in made),
            "bytes": nbytes + sum(level.bytes for level in made),
        }

    def release(self) -> None:
        """Put the store on disk and take its mark away. If that fails, all of it stays as it is."""
        if self._claim:
            self._claim.finish()

    def abort(self) -> bool:
        """Remove what was written, and what waits; return whether anything was."""
        try:
            self._scratch.remove()
        finally:
            removed = self._abandon()
        return removed

    def _abandon(self) -> bool:
        try:
            return self._claim is not None and self._claim.abandon(self._made())
        except OSError as error:
            raise StoreError(f"{self._sink.path}: what was written stays: {error}") from error

    def _made(self) -> list[str]:
        """Return what the run has put into the folder; a file that others put there isn't in it."""
        levels = map(str, range(self._sink.first + len(self._levels)))
        files = [name + end for name in ZARR_FILES for end in ("", ".tmp")]
        return [*levels, *files, *(["labels"] if self._sink.labels else []), SCRATCH]

    def _write_root(
        self, folds: Mapping[Fold, Mapping[str, Any]], made: Sequence[LevelWritten]
    ) -> tuple[int, int]:
        """Write the metadata of the groups, the image's own last; return files and bytes."""
        sink = self._sink
        listed = (0, 0)
        if sink.labels:
            names = label_list(sink.labels, sink.ngff)
            listed = write_group(sink.path / "labels", sink.ngff, names)
        whole, stored = sink.whole or self._spec, [level.stored for level in made]
        values = root_of(sink, whole, stored, folds.get(HISTOGRAM, {}), folds.get(DISTINCT, {}))
        own = write_group(sink.folder, sink.ngff, values)
        return listed[0] + own[0], listed[1] + own[1]
