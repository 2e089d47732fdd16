"""Separable convolution with symmetric weights: z first, then y, then x, row by row.

Every voxel goes through the same additions in the same order whatever the block is cut to, so
that any window and band gives the same bits. Arithmetic is float32 for integers of up to 16 bits
and float32, where it errs by a few hundredths of a 16-bit grey value, and float64 for the wider.
"""

from collections.abc import Callable
from math import exp
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload

from hoaconv.kernels.boundary import OUTSIDE, Core, maps_bytes, maps_of, pad_ends
from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = [
    "Weights",
    "gaussian_radius",
    "gaussian_weights",
    "real_of",
    "smooth",
    "smooth_bytes",
    "weigh",
    "weigh_outer",
]

_NARROW = (types.uint8, types.int8, types.uint16, types.int16)

Slab = np.ndarray[Any, np.dtype[Any]]
Weights = tuple[Flat, Flat, Flat]


def gaussian_radius(sigma: float, truncate: float) -> int:
    """How far the weights reach, as scipy.ndimage.gaussian_filter has it."""
    return int(min(truncate * sigma + 0.5, 1e18))  # a plan refuses far less


def gaussian_weights(sigma: float, truncate: float) -> Flat:
    """Weights (float64) at distance 0, 1, ... radius; with their mirror image they sum to 1."""
    radius = gaussian_radius(sigma, truncate)
    if radius == 0:
        return np.ones(1)
    half = np.array([exp(-0.5 * (k / sigma) ** 2) for k in range(radius + 1)])
    return np.asarray(half / (2 * half.sum() - half[0]))


def smooth(block: Slab, core: Core, out: Slab, weights: Weights, mode: str, cval: float) -> None:
    """Convolve ``block[core]`` into `out`.

    Parameters
    ----------
    block : (z, y, x) array
        The core and as much context on each side as the weights reach, less only where the
        volume ends. Along x it is whole.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) array of block's dtype, or float
        Of the core's shape. Integers are rounded half to even and saturated.
    weights : three float64 arrays
        For z, y and x: the weight at distance 0, 1, 2, ...
    mode : one of MODES
        What lies beyond the block's ends.
    cval : float
        The value outside, for mode ``constant``.
    """
    real, nx = real_of(block.dtype), block.shape[2]
    rz, ry, rx = (w.size - 1 for w in weights)
    maps = maps_of(block.shape, core, (rz, ry, rx), mode)
    lo, hi = dtype_range(block.dtype)
    _smooth(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        maps,
        (weights[0].astype(real), weights[1].astype(real), weights[2].astype(real)),
        (real.type(lo), real.type(hi), real.type(cval)),
        _scratch(nx, real, (rz, ry, rx)),
    )


def smooth_bytes(
    shape: tuple[int, int, int], dtype: np.dtype[Any], radii: tuple[int, int, int]
) -> int:
    """Bytes that `smooth` allocates for a block of this shape and dtype."""
    item = real_of(dtype).itemsize
    ring = (2 * radii[1] + 1) * shape[2] * item
    line = (shape[2] + 2 * radii[2]) * item
    where = (max(radii) * 2 + 1) * 8
    return ring + line + shape[2] * item + where + sum(radii) * item + maps_bytes(shape, radii)


class _Scratch(NamedTuple):
    """What the kernel computes in."""

    ring: Flat
    line: Flat
    sums: Flat
    at: Flat


def _scratch(nx: int, real: np.dtype[Any], radii: tuple[int, int, int]) -> _Scratch:
    return _Scratch(
        np.empty((2 * radii[1] + 1) * nx, real),
        np.empty(nx + 2 * radii[2], real),
        np.empty(nx, real),
        np.empty(2 * max(radii) + 1, np.int64),
    )


