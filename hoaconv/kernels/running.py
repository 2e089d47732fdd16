"""Means and variances of columns of voxels, plane after plane."""

from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.rows import flat_rows

__all__ = ["run_on"]

Plane = np.ndarray[Any, np.dtype[Any]]


def run_on(block: Plane, number: int, means: Plane, spreads: Plane) -> None:
    """Let each pixel's mean, and sum of squares about it, take in one more voxel.

    B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
    Technometrics 4 (1962), 419-420.

    Parameters
    ----------
    block : (y, x) array
        The voxels, of any dtype.
    number : int
        Voxels that each mean is of, the new one included.
    means, spreads : (y, x) float64 arrays
        At first 0.
    """
    flat, _, step = flat_rows(block)
    mean, _, mean_step = flat_rows(means)
    spread, _, spread_step = flat_rows(spreads)
    _run_on((flat, step), (mean, mean_step), (spread, spread_step), block.shape, float(number))


@njit(nogil=True, cache=True, error_model="numpy")
def _run_on(source: Any, means: Any, spreads: Any, shape: Any, number: float) -> None:
    ny, nx = shape
    for y in range(ny):
        row = source[0][y * source[1] : y * source[1] + nx]
        mean = means[0][y * means[1] : y * means[1] + nx]
        spread = spreads[0][y * spreads[1] : y * spreads[1] + nx]
        for x in range(nx):
            value = np.float64(row[x])
            away = value - mean[x]
            mean[x] += away / number
            spread[x] += away * (value - mean[x])
