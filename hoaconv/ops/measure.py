"""Measurements of the histogram of a volume."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.histogram import (
    NAN_BIN,
    ZERO_BINS,
    BinCounts,
    bin_ends,
    bin_values,
    count_exact,
    count_truncated,
    is_exact,
)
from hoaconv.kernels.rounding import no_extremes
from hoaconv.kernels.types import Vector
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import PERCENTAGES, WHOLE, spell_number
from hoaconv.ops.parameters import Declared, param

__all__ = ["Counting", "Counts", "Histogram", "Percentiles", "percentile", "plain", "value_ends"]

SHOWN = (0.1, 1.0, 50.0, 99.0, 99.9)
"""Default percentiles: the middle, and where outliers begin."""


@dataclass(frozen=True)
class Counts:
    """Numbers of voxels by value: the state of `Counting`.

    `extremes` are the least and the greatest voxel, NaN left out, as `no_extremes` begins; only
    dtypes with wide bins need them.
    """

    dtype: np.dtype[Any]
    bins: BinCounts
    extremes: Vector

    @property
    def histogram(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Number of voxels in each bin, in ascending order of values, NaN left out."""
        numbers = self.bins.total
        if not is_exact(self.dtype):
            numbers[NAN_BIN] = 0
        return numbers

    @property
    def number(self) -> int:
        """Number of voxels other than NaN."""
        return int(self.histogram.sum())

    @property
    def occurring(self) -> tuple[Vector, Vector, Vector]:
        """Finite values, ascending, their numbers of voxels, and the greatest value of each bin.

        All are float64. A value stands for its bin: it is the bin's end next to zero.
        """
        counts = self.histogram.astype(np.float64)
        if not is_exact(self.dtype):  # what is less than nothing by the sign alone is nothing
            negative, zero = ZERO_BINS
            counts[zero] += counts[negative]
            counts[negative] = 0
        values, ends = bin_values(self.dtype), bin_ends(self.dtype)
        some = (counts > 0) & np.isfinite(values)
        return values[some].astype(np.float64), counts[some], ends[some].astype(np.float64)

    @property
    def edges(self) -> tuple[float, float]:
        """Least and greatest voxel; ints for integers of 64 bits."""
        least, greatest = self.extremes.tolist()
        return least, greatest

    @property
    def nan(self) -> int:
        """Number of voxels that are NaN."""
        return 0 if is_exact(self.dtype) else int(self.bins.total[NAN_BIN])


class Counting(Fold):
    """A fold that counts voxels by value; subclasses compute results from the counts."""

    takes_wide: ClassVar[bool] = True

    def init(self, spec: Spec) -> Counts:
        """Return counts of no voxels."""
        return Counts(spec.dtype, BinCounts(spec.dtype), no_extremes(spec.dtype))

    def step(self, state: Counts, block: Plane, z: int = 0, y: int = 0) -> None:  # noqa: ARG002
        """Count the voxels of some rows of a plane."""
        if is_exact(state.dtype):
            count_exact(block, state.bins)
        else:
            count_truncated(block, state.bins, state.extremes)

    def merge(self, one: Counts, other: Counts) -> Counts:
        """Return the sum of two counts as a state of its own."""
        lo, hi = (pick(one.extremes[i], other.extremes[i]) for i, pick in enumerate((min, max)))
        extremes = np.array([lo, hi], one.extremes.dtype)
        return Counts(one.dtype, one.bins + other.bins, extremes)

    def ends(self, name: str, spec: Spec) -> tuple[float, float]:
        """Return the bounds of a result."""
        return value_ends(name, spec.dtype)

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of the bins."""
        return BinCounts.nbytes(spec.dtype) + 16


_NUMBERS = {"n", "count", "nan", "zeros", "saturated"}


def value_ends(name: str, dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the least and the greatest that a statistic of some voxels can be, by its name.

    A mean, a percentile or a threshold lies among the voxels, and so within the range of their
    dtype.

    Examples
    --------
    >>> value_ends("p50", np.dtype("int8")), value_ends("std", np.dtype("uint8"))
    ((-128.0, 127.0), (0.0, 127.5))
    """
    if name.endswith(" share"):
        return 0.0, 1.0
    if name in _NUMBERS:
        return 0.0, inf
    if name == "sum":
        return -inf, inf
    held = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    least, greatest = float(held.min), float(held.max)
    return (0.0, greatest / 2 - least / 2) if name == "std" else (least, greatest)


