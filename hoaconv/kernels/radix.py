"""Sorting by digits, the least digit first: its time is that of any keys of the dtype.

A key, or half of a wide one, and its label are moved as one number of 64 bits, which takes half the
time of moving two arrays.
"""

from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.rows import Flat

__all__ = ["ascending", "ascending_bytes"]

_DIGIT = 11
"""Bits of a digit at the most: the places that a pass writes to lie in a core's cache."""

_HALF = 32
"""Bits of a key that are sorted at a time; as many hold the label."""

_LABEL = 0 if np.little_endian else 1
"""Which half of a pair, in memory, is the label."""


def ascending(keys: Flat, labels: Flat, room: tuple[Flat, Flat]) -> Flat:
    """Return the labels of keys in the order of the keys; those of equal keys stay in order.

    Parameters
    ----------
    keys : 1-D array of int16, int32 or int64
        Fewer than 2**32.
    labels : uint32 array of the same size
    room : two uint64 arrays of the same size
        Both are overwritten.

    Returns
    -------
    uint32 array
        Every second element of one of the two, so it isn't contiguous.

    Examples
    --------
    >>> room = np.empty(4, np.uint64), np.empty(4, np.uint64)
    >>> ascending(np.array([7, -2, 7, 0], np.int32), np.arange(4, dtype=np.uint32), room).tolist()
    [1, 3, 0, 2]
    """
    bits = 8 * keys.itemsize
    pairs, other = room
    if bits > _HALF:
        _pair(keys, np.arange(keys.size, dtype=np.uint32), pairs)
        if _sort(pairs, other, _counts(keys.dtype), _digit(keys.dtype), _HALF, signed=False):
            pairs, other = other, pairs
        _pair_upper(keys, labels, pairs)
    else:
        _pair(keys, labels, pairs)
    if _sort(pairs, other, _counts(keys.dtype), _digit(keys.dtype), min(bits, _HALF), signed=True):
        pairs = other
    return pairs.view(np.uint32)[_LABEL::2]


def ascending_bytes(dtype: np.dtype[Any], size: int) -> int:
    """Bytes that `ascending` allocates for as many keys of this dtype."""
    return _counts(dtype).nbytes + (4 * size if dtype.itemsize > 4 else 0)


def _digit(dtype: np.dtype[Any]) -> int:
    return 8 if dtype.itemsize == 2 else _DIGIT


def _counts(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """How many keys there are of each value of each digit."""
    digits = -(-min(8 * dtype.itemsize, _HALF) // _digit(dtype))
    return np.zeros((digits, 1 << _digit(dtype)), np.uint64)


@njit(nogil=True, cache=True, error_model="numpy")
def _pair(keys: Any, labels: Any, pairs: Any) -> None:
    """Each key, or the lower half of a wide one, above its label."""
    for i in range(keys.size):
        pairs[i] = (np.int64(keys[i]) << _HALF) | labels[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _pair_upper(keys: Any, labels: Any, pairs: Any) -> None:
    """The upper half of each key above its label, in the order of indices in `pairs`."""
    for k in range(pairs.size):
        i = pairs[k] & np.uint64(0xFFFFFFFF)
        pairs[k] = (np.int64(keys[i]) >> _HALF << _HALF) | labels[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _sort(pairs: Any, other: Any, counts: Any, digit: int, bits: int, signed: bool) -> bool:
    """Sort by the `bits` above the label, to and fro; whether `other` holds the result."""
    digits, values = counts.shape
    one = np.uint64(1)
    if signed:  # so that negative keys come first
        sign = one << np.uint64(_HALF + bits - 1)
        for i in range(pairs.size):
            pairs[i] ^= sign
    for i in range(pairs.size):
        key = pairs[i] >> np.uint64(_HALF)
        for k in range(digits):
            counts[k, key & np.uint64(values - 1)] += one
            key >>= np.uint64(digit)
    swapped = False
    for k in range(digits):
        begin, most = np.uint64(0), np.uint64(0)
        for value in range(values):
            many = counts[k, value]
            most = max(most, many)
            counts[k, value] = begin
            begin += many
        if most == pairs.size:
            continue  # all keys have this digit
        shift = np.uint64(_HALF + k * digit)
        if swapped:
            _distribute(other, pairs, counts[k], shift)
        else:
            _distribute(pairs, other, counts[k], shift)
        swapped = not swapped
    return swapped


@njit(nogil=True, cache=True, error_model="numpy")
def _distribute(pairs: Any, to: Any, at: Any, shift: Any) -> None:
    """Write each pair behind those of its digit."""
    mask, one = np.uint64(at.size - 1), np.uint64(1)
    for i in range(pairs.size):
        value = (pairs[i] >> shift) & mask
        there = at[value]
        at[value] = there + one
        to[there] = pairs[i]
