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

from hoaconv.kernels.boundary import OUTSIDE, positions, sources
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
    order = keys.flipped, keys.infinity, key(cval, block.dtype)
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
        wanted = scratch.wanted[: tile.size]
        _slide(numbers, shape, size, rank, scratch.words, wanted, tile.shape)
        _write(wanted, ascending, values, order, flat_rows(tile), tile.shape)
        del ascending  # or two would be held while the next tile is sorted


def slide_bytes(shape: Size, dtype: np.dtype[Any], size: Size) -> int:
    """Bytes that `slide` allocates for a block of this shape and dtype."""
    voxels = prod(_context(_tile(shape, size), size))
    maps = (sum(shape) + 2 * sum(size)) * 8
    sorting = 2 * 8  # numpy's result, and what it sorts with
    wanted = 4 * prod(_tile(shape, size))
    return voxels * (dtype.itemsize + 4 + sorting) + voxels // 8 + 64 + wanted + 4 * maps


class _Scratch(NamedTuple):
    values: Flat
    numbers: Flat
    words: Flat
    wanted: Flat


def _scratch(shape: Size, size: Size, dtype: np.dtype[Any]) -> _Scratch:
    voxels = prod(_context(_tile(shape, size), size))
    return _Scratch(
        np.empty(voxels, dtype),
        np.empty(voxels, np.int32),
        np.empty(voxels // 64 + 1, np.uint64),
        np.empty(prod(_tile(shape, size)), np.int32),
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
    flipped, infinity, cval = order
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
                line[x] = cval if at == OUTSIDE else to_key(flat[begin + at], flipped, infinity)


@njit(nogil=True, cache=True, error_model="numpy")
def _number(ascending: Any, numbers: Any) -> None:
    for number in range(ascending.size):
        numbers[ascending[number]] = number


@njit(nogil=True, cache=True, error_model="numpy")
def _slide(
    numbers: Any, context: Any, size: Any, rank: int, words: Any, wanted: Any, shape: Any
) -> None:
    """The number of the wanted rank for each voxel of a tile, row by row, to and fro.

    `below` is how many bits are set in the words before `word`.
    """
    deep, tall, wide = size
    nz, ny, nx = shape
    _, _, line = context
    one = np.int64(1)
    for z in range(nz):
        words[:] = 0
        word, below = np.int64(0), np.int64(0)
        at = z * context[1] * line
        _flip(numbers, context, at, size, words, word)
        for y in range(ny):
            ahead = 1 - y % 2 * 2
            for step in range(nx):
                if step > 0:
                    gone, come = (at, at + wide) if ahead == 1 else (at + wide - 1, at - 1)
                    below -= _flip(numbers, context, gone, (deep, tall, one), words, word)
                    below += _flip(numbers, context, come, (deep, tall, one), words, word)
                    at += ahead
                word, below = _seek(words, rank, word, below)
                x = step if ahead == 1 else nx - 1 - step
                wanted[(z * ny + y) * nx + x] = 64 * word + _place(words[word], rank - below)
            if y < ny - 1:
                below -= _flip(numbers, context, at, (deep, one, wide), words, word)
                at += line
                last = at + (tall - 1) * line
                below += _flip(numbers, context, last, (deep, one, wide), words, word)


@njit(nogil=True, cache=True, error_model="numpy")
def _flip(numbers: Any, context: Any, first: int, box: Any, words: Any, word: Any) -> Any:
    """Flip the bits of a box of the context; how many of them lie in the words before `word`."""
    deep, tall, wide = box
    _, ny, nx = context
    before = 0
    for z in range(deep):
        for y in range(tall):
            begin = first + (z * ny + y) * nx
            for number in numbers[begin : begin + wide]:
                words[number >> 6] ^= np.uint64(1) << np.uint64(number & 63)
                before += (number >> 6) < word
    return before


@njit(nogil=True, cache=True, error_model="numpy")
def _write(
    wanted: Any, ascending: Any, values: Any, order: Any, target: Planes, shape: Any
) -> None:
    """The voxels of a tile, of the numbers found for them."""
    flipped, infinity, _ = order
    flat, z_step, y_step = target
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            row = flat[z * z_step + y * y_step :][:nx]
            found = wanted[(z * ny + y) * nx :][:nx]
            for x in range(nx):
                row[x] = to_voxel(values[ascending[found[x]]], flipped, infinity)


@njit(nogil=True, cache=True, error_model="numpy")
def _seek(words: Any, rank: int, word: Any, below: Any) -> Any:
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
def _place(word: Any, rank: Any) -> Any:
    """Where in a word the bit stands that has `rank` set bits below it."""
    one = np.uint64(1)
    for _ in range(rank):
        word &= word - one
    return _bits((word & (~word + one)) - one)
