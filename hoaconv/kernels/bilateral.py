"""The bilateral filter: a weighted mean of the voxels near by that are alike.

Row after row of the box around a row is added to it, so that loops run along x. What is summed up
is how voxels differ from the one in the middle, in float32 for integers of up to 16 bits and
float32, where a weight errs by a few millionths of itself, and in float64 for the wider.
"""

from collections.abc import Callable
from math import factorial, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload

from hoaconv.kernels.boundary import OUTSIDE, maps_bytes, maps_of, pad_ends
from hoaconv.kernels.gaussian import Weights, real_of
from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = ["bilateral", "bilateral_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]

_TAYLOR = tuple(np.float32(log(2) ** k / factorial(k)) for k in range(1, 7))
"""Of 2**x after the 1: within -0.5..0.5 what they leave out is lost in float32."""

_NOTHING = np.float32(-127)
"""The power of 2 from which on a weight is 0, as the exponent's bits of a float32 have it."""


class _Scratch(NamedTuple):
    """What the kernel computes in."""

    line: Flat
    centre: Flat
    norms: Flat
    sums: Flat


def bilateral(
    block: Slab, core: Core, out: Slab, weights: Weights, sigma_color: float, mode: str, cval: float
) -> None:
    """Write the weighted mean around each voxel of ``block[core]`` into `out`.

    A voxel u counts for v with the product of three `weights`, those of their distance along z, y
    and x, and of ``exp(-(u - v)**2 / (2 * sigma_color**2))``.

    Parameters
    ----------
    block : (z, y, x) array
        The core and as much context on each side as the weights reach, less only where the
        volume ends. Along x it is whole.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) array of block's dtype
        Of the core's shape. Integers are rounded half to even and saturated.
    weights : three float64 arrays
        For z, y and x: the weight at distance 0, 1, 2, ...; the first one is 1.
    sigma_color : float
        Standard deviation of grey values that count as alike, above 0.
    mode : str
        What lies beyond the block's ends, one of `hoaconv.kernels.boundary.MODES`.
    cval : float
        The value outside, for mode ``constant``; rounded and saturated for an integer dtype.
    """
    real, nx = real_of(block.dtype), block.shape[2]
    rz, ry, rx = (w.size - 1 for w in weights)
    maps = maps_of(block.shape, core, (rz, ry, rx), mode)
    lo, hi = dtype_range(block.dtype)
    outside = cval if block.dtype.kind == "f" else min(max(np.rint(cval), lo), hi)
    _bilateral(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        maps,
        tuple(w.astype(real) for w in weights),
        real.type(min(sqrt(0.5 / log(2)) / sigma_color, float(np.finfo(real).max))),
        (real.type(lo), real.type(hi), real.type(outside)),
        _Scratch(np.empty(nx + 2 * rx, real), *np.empty((3, nx), real)),
    )


def bilateral_bytes(
    shape: tuple[int, int, int], dtype: np.dtype[Any], radii: tuple[int, int, int]
) -> int:
    """Bytes that `bilateral` allocates for a block of this shape and dtype."""
    rows = (4 * shape[2] + 2 * radii[2] + sum(radii)) * real_of(dtype).itemsize
    return rows + maps_bytes(shape, radii)


@njit(nogil=True, cache=True, error_model="numpy")
def _bilateral(
    source: Planes,
    target: Planes,
    shape: Any,
    maps: Any,
    weights: Any,
    scale: Any,
    limits: Any,
    scratch: Any,
) -> None:
    flat, z_step, y_step = target
    lo, hi, outside = limits
    line, centre, norms, sums = scratch
    wz, wy, wx = weights
    depth, height, wide = wz.size - 1, wy.size - 1, wx.size - 1
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            _fill(source, maps, z + depth, y + height, outside, line)
            centre[:] = line[wide : wide + nx]
            norms[:] = 1
            sums[:] = 0
            for i in range(2 * depth + 1):
                for j in range(2 * height + 1):
                    _fill(source, maps, z + i, y + j, outside, line)
                    weight = wz[abs(i - depth)] * wy[abs(j - height)]
                    if i != depth or j != height:
                        _add(line[wide : wide + nx], centre, weight, scale, norms, sums)
                    for k in range(1, wide + 1):
                        share = weight * wx[k]
                        _add(line[wide - k : wide - k + nx], centre, share, scale, norms, sums)
                        _add(line[wide + k : wide + k + nx], centre, share, scale, norms, sums)
            for x in range(nx):
                sums[x] = centre[x] + sums[x] / norms[x]
            begin = z * z_step + y * y_step
            store_row(sums, lo, hi, flat[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _fill(source: Planes, maps: Any, z: int, y: int, outside: Any, line: Any) -> None:
    """A row of the block in the middle of a line, with what lies beyond its ends."""
    flat, z_step, y_step = source
    plane, row, wide = maps[0][z], maps[1][y], maps[2].size // 2
    if OUTSIDE in (plane, row):
        line[:] = outside
        return
    nx = line.size - 2 * wide
    begin = plane * z_step + row * y_step
    voxels = flat[begin : begin + nx]
    for x in range(nx):
        line[wide + x] = voxels[x]
    pad_ends(line, maps[2], wide, nx, outside)


@njit(nogil=True, cache=True, error_model="numpy")
def _add(row: Any, centre: Any, weight: Any, scale: Any, norms: Any, sums: Any) -> None:
    """Add a row's weights to `norms`, its weighted differences from `centre` to `sums`."""
    for x in range(sums.size):
        apart = row[x] - centre[x]
        share = apart * scale
        alike = weight * _power_of_two(-share * share)
        norms[x] += alike
        # An infinite difference weighs nothing.
        sums[x] += apart * alike if alike != 0 else alike


def _power_of_two(x: Any) -> Any:
    """2**x for x up to 0; NaN for NaN."""
    raise NotImplementedError("_power_of_two works inside compiled kernels only")


@overload(_power_of_two, strict=False)
def _power_of_two_of(x: Any) -> Callable[..., Any]:
    return _power_single if x == types.float32 else _power_double


def _power_single(x: Any) -> Any:
    # Unlike a call of the C library, this is done for many voxels at once.
    a, b, c, d, e, f = _TAYLOR
    x = _NOTHING if x < _NOTHING else x
    whole = np.rint(x)
    part = x - whole
    series = part * (a + part * (b + part * (c + part * (d + part * (e + part * f)))))
    exponent = np.int32(np.int32(np.int32(whole) + np.int32(127)) << np.int32(23))
    return (np.float32(1) + series) * exponent.view(np.float32)


def _power_double(x: Any) -> Any:
    return np.exp2(x)
