"""Means and deviations in a window around each voxel, from sums along z, then y, then x.

Sums of integers are exact. So along z and y they go on from the window before: a row comes, a row
leaves, and the size of the window hardly matters. Sums of floats tell in their last bits where
they began, so each window's is made anew. Along x, sums of 2, 4, 8, ... voxels are joined.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import OUTSIDE, maps_of, pad_ends
from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = ["MOST_VOXELS", "Sizes", "exact_deviation", "uniform", "uniform_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]
Sizes = tuple[int, int, int]
"""Voxels of a window along z, y and x."""

MOST_VOXELS = 1 << 21
"""Voxels of a window whose sum float64 holds exactly, if they are 32-bit integers."""

_MOST_NARROW = 1 << 15
"""Voxels of a window whose sum int32 holds, if they are 16-bit integers."""

_CACHED = 1 << 17
"""Sums that stay in a core's own cache."""


def uniform(block: Slab, core: Core, out: Slab, size: Sizes, mode: str, cval: float) -> None:
    """Write the mean of the window around each voxel of ``block[core]`` into `out`.

    Parameters
    ----------
    block : (z, y, x) array
        The core and half a window of context on each side, as in `hoaconv.kernels.gaussian.smooth`.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) array of block's dtype
        Of the core's shape. Integers are rounded half to even and saturated.
    size : three ints
        Of the window, `MOST_VOXELS` at the most. Of an even size, the voxel has one neighbour
        more before it than behind it.
    mode : str
        What lies beyond the block's ends: one of `hoaconv.kernels.boundary.MODES`.
    cval : float
        The value outside, for mode ``constant``.
    """
    _box(block, core, out, size, mode, cval, 1)


def exact_deviation(
    block: Slab, core: Core, out: Slab, size: Sizes, mode: str, cval: float
) -> None:
    """Write the windows' standard deviation into `out` (float), for integers of up to 16 bits.

    Parameters as `uniform`; `cval` is one of those integers.
    """
    _box(block, core, out, size, mode, cval, 2)


