"""Voxels and what smoothing took from them."""

from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import Planes, flat_rows

__all__ = ["sharpen"]

Plane = np.ndarray[Any, np.dtype[Any]]


def sharpen(plane: Plane, smooth: Plane, amount: float, out: Plane) -> None:
    """Write ``plane + amount * (plane - smooth)`` into `out`, in the precision of `smooth`.

    Parameters
    ----------
    plane, out : (y, x) arrays of one dtype
        Integers are rounded half to even and saturated.
    smooth : (y, x) float array
        Its rows are overwritten.
    amount : float
        Of the difference.
    """
    real = smooth.dtype.type
    limits = tuple(real(limit) for limit in dtype_range(out.dtype))
    _sharpen(flat_rows(plane), flat_rows(smooth), flat_rows(out), out.shape, real(amount), limits)


@njit(nogil=True, cache=True, error_model="numpy")
def _sharpen(
    source: Planes, smooth: Planes, target: Planes, shape: Any, amount: Any, limits: Any
) -> None:
    ny, nx = shape
    for y in range(ny):
        row = source[0][y * source[2] :][:nx]
        soft = smooth[0][y * smooth[2] :][:nx]
        for x in range(nx):
            voxel = soft.dtype.type(row[x])
            soft[x] = voxel + amount * (voxel - soft[x])
        store_row(soft, limits[0], limits[1], target[0][y * target[2] :][:nx])
