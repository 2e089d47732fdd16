"""Planes of a mask as bits: 64 voxels of a row in a word, the first one in the lowest bit.

The bits beyond the end of a row are 0.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import row_view
from hoaconv.kernels.types import FlatRows

__all__ = ["WORD_BITS", "clear_voxel", "find_runs", "pack_bits", "unpack_bits"]

WORD_BITS = 64
"""Voxels in a word."""


@kernel
def pack_bits(source: FlatRows, shape: Any, bits: Any, invert: bool) -> None:
    """Write the bits (y, words) of a plane: 1 for voxels other than 0; inverted on demand."""
    ny, nx = shape
    for y in range(ny):
        row = row_view(source, 0, y, nx)
        for i in range(nx // WORD_BITS):
            voxels = row[i * WORD_BITS : (i + 1) * WORD_BITS]
            word = np.uint64(0)
            for k in range(WORD_BITS):
                word |= np.uint64((voxels[k] != 0) != invert) << np.uint64(k)
            bits[y, i] = word
        if nx % WORD_BITS:
            word = np.uint64(0)
            for k in range(nx % WORD_BITS):
                bit = (row[nx // WORD_BITS * WORD_BITS + k] != 0) != invert
                word |= np.uint64(bit) << np.uint64(k)
            bits[y, nx // WORD_BITS] = word


@kernel
def unpack_bits(bits: Any, target: FlatRows, shape: Any, invert: bool) -> None:
    """Write the voxels, 0 or 1, of the bits (y, words) of a plane; inverted on demand."""
    ny, nx = shape
    flip = np.uint64(invert)
    for y in range(ny):
        row = row_view(target, 0, y, nx)
        for x in range(nx):
            bit = bits[y, x // WORD_BITS] >> np.uint64(x % WORD_BITS) & np.uint64(1)
            row[x] = bit ^ flip


@intrinsic
def _trailing_zeros(_: Any, word: Any) -> Any:
    """Return the number of zeros below the lowest set bit of a word, which is not 0."""

    def code(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.cttz(args[0], context.get_constant(types.boolean, True))

    return types.uint64(word), code


@kernel
def find_runs(words: Any, nx: int, edges: Any) -> int:
    """Write start and stop of each run of set bits in a row of `nx`; return the number of runs."""
    n, carry = 0, np.uint64(0)
    for i in range(words.size):
        word = words[i]
        changes = word ^ (word << np.uint64(1) | carry)
        carry = word >> np.uint64(WORD_BITS - 1)
        while changes:
            edges[n] = i * WORD_BITS + np.int64(_trailing_zeros(changes))  # type: ignore[call-arg]
            n += 1
            changes &= changes - np.uint64(1)
    if n % 2:
        edges[n] = nx
        n += 1
    return n // 2


@kernel
def clear_voxel(bits: Any, z: int, y: int, x: int) -> bool:
    """Clear a voxel in a ring buffer of planes (depth, y, words); return whether it was set."""
    words = bits[z % len(bits), y]
    bit = np.uint64(1) << np.uint64(x % WORD_BITS)
    was_set = bool(words[x // WORD_BITS] & bit)
    words[x // WORD_BITS] &= ~bit
    return was_set
