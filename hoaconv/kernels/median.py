"""The value of one rank in every voxel's window, by a selection network on rows.

Work per voxel grows a little faster than the window, but goes many voxels at a time: for windows of
up to some hundred voxels nothing is faster.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import OUTSIDE, maps_bytes, maps_of, pad_ends
from hoaconv.kernels.keys import key, keys_of, load_keys, store_keys
from hoaconv.kernels.rows import Planes, flat_rows
from hoaconv.kernels.selection import NOWHERE, network

__all__ = ["select", "select_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]
Size = tuple[int, int, int]

_CACHED = 1 << 18
"""Bytes that the rows of a network should take: a part of a second-level cache."""
_LEAST, _MOST = 256, 2048
"""Voxels of a row at a time; with fewer, what each exchange costs besides them would show."""
_LINE = 64
"""Bytes that rows begin at a multiple of, so that few voxels are fetched from two cache lines."""


class _Layout(NamedTuple):
    """Where things lie in the kernel's one array of keys, in keys."""

    line: int
    """A row of the volume with both its ends."""
    part: int
    """Voxels of a row that a network works on at a time."""
    step: int
    """From row to row of the network."""
    ring: int
    """Of all rows of the volume that windows of a row reach over."""
    total: int


def _layout(nx: int, item: int, size: Size, rows: int) -> _Layout:
    z, y, x = size
    line = _rounded(nx + 2 * (x // 2), item)
    own = rows - z * y
    part = min(max(_CACHED // (item * max(own, 1)), _LEAST), _MOST, nx)
    step = _rounded(part + x, item)
    ring = z * y * line
    return _Layout(line, part, step, ring, ring + own * step)


def _rounded(n: int, item: int) -> int:
    return -(-n * item // _LINE) * _LINE // item


def select(
    block: Slab, core: Core, out: Slab, size: Size, rank: int, mode: str, cval: float
) -> None:
    """Write into `out` the value of one rank in each window around ``block[core]``.

    Parameters
    ----------
    block : (z, y, x) array
        The core and ``size // 2`` voxels on each side, less only where the volume ends. Along x
        it is whole.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) array of block's dtype
        Of the core's shape.
    size : (z, y, x) ints
        The window's, from ``-(size // 2)`` on.
    rank : int
        0 for the least.
    mode : one of hoaconv.kernels.boundary.MODES
        What lies beyond the block's ends.
    cval : float
        The value outside, for mode ``constant``; rounded and saturated.
    """
    keys = keys_of(block.dtype)
    nx = block.shape[2]
    rz, ry, rx = (n // 2 for n in size)
    maps = maps_of(block.shape, core, (rz, ry, rx), mode)
    exchanges, result, rows = network(size, rank)
    layout = _layout(nx, keys.dtype.itemsize, size, rows)
    scratch = np.empty(layout.total, keys.dtype)
    _select(
        flat_rows(block.view(keys.dtype)),
        flat_rows(out.view(keys.dtype)),
        out.shape,
        maps,
        size,
        (keys.flipped, keys.infinity, key(cval, block.dtype)),
        exchanges,
        result,
        layout,
        scratch,
        np.empty(rows, np.int64),
    )


def select_bytes(shape: Size, dtype: np.dtype[Any], size: Size, rank: int) -> int:
    """Bytes that `select` allocates for a block of this shape and dtype, and of its network."""
    exchanges, _, rows = network(size, rank)
    layout = _layout(shape[2], dtype.itemsize, size, rows)
    scratch = layout.total * dtype.itemsize + rows * 8
    return scratch + exchanges.nbytes + maps_bytes(shape, size)


@njit(nogil=True, cache=True, error_model="numpy")
def _select(
    source: Planes,
    target: Planes,
    shape: Any,
    maps: Any,
    size: Any,
    order: Any,
    exchanges: Any,
    result: Any,
    layout: Any,
    keys: Any,
    at: Any,
) -> None:
    """For each row of the core: a ring of rows sorted along z, and the network on parts of it."""
    flipped, infinity, _ = order
    flat, z_step, y_step = target
    nz, ny, nx = shape
    deep, tall, _ = size
    given = deep * tall
    for k in range(given, at.size):
        at[k] = layout.ring + (k - given) * layout.step
    for z in range(nz):
        for y in range(ny + tall - 1):
            first = y % tall * deep * layout.line
            for k in range(deep):
                line = keys[first + k * layout.line :][: layout.line]
                _fetch(source, maps, z + k, y, size[2] // 2, nx, order, line)
            _sort(keys[first : first + deep * layout.line], layout.line, deep)
            if y < tall - 1:
                continue
            begin = z * z_step + (y - tall + 1) * y_step
            row = flat[begin : begin + nx]
            for x in range(0, nx, layout.part):
                n = min(layout.part, nx - x)
                for k in range(given):
                    at[k] = ((y + 1) * deep + k) % given * layout.line + x
                _run(exchanges, keys, at, n)
                made = keys[at[result[0]] + result[1] :][:n]
                store_keys(made, flipped, infinity, row[x : x + n])


@njit(nogil=True, cache=True, error_model="numpy")
def _fetch(
    source: Planes, maps: Any, z: int, y: int, wide: int, nx: int, order: Any, line: Any
) -> None:
    """Keys of a row of the volume, with what lies beyond its ends."""
    flipped, infinity, cval = order
    flat, z_step, y_step = source
    plane, above = maps[0][z], maps[1][y]
    if OUTSIDE in (plane, above):
        line[:] = cval
        return
    begin = plane * z_step + above * y_step
    load_keys(flat[begin : begin + nx], flipped, infinity, line[wide : wide + nx])
    pad_ends(line, maps[2], wide, nx, cval)


@njit(nogil=True, cache=True, error_model="numpy")
def _sort(keys: Any, line: int, count: int) -> None:
    """Sort at each x the values of `count` lines, by exchanges of neighbours."""
    for turn in range(count):
        for k in range(turn % 2, count - 1, 2):
            one, other = keys[k * line :][:line], keys[(k + 1) * line :][:line]
            for x in range(line):
                a, b = one[x], other[x]
                one[x] = a if a < b else b
                other[x] = b if a < b else a


@njit(nogil=True, cache=True, error_model="numpy")
def _run(exchanges: Any, keys: Any, at: Any, n: int) -> None:
    for i in range(len(exchanges)):
        one, near, other, far, lesser, greater, extra = exchanges[i]
        count = n + extra
        a, b = keys[at[one] + near :][:count], keys[at[other] + far :][:count]
        if greater == NOWHERE:
            least = keys[at[lesser] :][:count]
            for x in range(count):
                least[x] = a[x] if a[x] < b[x] else b[x]
        elif lesser == NOWHERE:
            most = keys[at[greater] :][:count]
            for x in range(count):
                most[x] = b[x] if a[x] < b[x] else a[x]
        else:
            least, most = keys[at[lesser] :][:count], keys[at[greater] :][:count]
            for x in range(count):
                p, q = a[x], b[x]
                least[x] = p if p < q else q
                most[x] = q if p < q else p
