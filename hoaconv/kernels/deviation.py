"""Standard deviations in a window around each voxel, for floats and wide integers.

Sums of squares would lose what is small beside the mean. So windows are made of their parts: rows
along z first, each with its mean and the sum of squares about it; those then along y and along x.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import OUTSIDE, maps_bytes, maps_of, pad_ends
from hoaconv.kernels.rows import Flat, Planes, flat_rows
from hoaconv.kernels.uniform import Sizes

__all__ = ["deviation", "deviation_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]


def deviation(block: Slab, core: Core, out: Slab, size: Sizes, mode: str, cval: float) -> None:
    """Write the standard deviation in the window around each voxel of ``block[core]`` into `out`.

    T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances", COMPSTAT 1982, 30-41, for parts of the same size. In float64.

    Parameters
    ----------
    block, core, size, mode, cval
        As in `hoaconv.kernels.uniform.uniform`.
    out : (z, y, x) float array
        Of the core's shape.
    """
    nx = block.shape[2]
    rz, ry, rx = (n // 2 for n in size)
    maps = maps_of(block.shape, core, (rz, ry, rx), mode)
    scratch = _Scratch(
        np.empty((2, size[1] * nx)),
        np.empty((2, nx + 2 * rx)),
        np.empty((2, nx)),
        np.empty(max(size), np.int64),
    )
    _deviate(flat_rows(block), flat_rows(out), out.shape, maps, size, float(cval), scratch)


def deviation_bytes(shape: tuple[int, int, int], size: Sizes) -> int:
    """Bytes that `deviation` allocates for a block of this shape."""
    rows = 2 * (size[1] * shape[2] + 2 * shape[2] + 2 * (size[2] // 2))
    return 8 * (rows + max(size)) + maps_bytes(shape, size)


class _Scratch(NamedTuple):
    """What the kernel computes in: means, and sums of squares about them."""

    ring: Slab
    line: Slab
    row: Slab
    at: Flat


@njit(nogil=True, cache=True, error_model="numpy")
def _deviate(
    source: Planes, target: Planes, shape: Any, maps: Any, size: Any, cval: float, scratch: Any
) -> None:
    """For each row of the core: a ring of rows joined along z, they along y, they along x."""
    into, z_next, y_next = target
    ring, line, made, at = scratch
    nz, ny, nx = shape
    wide, voxels = size[2] // 2, size[0] * size[1] * size[2]
    for z in range(nz):
        for y in range(ny + size[1] - 1):
            slot = y % size[1] * nx
            row = ring[:, slot : slot + nx]
            _z_part(source, maps[0][z : z + size[0]], maps[1][y], cval, row[0], row[1])
            if y < size[1] - 1:
                continue
            for k in range(size[1]):
                at[k] = (y + 1 + k) % size[1] * nx
            middle = line[:, wide : wide + nx]
            _join(ring, at[: size[1]], size[0], middle[0], middle[1])
            pad_ends(line[0], maps[2], wide, nx, cval)
            pad_ends(line[1], maps[2], wide, nx, 0.0)
            for k in range(size[2]):
                at[k] = k
            _join(line, at[: size[2]], size[0] * size[1], made[0], made[1])
            begin = z * z_next + (y - size[1] + 1) * y_next
            for x in range(nx):
                into[begin + x] = np.sqrt(made[1, x] / voxels)


@njit(nogil=True, cache=True, error_model="numpy")
def _z_part(source: Planes, planes: Any, y: int, cval: float, mean: Any, spread: Any) -> None:
    """Mean and sum of squares about it of voxels one behind the other along z."""
    flat, z_step, y_step = source
    mean[:] = 0
    spread[:] = 0
    for again in range(2):
        for plane in planes:
            outside = OUTSIDE in (plane, y)
            row = flat[0 if outside else plane * z_step + y * y_step :][: mean.size]
            for x in range(mean.size):
                value = cval if outside else np.float64(row[x])
                if again:
                    spread[x] += (value - mean[x]) * (value - mean[x])
                else:
                    mean[x] += value
        if not again:
            for x in range(mean.size):
                mean[x] /= planes.size


@njit(nogil=True, cache=True, error_model="numpy")
def _join(parts: Any, at: Any, voxels: int, mean: Any, spread: Any) -> None:
    """Mean and sum of squares about it of all parts, each of as many `voxels`."""
    n = mean.size
    mean[:] = 0
    spread[:] = 0
    for begin in at:
        means, spreads = parts[0, begin : begin + n], parts[1, begin : begin + n]
        for x in range(n):
            mean[x] += means[x]
            spread[x] += spreads[x]
    for x in range(n):
        mean[x] /= at.size
    for begin in at:
        means = parts[0, begin : begin + n]
        for x in range(n):
            spread[x] += voxels * ((means[x] - mean[x]) * (means[x] - mean[x]))
