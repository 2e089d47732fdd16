"""Flat views of arrays whose rows are contiguous.

Numba compiles a kernel again for each memory layout, and it does not vectorise a loop over a row of
unknown stride. A band of a slab, or a plane inside a padded layer, is not C-contiguous, but its
rows are. Kernels therefore take a flat view of the memory and the steps between planes and rows:
one compiled kernel serves all of them.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from hoaconv.kernels.jit import inlined
from hoaconv.kernels.types import Array, FlatRows

__all__ = ["flat_rows", "row_view"]


def flat_rows(array: Array) -> FlatRows:
    """Return a flat view of the memory of an array, and the steps between its planes and rows.

    Parameters
    ----------
    array : array (z, y, x) or (y, x)
        Its rows are contiguous and in ascending order in memory.

    Returns
    -------
    flat : array (n,)
        A view of the memory from the first voxel to the last one, including what lies between the
        rows. Row (z, y) is ``flat[z * z_step + y * y_step :][:nx]``; see `row_view`.
    z_step, y_step : int
        Elements between two planes and between two rows.

    Raises
    ------
    ValueError
        If the voxels of a row are not contiguous, or rows or planes are in descending order.
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


def _step(slab: Array, axis: int) -> int:
    """Return the elements between two indices along `axis`, or -1 if they are no whole number."""
    if slab.shape[axis] == 1:
        return 0
    step, rest = divmod(slab.strides[axis], slab.itemsize)
    return -1 if rest else step


@inlined
def row_view(rows: FlatRows, z: int, y: int, n: int) -> Any:
    """Return a view of the first `n` voxels of row `y` of plane `z`."""
    flat, z_step, y_step = rows
    begin = z * z_step + y * y_step
    return flat[begin : begin + n]
