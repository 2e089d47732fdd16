"""Rank filters of large windows, by sliding histograms.

Voxels fall into buckets in ascending order. For 8-bit voxels a bucket is a value; for other dtypes
the voxels of a tile are sorted and divided into buckets of equal size. Each column of the window
has a histogram of its buckets: a step along y adds one row to it and removes one (S. Perreault and
P. Hebert, "Median filtering in constant time", IEEE Trans. Image Processing 16 (2007) 2389-2394). A
step along x adds the histogram of one column to that of the window and removes one (T. S. Huang,
G. J. Yang and G. Y. Tang, "A fast two-dimensional median filtering algorithm", IEEE Trans.
Acoustics, Speech and Signal Processing 27 (1979) 13-18).

The histogram of the window gives the bucket of the required rank. A search through the few voxels
of that bucket then finds the voxel. Equal voxels may be sorted in any order, since only their value
is written.
"""

from math import prod
from typing import Any

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, boundary_indices, context_positions
from hoaconv.kernels.jit import inlined, kernel
from hoaconv.kernels.keys import decode_key, encode_key, encode_row, key_encoding, key_of
from hoaconv.kernels.radix import sort_by_key
from hoaconv.kernels.rank_tiles import BINS, POSITION_BITS, STEPS, Layout, context_shape
from hoaconv.kernels.rows import flat_rows
from hoaconv.kernels.types import Core, FlatRows, Slab, Triple

__all__ = ["histogram_rank_filter", "histogram_rank_filter_bytes"]


