"""Exact sums of voxels and of their squares.

A sum of floats is rounded at every step, so it depends on the order of the voxels, and thus on
bands and threads. Here the mantissa of a voxel is divided into three pieces of up to 18 bits. The
pieces and their products are added as integers, separately for each exponent, without rounding.
An integer of 64 bits, which a float would round, is divided into four pieces of 16 bits.
"""

from fractions import Fraction
from math import inf
from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import as_voxel, is_wide
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Array, FlatRows, Plane, Vector

__all__ = ["MAX_VOXELS", "accumulate", "empty_sums", "take_totals"]

MAX_VOXELS = 1 << 25
"""Voxels that sums take before one may overflow: each voxel adds less than 2**38."""

_EXPONENTS = 1 << 11
_SHIFTS = (36, 18, 0)
_SQUARE_SHIFTS = (72, 54, 36, 18, 0)

_WIDE_SHIFTS = (48, 32, 16, 0)
_WIDE_SQUARE_SHIFTS = (96, 80, 64, 48, 32, 16, 0)

_UNIT = 1075
"""A float64 of biased exponent e is its integer mantissa times 2**(e - _UNIT)."""


def empty_sums(dtype: np.dtype[Any]) -> Array:
    """Return the sums of no voxels of a dtype: int64 zeros.

    They are (2048, 8), for 3 pieces and 5 products per exponent; (1, 11) for integers of 64 bits.
    """
    if is_wide(dtype):
        return np.zeros((1, len(_WIDE_SHIFTS) + len(_WIDE_SQUARE_SHIFTS)), np.int64)
    return np.zeros((_EXPONENTS, len(_SHIFTS) + len(_SQUARE_SHIFTS)), np.int64)


def accumulate(
    block: Plane, limits: tuple[float, float], sums: Array, counts: Vector, extremes: Vector
) -> None:
    """Add the voxels of a block to sums, counts and extremes, which are updated.

    Parameters
    ----------
    block : array (y, x) of any dtype
        At most `MAX_VOXELS` voxels since `empty_sums` or `take_totals`.
    limits : (float, float)
        A voxel at or below the first, or at or above the second, is saturated.
    sums : int64 array
        The sums of the finite voxels, at first `empty_sums` of the dtype.
    counts : int64 array (4,)
        The numbers of all voxels, of NaN, of zeros and of saturated voxels.
    extremes : array (2,)
        Minimum and maximum voxel so far without NaN, at first `no_extremes` of
        `hoaconv.kernels.rounding`.
    """
    if is_wide(block.dtype):
        ends = [as_voxel(limit, block.dtype) for limit in limits if limit != -inf]
        saturated = ends[0], ends[-1]
        _accumulate_wide(flat_rows(block), block.shape, saturated, sums[0], counts, extremes)
    else:
        _accumulate(flat_rows(block), block.shape, limits, sums, counts, extremes)


def take_totals(sums: Array) -> tuple[Fraction, Fraction]:
    """Return the exact sums of the voxels and of their squares, and reset `sums` to 0."""
    wide = len(sums) == 1
    shifts, square_shifts, unit = (
        (_WIDE_SHIFTS, _WIDE_SQUARE_SHIFTS, 0) if wide else (_SHIFTS, _SQUARE_SHIFTS, _UNIT)
    )
    total = squares = 0
    for exponent in np.flatnonzero(sums.any(axis=1)):
        pieces = [int(piece) for piece in sums[exponent]]
        shift = int(exponent)
        total += sum(p << s for p, s in zip(pieces, shifts, strict=False)) << shift
        products = zip(pieces[len(shifts) :], square_shifts, strict=True)
        squares += sum(p << s for p, s in products) << 2 * shift
    sums[...] = 0
    return Fraction(total, 1 << unit), Fraction(squares, 1 << 2 * unit)


@kernel
def _accumulate(
    source: FlatRows, shape: Any, limits: Any, sums: Any, counts: Any, extremes: Any
) -> None:
    """Add the voxels of a block, as `accumulate`."""
    ny, nx = shape
    lo, hi = extremes
    low_limit, high_limit = limits
    number, nan, zeros, saturated = counts
    for y in range(ny):
        row = row_view(source, 0, y, nx)
        for x in range(nx):
            value = np.float64(row[x])
            if np.isnan(value):
                nan += 1
                continue
            lo = value if value < lo else lo
            hi = value if value > hi else hi
            zeros += value == 0
            saturated += (value <= low_limit) | (value >= high_limit)
            if np.isfinite(value):
                _add(value, sums)
    extremes[0], extremes[1] = lo, hi
    counts[0], counts[1], counts[2], counts[3] = number + ny * nx, nan, zeros, saturated


@kernel
def _add(value: Any, sums: Any) -> None:
    """Add a finite voxel to the sums of its exponent."""
    bits = np.float64(value).view(np.uint64)
    exponent = np.int64((bits >> np.uint64(52)) & np.uint64(0x7FF))
    mantissa = np.int64(bits & np.uint64((1 << 52) - 1))
    if exponent > 0:
        mantissa |= 1 << 52
    a, b, c = mantissa >> 36, (mantissa >> 18) & 0x3FFFF, mantissa & 0x3FFFF
    sign = 1 if value > 0 else -1
    row = sums[max(exponent, 1)]  # subnormals have the smallest exponent
    row[0] += sign * a
    row[1] += sign * b
    row[2] += sign * c
    row[3] += a * a
    row[4] += 2 * a * b
    row[5] += 2 * a * c + b * b
    row[6] += 2 * b * c
    row[7] += c * c


@kernel
def _accumulate_wide(
    source: FlatRows, shape: Any, saturated: Any, sums: Any, counts: Any, extremes: Any
) -> None:
    """Add the integers of a block; those are saturated that equal one of the pair `saturated`."""
    ny, nx = shape
    lo, hi = extremes
    for y in range(ny):
        row = row_view(source, 0, y, nx)
        for x in range(nx):
            value = row[x]
            lo = value if value < lo else lo
            hi = value if value > hi else hi
            counts[2] += value == 0
            counts[3] += (value == saturated[0]) | (value == saturated[1])
            _add_wide(value, sums)
    extremes[0], extremes[1] = lo, hi
    counts[0] += ny * nx


@kernel
def _add_wide(value: Any, sums: Any) -> None:
    """Add an integer to the sums of its pieces and of their products."""
    bits, sixteen = np.uint64(value), np.uint64(0xFFFF)
    size = bits if value > 0 else np.uint64(0) - bits
    sign = np.int64(1 if value > 0 else -1)
    a, b = np.int64(size >> np.uint64(48)), np.int64((size >> np.uint64(32)) & sixteen)
    c, d = np.int64((size >> np.uint64(16)) & sixteen), np.int64(size & sixteen)
    sums[0] += sign * a
    sums[1] += sign * b
    sums[2] += sign * c
    sums[3] += sign * d
    sums[4] += a * a
    sums[5] += 2 * a * b
    sums[6] += 2 * a * c + b * b
    sums[7] += 2 * (a * d + b * c)
    sums[8] += 2 * b * d + c * c
    sums[9] += 2 * c * d
    sums[10] += d * d
