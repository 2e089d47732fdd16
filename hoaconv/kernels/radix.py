"""Least-significant-digit radix sort of pairs of keys and values.

D. E. Knuth, "The Art of Computer Programming" 3 (2nd ed., 1998), section 5.2.5. The time does not
depend on the keys. A key, or one half of a 64-bit key, and its value are moved as one 64-bit
integer, which takes half the time of moving two arrays.
"""

from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.types import Array, Vector

__all__ = ["sort_by_key", "sort_by_key_bytes"]

_DIGIT_BITS = 11
"""Bits of the largest digit: the destinations of one pass stay in the cache of a core."""

_HALF = 32
"""Bits of a pair that hold the key, or one half of it; as many hold the value."""

_VALUE = 0 if np.little_endian else 1
"""Index of the value in a pair that is viewed as two 32-bit integers."""


def sort_by_key(keys: Vector, values: Vector, workspace: tuple[Vector, Vector]) -> Vector:
    """Return the values in ascending order of their keys. The sort is stable.

    Parameters
    ----------
    keys : int16, int32 or int64 array (n,)
        Fewer than 2**32.
    values : uint32 array (n,)
        One value for each key.
    workspace : two uint64 arrays (n,)
        Both are overwritten.

    Returns
    -------
    uint32 array (n,)
        A view of every second element of one of the workspace arrays.

    Examples
    --------
    >>> workspace = np.empty(4, np.uint64), np.empty(4, np.uint64)
    >>> keys, values = np.array([7, -2, 7, 0], np.int32), np.arange(4, dtype=np.uint32)
    >>> sort_by_key(keys, values, workspace).tolist()
    [1, 3, 0, 2]
    """
    bits = 8 * keys.itemsize
    pairs, other = workspace
    if bits > _HALF:
        _pair(keys, np.arange(keys.size, dtype=np.uint32), pairs)
        if _sort_pairs(pairs, other, keys.dtype, _HALF, signed=False):
            pairs, other = other, pairs
        _pair_upper(keys, values, pairs)
    else:
        _pair(keys, values, pairs)
    if _sort_pairs(pairs, other, keys.dtype, min(bits, _HALF), signed=True):
        pairs = other
    return pairs.view(np.uint32)[_VALUE::2]


def sort_by_key_bytes(dtype: np.dtype[Any], n: int) -> int:
    """Return the bytes that `sort_by_key` allocates for `n` keys of this dtype."""
    return _empty_counts(dtype).nbytes + (4 * n if dtype.itemsize > 4 else 0)


def _digit_bits(dtype: np.dtype[Any]) -> int:
    """Return the bits of a digit of keys of this dtype."""
    return 8 if dtype.itemsize == 2 else _DIGIT_BITS


def _empty_counts(dtype: np.dtype[Any]) -> Array:
    """Return zeros (digit, digit value) for the numbers of keys."""
    bits = _digit_bits(dtype)
    digits = -(-min(8 * dtype.itemsize, _HALF) // bits)
    return np.zeros((digits, 1 << bits), np.uint64)


def _sort_pairs(
    pairs: Vector, other: Vector, dtype: np.dtype[Any], bits: int, *, signed: bool
) -> bool:
    """Sort pairs by the `bits` above the value; return whether `other` holds the result."""
    return bool(_sort(pairs, other, _empty_counts(dtype), _digit_bits(dtype), bits, signed))


@kernel
def _pair(keys: Any, values: Any, pairs: Any) -> None:
    """Write each key, or the lower half of a 64-bit key, above its value."""
    for i in range(keys.size):
        pairs[i] = (np.int64(keys[i]) << _HALF) | values[i]


@kernel
def _pair_upper(keys: Any, values: Any, pairs: Any) -> None:
    """Replace each index in `pairs` by the upper half of that key above its value."""
    for k in range(pairs.size):
        i = pairs[k] & np.uint64(0xFFFFFFFF)
        pairs[k] = (np.int64(keys[i]) >> _HALF << _HALF) | values[i]


@kernel
def _sort(pairs: Any, other: Any, counts: Any, digit_bits: int, bits: int, signed: bool) -> bool:
    """Sort as `_sort_pairs`; `counts` comes filled with 0."""
    digits, size = counts.shape
    one = np.uint64(1)
    if signed:  # negative keys come first
        sign = one << np.uint64(_HALF + bits - 1)
        for i in range(pairs.size):
            pairs[i] ^= sign
    for i in range(pairs.size):
        key = pairs[i] >> np.uint64(_HALF)
        for k in range(digits):
            counts[k, key & np.uint64(size - 1)] += one
            key >>= np.uint64(digit_bits)
    swapped = False
    for k in range(digits):
        begin, largest = np.uint64(0), np.uint64(0)
        for value in range(size):
            n = counts[k, value]
            largest = max(largest, n)
            counts[k, value] = begin
            begin += n
        if largest == pairs.size:
            continue  # this digit is the same in all keys
        shift = np.uint64(_HALF + k * digit_bits)
        if swapped:
            _distribute(other, pairs, counts[k], shift)
        else:
            _distribute(pairs, other, counts[k], shift)
        swapped = not swapped
    return swapped


@kernel
def _distribute(pairs: Any, target: Any, positions: Any, shift: Any) -> None:
    """Write each pair at the next position of its digit."""
    mask, one = np.uint64(positions.size - 1), np.uint64(1)
    for i in range(pairs.size):
        digit = (pairs[i] >> shift) & mask
        position = positions[digit]
        positions[digit] = position + one
        target[position] = pairs[i]
