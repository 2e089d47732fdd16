"""Counts of voxels by value, in one sweep and without knowing the range.

Integers of up to 16 bits have one bin a value. The other dtypes have one for each sign, exponent
and first 7 bits of the mantissa of the value as float32: the upper half of its bit pattern,
flipped so that bins are in the order of values. A bin is then at most 2**-7 of its value wide.
"""

from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.rows import Flat, flat_rows

__all__ = [
    "LANES",
    "NAN_BIN",
    "ZERO_BINS",
    "bin_count",
    "bin_ends",
    "bin_values",
    "count",
    "count_keys",
    "is_exact",
]

Plane = np.ndarray[Any, np.dtype[Any]]

LANES = 4
"""Histograms filled in turn: a bin that neighbours share then isn't waited for."""

NAN_BIN = 0xFFC0
"""Where `count_keys` puts every NaN: beyond plus infinity."""

_SIGN = 0x8000

ZERO_BINS = (_SIGN - 1, _SIGN)
"""Where `count_keys` puts minus zero, and zero."""


def is_exact(dtype: np.dtype[Any]) -> bool:
    """Whether each value has a bin of its own."""
    return dtype.kind in "iu" and dtype.itemsize <= 2


def bin_count(dtype: np.dtype[Any]) -> int:
    """How many bins voxels of this dtype need."""
    return 1 << 8 if is_exact(dtype) and dtype.itemsize == 1 else 1 << 16


def bin_values(dtype: np.dtype[Any]) -> Flat:
    """The value of every bin, in order; where bins are wide, their lower ends in magnitude.

    Exact bins come in the dtype, keyed ones as float64; some of these are NaN.
    """
    if is_exact(dtype):
        first = np.iinfo(dtype).min
        return np.arange(first, first + bin_count(dtype)).astype(dtype)
    return _as_numbers(_upper_halves() << 16)


def bin_ends(dtype: np.dtype[Any]) -> Flat:
    """The greatest value that every bin holds, in order; see `bin_values`."""
    if is_exact(dtype):
        return bin_values(dtype)
    upper = _upper_halves()
    return _as_numbers(upper << 16 | np.where(upper & _SIGN, 0, 0xFFFF).astype(np.uint32))


def _upper_halves() -> Flat:
    """The upper half of the float32 pattern of every key."""
    keys = np.arange(1 << 16, dtype=np.uint32)
    return np.where(keys & _SIGN, keys ^ _SIGN, keys ^ 0xFFFF).astype(np.uint32)


def _as_numbers(patterns: Flat) -> Flat:
    with np.errstate(invalid="ignore"):  # of the patterns that are no number
        return patterns.view(np.float32).astype(np.float64)


def count(block: Plane, bins: Plane) -> None:
    """Add the voxels of a block of an exact dtype to `bins`.

    Parameters
    ----------
    block : (y, x) array
        Of uint8, int8, uint16 or int16.
    bins : (LANES, bin_count) int64 array
        The sum over its lanes is the histogram, least value first.
    """
    item = block.dtype.itemsize
    flat, _, step = flat_rows(block)
    sign = 1 << (8 * item - 1) if block.dtype.kind == "i" else 0
    _count(flat.view(f"u{item}"), step, block.shape, sign, bins)


def count_keys(block: Plane, bins: Plane, extremes: Flat) -> None:
    """Add the voxels of a block of any dtype to the bins of their keys.

    Parameters
    ----------
    block : (y, x) array
        Of any dtype; NaN is counted in bin `NAN_BIN`.
    bins : (LANES, 65536) int64 array
        The sum over its lanes is the histogram, least value first.
    extremes : float64 array of 2
        Least and greatest voxel so far, NaN aside; at first plus and minus infinity.
    """
    flat, _, step = flat_rows(block)
    _count_keys(flat, step, block.shape, bins, extremes)


@njit(nogil=True, cache=True, error_model="numpy")
def _count(flat: Any, step: int, shape: Any, sign: int, bins: Any) -> None:
    ny, nx = shape
    one, two, three, four = bins[0], bins[1], bins[2], bins[3]
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx // LANES):
            one[row[LANES * x] ^ sign] += 1
            two[row[LANES * x + 1] ^ sign] += 1
            three[row[LANES * x + 2] ^ sign] += 1
            four[row[LANES * x + 3] ^ sign] += 1
        for x in range(nx - nx % LANES, nx):
            one[row[x] ^ sign] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _count_keys(flat: Any, step: int, shape: Any, bins: Any, extremes: Any) -> None:
    ny, nx = shape
    lo, hi = extremes
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            bins[x % LANES, _key(row[x])] += 1
            value = np.float64(row[x])
            lo = value if value < lo else lo
            hi = value if value > hi else hi
    extremes[0], extremes[1] = lo, hi


@njit(nogil=True, cache=True, error_model="numpy")
def _key(voxel: Any) -> Any:
    """Bin of a voxel: the upper half of its float32 pattern, made to rise with the value."""
    single = np.float32(voxel)
    if np.isnan(single):
        return np.uint64(NAN_BIN)
    upper = np.uint64(single.view(np.uint32)) >> np.uint64(16)
    return upper ^ np.uint64(0xFFFF if upper & np.uint64(_SIGN) else _SIGN)
