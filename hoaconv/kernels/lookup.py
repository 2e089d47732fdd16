"""Voxels replaced through a table: any function of a dtype with few values, at the same speed.

A table has an entry for each bit pattern of the dtype, in the order of patterns: the values from 0
on, then, of a signed dtype, the negative ones. So a voxel is its own index.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.pointwise import store
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = ["look_up", "pattern_values", "tabulate", "tabulate_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]


def look_up(block: Slab, out: Slab, table: Flat) -> None:
    """Write the entry of each voxel's bit pattern into `out`.

    Parameters
    ----------
    block, out : (z, y, x) arrays
        `block` of 8 or 16 bits, `out` of the table's dtype.
    table : array of 256 or 65536
        In the order of `pattern_values`.
    """
    flat, *steps = flat_rows(block)
    source = (flat.view(f"u{block.itemsize}"), steps[0], steps[1])
    _look_up(source, flat_rows(out), block.shape, table)


def pattern_values(dtype: np.dtype[Any]) -> Flat:
    """Every value of an integer dtype of up to 16 bits, in the order of bit patterns.

    Examples
    --------
    >>> pattern_values(np.dtype("int8"))[[0, 127, 128, 255]].tolist()
    [0, 127, -128, -1]
    """
    return np.arange(1 << 8 * dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)


def tabulate(change: Callable[[Slab], None], taken: np.dtype[Any], given: np.dtype[Any]) -> Flat:
    """The table of what `change` makes of each value of `taken`, as float64, in dtype `given`."""
    real = pattern_values(taken).astype(np.float64)
    table = np.empty(real.size, given)
    change(real)
    store(real, table)
    return table


def tabulate_bytes(taken: np.dtype[Any], given: np.dtype[Any]) -> int:
    """Bytes of a table, and of what making it takes."""
    return (1 << 8 * taken.itemsize) * (taken.itemsize + 8 + 1 + given.itemsize)


@njit(nogil=True, cache=True, error_model="numpy")
def _look_up(source: Planes, target: Planes, shape: Any, table: Any) -> None:
    flat, z_step, y_step = source
    into, z_next, y_next = target
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            voxels = flat[z * z_step + y * y_step : z * z_step + y * y_step + nx]
            begin = z * z_next + y * y_next
            row = into[begin : begin + nx]
            for x in range(nx):
                row[x] = table[voxels[x]]
