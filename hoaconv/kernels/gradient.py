"""First and second differences: the gradient's length or one part of it, and the Laplacian.

A part of the gradient is separable: an antisymmetric pass along its axis, symmetric passes along
the two others. The three parts share what they can: two z-passes and three y-passes serve all.
Passes run in the order z, y, x, row by row, as in `hoaconv.kernels.gaussian`, whose rules on
precision and on what lies beyond the ends hold here too.
"""

from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import OUTSIDE, maps_bytes, maps_of, pad_ends
from hoaconv.kernels.gaussian import Weights, real_of, weigh, weigh_outer
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = [
    "ALL_AXES",
    "derivative_weights",
    "gradient",
    "gradient_bytes",
    "laplace",
    "parts_of_row",
]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]

ALL_AXES = 3
"""In place of an axis: the length of the gradient."""


def derivative_weights(sigma: float, smoothing: Flat) -> Flat:
    """Weights at distance 0, 1, ... of a gaussian's first derivative, from the gaussian's own.

    As scipy.ndimage.gaussian_filter1d with order=1: the voxel ahead counts positive, the one
    behind negative.
    """
    if smoothing.size == 1:
        return np.zeros(1)
    return np.asarray(np.arange(smoothing.size) / sigma**2 * smoothing)


def gradient(
    block: Slab,
    core: Core,
    out: Slab,
    smoothing: Weights,
    deriving: Weights,
    axis: int,
    mode: str,
    cval: float,
) -> None:
    """Write the gradient of ``block[core]`` into `out`: its length, or its part along one axis.

    Parameters
    ----------
    block : (z, y, x) array
        The core and its context, as in `hoaconv.kernels.gaussian.smooth`.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) float array
        Of the core's shape.
    smoothing, deriving : three float64 arrays each
        For z, y and x: symmetric and antisymmetric weights at distance 0, 1, 2, ..., as long as
        each other.
    axis : int
        0, 1, 2 for z, y, x, or ALL_AXES.
    mode, cval
        What lies beyond the block's ends.
    """
    real, nx = real_of(block.dtype), block.shape[2]
    rz, ry, rx = (w.size - 1 for w in smoothing)
    maps = maps_of(block.shape, core, (rz, ry, rx), mode)
    turn = 2 * ry + 1
    _gradient(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        maps,
        tuple(w.astype(real) for w in smoothing),
        tuple(w.astype(real) for w in deriving),
        axis,
        real.type(cval),
        np.empty((2, turn * nx), real),
        np.empty(nx + 2 * rx, real),
        np.empty((2, nx), real),
        np.empty(2 * max(rz, ry, rx) + 1, np.int64),
    )


def gradient_bytes(
    shape: tuple[int, int, int], dtype: np.dtype[Any], radii: tuple[int, int, int]
) -> int:
    """Bytes that `gradient` allocates for a block of this shape and dtype."""
    item = real_of(dtype).itemsize
    rows = 2 * (2 * radii[1] + 1) * shape[2] + shape[2] + 2 * radii[2] + 2 * shape[2]
    weights = 3 * sum(radii)
    return (rows + weights) * item + (2 * max(radii) + 1) * 8 + maps_bytes(shape, radii)


