"""All that is told of a volume's values, from voxels that are counted once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.measure import Counts, Histogram, value_ends
from hoaconv.ops.sought import GreyValues
from hoaconv.ops.statistics import Stats, Tally

__all__ = ["SHARED", "Summary"]

State = tuple[Counts, Counts | Tally]
"""Of the counted values, and of the statistics: one object where every value has its own bin."""

SHARED = ("nan", "zeros", "saturated")
"""Voxels whose share is told too, since a sample knows no number of the whole volume's."""

_STATS = Stats()


@dataclass(frozen=True)
class Summary(Fold):
    """What `Stats` and `Histogram` tell, and thresholds; see there how exactly.

    All but the histogram are numbers by a name each: ``mean``, ``zeros share``, ``p50``, ``otsu``.
    """

    word: ClassVar[str] = "summary"

    bins: int
    percentiles: tuple[float, ...]
    thresholds: tuple[str, ...]

    def init(self, spec: Spec) -> State:
        """No voxels."""
        counts = self._histogram.init(spec)
        return counts, counts if is_exact(spec.dtype) else _STATS.init(spec)

    def step(self, state: State, block: Plane, z: int = 0, y: int = 0) -> None:
        """Take in the voxels of some rows of a plane."""
        counts, tally = state
        self._histogram.step(counts, block, z, y)
        if tally is not counts:
            _STATS.step(tally, block, z, y)

    def merge(self, one: State, other: State) -> State:
        """All voxels of both."""
        counts = self._histogram.merge(one[0], other[0])
        return counts, counts if one[1] is one[0] else _STATS.merge(one[1], other[1])

    def finish(self, state: State) -> Mapping[str, Any]:
        """The numbers by their names; None for those that need a voxel where there is none."""
        counts, tally = state
        numbers, told = _STATS.finish(tally), self._histogram.finish(counts)
        return {
            **numbers,
            **{f"{name} share": numbers[name] / numbers["n"] for name in SHARED if numbers["n"]},
            **{f"p{q}": value for q, value in told["percentiles"].items()},
            **self._divided(counts),
            "histogram": {name: told[name] for name in ("edges", "counts")},
        }

    def ends(self, name: str, spec: Spec) -> tuple[float, float]:
        """What a number can be."""
        return value_ends(name, spec.dtype)

    def state_bytes(self, spec: Spec) -> int:
        """Bytes of the counts, and of the sums where they are apart."""
        apart = 0 if is_exact(spec.dtype) else _STATS.state_bytes(spec)
        return self._histogram.state_bytes(spec) + apart

    @property
    def _histogram(self) -> Histogram:
        return Histogram(self.bins, self.percentiles)

    def _divided(self, counts: Counts) -> Mapping[str, Any]:
        """Thresholds between dark and bright; a volume of no finite voxel has none."""
        if not counts.occurring[0].size:
            return dict.fromkeys(self.thresholds)
        return GreyValues(self.thresholds).finish(counts)
