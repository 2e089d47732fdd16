"""Sums of voxels and of their squares for many cells at once, exact whatever the order.

A sum is a whole number in units of the least bit that a voxel can have, kept as limbs of 32 bits
in int64, least first (U. W. Kulisch, "Very fast and exact accumulation of products", Computing 91
(2011), 397-405). Adding rounds nothing, so no order of bands and threads shows. A voxel is taken as
a float64, which holds it exactly; an integer of 64 bits as two halves of 32 bits.
"""

from math import ldexp, sqrt
from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import is_wide
from hoaconv.kernels.rows import flat_rows
from hoaconv.kernels.types import Vector

__all__ = ["add_exactly", "add_whole", "carry", "deviations", "limb_counts", "round_sums"]

Cells = np.ndarray[Any, np.dtype[Any]]
"""(cells, limbs) int64."""

_FLOATS = {4: (874, 1150), 8: (1, 2046)}
"""Least and greatest exponent, as float64 has it, of a finite voxel that isn't 0, by itemsize."""

_UNIT = 1075
"""A float64 of exponent e is its mantissa, as a whole number, times 2**(e - _UNIT)."""


def _range(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind == "f":
        return _FLOATS[dtype.itemsize]
    first = _UNIT if is_wide(dtype) else 1023  # of 64 bits the unit is 1, of others 2**-52
    return first, first + 8 * dtype.itemsize


def limb_counts(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return how many limbs a sum of voxels takes, and how many a sum of squares.

    Examples
    --------
    >>> limb_counts(np.dtype("float64")), limb_counts(np.dtype("uint8"))
    ((66, 132), (3, 5))
    """
    first, last = _range(dtype)
    most = last - first
    return most // 32 + 3, (2 * most + 54) // 32 + 3


def add_whole(block: Cells, across: tuple[int, int], sums: Vector, squares: Vector) -> None:
    """Add the voxels of a block of integers to cells, and their squares.

    Parameters
    ----------
    block, across
        As of `add_exactly`.
    sums, squares : (cells) int64 arrays
        They must be able to hold what is added; `squares` may be empty, and is then left alone.
    """
    flat, _, step = flat_rows(block)
    _add_whole(flat, step, block.shape, across, sums, squares)


@kernel
def _add_whole(flat: Any, step: int, shape: Any, across: Any, sums: Any, squares: Any) -> None:
    ny, nx = shape
    squared = squares.size > 0
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            cell, value = y * across[0] + x * across[1], np.int64(row[x])
            sums[cell] += value
            if squared:
                squares[cell] += value * value


def add_exactly(
    block: Cells, across: tuple[int, int], sums: Cells, squares: Cells, odd: Vector
) -> None:
    """Add the voxels of a block to cells, and their squares.

    Parameters
    ----------
    block : (y, x) array
        Of any dtype; fewer than 2**30 voxels for each cell.
    across : two ints
        Voxel (y, x) belongs to cell ``y * across[0] + x * across[1]``.
    sums, squares : (cells, limbs) int64 arrays
        Of as many limbs as `limb_counts` says; `squares` may have no limb, and is then left alone.
    odd : (cells) float64 array
        Sum of the voxels that are no finite number; 0 where all are.
    """
    flat, _, step = flat_rows(block)
    first, _ = _range(block.dtype)
    if is_wide(block.dtype):
        _add_wide(flat, step, block.shape, across, sums, squares)
    else:
        _add_exactly(flat, step, block.shape, across, first, sums, squares, odd)


@kernel
def _add_exactly(
    flat: Any, step: int, shape: Any, across: Any, first: int, sums: Any, squares: Any, odd: Any
) -> None:
    ny, nx = shape
    squared = squares.shape[1] > 0
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            cell = y * across[0] + x * across[1]
            value = np.float64(row[x])
            if not np.isfinite(value):
                odd[cell] += value
                continue
            bits = value.view(np.uint64)
            exponent = np.int64((bits >> np.uint64(52)) & np.uint64(0x7FF))
            mantissa = bits & np.uint64((1 << 52) - 1)
            if exponent > 0:
                mantissa |= np.uint64(1 << 52)
            if mantissa == 0:
                continue
            place = max(exponent, np.int64(1)) - first
            sign = np.int64(-1 if value < 0 else 1)
            _add_at(sums[cell], place, mantissa, sign)
            if squared:
                high, low = mantissa >> np.uint64(27), mantissa & np.uint64((1 << 27) - 1)
                _add_at(squares[cell], 2 * place + 54, high * high, np.int64(1))
                if low:  # never of a dtype of up to 26 significant bits
                    _add_at(squares[cell], 2 * place, low * low, np.int64(1))
                    _add_at(squares[cell], 2 * place + 27, np.uint64(2) * high * low, np.int64(1))


@kernel
def _add_wide(flat: Any, step: int, shape: Any, across: Any, sums: Any, squares: Any) -> None:
    """Add integers of 64 bits; the unit of sums and squares is 1."""
    ny, nx = shape
    mask, half, one = np.uint64(0xFFFFFFFF), np.uint64(32), np.int64(1)
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            cell, bits = y * across[0] + x * across[1], np.uint64(row[x])
            size = bits if row[x] > 0 else np.uint64(0) - bits
            sign = np.int64(1 if row[x] > 0 else -1)
            high, low = size >> half, size & mask
            _add_at(sums[cell], 0, low, sign)
            _add_at(sums[cell], 32, high, sign)
            if squares.shape[1] > 0:
                for place, product in ((0, low * low), (33, low * high), (64, high * high)):
                    _add_at(squares[cell], place, product & mask, one)
                    _add_at(squares[cell], place + 32, product >> half, one)


@kernel
def _add_at(limbs: Any, place: Any, value: Any, sign: Any) -> None:
    """Add a whole number below 2**55, shifted by `place` bits."""
    mask = np.uint64(0xFFFFFFFF)
    i, shift = place >> 5, np.uint64(place & 31)
    low = (value & mask) << shift
    high = (value >> np.uint64(32)) << shift
    limbs[i] += sign * np.int64(low & mask)
    limbs[i + 1] += sign * np.int64((low >> np.uint64(32)) + (high & mask))
    limbs[i + 2] += sign * np.int64(high >> np.uint64(32))


@kernel
def carry(cells: Any) -> None:
    """Bring all limbs but the last of each cell into 0..2**32 - 1; the sums stay."""
    for c in range(cells.shape[0]):
        limbs = cells[c]
        for i in range(limbs.size - 1):
            over = limbs[i] >> 32  # rounds down, also below 0
            limbs[i] -= over << 32
            limbs[i + 1] += over


def round_sums(sums: Cells, dtype: np.dtype[Any], out: Vector) -> None:
    """Write the nearest float64 of each cell's sum into `out`; the cells are used up."""
    first, _ = _range(dtype)
    _round_sums(sums, first - _UNIT, out)


@kernel
def _round_sums(sums: Any, unit: int, out: Any) -> None:
    carry(sums)
    for c in range(sums.shape[0]):
        limbs, sign = sums[c], 1.0
        if limbs[-1] < 0:
            sign = -1.0
            for i in range(limbs.size):
                limbs[i] = -limbs[i]
            carry(sums[c : c + 1])
        out[c] = sign * _rounded(limbs, unit)


@kernel
def _rounded(limbs: Any, unit: int) -> float:
    """Round a sum that isn't negative, once: the bits below the first 64 only decide a tie."""
    top = limbs.size - 1
    while top > 0 and limbs[top] == 0:
        top -= 1
    width = 0
    while limbs[top] >> width:
        width += 1
    if width == 0:
        return 0.0
    word, rest = np.uint64(limbs[top]) << np.uint64(64 - width), np.uint64(0)
    if top > 0:
        word |= np.uint64(limbs[top - 1]) << np.uint64(32) >> np.uint64(width)
    if top > 1:
        word |= np.uint64(limbs[top - 2]) >> np.uint64(width)
        rest = np.uint64(limbs[top - 2]) & np.uint64((1 << width) - 1)
    for i in range(top - 2):
        rest |= np.uint64(limbs[i])
    if rest:
        word |= np.uint64(1)
    # Exact: what is too small for a float64's full precision has no more bits than it holds.
    return ldexp(np.float64(word), 32 * top + width - 64 + unit)


def deviations(sums: Cells, squares: Cells, dtype: np.dtype[Any], number: int, out: Vector) -> None:
    """Write the standard deviation of each cell's `number` voxels into `out`.

    What is under the root, ``number * squares - sums**2``, is exact. The cells are used up.
    """
    first, _ = _range(dtype)
    carry(sums)
    carry(squares)
    for c in range(len(out)):
        spread = number * _whole(squares[c]) - _whole(sums[c]) ** 2
        # Of a number so large only the first bits matter; an even shift leaves its root one.
        shift = max(0, spread.bit_length() - 120) // 2
        out[c] = ldexp(sqrt(spread >> 2 * shift) / number, shift + first - _UNIT)


def _whole(limbs: Vector) -> int:
    """Return the sum in limbs that are carried; only the last may be below 0."""
    low = int.from_bytes(limbs[:-1].astype("<u4").tobytes(), "little")
    return low + (int(limbs[-1]) << 32 * (limbs.size - 1))
