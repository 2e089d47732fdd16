"""Each voxel by itself: a linear map with a change of dtype, a comparison, a clip, a function."""

from collections.abc import Callable
from math import ceil, floor
from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import Planes, flat_rows

__all__ = [
    "above",
    "at_least",
    "at_most",
    "clip",
    "compute",
    "compute_bytes",
    "linear",
    "linear_bytes",
    "store",
    "subtract",
    "within",
    "within_bytes",
]

CHUNK = 1 << 14
"""Voxels that `compute` handles at once: as float64 they stay in cache."""

Slab = np.ndarray[Any, np.dtype[Any]]
Plane = np.ndarray[tuple[int, int], np.dtype[Any]]


def linear(block: Slab, out: Slab, lo: float, span: float, gain: float, base: float) -> None:
    """Write ``(block - lo) * gain / span + base`` into `out`, computed in float64.

    Parameters
    ----------
    block, out : (z, y, x) arrays
        Of one shape and any dtype. Into an integer `out` values are rounded half to even and
        saturated, and NaN becomes 0.
    lo, span, gain, base : float
        With 0, 1, 1, 0 this is a cast, exact for every integer of up to 32 bits. A `base` of -0.0
        adds nothing and keeps the sign of a zero.
    """
    least, greatest = dtype_range(out.dtype)
    row = np.empty(block.shape[2])
    terms = (lo, span, gain, base, least, greatest)
    _linear(flat_rows(block), flat_rows(out), block.shape, terms, row)


def linear_bytes(nx: int) -> int:
    """Bytes that `linear` allocates for blocks of `nx` columns."""
    return nx * 8


@njit(nogil=True, cache=True, error_model="numpy")
def _linear(source: Planes, target: Planes, shape: Any, terms: Any, row: Any) -> None:
    flat, z_step, y_step = source
    into, z_next, y_next = target
    lo, span, gain, base, least, greatest = terms
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            voxels = flat[z * z_step + y * y_step : z * z_step + y * y_step + nx]
            for x in range(nx):
                row[x] = (np.float64(voxels[x]) - lo) * gain / span + base
            begin = z * z_next + y * y_next
            store_row(row, least, greatest, into[begin : begin + nx])


def compute(block: Slab, out: Slab, change: Callable[[Slab], None]) -> None:
    """Write what `change` makes of the voxels as float64 into `out`, some rows at a time.

    `change` works in place, voxel by voxel, and knows nothing of where they lie. NumPy computes
    as fast as a kernel here, so there is nothing to compile.
    """
    nz, ny, nx = block.shape
    size = _rows(nx)
    room = np.empty((min(size, ny), nx))
    for z in range(nz):
        for y in range(0, ny, size):
            rows = slice(y, min(y + size, ny))
            real = room[: rows.stop - y]
            np.copyto(real, block[z, rows])
            change(real)
            store(real, out[z, rows])


def combine(one: Plane, other: Plane, out: Plane, function: np.ufunc) -> None:
    """Write a function of two planes' voxels as float64 into `out`, some rows at a time.

    More rows at once are no faster: what is computed lies in a core's cache.
    """
    ny, nx = out.shape
    size = _rows(nx)
    first, second = (np.empty((min(size, ny), nx)) for _ in range(2))
    for y in range(0, ny, size):
        rows = slice(y, min(y + size, ny))
        real, given = first[: rows.stop - y], second[: rows.stop - y]
        np.copyto(real, one[rows])
        np.copyto(given, other[rows])
        store(function(real, given, out=real), out[rows])


def compute_bytes(nx: int) -> int:
    """Bytes that `compute` allocates for blocks of `nx` columns, a mask for NaN included."""
    return 9 * _rows(nx) * nx


