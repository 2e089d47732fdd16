"""Folds that measure voxels while they flow by."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.histogram import (
    LANES,
    NAN_BIN,
    bin_count,
    bin_values,
    count,
    count_keys,
    is_exact,
)

__all__ = ["Counts", "Histogram", "percentile"]


@dataclass(frozen=True)
class Counts:
    """Voxels by value: the state of `Histogram`.

    `bins` (LANES, bins) int64 sum up over the lanes; `extremes` are the least and the greatest
    voxel, NaN aside, which only dtypes with wide bins need.
    """

    dtype: np.dtype[Any]
    bins: Plane
    extremes: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def histogram(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Voxels in each bin, least value first, NaN aside."""
        bins: np.ndarray[tuple[int], np.dtype[np.int64]] = self.bins.sum(axis=0)
        if not is_exact(self.dtype):
            bins[NAN_BIN] = 0
        return bins

    @property
    def nan(self) -> int:
        """How many voxels are NaN."""
        return 0 if is_exact(self.dtype) else int(self.bins[:, NAN_BIN].sum())


@dataclass(frozen=True)
class Histogram(Fold):
    """Count voxels by value, for their range and percentiles.

    Exact for integers of up to 16 bits. For the other dtypes least and greatest are exact, and a
    percentile errs by less than 1/128 of itself. `percentiles` are those that `finish` reports.
    """

    word: ClassVar[str] = "histogram"

    percentiles: tuple[float, ...] = (0.1, 1.0, 50.0, 99.0, 99.9)

    def init(self, spec: Spec) -> Counts:
        """No voxels."""
        bins = np.zeros((LANES, bin_count(spec.dtype)), np.int64)
        return Counts(spec.dtype, bins, np.array([np.inf, -np.inf]))

    def step(self, state: Counts, block: Plane) -> None:
        """Count the voxels of some rows of a plane."""
        if is_exact(state.dtype):
            count(block, state.bins)
        else:
            count_keys(block, state.bins, state.extremes)

    def merge(self, one: Counts, other: Counts) -> Counts:
        """All voxels of both, in a state of its own."""
        lo, hi = (pick(one.extremes[i], other.extremes[i]) for i, pick in enumerate((min, max)))
        return Counts(one.dtype, one.bins + other.bins, np.array([lo, hi]))

    def finish(self, state: Counts) -> Mapping[str, Any]:
        """The voxels' count, nan, min, max and percentiles.

        Without a voxel that is no NaN, min, max and percentiles are None; infinities are
        "Infinity" and "-Infinity", as in Zarr's metadata.
        """
        number = int(state.histogram.sum())
        some = number > 0
        return {
            "count": number + state.nan,
            "nan": state.nan,
            "min": _plain(percentile(state, 0)) if some else None,
            "max": _plain(percentile(state, 100)) if some else None,
            "percentiles": {
                f"{q:g}": _plain(percentile(state, q)) if some else None for q in self.percentiles
            },
        }

    def state_bytes(self, spec: Spec) -> int:
        """Bytes of the bins."""
        return LANES * bin_count(spec.dtype) * 8 + 16


def percentile(state: Counts, q: float) -> float:
    """The least voxel that at least q per cent of the voxels don't exceed; NaN is left out.

    What ``numpy.percentile(..., method="inverted_cdf")`` gives, exactly so for integers of up to
    16 bits; for other dtypes the end next to zero of that voxel's bin.

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
    """The end of a bin, or the exact voxel for the first and last rank."""
    lo, hi = map(float, state.extremes)
    if rank in {0, number - 1}:
        return lo if rank == 0 else hi
    return min(max(value, lo), hi)


def _plain(value: float) -> float | int | str:
    """A number as JSON takes it."""
    if not isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value.is_integer() else value
