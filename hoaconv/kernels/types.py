"""Types of the arguments of kernels. All tuples and shapes are in the order (z, y, x)."""

from typing import Any

import numpy as np

__all__ = [
    "Array",
    "Core",
    "FlatRows",
    "IndexMaps",
    "Indices",
    "Plane",
    "Slab",
    "Triple",
    "Vector",
    "Weights",
]

Array = np.ndarray[Any, np.dtype[Any]]
"""An array of any number of axes."""

Vector = np.ndarray[tuple[int], np.dtype[Any]]
"""A contiguous 1-D array."""

Indices = np.ndarray[tuple[int], np.dtype[np.int64]]
"""A contiguous 1-D array of int64."""

Plane = np.ndarray[Any, np.dtype[Any]]
"""An array (y, x) whose rows are contiguous."""

Slab = np.ndarray[Any, np.dtype[Any]]
"""An array (z, y, x) whose rows are contiguous."""

Core = tuple[slice, slice, slice]
"""The part of a block (z, y, x) to compute."""

Triple = tuple[int, int, int]
"""A shape, a window size or three radii (z, y, x)."""

Weights = tuple[Vector, Vector, Vector]
"""For z, y and x: one-sided float64 weights at the distances 0, 1, 2, ... from the centre."""

FlatRows = tuple[Vector, int, int]
"""An array as `hoaconv.kernels.rows.flat_rows` returns it: flat view, z step, y step."""

IndexMaps = tuple[Indices, Indices, Indices]
"""For z, y and x: indices into a block, as `hoaconv.kernels.boundary.index_maps` returns them."""
