"""Linear interpolation between planes, rows and columns, one axis after the other.

Planes and rows are interpolated first, in loops that are vectorised over x, then columns.
"""

from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype, dtype_range, store_row
from hoaconv.kernels.rows import flat_rows
from hoaconv.kernels.types import Indices, Plane, Vector

__all__ = ["Neighbours", "interpolate", "interpolate_bytes", "neighbours"]

_ARRAYS_BYTES = 4096
"""Bytes of the headers of the numpy arrays of a call."""


class Neighbours(NamedTuple):
    """The two nearest positions of each new voxel of a resized axis."""

    first: Indices
    """Index of the first neighbour."""
    second: Indices
    """Index of the second neighbour; that of the first one if its weight is 0."""
    weight: Vector
    """Weight of the second neighbour, float64."""


def neighbours(n: int, count: int, order: int, part: slice) -> Neighbours:
    """Return the neighbours of new voxels of an axis that is resized from `n` to `count` voxels.

    As in scipy.ndimage.zoom with ``grid_mode=True, mode="nearest"``: both cover the same length.

    Parameters
    ----------
    n, count : int
        Length of the axis before and after.
    order : int
        1 for linear interpolation, 0 for the nearest voxel.
    part : slice
        The new voxels, as start and stop.

    Examples
    --------
    >>> neighbours(4, 2, 1, slice(0, 2))
    Neighbours(first=array([0, 2]), second=array([1, 3]), weight=array([0.5, 0.5]))
    """
    position = (np.arange(part.start, part.stop) + 0.5) * (n / count) - 0.5
    position = np.clip(position, 0, n - 1)
    if order == 0:
        position = np.floor(position + 0.5)
    first = position.astype(np.int64)
    weight = position - first
    return Neighbours(first, first + (weight > 0), weight)


def interpolate(
    planes: tuple[Plane, Plane], weight: float, rows: Neighbours, columns: Neighbours, out: Plane
) -> None:
    """Write the interpolation between two planes.

    A neighbour of weight 0 does not contribute. NaN and infinities therefore spread only to the new
    voxels between them and the adjacent voxels.

    Parameters
    ----------
    planes : two arrays (y, x)
        Twice the same one if `weight` is 0.
    weight : float
        Weight of the second plane.
    rows, columns : Neighbours
        Of the rows and the columns of `out`.
    out : array (rows, columns) of the dtype of the planes
        Takes the result. Integers are rounded half to even.
    """
    real = compute_dtype(out.dtype)
    lo, hi = dtype_range(out.dtype)
    nx = planes[0].shape[1]
    _interpolate(
        (flat_rows(planes[0])[::2], flat_rows(planes[1])[::2]),
        real.type(weight),
        (rows.first, rows.second, rows.weight.astype(real)),
        (columns.first, columns.second, columns.weight.astype(real)),
        (np.empty(nx, real), np.empty(nx, real), np.empty(out.shape[1], real)),
        (real.type(lo), real.type(hi)),
        flat_rows(out)[::2],
    )


def interpolate_bytes(shape: tuple[int, int], out_shape: tuple[int, int]) -> int:
    """Return the bytes that `neighbours` and `interpolate` allocate for planes of these shapes."""
    return 16 * shape[1] + 8 * out_shape[1] + 48 * sum(out_shape) + _ARRAYS_BYTES


@kernel
def _interpolate(
    planes: Any, weight: Any, rows: Any, columns: Any, workspace: Any, limits: Any, out: Any
) -> None:
    """Interpolate row by row; `planes` and `out` are pairs of a flat view and its y step."""
    first_plane, second_plane = planes
    first, second, row_weight = rows
    line, other, row = workspace
    flat, step = out
    for y in range(first.size):
        _interpolate_rows(first_plane, first[y], second[y], row_weight[y], line)
        if weight > 0:
            _interpolate_rows(second_plane, first[y], second[y], row_weight[y], other)
            rest = 1 - weight
            for x in range(line.size):
                line[x] = rest * line[x] + weight * other[x]
        _interpolate_columns(line, columns, row)
        store_row(row, limits[0], limits[1], flat[y * step : y * step + row.size])


@kernel
def _interpolate_rows(plane: Any, first: int, second: int, weight: Any, line: Any) -> None:
    """Write the interpolation between two rows of a plane."""
    flat, step = plane
    n = line.size
    a, b = flat[first * step : first * step + n], flat[second * step : second * step + n]
    rest = 1 - weight
    if weight > 0:
        for x in range(n):
            line[x] = rest * line.dtype.type(a[x]) + weight * line.dtype.type(b[x])
    else:
        for x in range(n):
            line[x] = a[x]


@kernel
def _interpolate_columns(line: Any, columns: Any, row: Any) -> None:
    """Write the interpolation between the voxels of a row."""
    first, second, weights = columns
    for x in range(row.size):
        weight = weights[x]
        value = (1 - weight) * line[first[x]] + weight * line[second[x]]
        row[x] = value if weight > 0 else line[first[x]]
