"""All that is told of a volume's values, from voxels that are counted once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.measure import Counting, Counts, Histogram
from hoaconv.ops.statistics import Stats, Tally

__all__ = ["SHARED", "Summary"]

State = tuple[Counts, Counts | Tally]
"""Of the percentiles and the histogram, and of the statistics: the same where bins are exact."""

SHARED = ("sum", "nan", "zeros", "saturated")
"""What grows with the volume; a sample of it tells the share of each voxel."""

_STATS = Stats()


@dataclass(frozen=True)
class Summary(Counting):
    """What `Stats` and `Histogram` tell, by one name each; see there for how exact it is.

    Percentiles go by ``percentile 50``; ``zeros share`` and the like are per voxel.
    """

    word: ClassVar[str] = "summary"

    bins: int
    percentiles: tuple[float, ...]

    def init(self, spec: Spec) -> State:  # type: ignore[override]
        """No voxels."""
        counts = super().init(spec)
        return counts, counts if is_exact(spec.dtype) else _STATS.init(spec)

    def step(self, state: State, block: Plane, z: int = 0, y: int = 0) -> None:  # type: ignore[override]
        """Take in the voxels of some rows of a plane."""
        counts, tally = state
        super().step(counts, block, z, y)
        if tally is not counts:
            _STATS.step(tally, block, z, y)

    def merge(self, one: State, other: State) -> State:  # type: ignore[override]
        """All voxels of both."""
        counts = super().merge(one[0], other[0])
        return counts, counts if one[1] is one[0] else _STATS.merge(one[1], other[1])

    def finish(self, state: State) -> Mapping[str, Any]:  # type: ignore[override]
        """The numbers by their names; None for those that need a voxel where there is none."""
        counts, tally = state
        told = Histogram(self.bins, self.percentiles).finish(counts)
        numbers = _STATS.finish(tally)
        shares = {f"{name} share": _share(numbers[name], numbers["n"]) for name in SHARED}
        percentiles = {f"percentile {q}": value for q, value in told["percentiles"].items()}
        bins = {name: told[name] for name in ("edges", "counts")}
        return {**numbers, **shares, **percentiles, "histogram": bins}

    def state_bytes(self, spec: Spec) -> int:
        """Bytes of the counts, and of the sums where they are counted apart."""
        own = 0 if is_exact(spec.dtype) else _STATS.state_bytes(spec)
        return super().state_bytes(spec) + own


def _share(value: Any, number: int) -> float | None:
    return value / number if number and isinstance(value, int | float) else None
