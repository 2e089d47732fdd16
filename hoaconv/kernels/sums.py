"""Sums of voxels and of their squares that are exact, whatever the order.

Floats added one after the other are rounded at every step, so that their sum depends on the order,
and thus on bands and threads. Here a voxel's mantissa is cut into three pieces of 18 bits or less.
These and their products are added up as integers, apart for each exponent, which rounds nothing.
"""

from fractions import Fraction
from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.rows import Flat, flat_rows

__all__ = ["MOST_VOXELS", "add_up", "empty_sums", "totals"]

Plane = np.ndarray[Any, np.dtype[Any]]

MOST_VOXELS = 1 << 25
"""Voxels that sums take before one may overflow: each adds less than 2**38."""

_EXPONENTS = 1 << 11
_SHIFTS = (36, 18, 0)
_SQUARE_SHIFTS = (72, 54, 36, 18, 0)


def empty_sums() -> Plane:
    """Sums of no voxels: for each exponent of a float64 those of 3 pieces and of 5 products."""
    return np.zeros((_EXPONENTS, len(_SHIFTS) + len(_SQUARE_SHIFTS)), np.int64)


def add_up(block: Plane, ends: tuple[float, float], sums: Plane, counts: Flat, edge: Flat) -> None:
    """Add the voxels of a block of any dtype to `sums`, NaN and infinities aside.

    Parameters
    ----------
    block : (y, x) array
        Of at most `MOST_VOXELS`.
    ends : two floats
        A voxel not above the first or not below the second is saturated.
    sums : int64 array
        As `empty_sums` makes it, or `totals` after.
    counts : int64 array of 4
        All voxels, NaN, zeros and saturated ones.
    edge : float64 array of 2
        Least and greatest voxel so far, NaN aside; at first plus and minus infinity.
    """
    flat, _, step = flat_rows(block)
    _add_up(flat, step, block.shape, ends, sums, counts, edge)


def totals(sums: Plane) -> tuple[Fraction, Fraction]:
    """The sum of the voxels, and that of their squares; `sums` are empty afterwards."""
    total = squares = 0
    for exponent in np.flatnonzero(sums.any(axis=1)):
        pieces = [int(part) for part in sums[exponent]]
        shift = int(exponent)
        total += sum(p << s for p, s in zip(pieces[:3], _SHIFTS, strict=True)) << shift
        products = zip(pieces[3:], _SQUARE_SHIFTS, strict=True)
        squares += sum(p << s for p, s in products) << 2 * shift
    sums[...] = 0
    return Fraction(total, 1 << _UNIT), Fraction(squares, 1 << 2 * _UNIT)


_UNIT = 1075
"""A float64 of exponent e is its mantissa, as a whole number, times 2**(e - _UNIT)."""


@njit(nogil=True, cache=True, error_model="numpy")
def _add_up(flat: Any, step: int, shape: Any, ends: Any, sums: Any, counts: Any, edge: Any) -> None:
    ny, nx = shape
    lo, hi = edge
    least, greatest = ends
    seen, missing, zeros, saturated = counts
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            value = np.float64(row[x])
            if np.isnan(value):
                missing += 1
                continue
            lo = value if value < lo else lo
            hi = value if value > hi else hi
            zeros += value == 0
            saturated += (value <= least) | (value >= greatest)
            if np.isfinite(value):
                _add(value, sums)
    edge[0], edge[1] = lo, hi
    counts[0], counts[1], counts[2], counts[3] = seen + ny * nx, missing, zeros, saturated


@njit(nogil=True, cache=True, error_model="numpy")
def _add(value: Any, sums: Any) -> None:
    bits = np.float64(value).view(np.uint64)
    exponent = np.int64((bits >> np.uint64(52)) & np.uint64(0x7FF))
    mantissa = np.int64(bits & np.uint64((1 << 52) - 1))
    if exponent > 0:
        mantissa |= 1 << 52
    a, b, c = mantissa >> 36, (mantissa >> 18) & 0x3FFFF, mantissa & 0x3FFFF
    sign = 1 if value > 0 else -1
    place = sums[max(exponent, 1)]  # values too small to have an exponent have that of the least
    place[0] += sign * a
    place[1] += sign * b
    place[2] += sign * c
    place[3] += a * a
    place[4] += 2 * a * b
    place[5] += 2 * a * c + b * b
    place[6] += 2 * b * c
    place[7] += c * c
