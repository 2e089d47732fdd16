"""The bilateral filter: a mean weighted by the distance and by the difference of grey values.

C. Tomasi and R. Manduchi, "Bilateral filtering for gray and color images", Proc. IEEE International
Conference on Computer Vision (1998) 839-846.

The kernel adds whole rows of the window to a row of the result, so that its loops run along x. It
sums the differences to the central voxel in `hoaconv.kernels.rounding.compute_dtype`; in float32 a
weight has a relative error of a few 1e-6.
"""

from collections.abc import Callable
from math import factorial, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from hoaconv.kernels.boundary import index_maps, index_maps_bytes, load_padded_row
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype, dtype_range, store_row
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.separable import weight_radii
from hoaconv.kernels.types import Core, FlatRows, IndexMaps, Slab, Triple, Vector, Weights

__all__ = ["bilateral_filter", "bilateral_filter_bytes"]

_TAYLOR = tuple(np.float32(log(2) ** k / factorial(k)) for k in range(1, 7))
"""Taylor coefficients of 2**x - 1; for -0.5 <= x <= 0.5 the remainder is below float32 epsilon."""

_ZERO_EXPONENT = np.float32(-127)
"""The exponent from which on a float32 power of 2 is taken as 0."""


class _Workspace(NamedTuple):
    """Buffers of the kernel."""

    line: Vector
    """A row of the window, and the values beyond its ends."""
    centre: Vector
    """The row of the central voxels."""
    norms: Vector
    """Sums of the weights."""
    sums: Vector
    """Weighted sums of the differences to the central voxels."""


def bilateral_filter(
    block: Slab, core: Core, out: Slab, weights: Weights, sigma_color: float, mode: str, cval: float
) -> None:
    """Write the bilateral mean around each voxel of ``block[core]``.

    The weight of voxel u in the mean of voxel v is the product of three `weights`, those of their
    distances along z, y and x, and of ``exp(-(u - v)**2 / (2 * sigma_color**2))``.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of the radius of the weights.
    core : (z, y, x) slices
        The part to compute.
    out : array (z, y, x) of the dtype of `block`
        Takes the result, in the shape of the core. Integers are rounded half to even and saturated.
    weights : three float64 arrays
        For z, y and x: the weights at the distances 0, 1, 2, ...; the first one is 1.
    sigma_color : float
        Standard deviation of the gaussian of grey value differences, above 0.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``; rounded and saturated for an integer
        dtype.
    """
    real, nx = compute_dtype(block.dtype), block.shape[2]
    rz, ry, rx = weight_radii(weights)
    lo, hi = dtype_range(block.dtype)
    outside = cval if block.dtype.kind == "f" else min(max(np.rint(cval), lo), hi)
    _bilateral_filter(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        index_maps(block.shape, core, (rz, ry, rx), mode),
        tuple(w.astype(real) for w in weights),
        real.type(min(sqrt(0.5 / log(2)) / sigma_color, float(np.finfo(real).max))),
        (real.type(lo), real.type(hi), real.type(outside)),
        _Workspace(np.empty(nx + 2 * rx, real), *np.empty((3, nx), real)),
    )


def bilateral_filter_bytes(shape: Triple, dtype: np.dtype[Any], radii: Triple) -> int:
    """Return the bytes that `bilateral_filter` allocates for a block of this shape and dtype."""
    rows = (4 * shape[2] + 2 * radii[2] + sum(radii)) * compute_dtype(dtype).itemsize
    return rows + index_maps_bytes(shape, radii)


@kernel
def _bilateral_filter(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    weights: Any,
    scale: Any,
    limits: Any,
    workspace: Any,
) -> None:
    """Compute row by row; `scale` scales differences of grey values for a power of 2."""
    lo, hi, outside = limits
    line, centre, norms, sums = workspace
    wz, wy, wx = weights
    rz, ry, rx = wz.size - 1, wy.size - 1, wx.size - 1
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            load_padded_row(source, maps, z + rz, y + ry, outside, line)
            centre[:] = line[rx : rx + nx]
            norms[:] = 1
            sums[:] = 0
            for i in range(2 * rz + 1):
                for j in range(2 * ry + 1):
                    load_padded_row(source, maps, z + i, y + j, outside, line)
                    weight = wz[abs(i - rz)] * wy[abs(j - ry)]
                    if i != rz or j != ry:
                        _add_row(line[rx : rx + nx], centre, weight, scale, norms, sums)
                    for k in range(1, rx + 1):
                        w = weight * wx[k]
                        _add_row(line[rx - k : rx - k + nx], centre, w, scale, norms, sums)
                        _add_row(line[rx + k : rx + k + nx], centre, w, scale, norms, sums)
            for x in range(nx):
                sums[x] = centre[x] + sums[x] / norms[x]
            store_row(sums, lo, hi, row_view(target, z, y, nx))


@kernel
def _add_row(row: Any, centre: Any, weight: Any, scale: Any, norms: Any, sums: Any) -> None:
    """Add the weights of a row to `norms`, and its weighted differences to `sums`."""
    for x in range(sums.size):
        difference = row[x] - centre[x]
        scaled = difference * scale
        w = weight * _power_of_two(-scaled * scaled)
        norms[x] += w
        # An infinite difference has the weight 0; their product would be NaN.
        sums[x] += difference * w if w != 0 else w


def _power_of_two(x: Any) -> Any:
    """Return 2**x for x <= 0, and NaN for NaN."""
    raise NotImplementedError("_power_of_two works inside compiled kernels only")


@overload(_power_of_two, strict=False)
def _overload_power_of_two(x: Any) -> Callable[..., Any]:
    return _power_of_two_single if x == types.float32 else _power_of_two_double


def _power_of_two_single(x: Any) -> Any:
    # Unlike a call of the C library, this is vectorised.
    a, b, c, d, e, f = _TAYLOR
    x = _ZERO_EXPONENT if x < _ZERO_EXPONENT else x
    whole = np.rint(x)
    part = x - whole
    series = part * (a + part * (b + part * (c + part * (d + part * (e + part * f)))))
    exponent = np.int32(np.int32(np.int32(whole) + np.int32(127)) << np.int32(23))
    return (np.float32(1) + series) * exponent.view(np.float32)


def _power_of_two_double(x: Any) -> Any:
    return np.exp2(x)
