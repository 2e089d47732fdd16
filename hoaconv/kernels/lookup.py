"""Lookup tables: any function of a dtype of few values, in the same time.

A table has one entry for each bit pattern of the dtype in the order of the patterns: the values
from 0 upwards, then the negative values of a signed dtype. A voxel is thus its own index.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.pointwise import store_rounded
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Array, FlatRows, Slab, Vector

__all__ = ["apply_table", "pattern_values", "tabulate", "tabulate_bytes"]


def apply_table(block: Slab, out: Slab, table: Vector) -> None:
    """Write the table entry of each voxel.

    Parameters
    ----------
    block : array (z, y, x) of 8 or 16 bits
        The voxels to replace.
    out : array (z, y, x) of the dtype of the table
        Takes the entries.
    table : array (256,) or (65536,)
        Entries in the order of `pattern_values` of the dtype of `block`.
    """
    flat, *steps = flat_rows(block)
    source = (flat.view(f"u{block.itemsize}"), steps[0], steps[1])
    _apply_table(source, flat_rows(out), block.shape, table)


def pattern_values(dtype: np.dtype[Any]) -> Vector:
    """Return all values of an integer dtype of up to 16 bits in the order of their bit patterns.

    Examples
    --------
    >>> pattern_values(np.dtype("int8"))[[0, 127, 128, 255]].tolist()
    [0, 127, -128, -1]
    """
    return np.arange(1 << 8 * dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)


def tabulate(
    function: Callable[[Array], None], source: np.dtype[Any], target: np.dtype[Any]
) -> Vector:
    """Return the table of a function.

    Parameters
    ----------
    function : callable
        Replaces the values of a float64 array by its results.
    source : integer dtype of up to 16 bits
        Dtype of the voxels to replace.
    target : dtype
        Dtype of the table. Results are stored by `hoaconv.kernels.pointwise.store_rounded`.
    """
    values = pattern_values(source).astype(np.float64)
    table = np.empty(values.size, target)
    function(values)
    store_rounded(values, table)
    return table


def tabulate_bytes(source: np.dtype[Any], target: np.dtype[Any]) -> int:
    """Return the bytes that `tabulate` allocates, with those of the table."""
    return (1 << 8 * source.itemsize) * (source.itemsize + 8 + 1 + target.itemsize)


@kernel
def _apply_table(source: FlatRows, target: FlatRows, shape: Any, table: Any) -> None:
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            voxels, row = row_view(source, z, y, nx), row_view(target, z, y, nx)
            for x in range(nx):
                row[x] = table[voxels[x]]
