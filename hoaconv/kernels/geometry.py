"""Planes moved and bordered: copies alone, which NumPy does without the GIL."""

from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["MODES", "pad", "pad_index", "turn"]

Plane = np.ndarray[Any, np.dtype[Any]]
Index = np.ndarray[tuple[int], np.dtype[np.int64]]

MODES = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "mirror": "reflect"}
"""What may lie beyond an edge: scipy.ndimage's words, and NumPy's for the same."""

BLOCK = 64
"""Columns that are copied at once where rows become columns: their cache lines stay at hand."""


def turn(view: Plane, out: Plane) -> None:
    """Copy `view` into `out`, where the rows of one are columns of the other in memory.

    Parameters
    ----------
    view, out : (y, x) arrays of one shape and dtype
        Blocks of columns make it some times as fast as a copy row by row.
    """
    for x in range(0, out.shape[1], BLOCK):
        out[:, x : x + BLOCK] = view[:, x : x + BLOCK]


@lru_cache(maxsize=64)
def pad_index(n: int, before: int, after: int, mode: str) -> Index:
    """For each place of a padded axis the place that it is copied from, -1 for a constant.

    Examples
    --------
    >>> pad_index(3, 2, 1, "mirror").tolist(), pad_index(3, 0, 2, "constant").tolist()
    ([2, 1, 0, 1, 2, 1], [0, 1, 2, -1, -1])
    """
    how: dict[str, Any] = {"mode": MODES[mode]}
    if mode == "constant":
        how["constant_values"] = -1
    index: Index = np.pad(np.arange(n), (before, after), **how)
    index.flags.writeable = False
    return index


def pad(
    plane: Plane, rows: Index, columns: Index, corner: tuple[int, int], value: Any, out: Plane
) -> None:
    """Copy a plane and what surrounds it.

    Parameters
    ----------
    plane : (y, x) array
        All of it.
    rows, columns : index arrays
        For the rows of `out` and for all columns, as `pad_index` gives them.
    corner : (int, int)
        The row of `out`, which may lie outside, and the column where the plane begins.
    value
        What stands where the indices are -1.
    out : (rows, columns) array
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
