"""The Welford update of means and variances, pixel by pixel, plane after plane.

B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
Technometrics 4 (1962) 419-420.
"""

from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import FlatRows, Plane

__all__ = ["welford_update"]


def welford_update(block: Plane, count: int, means: Plane, m2: Plane) -> None:
    """Update the mean and the M2 of each pixel with one more voxel.

    Parameters
    ----------
    block : array (y, x) of any dtype
        The voxels.
    count : int
        Voxels of each mean, including the new one.
    means, m2 : float64 arrays (y, x)
        Mean, and sum of the squared deviations from the mean; at first 0. Both are updated.
    """
    _update(flat_rows(block), flat_rows(means), flat_rows(m2), block.shape, float(count))


@kernel
def _update(source: FlatRows, means: FlatRows, m2: FlatRows, shape: Any, count: float) -> None:
    ny, nx = shape
    for y in range(ny):
        row, mean = row_view(source, 0, y, nx), row_view(means, 0, y, nx)
        squares = row_view(m2, 0, y, nx)
        for x in range(nx):
            value = np.float64(row[x])
            deviation = value - mean[x]
            mean[x] += deviation / count
            squares[x] += deviation * (value - mean[x])
