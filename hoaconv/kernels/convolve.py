"""Convolution with any array of weights, row by row.

Each voxel adds up its products in the order of the weights in memory, whatever the block is cut
to. Precision is that of `hoaconv.kernels.gaussian`.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import OUTSIDE, maps_bytes, maps_of, pad_ends
from hoaconv.kernels.gaussian import real_of
from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = ["Taps", "convolve", "convolve_bytes", "taps_of"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]


class Taps(NamedTuple):
    """What a voxel is made of: weights, and where (z, y, x) in its neighbourhood each one is."""

    radii: tuple[int, int, int]
    places: Slab
    weights: Flat


def taps_of(kernel: Slab) -> Taps:
    """The weights of a (z, y, x) array that aren't 0, mirrored as convolution has it.

    Centred as scipy.ndimage.convolve does with origin=0: of an even size, the voxel has one
    neighbour more behind it than before it.

    Parameters
    ----------
    kernel : (z, y, x) array
        Of finite real numbers.
    """
    # An even size is an odd one whose first weight is 0.
    odd = np.pad(kernel[::-1, ::-1, ::-1], [(1 - n % 2, 0) for n in kernel.shape])
    z, y, x = (n // 2 for n in odd.shape)
    places = np.argwhere(odd != 0)
    return Taps((z, y, x), places, np.ascontiguousarray(odd[tuple(places.T)], np.float64))


def convolve(block: Slab, core: Core, out: Slab, taps: Taps, mode: str, cval: float) -> None:
    """Convolve ``block[core]`` into `out`.

    Parameters
    ----------
    block : (z, y, x) array
        The core and the taps' radii of context, as in `hoaconv.kernels.gaussian.smooth`.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) array of block's dtype
        Of the core's shape. Integers are rounded half to even and saturated.
    taps
        As `taps_of` makes them of the kernel.
    mode : str
        What lies beyond the block's ends: one of `hoaconv.kernels.boundary.MODES`.
    cval : float
        The value outside, for mode ``constant``.
    """
    real, nx = real_of(block.dtype), block.shape[2]
    rz, ry, rx = taps.radii
    maps = maps_of(block.shape, core, taps.radii, mode)
    lo, hi = dtype_range(block.dtype)
    _convolve(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        maps,
        taps.radii,
        taps.places,
        taps.weights.astype(real),
        (real.type(lo), real.type(hi), real.type(cval)),
        np.empty((2 * rz + 1, 2 * ry + 1, nx + 2 * rx), real),
        np.empty(nx, real),
        np.empty(taps.weights.size, np.int64),
    )


def convolve_bytes(shape: tuple[int, int, int], dtype: np.dtype[Any], taps: Taps) -> int:
    """Bytes that `convolve` allocates for a block of this shape and dtype."""
    rz, ry, rx = taps.radii
    item = real_of(dtype).itemsize
    rows = (2 * rz + 1) * (2 * ry + 1) * (shape[2] + 2 * rx) + shape[2]
    return rows * item + taps.weights.size * (8 + item) + maps_bytes(shape, taps.radii)


@njit(nogil=True, cache=True, error_model="numpy")
def _convolve(
    source: Planes,
    target: Planes,
    shape: Any,
    maps: Any,
    radii: Any,
    places: Any,
    weights: Any,
    limits: Any,
    rings: Any,
    sums: Any,
    at: Any,
) -> None:
    """For each plane: a ring of rows of each plane that it needs; for each row, all taps."""
    flat, z_step, y_step = target
    lo, hi, cval = limits
    nz, ny, nx = shape
    turn = 2 * radii[1] + 1
    for z in range(nz):
        for y in range(ny + turn - 1):
            for k in range(len(rings)):
                _row(source, maps, z + k, y, radii[2], cval, rings[k, y % turn])
            if y < turn - 1:
                continue
            for t in range(at.size):
                slot = (y + 1 + places[t, 1]) % turn
                at[t] = (places[t, 0] * turn + slot) * rings.shape[2] + places[t, 2]
            _weigh_taps(rings.ravel(), at, weights, sums)
            begin = z * z_step + (y - turn + 1) * y_step
            store_row(sums, lo, hi, flat[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _row(source: Planes, maps: Any, z: int, y: int, radius: int, cval: Any, line: Any) -> None:
    """A row with what lies beyond its ends."""
    flat, z_step, y_step = source
    plane, row, nx = maps[0][z], maps[1][y], line.size - 2 * radius
    if OUTSIDE in (plane, row):
        line[:] = cval
        return
    begin, middle = plane * z_step + row * y_step, line[radius : radius + nx]
    voxels = flat[begin : begin + nx]
    for x in range(nx):
        middle[x] = voxels[x]
    pad_ends(line, maps[2], radius, nx, cval)


@njit(nogil=True, cache=True, error_model="numpy")
def _weigh_taps(flat: Any, at: Any, weights: Any, sums: Any) -> None:
    """Sum of each weight times its row; four go in one sweep, as sums are costly to load."""
    n = sums.size
    sums[:] = 0
    fours = at.size // 4 * 4
    for t in range(0, fours, 4):
        a, b = flat[at[t] : at[t] + n], flat[at[t + 1] : at[t + 1] + n]
        c, d = flat[at[t + 2] : at[t + 2] + n], flat[at[t + 3] : at[t + 3] + n]
        wa, wb, wc, wd = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
        for x in range(n):
            sums[x] = (((sums[x] + wa * a[x]) + wb * b[x]) + wc * c[x]) + wd * d[x]
    for t in range(fours, at.size):
        row, weight = flat[at[t] : at[t] + n], weights[t]
        for x in range(n):
            sums[x] += weight * row[x]
