"""Convolution with an arbitrary array of weights.

The kernel adds the products of a voxel in the order of the weights in memory. Arithmetic is in
`hoaconv.kernels.rounding.compute_dtype`.
"""

from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.boundary import index_maps, index_maps_bytes, load_padded_row
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype, dtype_range, store_row
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Array, Core, FlatRows, IndexMaps, Slab, Triple, Vector

__all__ = ["Stencil", "convolve", "convolve_bytes", "stencil"]


class Stencil(NamedTuple):
    """The nonzero weights of a convolution, and their positions."""

    radii: Triple
    """Radii (z, y, x) of the window."""
    positions: Array
    """Indices (n, 3) into the window: z, y and x of each weight."""
    weights: Vector
    """The weights (n,), float64."""


def stencil(weights: Slab) -> Stencil:
    """Return the stencil of a convolution, in which the weights are mirrored along each axis.

    The centre is that of scipy.ndimage.convolve with ``origin=0``: along an axis of even size the
    window has one voxel more on the side of the higher indices.

    Parameters
    ----------
    weights : array (z, y, x)
        Finite real numbers.
    """
    # A leading weight of 0 makes an even size odd.
    odd = np.pad(weights[::-1, ::-1, ::-1], [(1 - n % 2, 0) for n in weights.shape])
    z, y, x = (n // 2 for n in odd.shape)
    positions = np.argwhere(odd != 0)
    values = np.ascontiguousarray(odd[tuple(positions.T)], np.float64)
    return Stencil((z, y, x), positions, values)


def convolve(block: Slab, core: Core, out: Slab, stencil: Stencil, mode: str, cval: float) -> None:
    """Convolve ``block[core]`` with the weights of a stencil.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of the radii of the stencil.
    core : (z, y, x) slices
        The part to compute.
    out : array (z, y, x) of the dtype of `block`
        Takes the result, in the shape of the core. Integers are rounded half to even and saturated.
    stencil : Stencil
        The weights, as the function `stencil` returns them.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``.
    """
    real, nx = compute_dtype(block.dtype), block.shape[2]
    rz, ry, rx = stencil.radii
    lo, hi = dtype_range(block.dtype)
    _convolve(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        index_maps(block.shape, core, stencil.radii, mode),
        stencil.radii,
        stencil.positions,
        stencil.weights.astype(real),
        (real.type(lo), real.type(hi), real.type(cval)),
        np.empty((2 * rz + 1, 2 * ry + 1, nx + 2 * rx), real),
        np.empty(nx, real),
        np.empty(stencil.weights.size, np.int64),
    )


def convolve_bytes(shape: Triple, dtype: np.dtype[Any], stencil: Stencil) -> int:
    """Return the bytes that `convolve` allocates for a block of this shape and dtype."""
    rz, ry, rx = stencil.radii
    item = compute_dtype(dtype).itemsize
    rows = (2 * rz + 1) * (2 * ry + 1) * (shape[2] + 2 * rx) + shape[2]
    weights = stencil.weights.size * (8 + item)
    return rows * item + weights + index_maps_bytes(shape, stencil.radii)


@kernel
def _convolve(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    radii: Any,
    positions: Any,
    weights: Any,
    limits: Any,
    rings: Any,
    sums: Any,
    offsets: Any,
) -> None:
    """Compute row by row; `rings` holds the rows of each plane of the window."""
    lo, hi, cval = limits
    nz, ny, nx = shape
    span = 2 * radii[1] + 1
    for z in range(nz):
        for y in range(ny + span - 1):
            for k in range(len(rings)):
                load_padded_row(source, maps, z + k, y, cval, rings[k, y % span])
            if y < span - 1:
                continue
            for i in range(offsets.size):
                slot = (y + 1 + positions[i, 1]) % span
                offsets[i] = (positions[i, 0] * span + slot) * rings.shape[2] + positions[i, 2]
            _weighted_sum(rings.ravel(), offsets, weights, sums)
            row = row_view(target, z, y - span + 1, nx)
            store_row(sums, lo, hi, row)


@kernel
def _weighted_sum(flat: Any, offsets: Any, weights: Any, sums: Any) -> None:
    """Write the sum of each weight times its row.

    Four rows are added in one loop, so that a sum is loaded and stored a fourth as often.
    """
    n = sums.size
    sums[:] = 0
    fours = offsets.size // 4 * 4
    for i in range(0, fours, 4):
        a, b = flat[offsets[i] : offsets[i] + n], flat[offsets[i + 1] : offsets[i + 1] + n]
        c, d = flat[offsets[i + 2] : offsets[i + 2] + n], flat[offsets[i + 3] : offsets[i + 3] + n]
        wa, wb, wc, wd = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for x in range(n):
            sums[x] = (((sums[x] + wa * a[x]) + wb * b[x]) + wc * c[x]) + wd * d[x]
    for i in range(fours, offsets.size):
        row, weight = flat[offsets[i] : offsets[i] + n], weights[i]
        for x in range(n):
            sums[x] += weight * row[x]
