"""The fold behind ``volume.max()`` and the like: numbers of all voxels, as NumPy has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from typing import Any, ClassVar

from hoaconv.ops.measure import Counts
from hoaconv.ops.statistics import Stats, Tally

__all__ = ["TOTALS", "Totals"]

TOTALS = ("min", "max", "mean", "std", "sum")
"""Names of the numbers."""


@dataclass(frozen=True)
class Totals(Stats):
    """Compute minimum, maximum, mean, standard deviation and sum; NaN and infinities count.

    As NumPy's functions: one NaN makes all of them NaN, an infinity makes mean and sum infinite,
    and std NaN. Otherwise all are exact, or exact results rounded once, whatever the dtype.
    """

    word: ClassVar[str] = "totals"

    def finish(self, state: Counts | Tally) -> Mapping[str, Any]:
        """Return the numbers by their names; NaN and infinities are spelled as JSON takes them."""
        told = super().finish(state)
        if state.dtype.kind in "iu":
            return {name: told[name] for name in TOTALS}
        if told["nan"]:
            return dict.fromkeys(TOTALS, "NaN")
        least, greatest = float(told["min"]), float(told["max"])
        if isfinite(least) and isfinite(greatest):
            return {name: _spelled(float(told[name])) for name in TOTALS}
        total = nan if least == -greatest else least if least == -inf else greatest
        numbers = (least, greatest, total, nan, total)
        return dict(zip(TOTALS, map(_spelled, numbers), strict=True))


def _spelled(value: float) -> float | str:
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