def histogram_rank_filter(
    block: Slab, core: Core, out: Slab, size: Triple, rank: int, mode: str, cval: float
) -> None:
    """Write the value of one rank in the window around each voxel of ``block[core]``.

    Parameters and result are those of `hoaconv.kernels.rank_network.network_rank_filter`.
    """
    keys = key_encoding(block.dtype)
    encoding = keys.flip, keys.infinity, key_of(cval, block.dtype)
    source, target = flat_rows(block.view(keys.dtype)), out.view(keys.dtype)
    maps = [
        boundary_indices(context_positions(part, n, span // 2), n, mode)
        for part, n, span in zip(core, block.shape, size, strict=True)
    ]
    layout = Layout.of(out.shape, size, keys.dtype)
    workspace, numbered = layout.workspace(), (0, 0, 0)
    for rows, columns in layout.tiles(out.shape):
        tile = target[:, rows, columns]
        shape = context_shape(tile.shape, size)
        voxels = prod(shape)
        values, buckets = workspace.values[:voxels], workspace.buckets[:voxels]
        begin = size[2] // 2 - (core[2].start or 0) - columns.start
        ends = begin, begin + block.shape[2]
        reach = maps[0], maps[1][rows.start :], maps[2][columns.start :], ends
        _load_tile(source, reach, shape, encoding, values)
        positions, shifts = workspace.positions[:voxels], layout.shifts
        if keys.dtype.itemsize == 1:
            _bucket_values(values, buckets)
        else:
            if shape != numbered:
                _number_positions(positions, shape, shifts)
                numbered = shape
            first, second = workspace.sort
            positions = sort_by_key(values, positions, (first[:voxels], second[:voxels]))
            _bucket_ranks(positions, shifts, shape, workspace.starts, buckets)
        context = buckets, shape, values, positions, shifts, workspace.starts
        histograms, window = layout.histograms(workspace, shape[2])
        flat, *steps = flat_rows(tile)
        _filter_tile(context, size, rank, histograms, window, (flat, tile.shape, *steps), encoding)


def histogram_rank_filter_bytes(shape: Triple, dtype: np.dtype[Any], size: Triple) -> int:
    """Return the bytes that `histogram_rank_filter` allocates for a block of this shape."""
    layout = Layout.of(shape, size, key_encoding(dtype).dtype)
    maps = (sum(shape) + 2 * sum(size)) * 8
    return layout.nbytes + 4 * maps + (2 << 10)


@kernel
def _load_tile(source: FlatRows, reach: Any, shape: Any, encoding: Any, values: Any) -> None:
    """Write the keys of a tile and its context.

    `reach` holds the index maps of the context, and start and stop of the columns that are
    consecutive columns of the block.
    """
    flip, infinity, cval = encoding
    flat, z_step, y_step = source
    z_map, y_map, x_map, ends = reach
    nz, ny, nx = shape
    first, last = max(0, ends[0]), min(nx, ends[1])
    for z in range(nz):
        for y in range(ny):
            line = values[(z * ny + y) * nx :][:nx]
            if z_map[z] == OUTSIDE or y_map[y] == OUTSIDE:
                line[:] = cval
                continue
            row = flat[z_map[z] * z_step + y_map[y] * y_step :]
            for beyond in (range(first), range(last, nx)):
                for x in beyond:
                    i = x_map[x]
                    line[x] = cval if i == OUTSIDE else encode_key(row[i], flip, infinity)
            middle = row[x_map[first] :][: last - first]
            encode_row(middle, flip, infinity, line[first:last])


@kernel
def _bucket_values(values: Any, buckets: Any) -> None:
    """Write the bucket of each 8-bit voxel: its value."""
    for i in range(values.size):
        buckets[i] = values[i] + 128


@kernel
def _number_positions(positions: Any, shape: Any, shifts: Any) -> None:
    """Write the position of each voxel of a context: the bits of z, y and x in one integer."""
    nz, ny, nx = shape
    i = 0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                positions[i] = (z << shifts[1]) | (y << shifts[0]) | x
                i += 1


@inlined
def _index(position: Any, shifts: Any, shape: Any) -> Any:
    """Return the index in a context of the voxel at a position."""
    _, ny, nx = shape
    bits = np.int64(position)
    y = (bits >> shifts[0]) & ((1 << (shifts[1] - shifts[0])) - 1)
    x = bits & ((1 << shifts[0]) - 1)
    return ((bits >> shifts[1]) * ny + y) * nx + x


@kernel
def _bucket_ranks(positions: Any, shifts: Any, shape: Any, starts: Any, buckets: Any) -> None:
    """Divide sorted voxels into buckets of equal size, and write the bucket of each voxel."""
    count = starts.size - 1
    for bucket in range(count):
        starts[bucket] = bucket * positions.size // count
        stop = (bucket + 1) * positions.size // count
        for k in range(starts[bucket], stop):
            buckets[_index(positions[k], shifts, shape)] = bucket
    starts[count] = positions.size


@kernel
def _filter_tile(
    context: Any, size: Any, rank: int, columns: Any, window: Any, target: Any, encoding: Any
) -> None:
    """Write the result of a tile row by row."""
    buckets, shape, values, positions, shifts, starts = context
    coarse, middle, fine = columns[0], columns[1], columns[-1]
    in_coarse, in_middle, in_fine = window[0], window[1], window[-1]
    is_byte = values.itemsize == 1
    flat, (nz, ny, nx), z_step, y_step = target
    flip, infinity, _ = encoding
    sz, sy, sx = size
    extent = ((sz - 1) << shifts[1]) | ((sy - 1) << shifts[0]) | (sx - 1)
    guards = (1 << (shifts[0] - 1)) | (1 << (shifts[1] - 1)) | (1 << POSITION_BITS)
    at_middle, at_fine = np.empty(BINS, np.int64), np.empty(BINS**2, np.int64)
    for z in range(nz):
        for y in range(ny):
            if y == 0:
                _count(buckets[z * shape[1] * shape[2] :], shape, size, columns)
            else:
                previous = buckets[(z * shape[1] + y - 1) * shape[2] :]
                _move_down(previous, shape, size, coarse, middle, fine, is_byte)
            row = flat[z * z_step + y * y_step :][:nx]
            at_middle[:], at_fine[:] = -2 * sx, -2 * sx
            in_coarse[:] = 0
            for x in range(sx):
                _add(in_coarse, coarse[x * BINS :][:BINS])
            for x in range(nx):
                if x > 0:
                    entering, leaving = coarse[(x + sx - 1) * BINS :], coarse[(x - 1) * BINS :]
                    _replace(in_coarse, entering[:BINS], leaving[:BINS])
                bucket, rest = _find(in_coarse, rank)
                part = in_middle[bucket * BINS :][:BINS]
                _refresh(part, middle[bucket * BINS :], STEPS[1], at_middle[bucket], x, sx)
                at_middle[bucket] = x
                bin_, rest = _find(part, rest)
                bucket = bucket * BINS + bin_
                if is_byte:
                    row[x] = decode_key(bucket - 128, flip, infinity)
                    continue
                part = in_fine[bucket * BINS :][:BINS]
                _refresh(part, fine[bucket * BINS :], STEPS[2], at_fine[bucket], x, sx)
                at_fine[bucket] = x
                bin_, rest = _find(part, rest)
                bucket = bucket * BINS + bin_
                first = (z << shifts[1]) | (y << shifts[0]) | x
                position = _search(positions, starts[bucket], rest, first, first + extent, guards)
                row[x] = decode_key(values[_index(position, shifts, shape)], flip, infinity)


@kernel
def _count(buckets: Any, shape: Any, size: Any, columns: Any) -> None:
    """Count the first rows of a window in the histograms of the columns."""
    _, ny, nx = shape
    sz, sy, _ = size
    for k, histograms in enumerate(columns):
        histograms[:] = 0
        shift, step = np.uint64(4 * (len(columns) - 1 - k)), STEPS[k]
        for z in range(sz):
            for i in range(z * ny * nx, (z * ny + sy) * nx):
                histograms[np.uint64(i % nx * step) + (np.uint64(buckets[i]) >> shift)] += 1


@kernel
def _move_down(
    buckets: Any, shape: Any, size: Any, coarse: Any, middle: Any, fine: Any, is_byte: bool
) -> None:
    """Move the histograms of the columns one row down: remove the first row, add the next one."""
    _, ny, nx = shape
    sz, sy, _ = size
    plane, below, four = np.uint64(ny * nx), np.uint64(sy * nx), np.uint64(4)
    for x in range(nx):
        one, two, three = coarse[x * STEPS[0] :], middle[x * STEPS[1] :], fine[x * STEPS[2] :]
        i = np.uint64(x)
        for _ in range(sz):
            leaving, entering = np.uint64(buckets[i]), np.uint64(buckets[i + below])
            if not is_byte:
                three[leaving] -= 1
                three[entering] += 1
                leaving, entering = leaving >> four, entering >> four
            two[leaving] -= 1
            two[entering] += 1
            one[leaving >> four] -= 1
            one[entering >> four] += 1
            i += plane


@inlined
def _refresh(part: Any, columns: Any, step: int, previous: int, x: int, sx: int) -> None:
    """Move some bins of the histogram of the window from column `previous` to column `x`."""
    if 2 * (x - previous) > sx:
        part[:] = 0
        for k in range(x, x + sx):
            _add(part, columns[k * step :][: part.size])
    else:
        for k in range(previous, x):
            entering, leaving = columns[(k + sx) * step :], columns[k * step :]
            _replace(part, entering[: part.size], leaving[: part.size])


@inlined
def _add(sums: Any, entering: Any) -> None:
    for k in range(sums.size):  # not a constant: LLVM would unroll the loop and not vectorise it
        sums[k] += entering[k]


@inlined
def _replace(sums: Any, entering: Any, leaving: Any) -> None:
    for k in range(sums.size):
        sums[k] = sums[k] + entering[k] - leaving[k]


@inlined
def _find(counts: Any, rank: Any) -> Any:
    """Return the bin that holds a rank, and the rank within the bin."""
    k, rest = 0, np.int64(rank)
    while rest >= counts[k]:
        rest -= counts[k]
        k += 1
    return k, rest


@inlined
def _search(positions: Any, i: int, rest: int, first: int, last: int, guards: int) -> Any:
    """Return the position of voxel number `rest` of those in the window, from index `i` on.

    `first` and `last` are the corners of the window. `guards` sets a bit above each of z, y and x
    before a subtraction, which clears the bit if it borrows from it: one subtraction compares all
    three. The histograms guarantee that the voxel exists.
    """
    position = np.int64(0)
    while rest >= 0:
        position = np.int64(positions[i])
        i += 1
        above, below = (position | guards) - first, (last | guards) - position
        rest -= (above & below & guards) == guards
    return position
