"""Separable convolution with symmetric or antisymmetric weights: along z, then y, then x.

The kernel works row by row. A ring buffer holds the rows of one plane that are already convolved
along z, as many as the weights span along y. Arithmetic is in
`hoaconv.kernels.rounding.compute_dtype`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from hoaconv.kernels.boundary import OUTSIDE, index_maps, index_maps_bytes, pad_ends
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype, dtype_range, store_row
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Core, FlatRows, IndexMaps, Slab, Triple, Vector, Weights

__all__ = [
    "antisymmetric_sum",
    "convolve_separable",
    "convolve_separable_bytes",
    "convolve_z",
    "convolve_z_antisymmetric",
    "symmetric_sum",
    "weight_radii",
]

_NARROW = (types.uint8, types.int8, types.uint16, types.int16)


def convolve_separable(
    block: Slab, core: Core, out: Slab, weights: Weights, mode: str, cval: float
) -> None:
    """Convolve ``block[core]`` with symmetric weights along each axis.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of the radius of the weights.
    core : (z, y, x) slices
        The part to compute.
    out : array (z, y, x) of the dtype of `block`, or float
        Takes the result, in the shape of the core. Integers are rounded half to even and saturated.
    weights : three float64 arrays
        For z, y and x: the weights at the distances 0, 1, 2, ...
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``.
    """
    real, radii = compute_dtype(block.dtype), weight_radii(weights)
    lo, hi = dtype_range(block.dtype)
    _convolve_separable(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        index_maps(block.shape, core, radii, mode),
        (weights[0].astype(real), weights[1].astype(real), weights[2].astype(real)),
        (real.type(lo), real.type(hi), real.type(cval)),
        _workspace(block.shape[2], real, radii),
    )


def convolve_separable_bytes(shape: Triple, dtype: np.dtype[Any], radii: Triple) -> int:
    """Return the bytes that `convolve_separable` allocates for a block of this shape and dtype."""
    item = compute_dtype(dtype).itemsize
    ring = (2 * radii[1] + 1) * shape[2] * item
    line = (shape[2] + 2 * radii[2]) * item
    offsets = (max(radii) * 2 + 1) * 8
    weights = sum(radii) * item
    return ring + line + shape[2] * item + offsets + weights + index_maps_bytes(shape, radii)


def weight_radii(weights: Weights) -> Triple:
    """Return the radii (z, y, x) of one-sided weights."""
    z, y, x = (w.size - 1 for w in weights)
    return z, y, x


class _Workspace(NamedTuple):
    """Buffers of the kernel."""

    ring: Vector
    """Rows convolved along z, one after the other."""
    line: Vector
    """A row convolved along z and y, and the values beyond its ends."""
    sums: Vector
    """A row of the result."""
    offsets: Vector
    """Offsets of the rows, or shifts of the row, that a weighted sum adds."""


def _workspace(nx: int, real: np.dtype[Any], radii: Triple) -> _Workspace:
    """Return the buffers for rows of `nx` voxels."""
    return _Workspace(
        np.empty((2 * radii[1] + 1) * nx, real),
        np.empty(nx + 2 * radii[2], real),
        np.empty(nx, real),
        np.empty(2 * max(radii) + 1, np.int64),
    )


@kernel
def _convolve_separable(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    weights: Any,
    limits: Any,
    workspace: Any,
) -> None:
    """Compute row by row: along z into the ring, along y into the line, then along x."""
    wz, wy, wx = weights
    lo, hi, cval = limits
    ring, line, sums, offsets = workspace
    nz, ny, nx = shape
    span, rx = 2 * wy.size - 1, wx.size - 1
    for z in range(nz):
        for y in range(ny + span - 1):
            slot = y % span * nx
            convolve_z(source, maps, z, y, wz, cval, offsets, ring[slot : slot + nx])
            if y < span - 1:
                continue
            for k in range(span):
                offsets[k] = (y + 1 + k) % span * nx
            symmetric_sum(ring, offsets, wy, line[rx : rx + nx])
            pad_ends(line, maps[2], rx, nx, cval)
            for k in range(2 * rx + 1):
                offsets[k] = k
            symmetric_sum(line, offsets, wx, sums)
            row = row_view(target, z, y - span + 1, nx)
            store_row(sums, lo, hi, row)


@kernel
def convolve_z(
    source: FlatRows,
    maps: IndexMaps,
    z: int,
    y: int,
    weights: Any,
    cval: Any,
    offsets: Any,
    sums: Any,
) -> None:
    """Convolve one row along z with symmetric weights.

    Parameters
    ----------
    source : flat rows
        The block.
    maps : three int64 arrays
        As `hoaconv.kernels.boundary.index_maps` returns them.
    z, y : int
        Plane of the core, and position of the row in the y map.
    weights : float array (radius + 1,)
        Weights at the distances 0, 1, 2, ...
    cval : float
        Value of the voxels outside. A row outside is filled with it, as scipy.ndimage does between
        the passes along two axes.
    offsets : int64 array (2 * radius + 1,) or longer
        Workspace.
    sums : float array (x,)
        Takes the result.
    """
    flat, z_step, y_step = source
    z_map, y_map, _ = maps
    if y_map[y] == OUTSIDE:
        sums[:] = cval
        return
    complete = True
    for k in range(2 * weights.size - 1):
        plane = z_map[z + k]
        offsets[k] = OUTSIDE if plane == OUTSIDE else plane * z_step + y_map[y] * y_step
        complete &= plane != OUTSIDE
    if complete:
        symmetric_sum(flat, offsets, weights, sums)
    else:
        _symmetric_sum_outside(flat, offsets, weights, cval, sums)


@kernel
def convolve_z_antisymmetric(
    source: FlatRows,
    maps: IndexMaps,
    z: int,
    y: int,
    weights: Any,
    cval: Any,
    offsets: Any,
    sums: Any,
) -> None:
    """Convolve one row along z with antisymmetric weights. Parameters as for `convolve_z`."""
    flat, z_step, y_step = source
    z_map, y_map, _ = maps
    if y_map[y] == OUTSIDE:
        sums[:] = cval
        return
    for k in range(2 * weights.size - 1):
        plane = z_map[z + k]
        offsets[k] = OUTSIDE if plane == OUTSIDE else plane * z_step + y_map[y] * y_step
    _antisymmetric_sum_outside(flat, offsets, weights, cval, sums)


@kernel
def symmetric_sum(flat: Any, offsets: Any, weights: Any, sums: Any) -> None:
    """Write the sum over k of ``weights[k] * (row[r - k] + row[r + k])``, where r is the radius.

    Row i begins at ``flat[offsets[i]]``. Three pairs of rows are added in one loop, so that a sum
    is loaded and stored a third as often.
    """
    n, radius = sums.size, weights.size - 1
    centre = flat[offsets[radius] : offsets[radius] + n]
    for x in range(n):
        sums[x] = weights[0] * weights.dtype.type(centre[x])
    triples = radius // 3 * 3
    for k in range(1, triples, 3):
        _add_three_pairs(flat, offsets, radius, k, weights, sums)
    for k in range(triples + 1, radius + 1):
        _add_pair(flat, offsets[radius - k], offsets[radius + k], weights[k], sums)


@kernel
def _symmetric_sum_outside(flat: Any, offsets: Any, weights: Any, cval: Any, sums: Any) -> None:
    """Write the sum of `symmetric_sum` where rows other than the central one may be `OUTSIDE`."""
    radius = weights.size - 1
    for x in range(sums.size):
        total = weights[0] * weights.dtype.type(flat[offsets[radius] + x])
        for k in range(1, radius + 1):
            left, right = offsets[radius - k], offsets[radius + k]
            a = cval if left == OUTSIDE else weights.dtype.type(flat[left + x])
            b = cval if right == OUTSIDE else weights.dtype.type(flat[right + x])
            total += weights[k] * (a + b)
        sums[x] = total


@kernel
def _add_three_pairs(flat: Any, offsets: Any, radius: int, k: int, weights: Any, sums: Any) -> None:
    """Add the weighted pairs of rows at the distances k, k + 1 and k + 2."""
    n = sums.size
    l1, l2, l3 = offsets[radius - k], offsets[radius - k - 1], offsets[radius - k - 2]
    r1, r2, r3 = offsets[radius + k], offsets[radius + k + 1], offsets[radius + k + 2]
    a1, a2, a3 = flat[l1 : l1 + n], flat[l2 : l2 + n], flat[l3 : l3 + n]
    b1, b2, b3 = flat[r1 : r1 + n], flat[r2 : r2 + n], flat[r3 : r3 + n]
    w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2]
    for x in range(n):
        total = sums[x] + w1 * _pair_sum(a1[x], b1[x], w1)
        total += w2 * _pair_sum(a2[x], b2[x], w2)
        sums[x] = total + w3 * _pair_sum(a3[x], b3[x], w3)


@kernel
def _add_pair(flat: Any, left: int, right: int, weight: Any, sums: Any) -> None:
    """Add the weighted sum of the rows at the offsets `left` and `right`."""
    a, b = flat[left : left + sums.size], flat[right : right + sums.size]
    for x in range(sums.size):
        sums[x] += weight * _pair_sum(a[x], b[x], weight)


def _pair_sum(a: Any, b: Any, weight: Any) -> Any:
    """Return the sum of two voxels in the dtype of `weight`."""
    raise NotImplementedError("_pair_sum works inside compiled kernels only")


@overload(_pair_sum, strict=False)
def _overload_pair_sum(a: Any, b: Any, weight: Any) -> Callable[..., Any]:  # noqa: ARG001
    if a in _NARROW:
        return _pair_sum_narrow
    return _pair_sum_single if weight == types.float32 else _pair_sum_double


def _pair_sum_narrow(a: Any, b: Any, weight: Any) -> Any:  # noqa: ARG001
    # The integer sum is exact and needs one conversion instead of two.
    return np.float32(np.int32(np.int32(a) + np.int32(b)))


def _pair_sum_single(a: Any, b: Any, weight: Any) -> Any:  # noqa: ARG001
    return np.float32(a) + np.float32(b)


def _pair_sum_double(a: Any, b: Any, weight: Any) -> Any:  # noqa: ARG001
    return np.float64(a) + np.float64(b)


@kernel
def antisymmetric_sum(flat: Any, offsets: Any, weights: Any, sums: Any) -> None:
    """Write the sum over k of ``weights[k] * (row[r + k] - row[r - k])``, where r is the radius.

    Row i begins at ``flat[offsets[i]]``.
    """
    n, radius = sums.size, weights.size - 1
    sums[:] = 0
    for k in range(1, radius + 1):
        right, left = flat[offsets[radius + k] :][:n], flat[offsets[radius - k] :][:n]
        for x in range(n):
            b, a = weights.dtype.type(right[x]), weights.dtype.type(left[x])
            sums[x] += weights[k] * (b - a)


@kernel
def _antisymmetric_sum_outside(flat: Any, offsets: Any, weights: Any, cval: Any, sums: Any) -> None:
    """Write the sum of `antisymmetric_sum` where rows may be `OUTSIDE`."""
    n, radius = sums.size, weights.size - 1
    sums[:] = 0
    for k in range(1, radius + 1):
        right, left = offsets[radius + k], offsets[radius - k]
        if right == OUTSIDE and left == OUTSIDE:
            continue
        if right == OUTSIDE:
            a = flat[left : left + n]
            for x in range(n):
                sums[x] += weights[k] * (cval - weights.dtype.type(a[x]))
        elif left == OUTSIDE:
            b = flat[right : right + n]
            for x in range(n):
                sums[x] += weights[k] * (weights.dtype.type(b[x]) - cval)
        else:
            a, b = flat[left : left + n], flat[right : right + n]
            for x in range(n):
                difference = weights.dtype.type(b[x]) - weights.dtype.type(a[x])
                sums[x] += weights[k] * difference
