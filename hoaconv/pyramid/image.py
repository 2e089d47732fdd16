"""An OME-Zarr image that is written: its options, levels, arrays, and the layers that wait."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from hoaconv.engine.contract import Economy
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.compressor import Compressor
from hoaconv.io.leading import Leading
from hoaconv.io.open_output import InTurn, OpenOutput
from hoaconv.ops.measure import Histogram
from hoaconv.pyramid.added import Added, AddedLevels
from hoaconv.pyramid.distinct import Distinct
from hoaconv.pyramid.layers import Layers
from hoaconv.pyramid.levels import Level, levels
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.root import LevelWritten

__all__ = ["DISTINCT", "HISTOGRAM", "ImageSink"]

HISTOGRAM = Histogram()
"""The fold whose value says which voxel values a viewer shows."""

DISTINCT = Distinct()
"""The fold whose values get colors: the labels that there are."""

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class ImageSink(InTurn):
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

    @property
    def home(self) -> Path:
        """Folder in which layers wait: the image's, since a label's is erased with an old image."""
        return self.path.parent.parent if self.is_label else self.path

    @property
    def is_part(self) -> bool:
        """True for a label image, which lies in the folder of its image."""
        return self.is_label and not self.added

    def __str__(self) -> str:
        what = "label " if self.is_label else f"level {self.first} of " if self.beside else ""
        return what + self.path.name


@lru_cache
def _layers(sink: ImageSink, spec: Spec, spilled: int = 0, *, packed: bool = False) -> Layers:
    """Return the layers if so many levels are spilled; `fit` asks hundreds of times."""
    groups = (*(level.step[0] for level in sink.levels(spec)[1:]), 1)
    return Layers(sink.arrays(spec), groups, spilled, packed)
