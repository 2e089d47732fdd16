"""From groups of sampled slices to a value and the interval in which the true one lies.

The delete-a-group jackknife (P. S. Kott, The delete-a-group jackknife, Journal of Official
Statistics 17, 2001): leave out one group after the other; how far the values lie apart tells the
error of the value of all. It asks nothing of how the value is made: a mean, a percentile and
Otsu's threshold are treated alike.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from math import sqrt
from typing import Any

from hoaconv.engine.contract import Fold

__all__ = ["Intervals", "interval", "together"]

Intervals = Mapping[str, tuple[float, float]]
"""Lower and upper end, by the value's name."""

T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's t, two-sided 95 %, for 1 to 9 degrees of freedom."""


def together(fold: Fold, states: Sequence[Any]) -> Mapping[str, Any]:
    """The value of several states."""
    return fold.finish(reduce(fold.merge, states))


def interval(
    values: Mapping[str, Any], left_out: Sequence[Mapping[str, Any]], share: float
) -> Intervals:
    """95 % confidence intervals of the numbers among `values`.

    Parameters
    ----------
    values
        Of all groups together.
    left_out
        Of all groups but one, for each group.
    share
        How much of the volume was measured, 0 to 1: of all of it nothing is left to guess.

    Examples
    --------
    >>> interval({"mean": 2.0}, [{"mean": 1.5}, {"mean": 2.5}], share=0.0)
    {'mean': (-4.355, 8.355)}
    """
    groups = len(left_out)
    found: dict[str, tuple[float, float]] = {}
    for name, value in values.items():
        if groups < 2 or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        others = [one[name] for one in left_out]
        if not all(isinstance(other, int | float) for other in others):
            continue  # without some group there is no such value
        centre = sum(others) / groups
        spread = sum((other - centre) ** 2 for other in others) * (groups - 1) / groups
        margin = T_95[min(groups, len(T_95) + 1) - 2] * sqrt(spread * (1 - share))
        found[name] = (value - margin, value + margin)
    return found
