"""From halves of a sample of slices to a value and the interval in which the true one lies.

One slice is drawn from each of N strata along z, which leaves nothing in a stratum to tell its
variance by. So each stratum is collapsed with the next one, to a pair of slices that count as
drawn from the same stratum (K. M. Wolter, Introduction to Variance Estimation, 2nd ed., 2007,
section 2.5). What lies between the two strata counts as error too: along a trend the intervals
are wider than need be, and still a fraction of those of slices drawn from anywhere.

The error itself comes from balanced half-samples (P. J. McCarthy, Pseudo-replication: half samples,
Review of the International Statistical Institute 37, 1969; Wolter, chapter 3): a half-sample takes
one slice of each pair; which one, the rows of a Hadamard matrix say, so that over all half-samples
the pairs don't mingle. It asks nothing of how the value is made: a mean, a percentile and Otsu's
threshold are treated alike. The delete-a-group jackknife (P. S. Kott, Journal of Official
Statistics 17, 2001), every G-th stratum being a group, takes a trend between the groups for error,
and misses the true percentile more often; docs/design.md has both measured.

A high percentile of slices that differ is that of one or two of the pairs. Then the pairs are fewer
than they seem, and Student's t is that of the effective degrees of freedom (E. G. Johnson and K. F.
Rust, Population inferences and variance estimation for NAEP data, Journal of Educational Statistics
17, 1992).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import inf, isfinite, sqrt
from typing import Any, cast

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.errors import PlanError

__all__ = ["PAIRS", "Drawn", "Ends", "Intervals", "half_samples", "interval", "sign", "together"]

PAIRS = 10
"""Groups of pairs: a fold's state is held twice as often, and once more for an odd slice."""

Intervals = Mapping[str, tuple[float, float]]
"""Lower and upper end, by the value's name."""

Flat = np.ndarray[tuple[int], np.dtype[np.float64]]

Ends = Callable[[str], tuple[float, float]]
"""The least and the greatest that a number can be, by its name."""

T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, two-sided 95 %, for 1 to 10 degrees of freedom."""


@dataclass(frozen=True)
class Drawn:
    """A sample: so many slices of so many."""

    slices: int
    of: int

    @property
    def pairs(self) -> int:
        """Pairs of slices; an odd slice is in none."""
        return self.slices // 2

    @property
    def groups(self) -> int:
        """Groups that these pairs are dealt to."""
        return min(PAIRS, self.pairs)

    @property
    def unknown(self) -> float:
        """The part of the pairs' variance that is error: none where all slices were drawn.

        An odd slice is taken to differ as those in pairs do.
        """
        return (1 - self.slices / self.of) * self.slices / (2 * self.pairs)


def together(fold: Fold, states: Sequence[Any]) -> Mapping[str, Any]:
    """Return the value of several states."""
    return fold.finish(reduce(fold.merge, states))


def sign(row: int, pair: int) -> int:
    """Return an entry of a Hadamard matrix, 1 or -1; its column 0, all ones, is no pair's."""
    return -1 if (row & (pair + 1)).bit_count() % 2 else 1


def half_samples(fold: Fold, states: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Return the values of balanced half-samples, each half counted twice.

    Parameters
    ----------
    fold
        What makes a value of a state.
    states
        Of the two halves of each group of pairs, and of an odd slice, which all half-samples have.

    Returns
    -------
    list
        Nothing for a half-sample that has no value.
    """
    pairs = len(states) // 2
    made: list[Mapping[str, Any]] = []
    for row in range(1 << pairs.bit_length() if pairs else 0):
        half = reduce(fold.merge, (states[2 * p + (sign(row, p) < 0)] for p in range(pairs)))
        try:
            made.append(together(fold, [half, half, *states[2 * pairs :]]))
        except PlanError:  # as where the voxels that there are all are NaN
            made.append({})
    return made


def interval(
    values: Mapping[str, Any],
    halves: Sequence[Mapping[str, Any]],
    drawn: Drawn,
    ends: Ends = lambda _: (-inf, inf),
) -> Intervals:
    """Return confidence intervals, of about 95 %, of the numbers among `values`.

    Parameters
    ----------
    values
        Of all slices that were drawn.
    halves
        Of the half-samples, in the order of `half_samples`.
    drawn
        The sample: if it is the whole volume, nothing is left to guess.
    ends
        What no interval goes beyond.

    Examples
    --------
    >>> interval({"mean": 2.0}, [{"mean": 1.5}, {"mean": 2.5}], Drawn(2, 4), lambda _: (0, 5))
    {'mean': (0.0, 5.0)}
    """
    if not halves:
        return {}
    found: dict[str, tuple[float, float]] = {}
    for name, value in values.items():
        others = [half.get(name) for half in halves]
        if not all(_is_number(other) for other in (value, *others)):
            continue  # without some slices there is no such value
        margin = _margin([float(cast(float, other)) - value for other in others], drawn)
        least, greatest = ends(name)
        found[name] = (
            float(min(max(value - margin, least), value)),
            float(max(min(value + margin, greatest), value)),
        )
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _margin(off: Sequence[float], drawn: Drawn) -> float:
    """Return half the width of an interval, from the errors of the half-samples."""
    scale = max(map(abs, off))
    if scale == 0 or not isfinite(scale):
        return scale
    shares = np.array(off) / scale  # of 1 at the most: squares of float64 would overflow
    t = _student(_freedom(shares, drawn.groups))
    return scale * t * sqrt(float(np.mean(shares**2)) * drawn.unknown)


def _freedom(off: Flat, groups: int) -> float:
    """Return the effective degrees of freedom: those of all groups, if all differ alike."""
    signs = np.array([[sign(row, g) for g in range(groups)] for row in range(len(off))])
    squares = (off @ signs / len(off)) ** 2  # of half the difference in each group
    if not squares.any():
        return groups
    alike = squares.sum() ** 2 / (squares**2).sum()
    return float(np.clip((3.16 - 2.77 / sqrt(groups)) * alike, 1, groups))


def _student(freedom: float) -> float:
    """Return Student's t; between whole degrees of freedom a little more."""
    inverse = [1 / n for n in range(1, len(T_95) + 1)]
    return float(np.interp(1 / freedom, inverse[::-1], T_95[::-1]))