@njit(nogil=True, cache=True, error_model="numpy")
def _gradient(
    source: Planes,
    target: Planes,
    shape: Any,
    maps: Any,
    smoothing: Any,
    deriving: Any,
    axis: int,
    cval: Any,
    rings: Any,
    line: Any,
    sums: Any,
    at: Any,
) -> None:
    """For each row: two rings of z-passed rows, up to three y-passes, each with its x-pass."""
    flat, z_step, y_step = target
    nz, ny, nx = shape
    turn = 2 * smoothing[1].size - 1
    for z in range(nz):
        for y in range(ny + turn - 1):
            slot = y % turn * nx
            even, odd = rings[0, slot : slot + nx], rings[1, slot : slot + nx]
            if axis != 0:
                _z_pass(source, maps, z, y, smoothing[0], False, cval, at, even)
            if axis in (0, ALL_AXES):
                _z_pass(source, maps, z, y, deriving[0], True, cval, at, odd)
            if y < turn - 1:
                continue
            begin = z * z_step + (y - turn + 1) * y_step
            row, part, total = flat[begin : begin + nx], sums[0], sums[1]
            total[:] = 0
            for along in range(3):
                if axis not in (along, ALL_AXES):
                    continue
                _y_and_x(rings, y, along, maps, smoothing, deriving, cval, line, at, part)
                for x in range(nx):
                    total[x] += part[x] * part[x] if axis == ALL_AXES else part[x]
            for x in range(nx):
                row[x] = np.sqrt(total[x]) if axis == ALL_AXES else total[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _y_and_x(
    rings: Any,
    y: int,
    along: int,
    maps: Any,
    smoothing: Any,
    deriving: Any,
    cval: Any,
    line: Any,
    at: Any,
    made: Any,
) -> None:
    """The part of the gradient along one axis, from the ring of rows that serves it."""
    nx, turn, wide = made.size, 2 * smoothing[1].size - 1, smoothing[2].size - 1
    ring, middle = rings[1 if along == 0 else 0], line[wide : wide + nx]
    for k in range(turn):
        at[k] = (y + 1 + k) % turn * nx
    if along == 1:
        _weigh_odd(ring, at, deriving[1], middle)
    else:
        weigh(ring, at, smoothing[1], middle)
    pad_ends(line, maps[2], wide, nx, cval)
    for k in range(2 * wide + 1):
        at[k] = k
    if along == 2:
        _weigh_odd(line, at, deriving[2], made)
    else:
        weigh(line, at, smoothing[2], made)


@njit(nogil=True, cache=True, error_model="numpy")
def _z_pass(
    source: Planes,
    maps: Any,
    z: int,
    y: int,
    weights: Any,
    odd: bool,
    cval: Any,
    at: Any,
    sums: Any,
) -> None:
    """The z-pass of one row into `sums`; `odd` for antisymmetric weights."""
    flat, z_step, y_step = source
    from_z, from_y, _ = maps
    if from_y[y] == OUTSIDE:
        sums[:] = cval
        return
    inside = True
    for k in range(2 * weights.size - 1):
        plane = from_z[z + k]
        at[k] = OUTSIDE if plane == OUTSIDE else plane * z_step + from_y[y] * y_step
        inside &= plane != OUTSIDE
    if odd:
        _weigh_odd_outer(flat, at, weights, cval, sums)
    elif inside:
        weigh(flat, at, weights, sums)
    else:
        weigh_outer(flat, at, weights, cval, sums)


@njit(nogil=True, cache=True, error_model="numpy")
def _weigh_odd(flat: Any, at: Any, weights: Any, sums: Any) -> None:
    """Sum over k of ``weights[k] * (row at[r + k] - row at[r - k])``, where r is the radius."""
    n, radius = sums.size, weights.size - 1
    sums[:] = 0
    for k in range(1, radius + 1):
        ahead, behind = flat[at[radius + k] :][:n], flat[at[radius - k] :][:n]
        for x in range(n):
            one, other = weights.dtype.type(ahead[x]), weights.dtype.type(behind[x])
            sums[x] += weights[k] * (one - other)


@njit(nogil=True, cache=True, error_model="numpy")
def _weigh_odd_outer(flat: Any, at: Any, weights: Any, cval: Any, sums: Any) -> None:
    """The same where some rows may lie outside the volume and hold `cval`."""
    n, radius = sums.size, weights.size - 1
    sums[:] = 0
    for k in range(1, radius + 1):
        ahead, behind = at[radius + k], at[radius - k]
        if ahead == OUTSIDE and behind == OUTSIDE:
            continue
        if ahead == OUTSIDE:
            rows = flat[behind : behind + n]
            for x in range(n):
                sums[x] += weights[k] * (cval - weights.dtype.type(rows[x]))
        elif behind == OUTSIDE:
            rows = flat[ahead : ahead + n]
            for x in range(n):
                sums[x] += weights[k] * (weights.dtype.type(rows[x]) - cval)
        else:
            one, other = flat[ahead : ahead + n], flat[behind : behind + n]
            for x in range(n):
                difference = weights.dtype.type(one[x]) - weights.dtype.type(other[x])
                sums[x] += weights[k] * difference


@njit(nogil=True, cache=True, error_model="numpy")
def parts_of_row(
    source: Planes,
    z: int,
    row: int,
    maps: Any,
    smoothing: Any,
    deriving: Any,
    rings: Any,
    line: Any,
    at: Any,
    parts: Any,
) -> None:
    """The gradient's three parts in a row of a plane, whose rows must come in order from 0 on.

    With mode ``constant`` there are zeros beyond the ends. `rings` is the plane's own.
    """
    cval, nx, turn = parts.dtype.type(0), parts.shape[1], 2 * smoothing[1].size - 1
    for y in range(0 if row == 0 else row + turn - 1, row + turn):
        slot = y % turn * nx
        even, odd = rings[0, slot : slot + nx], rings[1, slot : slot + nx]
        _z_pass(source, maps, z, y, smoothing[0], False, cval, at, even)
        _z_pass(source, maps, z, y, deriving[0], True, cval, at, odd)
    last = row + turn - 1
    for along in range(3):
        _y_and_x(rings, last, along, maps, smoothing, deriving, cval, line, at, parts[along])


def laplace(block: Slab, core: Core, out: Slab, mode: str, cval: float) -> None:
    """Write the sum of second differences along z, y and x of ``block[core]`` into `out` (float).

    ``v[-1] - 2 v[0] + v[1]`` along each axis, as scipy.ndimage.laplace. Parameters as `gradient`.
    """
    real, nx = real_of(block.dtype), block.shape[2]
    maps = maps_of(block.shape, core, (1, 1, 1), mode)
    scratch = np.empty(nx, real)
    _laplace(flat_rows(block), flat_rows(out), out.shape, maps, real.type(cval), scratch)


@njit(nogil=True, cache=True, error_model="numpy")
def _laplace(source: Planes, target: Planes, shape: Any, maps: Any, cval: Any, sums: Any) -> None:
    from_z, from_y, from_x = maps
    flat, z_step, y_step = source
    into, z_next, y_next = target
    nz, ny, nx = shape
    real = sums.dtype.type
    for z in range(nz):
        for y in range(ny):
            begin = from_z[z + 1] * z_step + from_y[y + 1] * y_step
            row = flat[begin : begin + nx]
            for x in range(nx):
                sums[x] = real(-6) * real(row[x])
            _add_row(source, from_z[z], from_y[y + 1], cval, sums)
            _add_row(source, from_z[z + 2], from_y[y + 1], cval, sums)
            _add_row(source, from_z[z + 1], from_y[y], cval, sums)
            _add_row(source, from_z[z + 1], from_y[y + 2], cval, sums)
            left = cval if from_x[0] == OUTSIDE else real(row[from_x[0]])
            right = cval if from_x[1] == OUTSIDE else real(row[from_x[1]])
            made = into[z * z_next + y * y_next :][:nx]
            for x in range(1, nx - 1):
                made[x] = sums[x] + (real(row[x - 1]) + real(row[x + 1]))
            made[0] = sums[0] + (left + (real(row[1]) if nx > 1 else right))
            if nx > 1:
                made[nx - 1] = sums[nx - 1] + (real(row[nx - 2]) + right)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_row(source: Planes, plane: int, y: int, cval: Any, sums: Any) -> None:
    flat, z_step, y_step = source
    if OUTSIDE in (plane, y):
        for x in range(sums.size):
            sums[x] += cval
        return
    begin = plane * z_step + y * y_step
    row = flat[begin : begin + sums.size]
    for x in range(sums.size):
        sums[x] += sums.dtype.type(row[x])