def uniform_bytes(
    shape: tuple[int, int, int], dtype: np.dtype[Any], size: Sizes, powers: int = 1
) -> int:
    """Bytes that `uniform` (for `powers` 2, `exact_deviation`) allocates for such a block."""
    nx, wide = shape[2], shape[2] + 2 * (size[2] // 2)
    rows = min(_stripe(nx, size[1]), shape[1]) + 2 * (size[1] // 2)
    sums = powers * (rows + 1) * nx + nx + 2 * wide
    maps = (shape[0] + shape[1] + 2 * sum(size) + size[0]) * 8
    inside = 4 * wide * 8
    return sums * _sum_dtype(dtype, size, powers).itemsize + powers * nx * 8 + 4 * maps + inside


class _Scratch(NamedTuple):
    """What the kernel computes in; one of each for voxels, one for their squares if wanted."""

    stripe: Slab
    column: Slab
    lines: Slab
    sums: Flat
    totals: Slab
    at: Flat


def _sum_dtype(dtype: np.dtype[Any], size: Sizes, powers: int) -> np.dtype[Any]:
    narrow = dtype.kind in "ui" and dtype.itemsize <= 2 and powers == 1
    few = size[0] * size[1] * size[2] <= _MOST_NARROW
    return np.dtype(np.int32 if narrow and few else np.float64)


def _stripe(nx: int, size: int) -> int:
    """Rows of the core that are worked on at a time."""
    return max(2 * size, _CACHED // nx)


def _inside(nx: int, size: int) -> Flat:
    """How many voxels of the window along x lie inside the volume."""
    first = np.arange(nx) - size // 2
    return np.asarray(np.minimum(first + size, nx) - np.maximum(first, 0))


def _box(
    block: Slab, core: Core, out: Slab, size: Sizes, mode: str, cval: float, powers: int
) -> None:
    nx = block.shape[2]
    rz, ry, rx = (n // 2 for n in size)
    from_z, from_y, from_x = maps_of(block.shape, core, (rz, ry, rx), mode)
    fill = cval if mode == "constant" else 0.0
    rows, sums = _stripe(nx, size[1]), _sum_dtype(block.dtype, size, powers)
    scratch = _Scratch(
        np.empty((powers, min(rows, out.shape[1]) + 2 * ry, nx), sums),
        np.empty((powers, nx), sums),
        np.empty((2, nx + 2 * rx), sums),
        np.empty(nx, sums),
        np.empty((powers, nx)),
        np.empty(max(size) + 1, np.int64),
    )
    inside = _inside(nx, size[2]) if fill else np.empty(0, np.int64)
    for y in range(0, out.shape[1], rows):
        part = out[:, y : y + rows]
        _sum_up(
            flat_rows(block),
            flat_rows(part),
            part.shape,
            (from_z, from_y[y : y + part.shape[1] + 2 * ry], from_x),
            size,
            block.dtype.kind in "ui",
            inside,
            (*dtype_range(out.dtype), float(fill)),
            scratch,
        )


@njit(nogil=True, cache=True, error_model="numpy")
def _sum_up(
    source: Planes,
    target: Planes,
    shape: Any,
    maps: Any,
    size: Any,
    exact: bool,
    inside: Any,
    limits: Any,
    scratch: Any,
) -> None:
    """For each plane: its rows' sums along z; for each row, those along y and then along x."""
    into, z_next, y_next = target
    from_z, from_y, from_x = maps
    lo, hi, fill = limits
    stripe, column, lines, sums, totals, at = scratch
    nz, ny, nx = shape
    powers, voxels = len(stripe), size[0] * size[1] * size[2]
    for z in range(nz):
        _z_sums(source, from_z, from_y, z, size[0], exact and z > 0, at, stripe)
        for y in range(ny):
            for k in range(size[1] + 1):
                at[k] = (y + k - 1) * nx
            for p in range(powers):
                _slide(stripe[p].ravel(), at[: size[1] + 1], exact and y > 0, False, column[p])
                _x_sums(column[p], from_x, size[2], lines, sums)
                totals[p] = sums
            if fill != 0:
                rows = _count(from_z[z : z + size[0]]) * _count(from_y[y : y + size[1]])
                _add_outside(rows, voxels, inside, fill, totals)
            if powers == 1:
                _mean(voxels, totals[0])
            else:
                _deviation(voxels, totals[0], totals[1])
            begin = z * z_next + y * y_next
            store_row(totals[0], lo, hi, into[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _z_sums(
    source: Planes, from_z: Any, from_y: Any, z: int, size: int, on: bool, at: Any, stripe: Any
) -> None:
    """Sums along z for each row that the stripe needs, of voxels and perhaps of their squares."""
    flat, z_step, y_step = source
    near = at[: size + 1]
    for y in range(from_y.size):
        for k in range(size + 1):
            plane = from_z[max(z + k - 1, 0)]
            outside = OUTSIDE in (plane, from_y[y])
            near[k] = OUTSIDE if outside else plane * z_step + from_y[y] * y_step
        for p in range(len(stripe)):
            _slide(flat, near, on, p == 1, stripe[p, y])


@njit(nogil=True, cache=True, error_model="numpy")
def _slide(flat: Any, at: Any, on: bool, squared: bool, sums: Any) -> None:
    """Sum the rows at[1], at[2], ...; `on` from the window before, which began at at[0]."""
    real, last = sums.dtype.type, at.size - 1
    if not on:
        sums[:] = 0
    for k in range(0 if on else 1, at.size, last if on else 1):
        if at[k] == OUTSIDE:
            continue
        sign, row = real(1 if k else -1), flat[at[k] : at[k] + sums.size]
        for x in range(sums.size):
            value = real(row[x])
            sums[x] += sign * (value * value if squared else value)


@njit(nogil=True, cache=True, error_model="numpy")
def _x_sums(row: Any, from_x: Any, size: int, lines: Any, sums: Any) -> None:
    """Sums of `size` voxels side by side: where it has a bit, sums of as many voxels join."""
    n, radius = row.size, size // 2
    line, other = lines
    line[radius : radius + n] = row
    pad_ends(line, from_x, radius, n, line.dtype.type(0))
    sums[:] = 0
    width, done = 1, 0
    while True:
        if size & width:
            part = line[done : done + n]
            for x in range(n):
                sums[x] += part[x]
            done += width
        if 2 * width > size:
            return
        # Not in place, which would keep the loop from being vectorised.
        one, next_one = line[: line.size - width], line[width:]
        for x in range(one.size):
            other[x] = one[x] + next_one[x]
        line, other = other, line
        width *= 2


@njit(nogil=True, cache=True, error_model="numpy")
def _count(indices: Any) -> int:
    inside = 0
    for index in indices:
        inside += index != OUTSIDE
    return inside


@njit(nogil=True, cache=True, error_model="numpy")
def _add_outside(rows: int, voxels: int, inside: Any, fill: Any, totals: Any) -> None:
    """Add what lies beyond the ends: all but `rows` times `inside` of a window's voxels."""
    for p in range(len(totals)):
        value = fill if p == 0 else fill * fill
        for x in range(inside.size):
            totals[p, x] += value * (voxels - rows * inside[x])


@njit(nogil=True, cache=True, error_model="numpy")
def _mean(voxels: int, totals: Any) -> None:
    for x in range(totals.size):
        totals[x] /= voxels


@njit(nogil=True, cache=True, error_model="numpy")
def _deviation(voxels: int, totals: Any, squares: Any) -> None:
    """About the whole number next to the mean: all but the last two steps are exact."""
    n = np.float64(voxels)
    for x in range(totals.size):
        near = np.rint(totals[x] / n)
        rest = totals[x] - near * n
        spread = squares[x] - near * (2 * totals[x] - near * n)
        totals[x] = np.sqrt((spread - rest * rest / n) / n)
