"""Transposed copies and padding of planes, by numpy alone, which copies without the GIL."""

from functools import lru_cache
from typing import Any

import numpy as np

from hoaconv.kernels.types import Indices, Plane

__all__ = ["NUMPY_MODES", "copy_transposed", "pad", "pad_indices"]

NUMPY_MODES = {
    "constant": "constant",
    "nearest": "edge",
    "reflect": "symmetric",
    "mirror": "reflect",
}
"""The boundary modes of scipy.ndimage, and their names in numpy.pad."""

_COLUMNS = 64
"""Columns that are copied together, so that their cache lines stay in the cache."""


def copy_transposed(view: Plane, out: Plane) -> None:
    """Copy `view` into `out`, where the rows of one are the columns of the other in memory.

    Parameters
    ----------
    view, out : arrays (y, x) of one shape and dtype
        A copy by blocks of columns is several times as fast as one row by row.
    """
    for x in range(0, out.shape[1], _COLUMNS):
        out[:, x : x + _COLUMNS] = view[:, x : x + _COLUMNS]


@lru_cache(maxsize=64)
def pad_indices(n: int, before: int, after: int, mode: str) -> Indices:
    """Return the source index of each position of a padded axis, -1 for a constant.

    Parameters
    ----------
    n : int
        Length of the axis.
    before, after : int
        Positions added before and after it.
    mode : one of `NUMPY_MODES`
        Defines their values.

    Examples
    --------
    >>> pad_indices(3, 2, 1, "mirror").tolist(), pad_indices(3, 0, 2, "constant").tolist()
    ([2, 1, 0, 1, 2, 1], [0, 1, 2, -1, -1])
    """
    options: dict[str, Any] = {"mode": NUMPY_MODES[mode]}
    if mode == "constant":
        options["constant_values"] = -1
    indices: Indices = np.pad(np.arange(n), (before, after), **options)
    indices.flags.writeable = False
    return indices


def pad(
    plane: Plane, rows: Indices, columns: Indices, corner: tuple[int, int], value: Any, out: Plane
) -> None:
    """Write some rows of a padded plane.

    Parameters
    ----------
    plane : array (y, x)
        The whole plane.
    rows, columns : int64 arrays
        Source indices of the rows of `out`, and of all columns, as `pad_indices` returns them.
    corner : (int, int)
        Row of `out`, which may lie outside it, and column at which the plane begins.
    value : scalar
        The value where an index is -1.
    out : array (rows, columns)
        Takes the result.
    """
    (top, left), (ny, nx) = corner, plane.shape
    inner = out[:, left : left + nx]
    first, last = max(0, top), min(len(rows), top + ny)
    if first < last:
        inner[first:last] = plane[first - top : last - top]
    for y in (*range(min(first, len(rows))), *range(max(last, 0), len(rows))):
        inner[y] = value if rows[y] < 0 else plane[rows[y]]
    for x in (*range(left), *range(left + nx, len(columns))):
        out[:, x] = value if columns[x] < 0 else inner[:, columns[x]]
