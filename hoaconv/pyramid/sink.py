"""The sink that writes planes as an OME-Zarr image, every level in the same sweep."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Use
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.io.scratch import ScratchFolder, waiting_place
from hoaconv.kernels.downsample import downsample, downsample_bytes
from hoaconv.ops.measure import Histogram
from hoaconv.pyramid.added import AddedLevels
from hoaconv.pyramid.image import DISTINCT, HISTOGRAM, ImageSink
from hoaconv.pyramid.root import put_report
from hoaconv.pyramid.trial import packed_bytes, trial_seconds
from hoaconv.pyramid.writer import OmeZarrWriter

__all__ = ["OmeZarr"]


@dataclass(frozen=True)
class OmeZarr(ImageSink):
    """An OME-Zarr image at `path`; chunks, shards and factors are (z, y, x).

    See `hoaconv.stack_to_omezarr` for what the fields mean.
    """

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
        return self.scratch or waiting_place(self.home) or self.home

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

    def scratch_for_job(self, under: Path | None) -> ScratchFolder:
        """Return the place of what the whole job lets wait; see `OutputSink.scratch_for_job`."""
        return ScratchFolder.of(self.home, under)

    def record(self, values: Mapping[str, Any]) -> int:
        """Put what a run tells of itself into the image's provenance; see `OutputSink.record`."""
        return put_report(self.folder, self.ngff, values, added=isinstance(self.added, AddedLevels))

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "OmeZarrWriter":
        """Claim the folder. Raise StoreError where that isn't possible."""
        return OmeZarrWriter(self, spec, pool, buffers, economy)

    def warm(self, spec: Spec) -> None:
        """Compile the downsampling of this dtype for each distinct step."""
        for step in {level.step for level in self.levels(spec)[1:]}:
            plane = np.zeros((1, 1), spec.dtype)
            downsample(self.image.method, (plane,) * step[0], 1, *step[1:], np.empty_like(plane))


@lru_cache
def _packs(sink: OmeZarr, spec: Spec) -> bool:
    """Return whether packing saves memory, however many levels are spilled."""
    steps = range(sink.spillable(spec) + 1)
    both = ((Economy(spilled=n, packed=True), Economy(spilled=n)) for n in steps)
    held = ((sink.layers(spec, economy).held for economy in pair) for pair in both)
    return any(packed < plain for packed, plain in held)
