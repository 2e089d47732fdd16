"""Pointwise functions: linear maps, casts, comparisons, clipping, and arbitrary functions."""

from collections.abc import Callable
from math import ceil, floor
from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Array, FlatRows, Plane, Slab

__all__ = [
    "above",
    "apply_binary",
    "apply_unary",
    "apply_unary_bytes",
    "at_least",
    "at_most",
    "clip",
    "linear",
    "linear_bytes",
    "store_rounded",
    "subtract_saturated",
    "within",
    "within_bytes",
]

CHUNK = 1 << 14
"""Voxels that are computed together: as float64 they stay in the cache of a core."""


def linear(block: Slab, out: Slab, lo: float, span: float, gain: float, base: float) -> None:
    """Write ``(block - lo) * gain / span + base``, computed in float64.

    Parameters
    ----------
    block, out : arrays (z, y, x) of any dtypes
        An integer `out` takes values rounded half to even and saturated, and 0 for NaN.
    lo, span, gain, base : float
        The values 0, 1, 1, 0 give a cast, which is exact for integers of up to 32 bits. A `base` of
        -0.0 keeps the sign of a zero.
    """
    limits, terms = dtype_range(out.dtype), (float(lo), float(span), float(gain), float(base))
    row = np.empty(block.shape[2])
    _linear(flat_rows(block), flat_rows(out), block.shape, terms, limits, row)


def linear_bytes(nx: int) -> int:
    """Return the bytes that `linear` allocates for blocks of `nx` columns."""
    return nx * 8


@kernel
def _linear(
    source: FlatRows, target: FlatRows, shape: Any, terms: Any, limits: Any, row: Any
) -> None:
    """Compute row by row, as `linear`."""
    lo, span, gain, base = terms
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            voxels = row_view(source, z, y, nx)
            for x in range(nx):
                row[x] = (np.float64(voxels[x]) - lo) * gain / span + base
            store_row(row, limits[0], limits[1], row_view(target, z, y, nx))


def apply_unary(block: Slab, out: Slab, function: Callable[[Plane], None]) -> None:
    """Write a function of each voxel, some rows at a time.

    NumPy computes as fast as a compiled kernel here.

    Parameters
    ----------
    block, out : arrays (z, y, x)
        Results are stored by `store_rounded`.
    function : callable
        Replaces the values of a float64 array by its results, independently of their positions.
    """
    nz, ny, nx = block.shape
    size = _rows_per_chunk(nx)
    workspace = np.empty((min(size, ny), nx))
    for z in range(nz):
        for y in range(0, ny, size):
            rows = slice(y, min(y + size, ny))
            values = workspace[: rows.stop - y]
            np.copyto(values, block[z, rows])
            function(values)
            store_rounded(values, out[z, rows])


def apply_binary(a: Plane, b: Plane, out: Plane, function: np.ufunc) -> None:
    """Write a function of the voxels of two planes, some rows at a time.

    More rows at a time are not faster: the values stay in the cache of a core.

    Parameters
    ----------
    a, b, out : arrays (y, x)
        Results are stored by `store_rounded`.
    function : numpy.ufunc
        Takes two float64 arrays.
    """
    ny, nx = out.shape
    size = _rows_per_chunk(nx)
    first, second = (np.empty((min(size, ny), nx)) for _ in range(2))
    for y in range(0, ny, size):
        rows = slice(y, min(y + size, ny))
        left, right = first[: rows.stop - y], second[: rows.stop - y]
        np.copyto(left, a[rows])
        np.copyto(right, b[rows])
        store_rounded(function(left, right, out=left), out[rows])


def apply_unary_bytes(nx: int) -> int:
    """Return the bytes that `apply_unary` allocates for `nx` columns, with those of a NaN mask."""
    return 9 * _rows_per_chunk(nx) * nx


