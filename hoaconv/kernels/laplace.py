"""The Laplacian: the sum of the second differences along z, y and x."""

from typing import Any

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, index_maps
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Core, FlatRows, IndexMaps, Slab

__all__ = ["laplace"]


def laplace(block: Slab, core: Core, out: Slab, mode: str, cval: float) -> None:
    """Write the Laplacian of ``block[core]``, as scipy.ndimage.laplace.

    It is the sum of ``v[-1] - 2 * v[0] + v[1]`` along each axis.

    Parameters
    ----------
    block : array (z, y, x)
        The core and one voxel of context.
    core : (z, y, x) slices
        The part to compute.
    out : float array (z, y, x)
        Takes the result, in the shape of the core.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``.
    """
    real = compute_dtype(block.dtype)
    maps = index_maps(block.shape, core, (1, 1, 1), mode)
    sums = np.empty(block.shape[2], real)
    _laplace(flat_rows(block), flat_rows(out), out.shape, maps, real.type(cval), sums)


@kernel
def _laplace(
    source: FlatRows, target: FlatRows, shape: Any, maps: IndexMaps, cval: Any, sums: Any
) -> None:
    """Compute row by row; `sums` holds the sums along z and y."""
    z_map, y_map, x_map = maps
    nz, ny, nx = shape
    real = sums.dtype.type
    for z in range(nz):
        for y in range(ny):
            row = row_view(source, z_map[z + 1], y_map[y + 1], nx)
            for x in range(nx):
                sums[x] = real(-6) * real(row[x])
            _add_row(source, z_map[z], y_map[y + 1], cval, sums)
            _add_row(source, z_map[z + 2], y_map[y + 1], cval, sums)
            _add_row(source, z_map[z + 1], y_map[y], cval, sums)
            _add_row(source, z_map[z + 1], y_map[y + 2], cval, sums)
            left = cval if x_map[0] == OUTSIDE else real(row[x_map[0]])
            right = cval if x_map[1] == OUTSIDE else real(row[x_map[1]])
            result = row_view(target, z, y, nx)
            for x in range(1, nx - 1):
                result[x] = sums[x] + (real(row[x - 1]) + real(row[x + 1]))
            result[0] = sums[0] + (left + (real(row[1]) if nx > 1 else right))
            if nx > 1:
                result[nx - 1] = sums[nx - 1] + (real(row[nx - 2]) + right)


@kernel
def _add_row(source: FlatRows, z: int, y: int, cval: Any, sums: Any) -> None:
    """Add a row of the block, or `cval` for a row outside."""
    if OUTSIDE in (z, y):
        for x in range(sums.size):
            sums[x] += cval
        return
    row = row_view(source, z, y, sums.size)
    for x in range(sums.size):
        sums[x] += sums.dtype.type(row[x])
