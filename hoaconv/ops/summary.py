"""Statistics, histogram and thresholds of a volume from one count of its voxels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.deferred import GreyValues
from hoaconv.ops.measure import Counts, Histogram, value_ends
from hoaconv.ops.statistics import Stats, Tally

__all__ = ["SHARED", "Summary"]

State = tuple[Counts, Counts | Tally]
"""State of the histogram and of the statistics: one object where each value has its own bin."""

SHARED = ("nan", "zeros", "saturated")
"""Counts whose share is reported too, as a sample doesn't tell the count of the volume."""

_STATS = Stats()


@dataclass(frozen=True)
class Summary(Fold):
    """The results of `Stats` and `Histogram`, and thresholds, as exact as these are.

    All but the histogram are numbers with a name: ``mean``, ``zeros share``, ``p50``, ``otsu``.
    """

    takes_wide: ClassVar[bool] = True
    word: ClassVar[str] = "summary"

    bins: int
    percentiles: tuple[float, ...]
    thresholds: tuple[str, ...]

    def init(self, spec: Spec) -> State:
        """Return the state of no voxels."""
        counts = self._histogram.init(spec)
        return counts, counts if is_exact(spec.dtype) else _STATS.init(spec)

    def step(self, state: State, block: Plane, z: int = 0, y: int = 0) -> None:
        """Add the voxels of some rows of a plane."""
        counts, tally = state
        self._histogram.step(counts, block, z, y)
        if tally is not counts:
            _STATS.step(tally, block, z, y)

    def merge(self, one: State, other: State) -> State:
        """Return the state of the voxels of both."""
        counts = self._histogram.merge(one[0], other[0])
        return counts, counts if one[1] is one[0] else _STATS.merge(one[1], other[1])

    def finish(self, state: State) -> Mapping[str, Any]:
        """Return the numbers by their names; None for those that need a voxel but have none."""
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
        """Return the bounds of a number."""
        return value_ends(name, spec.dtype)

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of the counts, and of the sums where they are separate."""
        apart = 0 if is_exact(spec.dtype) else _STATS.state_bytes(spec)
        return self._histogram.state_bytes(spec) + apart

    @property
    def _histogram(self) -> Histogram:
        return Histogram(self.bins, self.percentiles)

    def _divided(self, counts: Counts) -> Mapping[str, Any]:
        """Return the thresholds; None for a volume without a finite voxel."""
        if not counts.occurring[0].size:
            return dict.fromkeys(self.thresholds)
        return GreyValues(self.thresholds).finish(counts)
