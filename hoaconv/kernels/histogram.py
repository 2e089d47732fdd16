"""Histograms of voxels, in one sweep and without knowledge of the range.

Integers of up to 16 bits have one bin for each value: these bins are exact. Other dtypes have one
bin for each sign, exponent and first 7 bits of the mantissa of the value as float32, which is the
upper half of its bit pattern (bfloat16). The bins are in ascending order of their values, and a bin
is at most 2**-7 of its value wide. So there are at most 2**16 bins; equation 6 of Sporring and
Stansby (2026) counts 2**32 for voxels of 32 bits.
"""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import flat_rows
from hoaconv.kernels.types import Array, Indices, Plane, Vector

__all__ = [
    "NAN_BIN",
    "ZERO_BINS",
    "BinCounts",
    "bin_count",
    "bin_ends",
    "bin_values",
    "count_exact",
    "count_truncated",
    "is_exact",
]

MAX_COUNT = (1 << 32) - 1
"""The largest 32-bit count."""

NAN_BIN = 0xFFC0
"""The bin of all NaN: `count_truncated` counts them after plus infinity."""

_SIGN = 0x8000

ZERO_BINS = (_SIGN - 1, _SIGN)
"""The bins of minus zero and of zero in `count_truncated`."""


def is_exact(dtype: np.dtype[Any]) -> bool:
    """Return whether each value of the dtype has its own bin."""
    return dtype.kind in "iu" and dtype.itemsize <= 2


def bin_count(dtype: np.dtype[Any]) -> int:
    """Return the number of bins of a dtype."""
    return 1 << 8 if is_exact(dtype) and dtype.itemsize == 1 else 1 << 16


def bin_values(dtype: np.dtype[Any]) -> Vector:
    """Return the value of each bin in ascending order.

    Returns
    -------
    array (bins,)
        Exact bins: the values, of this dtype. Other bins: the ends that are nearer to zero, as
        float64; some are NaN.
    """
    if is_exact(dtype):
        first = np.iinfo(dtype).min
        return np.arange(first, first + bin_count(dtype)).astype(dtype)
    return _as_float64(_upper_halves() << 16)


def bin_ends(dtype: np.dtype[Any]) -> Vector:
    """Return the largest value of each bin in ascending order; see `bin_values`."""
    if is_exact(dtype):
        return bin_values(dtype)
    upper = _upper_halves()
    return _as_float64(upper << 16 | np.where(upper & _SIGN, 0, 0xFFFF).astype(np.uint32))


def _upper_halves() -> Vector:
    """Return the upper half of the float32 bit pattern of each bin."""
    bins = np.arange(1 << 16, dtype=np.uint32)
    return np.where(bins & _SIGN, bins ^ _SIGN, bins ^ 0xFFFF).astype(np.uint32)


def _as_float64(patterns: Vector) -> Vector:
    """Return the values of float32 bit patterns."""
    with np.errstate(invalid="ignore"):  # some patterns are NaN
        return patterns.view(np.float32).astype(np.float64)


class BinCounts:
    """The number of voxels in each bin.

    Recent voxels are counted in 32 bits, so that the counts stay in the second-level cache of a
    core, and added to 64-bit counts before one can overflow. The 32-bit counts have several lanes
    that are used in turn, so that equal neighbours do not wait for one counter: four, but two for
    16-bit integers, whose 2**16 bins would not stay in the cache.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        n = bin_count(dtype)
        self._recent = np.zeros((_lane_count(dtype), n), np.uint32)
        self._earlier = np.zeros(n, np.int64)
        self._room = MAX_COUNT

    @staticmethod
    def nbytes(dtype: np.dtype[Any]) -> int:
        """Return the bytes of the counts of a dtype."""
        return bin_count(dtype) * (4 * _lane_count(dtype) + 8)

    @property
    def total(self) -> Indices:
        """Voxels in each bin, in ascending order of values: int64 array (bins,)."""
        total: Indices = self._earlier + self._recent.sum(axis=0, dtype=np.int64)
        return total

    def __add__(self, other: Self) -> Self:
        """Return the counts of the voxels of both, as a new object."""
        both = object.__new__(type(self))
        both._earlier = self.total + other.total
        both._recent, both._room = np.zeros_like(self._recent), MAX_COUNT
        return both

    def lanes(self, voxels: int) -> Array:
        """Return the uint32 counts (lanes, bins), each with room for `voxels` more voxels."""
        if voxels > self._room:
            self._earlier += self._recent.sum(axis=0, dtype=np.int64)
            self._recent[...] = 0
            self._room = MAX_COUNT
        self._room -= voxels
        return self._recent


def _lane_count(dtype: np.dtype[Any]) -> int:
    """Return the number of lanes of the 32-bit counts."""
    return 2 if is_exact(dtype) and dtype.itemsize == 2 else 4


def count_exact(block: Plane, counts: BinCounts) -> None:
    """Add the voxels of a block to exact bins.

    Parameters
    ----------
    block : array (y, x) of uint8, int8, uint16 or int16
        The voxels to count.
    counts : BinCounts of that dtype
        Is updated.
    """
    item = block.dtype.itemsize
    unsigned = np.dtype(f"u{item}")
    sign = unsigned.type(1 << (8 * item - 1) if block.dtype.kind == "i" else 0)
    for part in _parts(block):
        flat, _, step = flat_rows(part)
        _count_exact(flat.view(unsigned), step, part.shape, sign, counts.lanes(part.size))


def count_truncated(block: Plane, counts: BinCounts, extremes: Vector) -> None:
    """Add the voxels of a block to bins of truncated float32 values.

    Parameters
    ----------
    block : array (y, x) of a dtype without exact bins
        The voxels to count. NaN is counted in `NAN_BIN`.
    counts : BinCounts of that dtype
        Is updated.
    extremes : array (2,)
        Minimum and maximum voxel so far without NaN, at first `no_extremes` of
        `hoaconv.kernels.rounding`. Is updated.
    """
    for part in _parts(block):
        flat, _, step = flat_rows(part)
        _count_truncated(flat, step, part.shape, counts.lanes(part.size), extremes)


def _parts(block: Plane) -> Iterator[Plane]:
    """Yield the rows of a block in parts whose voxels 32 bits can count."""
    ny, nx = block.shape
    rows = max(1, MAX_COUNT // max(1, nx))
    return (block[y : y + rows] for y in range(0, ny, rows))


@kernel
def _count_exact(flat: Any, step: int, shape: Any, sign: Any, lanes: Any) -> None:
    """Count eight voxels at a time; in empty regions of a slice, all eight are equal."""
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


@kernel
def _count_truncated(flat: Any, step: int, shape: Any, lanes: Any, extremes: Any) -> None:
    """Count the voxels of a block in four lanes, and update its extremes."""
    ny, nx = shape
    lo, hi = extremes
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            lanes[x % 4, _bin(row[x])] += 1
            value = extremes.dtype.type(row[x])
            lo = value if value < lo else lo
            hi = value if value > hi else hi
    extremes[0], extremes[1] = lo, hi


@kernel
def _bin(voxel: Any) -> Any:
    """Return the bin of a voxel: the upper half of its float32 pattern, mapped to ascend."""
    single = np.float32(voxel)
    if np.isnan(single):
        return np.uint64(NAN_BIN)
    upper = np.uint64(single.view(np.uint32)) >> np.uint64(16)
    return upper ^ np.uint64(0xFFFF if upper & np.uint64(_SIGN) else _SIGN)
