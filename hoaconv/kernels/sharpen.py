"""Unsharp masking: add the difference between a plane and its smoothed copy to the plane."""

from typing import Any

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import FlatRows, Plane

__all__ = ["sharpen"]


def sharpen(plane: Plane, smoothed: Plane, amount: float, out: Plane) -> None:
    """Write ``plane + amount * (plane - smoothed)``, computed in the dtype of `smoothed`.

    Parameters
    ----------
    plane, out : arrays (y, x) of one dtype
        Integers are rounded half to even and saturated.
    smoothed : float array (y, x)
        Is overwritten.
    amount : float
        Factor of the difference.
    """
    real = smoothed.dtype.type
    limits = tuple(real(limit) for limit in dtype_range(out.dtype))
    _sharpen(flat_rows(plane), flat_rows(smoothed), flat_rows(out), out.shape, real(amount), limits)


@kernel
def _sharpen(
    source: FlatRows, smoothed: FlatRows, target: FlatRows, shape: Any, amount: Any, limits: Any
) -> None:
    ny, nx = shape
    for y in range(ny):
        row, values = row_view(source, 0, y, nx), row_view(smoothed, 0, y, nx)
        for x in range(nx):
            voxel = values.dtype.type(row[x])
            values[x] = voxel + amount * (voxel - values[x])
        store_row(values, limits[0], limits[1], row_view(target, 0, y, nx))