@op("histogram", example="histogram 256")
class Histogram(Declared, Counting):
    """Count voxels by value: range, percentiles and distribution of the volume.

    The counts are exact for integers of up to 16 bits. For other dtypes the minimum and the maximum
    are exact; a percentile, and the bin of a voxel, have a relative error of less than 1/128. NaN
    is counted separately. The result goes into the report; the voxels stay.

    Examples
    --------
    >>> found = ops.histogram(np.array([[[0, 1, 1, 3]]], "uint8"), bins=3).compute()
    >>> found.counts, found.edges
    (array([1, 2, 1]), array([0., 1., 2., 3.]))
    """

    bins: int = param(
        WHOLE, "bins to report, from the least to the greatest voxel; 0 for none", default=0
    )
    percentiles: tuple[float, ...] = param(
        PERCENTAGES, "percentiles to report", default=SHOWN, takes=float | tuple[float, ...] | str
    )

    def finish(self, state: Counts) -> Mapping[str, Any]:
        """Return count, nan, min, max, percentiles, and edges and counts of the bins.

        Without a voxel other than NaN, min, max and percentiles are None; infinities are "Infinity"
        and "-Infinity", as in Zarr's metadata. Bins are those of numpy.histogram, without
        infinities; there are none without a finite voxel.
        """
        least, greatest = _percentiles(state, (0, 100)).values()
        return {
            "count": state.number + state.nan,
            "nan": state.nan,
            "min": least,
            "max": greatest,
            "percentiles": _percentiles(state, self.percentiles),
            **(_binned(state, self.bins) if self.bins else {}),
        }


@op("percentiles", example="percentiles 1,50,99")
class Percentiles(Declared, Counting):
    """Compute percentiles of the volume, without interpolation (numpy's inverted_cdf).

    Percentiles are exact for integers of up to 16 bits; for other dtypes their relative error is
    less than 1/128. NaN is left out; if all voxels are NaN, percentiles are None. The result goes
    into the report; the voxels stay.

    Examples
    --------
    >>> ops.percentiles(np.array([[[0, 1, 1, 3]]], "uint8"), (50, 100)).compute()["50"]
    1
    """

    q: tuple[float, ...] = param(
        PERCENTAGES,
        "percentiles in 0..100, separated by commas",
        takes=float | tuple[float, ...] | str,
    )

    def finish(self, state: Counts) -> Mapping[str, Any]:
        """Return each percentile by its number."""
        return _percentiles(state, self.q)


def _percentiles(state: Counts, qs: Sequence[float]) -> Mapping[str, Any]:
    """Return percentiles by their numbers, in the form that JSON takes."""
    some = state.number > 0
    return {spell_number(q): plain(percentile(state, q)) if some else None for q in qs}


def _binned(state: Counts, size: int) -> Mapping[str, Any]:
    """Return the counts in `size` equal bins from the least to the greatest finite voxel."""
    values, counts, _ = state.occurring
    if values.size == 0:
        return {"edges": [], "counts": []}
    ends = np.where(np.isfinite(state.extremes), state.extremes, values[[0, -1]])
    with np.errstate(over="ignore"):  # near float64's greatest values neither a range nor a bin is
        scale = 1.0 if np.isfinite(4.0 * ends).all() else 0.25
    lo, hi = (float(end) * scale for end in ends)
    within, scaled = _divisible(lo, hi, size), (values * scale).clip(lo, hi)
    found, edges = np.histogram(scaled, size, within, weights=counts)
    return {"edges": (edges / scale).tolist(), "counts": found.astype(np.int64).tolist()}


def _divisible(lo: float, hi: float, size: int) -> tuple[float, float]:
    """Return a range around lo..hi that is just wide enough for `size` bins with distinct edges."""
    least = 2.0 * size * float(np.spacing(max(abs(lo), abs(hi))))
    if lo == hi:
        least = max(least, 1.0)  # as numpy.histogram does for a single value
    if hi - lo >= least:
        return lo, hi
    top = float(np.finfo(np.float64).max)
    begin = min(max(lo / 2 + hi / 2 - least / 2, -top), top - least)
    return begin, begin + least


def percentile(state: Counts, q: float) -> float:
    """Return the least voxel that at least q per cent of the voxels don't exceed; NaN is left out.

    This is ``numpy.percentile(..., method="inverted_cdf")``: exact for integers of up to 16 bits;
    for other dtypes the end next to zero of that voxel's bin.

    Raises
    ------
    SpellingError
        If q is outside 0..100.
    ValueError
        If there is no voxel.
    """
    if not 0 <= q <= 100:
        raise SpellingError(f"a percentile lies in 0..100, which {q} doesn't")
    ranks = np.cumsum(state.histogram)
    if ranks[-1] == 0:
        raise ValueError("there is no percentile of no voxels")
    rank = max(ceil(ranks[-1] * (q / 100) - 1), 0)
    index = int(np.searchsorted(ranks, rank, side="right"))
    value = float(bin_values(state.dtype)[index])
    return value if is_exact(state.dtype) else _within(value, rank, int(ranks[-1]), state)


def _within(value: float, rank: int, number: int, state: Counts) -> float:
    """Return the end of a bin, or the exact voxel for the first and last rank."""
    lo, hi = state.edges
    if rank in {0, number - 1}:
        return lo if rank == 0 else hi
    return min(max(value, lo), hi)


def plain(value: float) -> float | int | str:
    """Return a number as JSON takes it, whole numbers without a point; float() reads it back."""
    if isinstance(value, int):
        return value
    if not isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value.is_integer() else value
