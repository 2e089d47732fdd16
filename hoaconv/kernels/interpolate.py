"""Rows of a plane between planes, rows and columns: linear interpolation, one axis after the other.

Two planes are mixed while their rows are mixed, which vectorises over x; then columns are mixed.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import flat_rows

__all__ = ["Places", "interpolate", "interpolate_bytes", "places"]

Plane = np.ndarray[Any, np.dtype[Any]]
Index = np.ndarray[tuple[int], np.dtype[np.int64]]
Weights = np.ndarray[tuple[int], np.dtype[np.float64]]


ARRAYS = 4096
"""Bytes of the twenty or so arrays of a call, besides their elements."""


class Places(NamedTuple):
    """Where voxels of a resized axis lie: between `first` and `second`, the latter's `weight`."""

    first: Index
    second: Index
    weight: Weights


def places(n: int, count: int, order: int, wanted: slice) -> Places:
    """Places of the voxels `wanted` of `count` on an axis of `n`, both covering the same length.

    As scipy.ndimage.zoom with ``grid_mode=True, mode="nearest"``. For order 0 the nearest voxel is
    both neighbours. Where the weight is 0 so is the first.

    Examples
    --------
    >>> places(4, 2, 1, slice(0, 2))
    Places(first=array([0, 2]), second=array([1, 3]), weight=array([0.5, 0.5]))
    """
    exact = (np.arange(wanted.start, wanted.stop) + 0.5) * (n / count) - 0.5
    exact = np.clip(exact, 0, n - 1)
    if order == 0:
        exact = np.floor(exact + 0.5)
    first = exact.astype(np.int64)
    weight = exact - first
    return Places(first, first + (weight > 0), weight)


def interpolate(
    planes: tuple[Plane, Plane], weight: float, rows: Places, columns: Places, out: Plane
) -> None:
    """Write what lies between two planes into `out`, which is of their dtype.

    Parameters
    ----------
    planes : two (y, x) arrays
        The same twice, where `weight` is 0.
    weight : float
        Of the second plane.
    rows, columns : Places
        For the rows and the columns of `out`. A neighbour of weight 0 has no part, so that NaN
        and infinity spread to what lies between them and the next voxel, and no further.
    out : (y, x) array
        Integers are rounded half to even.
    """
    real = _real(out.dtype)
    least, greatest = dtype_range(out.dtype)
    nx = planes[0].shape[1]
    scratch = np.empty(nx, real), np.empty(nx, real), np.empty(out.shape[1], real)
    _interpolate(
        (flat_rows(planes[0])[::2], flat_rows(planes[1])[::2]),
        real.type(weight),
        (rows.first, rows.second, rows.weight.astype(real)),
        (columns.first, columns.second, columns.weight.astype(real)),
        scratch,
        (real.type(least), real.type(greatest)),
        flat_rows(out)[::2],
    )


def interpolate_bytes(shape: tuple[int, int], given: tuple[int, int]) -> int:
    """Bytes that `places` and a call hold, for planes of `shape` that become planes of `given`."""
    return 16 * shape[1] + 8 * given[1] + 48 * sum(given) + ARRAYS


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What voxels are mixed in; float32 has 24 bits, enough to tell 16 apart."""
    narrow = dtype.itemsize <= 2 or dtype == np.float32
    return np.dtype(np.float32 if narrow else np.float64)


@njit(nogil=True, cache=True, error_model="numpy")
def _interpolate(
    planes: Any, weight: Any, rows: Any, columns: Any, scratch: Any, limits: Any, out: Any
) -> None:
    one, other = planes
    above, below, between = rows
    line, beyond, row = scratch
    into, step = out
    for y in range(above.size):
        _mix_rows(one, above[y], below[y], between[y], line)
        if weight > 0:
            _mix_rows(other, above[y], below[y], between[y], beyond)
            rest = 1 - weight
            for x in range(line.size):
                line[x] = rest * line[x] + weight * beyond[x]
        _mix_columns(line, columns, row)
        store_row(row, limits[0], limits[1], into[y * step : y * step + row.size])


@njit(nogil=True, cache=True, error_model="numpy")
def _mix_rows(plane: Any, above: int, below: int, weight: Any, line: Any) -> None:
    flat, step = plane
    n = line.size
    one, other = flat[above * step : above * step + n], flat[below * step : below * step + n]
    rest = 1 - weight
    if weight > 0:
        for x in range(n):
            line[x] = rest * line.dtype.type(one[x]) + weight * line.dtype.type(other[x])
    else:
        for x in range(n):
            line[x] = one[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _mix_columns(line: Any, columns: Any, row: Any) -> None:
    left, right, between = columns
    for x in range(row.size):
        weight = between[x]
        mixed = (1 - weight) * line[left[x]] + weight * line[right[x]]
        row[x] = mixed if weight > 0 else line[left[x]]