def _rows_per_chunk(nx: int) -> int:
    """Return the rows of `nx` columns that are computed together."""
    return max(1, CHUNK // nx)


def store_rounded(values: Array, out: Array) -> None:
    """Write float64 values into an array of any dtype; `values` is overwritten.

    An integer `out` takes values rounded half to even and saturated, and 0 for NaN.
    """
    if out.dtype.kind != "f":
        np.copyto(values, 0.0, where=np.isnan(values))
        np.clip(np.rint(values, out=values), *dtype_range(out.dtype), out=values)
    with np.errstate(over="ignore"):  # values beyond the range of float32 become infinite
        np.copyto(out, values, casting="unsafe")


def subtract_saturated(a: Slab, b: Slab) -> None:
    """Replace `a` by ``a - b``, saturated. Both are arrays (z, y, x) of one dtype."""
    if a.dtype.kind == "f":
        with np.errstate(all="ignore"):  # the difference of two infinities is NaN
            np.subtract(a, b, out=a)
        return
    info = np.iinfo(a.dtype)
    limits = a.dtype.type(info.min), a.dtype.type(info.max)
    _subtract_saturated(flat_rows(a), flat_rows(b), a.shape, limits)


@kernel
def _subtract_saturated(target: FlatRows, source: FlatRows, shape: Any, limits: Any) -> None:
    """Subtract in the dtype of the voxels: the sign shows whether the difference has wrapped."""
    lo, hi = limits
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            a, b = row_view(target, z, y, nx), row_view(source, z, y, nx)
            for x in range(nx):
                difference = a.dtype.type(a[x] - b[x])
                positive = difference if difference >= 0 else hi
                negative = lo if difference >= 0 else difference
                a[x] = positive if a[x] >= b[x] else negative


def above(block: Slab, out: Slab, value: float) -> None:
    """Write 1 where a voxel is greater than `value`, and 0 elsewhere, also for NaN.

    NumPy compares at the speed of memory.

    Parameters
    ----------
    block : array (z, y, x)
        Of any dtype.
    out : uint8 array (z, y, x)
        Takes the result.
    value : float
        The comparison is exact for every dtype.
    """
    bound = at_most(value, block.dtype)
    if bound is None:
        out[...] = 1
    else:
        np.greater(block, bound, out=out.view(np.bool_))


def within(block: Slab, out: Slab, lo: float, hi: float) -> None:
    """Write 1 where a voxel is in the closed interval from `lo` to `hi`, and 0 elsewhere.

    Parameters
    ----------
    block : array (z, y, x)
        Of any dtype. NaN is not in the interval.
    out : uint8 array (z, y, x)
        Takes the result.
    lo, hi : float
        The comparison is exact for every dtype.
    """
    least, greatest = at_least(lo, block.dtype), at_most(hi, block.dtype)
    if least is None or greatest is None:
        out[...] = 0
        return
    _, ny, nx = block.shape
    size = _rows_per_chunk(nx)
    for plane, inside in zip(block, out.view(np.bool_), strict=True):
        for y in range(0, ny, size):
            rows = slice(y, y + size)
            np.greater_equal(plane[rows], least, out=inside[rows])
            np.logical_and(inside[rows], plane[rows] <= greatest, out=inside[rows])


def within_bytes(nx: int) -> int:
    """Return the bytes that `within` allocates for blocks of `nx` columns."""
    return _rows_per_chunk(nx) * nx


def clip(block: Slab, out: Slab, lo: float, hi: float) -> None:
    """Write the voxels, clipped to lo..hi; NaN stays NaN.

    `block` and `out` are arrays (z, y, x) of one dtype, which must have a value in lo..hi.
    """
    np.clip(block, at_least(lo, block.dtype), at_most(hi, block.dtype), out=out)


def at_most(value: float, dtype: np.dtype[Any]) -> np.generic | None:
    """Return the greatest value of a dtype that is not above `value`, or None if all are.

    Examples
    --------
    >>> at_most(2.7, np.dtype("uint8")), at_most(1e9, np.dtype("int8"))
    (np.uint8(2), np.int8(127))
    """
    if dtype.kind == "f":
        return -_float_at_least(-value, dtype)
    info = np.iinfo(dtype)
    return None if value < info.min else dtype.type(floor(min(value, info.max)))


def at_least(value: float, dtype: np.dtype[Any]) -> np.generic | None:
    """Return the least value of a dtype that is not below `value`, or None if all are."""
    if dtype.kind == "f":
        return _float_at_least(value, dtype)
    info = np.iinfo(dtype)
    return None if value > info.max else dtype.type(ceil(max(value, info.min)))


def _float_at_least(value: float, dtype: np.dtype[Any]) -> np.floating[Any]:
    """Return the least value of a float dtype that is not below `value`."""
    with np.errstate(over="ignore"):
        nearest: np.floating[Any] = dtype.type(value)
        return nearest if float(nearest) >= value else np.nextafter(nearest, dtype.type(np.inf))
