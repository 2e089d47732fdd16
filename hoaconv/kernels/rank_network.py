"""Rank filters of small windows, by a selection network.

The time per voxel grows slightly faster than the window, but each exchange is vectorised over a
row. For windows of up to some hundred voxels this is the fastest method.
"""

from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, index_maps, index_maps_bytes, pad_ends
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.keys import decode_row, encode_row, key_encoding, key_of
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.selection_network import UNUSED, network
from hoaconv.kernels.types import Core, FlatRows, IndexMaps, Slab, Triple

__all__ = ["network_rank_filter", "network_rank_filter_bytes"]

_CACHE_BYTES = 1 << 18
"""Bytes of the rows of a network: a part of a second-level cache."""

_MIN_PART, _MAX_PART = 256, 2048
"""Bounds of the voxels of a row that a network processes together; in shorter parts the overhead
of an exchange would dominate."""

_CACHE_LINE = 64
"""Alignment of rows in bytes, so that few vectors span two cache lines."""


class _Layout(NamedTuple):
    """The layout of the kernel's array of keys, in keys."""

    line: int
    """From one row of the volume, with the values beyond its ends, to the next one."""
    part: int
    """Voxels of a row that the network processes together."""
    step: int
    """From one row of the network to the next one."""
    ring: int
    """Size of the ring of all rows of the volume that the windows of a row contain."""
    total: int


def _layout(nx: int, item: int, size: Triple, rows: int) -> _Layout:
    """Return the layout for rows of `nx` keys of `item` bytes, and a network of `rows` rows."""
    z, y, x = size
    line = _aligned(nx + 2 * (x // 2), item)
    own = rows - z * y
    part = min(max(_CACHE_BYTES // (item * max(own, 1)), _MIN_PART), _MAX_PART, nx)
    step = _aligned(part + x, item)
    ring = z * y * line
    return _Layout(line, part, step, ring, ring + own * step)


def _aligned(n: int, item: int) -> int:
    """Return the number of items of the cache lines that hold `n` items."""
    return -(-n * item // _CACHE_LINE) * _CACHE_LINE // item


def network_rank_filter(
    block: Slab, core: Core, out: Slab, size: Triple, rank: int, mode: str, cval: float
) -> None:
    """Write the value of one rank in the window around each voxel of ``block[core]``.

    NaN has the highest rank.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of ``size // 2`` voxels.
    core : (z, y, x) slices
        The part to compute.
    out : array (z, y, x) of the dtype of `block`
        Takes the result, in the shape of the core.
    size : (z, y, x) ints
        Voxels of the window along each axis; it begins ``size // 2`` voxels before its centre.
    rank : int
        Rank of the value; 0 for the minimum.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``; rounded and saturated.
    """
    encoding = key_encoding(block.dtype)
    nx = block.shape[2]
    rz, ry, rx = (n // 2 for n in size)
    exchanges, result, rows = network(size, rank)
    layout = _layout(nx, encoding.dtype.itemsize, size, rows)
    _rank_filter(
        flat_rows(block.view(encoding.dtype)),
        flat_rows(out.view(encoding.dtype)),
        out.shape,
        index_maps(block.shape, core, (rz, ry, rx), mode),
        size,
        (encoding.flip, encoding.infinity, key_of(cval, block.dtype)),
        exchanges,
        result,
        layout,
        np.empty(layout.total, encoding.dtype),
        np.empty(rows, np.int64),
    )


def network_rank_filter_bytes(shape: Triple, dtype: np.dtype[Any], size: Triple, rank: int) -> int:
    """Return the bytes that `network_rank_filter` allocates, with those of its network."""
    exchanges, _, rows = network(size, rank)
    layout = _layout(shape[2], dtype.itemsize, size, rows)
    workspace = layout.total * dtype.itemsize + rows * 8
    return workspace + exchanges.nbytes + index_maps_bytes(shape, size)


@kernel
def _rank_filter(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    size: Any,
    encoding: Any,
    exchanges: Any,
    result: Any,
    layout: Any,
    keys: Any,
    offsets: Any,
) -> None:
    """Compute row by row: sort the columns of new rows along z, then run the network on parts.

    `offsets` holds the begin in `keys` of each row of the network, the rows of the ring first.
    """
    flip, infinity, _ = encoding
    nz, ny, nx = shape
    sz, sy, sx = size
    inputs = sz * sy
    for k in range(inputs, offsets.size):
        offsets[k] = layout.ring + (k - inputs) * layout.step
    for z in range(nz):
        for y in range(ny + sy - 1):
            first = y % sy * sz * layout.line
            for k in range(sz):
                line = keys[first + k * layout.line :][: layout.line]
                _load_row(source, maps, z + k, y, sx // 2, nx, encoding, line)
            _sort_columns(keys[first : first + sz * layout.line], layout.line, sz)
            if y < sy - 1:
                continue
            row = row_view(target, z, y - sy + 1, nx)
            for x in range(0, nx, layout.part):
                n = min(layout.part, nx - x)
                for k in range(inputs):
                    offsets[k] = ((y + 1) * sz + k) % inputs * layout.line + x
                _run_network(exchanges, keys, offsets, n)
                selected = keys[offsets[result[0]] + result[1] :][:n]
                decode_row(selected, flip, infinity, row[x : x + n])


@kernel
def _load_row(
    source: FlatRows, maps: IndexMaps, z: int, y: int, rx: int, nx: int, encoding: Any, line: Any
) -> None:
    """Write the keys of a row of the block, and of the values beyond its ends."""
    flip, infinity, cval = encoding
    plane, row = maps[0][z], maps[1][y]
    if OUTSIDE in (plane, row):
        line[:] = cval
        return
    encode_row(row_view(source, plane, row, nx), flip, infinity, line[rx : rx + nx])
    pad_ends(line, maps[2], rx, nx, cval)


@kernel
def _sort_columns(keys: Any, line: int, count: int) -> None:
    """Sort the keys of `count` lines at each x, by odd-even transposition of neighbours."""
    for step in range(count):
        for k in range(step % 2, count - 1, 2):
            low, high = keys[k * line :][:line], keys[(k + 1) * line :][:line]
            for x in range(line):
                a, b = low[x], high[x]
                low[x] = a if a < b else b
                high[x] = b if a < b else a


@kernel
def _run_network(exchanges: Any, keys: Any, offsets: Any, n: int) -> None:
    """Run the exchanges on `n` voxels of the result."""
    for i in range(len(exchanges)):
        row_a, shift_a, row_b, shift_b, smaller, larger, extra = exchanges[i]
        count = n + extra
        a = keys[offsets[row_a] + shift_a :][:count]
        b = keys[offsets[row_b] + shift_b :][:count]
        if larger == UNUSED:
            low = keys[offsets[smaller] :][:count]
            for x in range(count):
                low[x] = a[x] if a[x] < b[x] else b[x]
        elif smaller == UNUSED:
            high = keys[offsets[larger] :][:count]
            for x in range(count):
                high[x] = b[x] if a[x] < b[x] else a[x]
        else:
            low, high = keys[offsets[smaller] :][:count], keys[offsets[larger] :][:count]
            for x in range(count):
                p, q = a[x], b[x]
                low[x] = p if p < q else q
                high[x] = q if p < q else p
