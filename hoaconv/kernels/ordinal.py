"""The value of one rank in every voxel's window, by windows of numbers that slide.

For windows too large for a network. A tile of the result and its context are sorted once, which
numbers their voxels; a window is a set of such numbers, one bit for each. It slides to and fro over
the tile: a step changes two faces of it, and the wanted bit is near the one found before. Voxels
of one value may be numbered in any order, since it is the value that is written.
"""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.gaussian import OUTSIDE, positions, sources
from hoaconv.kernels.keys import key, keys_of, to_key, to_voxel
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = ["slide", "slide_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]
Size = tuple[int, int, int]

_TILE = 32
"""Rows and columns of a tile, at the least: the fewer, the more is sorted for each voxel."""


def slide(
    block: Slab, core: Core, out: Slab, size: Size, rank: int, mode: str, cval: float
) -> None:
    """Write into `out` the value of one rank in each window around ``block[core]``.

    Parameters as those of `hoaconv.kernels.median.select`, which gives the same bits.
    """
    keys = keys_of(block.dtype)
    order = keys.most, keys.infinity, key(cval, block.dtype)
    source, made = flat_rows(block.view(keys.dtype)), out.view(keys.dtype)
    maps = [
        sources(positions(part, n, wide // 2), n, mode)
        for part, n, wide in zip(core, block.shape, size, strict=True)
    ]
    scratch = _scratch(out.shape, size, keys.dtype)
    for corner in _corners(out.shape, size):
        tile = made[:, *corner]
        shape = _context(tile.shape, size)
        values, numbers = scratch.values[: prod(shape)], scratch.numbers[: prod(shape)]
        reach = maps[0], maps[1][corner[0].start :], maps[2][corner[1].start :]
        _gather(source, reach, shape, order, values)
        ascending = np.argsort(values, kind="stable" if values.itemsize <= 2 else "quicksort")
        _number(ascending, numbers)
        places = shape[1] * shape[2], shape[2]
        found = values, ascending, *order[:2]
        _slide(numbers, places, size, rank, scratch.words, found, flat_rows(tile), tile.shape)


def slide_bytes(shape: Size, dtype: np.dtype[Any], size: Size) -> int:
    """Bytes that `slide` allocates for a block of this shape and dtype."""
    voxels = prod(_context(_tile(shape, size), size))
    maps = (sum(shape) + 2 * sum(size)) * 8
    sorting = 2 * 8  # numpy's result, and what it sorts with
    return voxels * (dtype.itemsize + 4 + sorting) + voxels // 8 + 64 + 4 * maps


class _Scratch(NamedTuple):
    values: Flat
    numbers: Flat
    words: Flat


def _scratch(shape: Size, size: Size, dtype: np.dtype[Any]) -> _Scratch:
    voxels = prod(_context(_tile(shape, size), size))
    return _Scratch(
        np.empty(voxels, dtype), np.empty(voxels, np.int32), np.empty(voxels // 64 + 1, np.uint64)
    )


def _tile(shape: Size, size: Size) -> Size:
    """Shape of the largest tile of a result: all its planes, and more rows than its context has."""
    z, y, x = shape
    return z, min(y, max(_TILE, size[1])), min(x, max(_TILE, size[2]))


def _context(shape: Size, size: Size) -> Size:
    z, y, x = (n + wide - 1 for n, wide in zip(shape, size, strict=True))
    return z, y, x


def _corners(shape: Size, size: Size) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of each tile."""
    _, rows, columns = _tile(shape, size)
    for y in range(0, shape[1], rows):
        for x in range(0, shape[2], columns):
            yield slice(y, min(y + rows, shape[1])), slice(x, min(x + columns, shape[2]))


@njit(nogil=True, cache=True, error_model="numpy")
def _gather(source: Planes, reach: Any, shape: Any, order: Any, values: Any) -> None:
    """Keys of a tile and its context."""
    most, infinity, cval = order
    flat, z_step, y_step = source
    from_z, from_y, from_x = reach
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            line = values[(z * ny + y) * nx :][:nx]
            if from_z[z] == OUTSIDE or from_y[y] == OUTSIDE:
                line[:] = cval
                continue
            begin = from_z[z] * z_step + from_y[y] * y_step
            for x in range(nx):
                at = from_x[x]
                line[x] = cval if at == OUTSIDE else to_key(flat[begin + at], most, infinity)


@njit(nogil=True, cache=True, error_model="numpy")
def _number(ascending: Any, numbers: Any) -> None:
    for number in range(ascending.size):
        numbers[ascending[number]] = number


@njit(nogil=True, cache=True, error_model="numpy")
def _slide(
    numbers: Any,
    places: Any,
    size: Any,
    rank: int,
    words: Any,
    found: Any,
    target: Planes,
    shape: Any,
) -> None:
    """Each plane of a tile, row by row, to the right and to the left in turn.

    `below` is how many bits are set in the words before `word`.
    """
    values, ascending, most, infinity = found
    deep, tall, wide = size
    flat, z_step, y_step = target
    plane, line = places
    nz, ny, nx = shape
    for z in range(nz):
        words[:] = 0
        word, below = 0, 0
        at = z * plane
        _flip(numbers, places, at, (deep, tall, wide), words, word)
        for y in range(ny):
            ahead = 1 if y % 2 == 0 else -1
            x = 0 if ahead == 1 else nx - 1
            for step in range(nx):
                at = z * plane + y * line + x
                if step > 0:
                    gone, come = (at - 1, at + wide - 1) if ahead == 1 else (at + wide, at)
                    below -= _flip(numbers, places, gone, (deep, tall, 1), words, word)
                    below += _flip(numbers, places, come, (deep, tall, 1), words, word)
                word, below = _seek(words, rank, word, below)
                number = 64 * word + _place(words[word], rank - below)
                value = to_voxel(values[ascending[number]], most, infinity)
                flat[z * z_step + y * y_step + x] = value
                x += ahead
            if y < ny - 1:
                below -= _flip(numbers, places, at, (deep, 1, wide), words, word)
                below += _flip(numbers, places, at + tall * line, (deep, 1, wide), words, word)


@njit(nogil=True, cache=True, error_model="numpy")
def _flip(numbers: Any, places: Any, first: int, box: Any, words: Any, word: int) -> int:
    """Flip the bits of a box of the context; how many of them lie in the words before `word`."""
    plane, line = places
    deep, tall, wide = box
    before = 0
    for z in range(deep):
        for y in range(tall):
            begin = first + z * plane + y * line
            for number in numbers[begin : begin + wide]:
                words[number >> 6] ^= np.uint64(1) << np.uint64(number & 63)
                before += (number >> 6) < word
    return before


@njit(nogil=True, cache=True, error_model="numpy")
def _seek(words: Any, rank: int, word: int, below: int) -> Any:
    """The word that holds the bit of a rank, and how many bits are set before it."""
    while below > rank:
        word -= 1
        below -= _bits(words[word])
    held = _bits(words[word])
    while below + held <= rank:
        below += held
        word += 1
        held = _bits(words[word])
    return word, below


@njit(nogil=True, cache=True, error_model="numpy")
def _bits(word: Any) -> Any:
    """How many bits are set: two by two, four by four, then bytes, which a product adds up."""
    two, four = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    eight, ones = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
    word = word - ((word >> np.uint64(1)) & two)
    word = (word & four) + ((word >> np.uint64(2)) & four)
    word = (word + (word >> np.uint64(4))) & eight
    return np.int64((word * ones) >> np.uint64(56))


@njit(nogil=True, cache=True, error_model="numpy")
def _place(word: Any, rank: int) -> Any:
    """Where in a word the bit stands that has `rank` set bits below it."""
    one = np.uint64(1)
    for _ in range(rank):
        word &= word - one
    return _bits((word & (~word + one)) - one)