def real_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype to compute in."""
    narrow = dtype.itemsize <= 2 or dtype == np.float32
    return np.dtype(np.float32 if narrow else np.float64)


@njit(nogil=True, cache=True, error_model="numpy")
def _smooth(
    source: Planes, target: Planes, shape: Any, maps: Any, weights: Any, limits: Any, scratch: Any
) -> None:
    """For each row of the core: a ring of z-passed rows, their y-pass in `line`, its x-pass."""
    wz, wy, wx = weights
    lo, hi, cval = limits
    ring, line, sums, at = scratch
    flat, z_step, y_step = target
    nz, ny, nx = shape
    turn, wide = 2 * wy.size - 1, wx.size - 1
    for z in range(nz):
        for y in range(ny + turn - 1):
            slot = y % turn * nx
            _z_pass(source, maps, z, y, wz, cval, at, ring[slot : slot + nx])
            if y < turn - 1:
                continue
            for k in range(turn):
                at[k] = (y + 1 + k) % turn * nx
            weigh(ring, at, wy, line[wide : wide + nx])
            pad_ends(line, maps[2], wide, nx, cval)
            for k in range(2 * wide + 1):
                at[k] = k
            weigh(line, at, wx, sums)
            begin = z * z_step + (y - turn + 1) * y_step
            store_row(sums, lo, hi, flat[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _z_pass(
    source: Planes, maps: Any, z: int, y: int, weights: Any, cval: Any, at: Any, sums: Any
) -> None:
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
    if inside:
        weigh(flat, at, weights, sums)
    else:
        weigh_outer(flat, at, weights, cval, sums)


@njit(nogil=True, cache=True, error_model="numpy")
def weigh(flat: Any, at: Any, weights: Any, sums: Any) -> None:
    """Sum over k of ``weights[k] * (row at[r - k] + row at[r + k])``, where r is the radius.

    Three pairs go in one sweep, so that a sum is loaded and stored a third as often.
    """
    n, radius = sums.size, weights.size - 1
    centre = flat[at[radius] : at[radius] + n]
    for x in range(n):
        sums[x] = weights[0] * weights.dtype.type(centre[x])
    triples = radius // 3 * 3
    for k in range(1, triples, 3):
        _add_three(flat, at, radius, k, weights, sums)
    for k in range(triples + 1, radius + 1):
        _add_pair(flat, at[radius - k], at[radius + k], weights[k], sums)


@njit(nogil=True, cache=True, error_model="numpy")
def weigh_outer(flat: Any, at: Any, weights: Any, cval: Any, sums: Any) -> None:
    """The same where some rows lie outside the volume and hold `cval`."""
    radius = weights.size - 1
    for x in range(sums.size):
        total = weights[0] * weights.dtype.type(flat[at[radius] + x])
        for k in range(1, radius + 1):
            left, right = at[radius - k], at[radius + k]
            one = cval if left == OUTSIDE else weights.dtype.type(flat[left + x])
            other = cval if right == OUTSIDE else weights.dtype.type(flat[right + x])
            total += weights[k] * (one + other)
        sums[x] = total


@njit(nogil=True, cache=True, error_model="numpy")
def _add_three(flat: Any, at: Any, radius: int, k: int, weights: Any, sums: Any) -> None:
    n = sums.size
    l1, l2, l3 = at[radius - k], at[radius - k - 1], at[radius - k - 2]
    r1, r2, r3 = at[radius + k], at[radius + k + 1], at[radius + k + 2]
    a1, a2, a3 = flat[l1 : l1 + n], flat[l2 : l2 + n], flat[l3 : l3 + n]
    b1, b2, b3 = flat[r1 : r1 + n], flat[r2 : r2 + n], flat[r3 : r3 + n]
    w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2]
    for x in range(n):
        total = sums[x] + w1 * _pair(a1[x], b1[x], w1)
        total += w2 * _pair(a2[x], b2[x], w2)
        sums[x] = total + w3 * _pair(a3[x], b3[x], w3)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_pair(flat: Any, left: int, right: int, weight: Any, sums: Any) -> None:
    one, other = flat[left : left + sums.size], flat[right : right + sums.size]
    for x in range(sums.size):
        sums[x] += weight * _pair(one[x], other[x], weight)


def _pair(one: Any, other: Any, weight: Any) -> Any:
    """The sum of two voxels in the dtype of `weight`."""
    raise NotImplementedError("_pair works inside compiled kernels only")


@overload(_pair, strict=False)
def _pair_of(one: Any, other: Any, weight: Any) -> Callable[..., Any]:  # noqa: ARG001
    if one in _NARROW:
        return _pair_narrow
    return _pair_single if weight == types.float32 else _pair_double


def _pair_narrow(one: Any, other: Any, weight: Any) -> Any:  # noqa: ARG001
    # Summed as integers, which is exact, a pair needs one conversion in place of two.
    return np.float32(np.int32(np.int32(one) + np.int32(other)))


def _pair_single(one: Any, other: Any, weight: Any) -> Any:  # noqa: ARG001
    return np.float32(one) + np.float32(other)


def _pair_double(one: Any, other: Any, weight: Any) -> Any:  # noqa: ARG001
    return np.float64(one) + np.float64(other)
