"""Counts of voxels by value, in one sweep and without knowing the range.

Integers of up to 16 bits have one bin a value. The other dtypes have one for each sign, exponent
and first 7 bits of the mantissa of the value as float32: the upper half of its bit pattern,
flipped so that bins are in the order of values. A bin is then at most 2**-7 of its value wide.
"""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numba import njit

from hoaconv.kernels.rows import Flat, flat_rows

__all__ = [
    "NAN_BIN",
    "ZERO_BINS",
    "Bins",
    "bin_count",
    "bin_ends",
    "bin_values",
    "count",
    "count_keys",
    "is_exact",
]

Plane = np.ndarray[Any, np.dtype[Any]]

MOST = (1 << 32) - 1
"""As many voxels as 32 bits can count."""

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


class Bins:
    """How many voxels each bin holds.

    They are counted in 32 bits, so that the bins lie in a core's second cache, and added up in 64
    before one can overflow. Several lanes are filled in turn, lest a bin that neighbours share be
    waited for: two where voxels may spread over 2**16 bins, since more would be too large.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        n = bin_count(dtype)
        self._recent = np.zeros((_lanes(dtype), n), np.uint32)
        self._earlier = np.zeros(n, np.int64)
        self._room = MOST

    @staticmethod
    def nbytes(dtype: np.dtype[Any]) -> int:
        """Bytes that the bins of a dtype take."""
        return bin_count(dtype) * (4 * _lanes(dtype) + 8)

    @property
    def total(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Voxels in each bin, least value first."""
        made: np.ndarray[tuple[int], np.dtype[np.int64]]
        made = self._earlier + self._recent.sum(axis=0, dtype=np.int64)
        return made

    def __add__(self, other: Self) -> Self:
        """The voxels of both, in bins of their own."""
        made = object.__new__(type(self))
        made._earlier = self.total + other.total
        made._recent, made._room = np.zeros_like(self._recent), MOST
        return made

    def lanes(self, voxels: int) -> Plane:
        """The (lanes, bins) uint32 counts, with room for so many voxels in each bin."""
        if voxels > self._room:
            self._earlier += self._recent.sum(axis=0, dtype=np.int64)
            self._recent[...] = 0
            self._room = MOST
        self._room -= voxels
        return self._recent


def _lanes(dtype: np.dtype[Any]) -> int:
    return 2 if is_exact(dtype) and dtype.itemsize == 2 else 4


def count(block: Plane, bins: Bins) -> None:
    """Add the voxels of a block of an exact dtype to `bins`.

    Parameters
    ----------
    block : (y, x) array
        Of uint8, int8, uint16 or int16.
    bins
        Of that dtype.
    """
    item = block.dtype.itemsize
    unsigned = np.dtype(f"u{item}")
    sign = unsigned.type(1 << (8 * item - 1) if block.dtype.kind == "i" else 0)
    for part in _parts(block):
        flat, _, step = flat_rows(part)
        _count(flat.view(unsigned), step, part.shape, sign, bins.lanes(part.size))


def count_keys(block: Plane, bins: Bins, extremes: Flat) -> None:
    """Add the voxels of a block of any dtype to the bins of their keys.

    Parameters
    ----------
    block : (y, x) array
        Of a dtype that is not exact; NaN is counted in bin `NAN_BIN`.
    bins
        Of that dtype.
    extremes : float64 array of 2
        Least and greatest voxel so far, NaN aside; at first plus and minus infinity.
    """
    for part in _parts(block):
        flat, _, step = flat_rows(part)
        _count_keys(flat, step, part.shape, bins.lanes(part.size), extremes)


def _parts(block: Plane) -> Iterator[Plane]:
    """Rows of a block, no more of them at once than 32 bits can count the voxels of."""
    ny, nx = block.shape
    rows = max(1, MOST // max(1, nx))
    return (block[y : y + rows] for y in range(0, ny, rows))


@njit(nogil=True, cache=True, error_model="numpy")
def _count(flat: Any, step: int, shape: Any, sign: Any, lanes: Any) -> None:
    """Count eight voxels at a time: where slices are empty, all eight are one value."""
    ny, nx = shape
    one, two, three, four = lanes[0], lanes[1], lanes[-2], lanes[-1]
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for n in range(nx // 8):
            x = 8 * n
            a, b, c, d = row[x], row[x + 1], row[x + 2], row[x + 3]
            e, f, g, h = row[x + 4], row[x + 5], row[x + 6], row[x + 7]
            if (a ^ b) | (c ^ d) | (a ^ c) | (e ^ f) | (g ^ h) | (e ^ g) | (a ^ e):
                one[a ^ sign] += 1
                two[b ^ sign] += 1
                three[c ^ sign] += 1
                four[d ^ sign] += 1
                one[e ^ sign] += 1
                two[f ^ sign] += 1
                three[g ^ sign] += 1
                four[h ^ sign] += 1
            else:
                one[a ^ sign] += 8
        for x in range(nx - nx % 8, nx):
            one[row[x] ^ sign] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _count_keys(flat: Any, step: int, shape: Any, lanes: Any, extremes: Any) -> None:
    ny, nx = shape
    lo, hi = extremes
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            lanes[x % 4, _key(row[x])] += 1
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
