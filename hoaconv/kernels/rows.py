"""Arrays as their contiguous rows, so that one compiled kernel serves every cut of them.

Numba compiles a kernel again for each memory layout, and vectorises no loop over a row whose
stride it doesn't know. A band of a slab, or a plane inside a padded layer, is neither C-contiguous
nor strange: its rows are contiguous, only the steps between them differ. So kernels take a flat
view of the memory and the step between rows.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

__all__ = ["Flat", "Planes", "flat_rows"]

Flat = np.ndarray[tuple[int], np.dtype[Any]]
"""A contiguous 1-D view."""

Planes = tuple[Flat, int, int]
"""A flat view, and how many elements lie between two planes and between two rows."""


def flat_rows(array: np.ndarray[Any, Any]) -> Planes:
    """The memory of a (z, y, x) or (y, x) array as one flat view, and its z and y steps.

    Row (z, y) is ``flat[z * z_step + y * y_step :][:nx]``. Nothing is copied; the flat view also
    spans what lies between the rows, which a kernel must leave alone.

    Raises
    ------
    ValueError
        If the voxels of a row don't lie side by side in memory.
    """
    slab = array if array.ndim == 3 else array[np.newaxis]
    item = slab.itemsize
    steps = [_step(slab, axis) for axis in (0, 1)]
    if (slab.shape[2] > 1 and slab.strides[2] != item) or min(steps) < 0:
        raise ValueError(
            f"rows must lie contiguous and in order in memory; the strides are {array.strides} "
            f"bytes for voxels of {item} bytes: pass a C-contiguous array or a cut of one"
        )
    extent = slab.shape[2] + sum(step * (n - 1) for step, n in zip(steps, slab.shape, strict=False))
    return as_strided(slab, (extent,), (item,)), steps[0], steps[1]


def _step(slab: np.ndarray[Any, Any], axis: int) -> int:
    """Elements from one index to the next along `axis`; -1 if that is no whole number."""
    if slab.shape[axis] == 1:
        return 0
    step, rest = divmod(slab.strides[axis], slab.itemsize)
    return -1 if rest else step