def _rows(nx: int) -> int:
    return max(1, CHUNK // nx)


def store(real: Slab, out: Slab) -> None:
    """Write float64 into `out` of any dtype; `real` is changed on the way.

    Into an integer `out` values are rounded half to even and saturated, and NaN becomes 0.
    """
    if out.dtype.kind != "f":
        np.copyto(real, 0.0, where=np.isnan(real))
        np.clip(np.rint(real, out=real), *dtype_range(out.dtype), out=real)
    with np.errstate(over="ignore"):  # what a narrower float can't hold is infinite there
        np.copyto(out, real, casting="unsafe")


def subtract(voxels: Slab, others: Slab) -> None:
    """Subtract `others` from `voxels` (z, y, x) of the same dtype, where they are; saturated."""
    if voxels.dtype.kind == "f":
        with np.errstate(all="ignore"):  # infinity less itself is NaN
            np.subtract(voxels, others, out=voxels)
        return
    info = np.iinfo(voxels.dtype)
    ends = voxels.dtype.type(info.min), voxels.dtype.type(info.max)
    _subtract(flat_rows(voxels), flat_rows(others), voxels.shape, ends)


@njit(nogil=True, cache=True, error_model="numpy")
def _subtract(target: Planes, source: Planes, shape: Any, ends: Any) -> None:
    """In the voxels' own dtype: a difference that it can't hold has wrapped to the wrong sign."""
    flat, z_step, y_step = target
    given, z_next, y_next = source
    least, most = ends
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            ones = flat[z * z_step + y * y_step :][:nx]
            others = given[z * z_next + y * y_next :][:nx]
            for x in range(nx):
                less = ones.dtype.type(ones[x] - others[x])
                up = less if less >= 0 else most
                down = least if less >= 0 else less
                ones[x] = up if ones[x] >= others[x] else down


def above(block: Slab, out: Slab, value: float) -> None:
    """Write 1 into `out` (uint8) where a voxel is greater than `value`, else 0; NaN gives 0.

    NumPy compares as fast as memory gives, so there is nothing to compile.
    """
    bound = at_most(value, block.dtype)
    if bound is None:
        out[...] = 1
    else:
        np.greater(block, bound, out=out.view(np.bool_))


def within(block: Slab, out: Slab, lo: float, hi: float) -> None:
    """Write 1 into `out` (uint8) where a voxel lies in lo..hi, ends included; NaN gives 0."""
    least, greatest = at_least(lo, block.dtype), at_most(hi, block.dtype)
    if least is None or greatest is None:
        out[...] = 0
        return
    _, ny, nx = block.shape
    size = _rows(nx)
    for plane, given in zip(block, out.view(np.bool_), strict=True):
        for y in range(0, ny, size):
            rows = slice(y, y + size)
            np.greater_equal(plane[rows], least, out=given[rows])
            np.logical_and(given[rows], plane[rows] <= greatest, out=given[rows])


def within_bytes(nx: int) -> int:
    """Bytes that `within` allocates for blocks of `nx` columns."""
    return _rows(nx) * nx


def clip(block: Slab, out: Slab, lo: float, hi: float) -> None:
    """Hold voxels within lo..hi, where the dtype must have a value; NaN stays NaN."""
    np.clip(block, at_least(lo, block.dtype), at_most(hi, block.dtype), out=out)


def at_most(value: float, dtype: np.dtype[Any]) -> np.generic | None:
    """Greatest value of the dtype that is not greater than `value`; None if all are.

    Examples
    --------
    >>> at_most(2.7, np.dtype("uint8")), at_most(1e9, np.dtype("int8"))
    (np.uint8(2), np.int8(127))
    """
    if dtype.kind == "f":
        return -_float_from(-value, dtype)
    least, greatest = dtype_range(dtype)
    return None if value < least else dtype.type(floor(min(value, greatest)))


def at_least(value: float, dtype: np.dtype[Any]) -> np.generic | None:
    """Least value of the dtype that is not less than `value`; None if all are."""
    if dtype.kind == "f":
        return _float_from(value, dtype)
    least, greatest = dtype_range(dtype)
    return None if value > greatest else dtype.type(ceil(max(value, least)))


def _float_from(value: float, dtype: np.dtype[Any]) -> np.floating[Any]:
    """Least float of the dtype that is not less than `value`."""
    with np.errstate(over="ignore"):
        near: np.floating[Any] = dtype.type(value)
        return near if float(near) >= value else np.nextafter(near, dtype.type(np.inf))
