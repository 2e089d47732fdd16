"""The value of one rank in every voxel's window, by histograms that slide.

For windows too large for a network. Voxels fall into buckets that ascend: for one-byte voxels a
bucket is a value, for others the voxels of a tile are sorted and cut into buckets of equal size. A
column of the window keeps a histogram of its buckets, to which a step along y adds a row and from
which it takes one (S. Perreault and P. Hebert, Median filtering in constant time, IEEE Transactions
on Image Processing 16, 2007); a step along x adds a column to the window's histogram and takes one.
The histogram tells the bucket of the wanted rank; the few voxels of that bucket are looked at one
by one. Voxels of one value may be sorted in any order, since it is the value that is written.
"""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import OUTSIDE, positions, sources
from hoaconv.kernels.keys import key, keys_of, load_keys, to_key, to_voxel
from hoaconv.kernels.radix import ascending, ascending_bytes
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = ["slide", "slide_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]
Size = tuple[int, int, int]

_COLUMNS_BYTES = 1 << 19
"""Of the histograms of a tile's columns: they lie in a core's cache."""

_LEAST = 32
"""Columns of a tile's result, at the least: the fewer, the more of its context is counted twice."""

_MOST_ROWS = 128
"""Rows of a tile's result, at the most: what is sorted at once lies in a core's cache."""

_BINS = 16
"""Of a histogram: one holds the wanted rank, and the next histogram has as many within that one."""

_STEPS = (_BINS, 256 + 32, 4096 + 32)
"""Bins from one column's histogram to the next one's, from coarse to fine; if they were powers of
two, the same bin of all columns would fall into one set of a cache."""


_PLACE = 32
"""Bits of a place in a tile's context: z, y and x."""


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
    layout = _Layout.of(out.shape, size, keys.dtype)
    scratch, placed = layout.scratch(), (0, 0, 0)
    for rows, columns in layout.tiles(out.shape):
        tile = made[:, rows, columns]
        shape = _context(tile.shape, size)
        voxels = prod(shape)
        values, buckets = scratch.values[:voxels], scratch.buckets[:voxels]
        begin = size[2] // 2 - (core[2].start or 0) - columns.start
        ends = begin, begin + block.shape[2]
        reach = maps[0], maps[1][rows.start :], maps[2][columns.start :], ends
        _gather(source, reach, shape, order, values)
        places, shifts = scratch.places[:voxels], layout.shifts
        if keys.dtype.itemsize == 1:
            _take_values(values, buckets)
        else:
            if shape != placed:
                _place(places, shape, shifts)
                placed = shape
            first, second = scratch.room
            places = ascending(values, places, (first[:voxels], second[:voxels]))
            _number(places, shifts, shape, scratch.starts, buckets)
        given = buckets, shape, values, places, shifts, scratch.starts
        histograms, window = layout.histograms(scratch, shape[2])
        flat, *steps = flat_rows(tile)
        _slide(given, size, rank, histograms, window, (flat, tile.shape, *steps), order)


def slide_bytes(shape: Size, dtype: np.dtype[Any], size: Size) -> int:
    """Bytes that `slide` allocates for a block of this shape and dtype."""
    layout = _Layout.of(shape, size, keys_of(dtype).dtype)
    maps = (sum(shape) + 2 * sum(size)) * 8
    return layout.nbytes + 4 * maps + (2 << 10)


class _Scratch(NamedTuple):
    values: Flat
    places: Flat
    """z, y and x in the tile's context of each voxel, in the order of values."""
    buckets: Flat
    starts: Flat
    """Of each bucket, its first voxel in that order."""
    columns: Flat
    """Histograms of the columns, one fineness after the other."""
    window: Flat
    """Those of the window."""
    room: tuple[Flat, Flat]
    """To sort in."""


class _Layout(NamedTuple):
    """Sizes of a tile's result and of what is kept for it."""

    rows: int
    columns: int
    context: Size
    digits: int
    """Histograms of a column, each `_BINS` times as fine as the one before."""
    counts: np.dtype[Any]
    keys: np.dtype[Any]

    @classmethod
    def of(cls, shape: Size, size: Size, keys: np.dtype[Any]) -> "_Layout":
        counts = np.dtype(np.uint16 if prod(size) < 1 << 16 else np.uint32)
        digits = 2 if keys.itemsize == 1 else 3
        across = _COLUMNS_BYTES // (_STEPS[digits - 1] * counts.itemsize) - size[2] + 1
        rows, columns = _even(shape[1], _MOST_ROWS), _even(shape[2], max(_LEAST, across))
        while sum(_bits(_context((shape[0], rows, columns), size))) > _PLACE and rows * columns > 1:
            rows, columns = -(-rows // 2), -(-columns // 2)
        return cls(rows, columns, _context((shape[0], rows, columns), size), digits, counts, keys)

    @property
    def shifts(self) -> tuple[int, int]:
        """Bits below those of y and of z in a place: each has one more than it needs."""
        _, y, x = _bits(self.context)
        return x, x + y

    def _sizes(self) -> Iterator[tuple[int, np.dtype[Any]]]:
        """Elements and dtype of each array of the scratch, as they stand in it."""
        voxels, across = prod(self.context), self.context[2]
        sorted_ones = voxels if self.keys.itemsize > 1 else 0
        yield voxels, self.keys
        yield sorted_ones, np.dtype(np.uint32)
        yield voxels, np.dtype(np.uint16)
        yield (_BINS**self.digits) + 1, np.dtype(np.int64)
        yield across * sum(_STEPS[: self.digits]), self.counts
        yield sum(_BINS ** (k + 1) for k in range(self.digits)), self.counts
        yield sorted_ones, np.dtype(np.uint64)
        yield sorted_ones, np.dtype(np.uint64)

    @property
    def nbytes(self) -> int:
        """Bytes of the scratch and of the sort."""
        held = sum(count * dtype.itemsize for count, dtype in self._sizes())
        return held + ascending_bytes(self.keys, prod(self.context))

    def scratch(self) -> _Scratch:
        """What `slide` keeps from tile to tile."""
        made = [np.empty(count, dtype) for count, dtype in self._sizes()]
        values, places, buckets, starts, columns, window, first, second = made
        return _Scratch(values, places, buckets, starts, columns, window, (first, second))

    def histograms(self, scratch: _Scratch, across: int) -> tuple[tuple[Flat, ...], ...]:
        """From coarse to fine: those of so many columns, and that of the window."""
        ends = np.cumsum([across * step for step in _STEPS[: self.digits]])
        bins = np.cumsum([_BINS ** (k + 1) for k in range(self.digits)])
        columns = np.split(scratch.columns[: ends[-1]], ends[:-1])
        return tuple(columns), tuple(np.split(scratch.window, bins[:-1]))

    def tiles(self, shape: Size) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of each tile."""
        for y in range(0, shape[1], self.rows):
            for x in range(0, shape[2], self.columns):
                yield (
                    slice(y, min(y + self.rows, shape[1])),
                    slice(x, min(x + self.columns, shape[2])),
                )


def _even(n: int, most: int) -> int:
    """The size of parts of `n`, of `most` at the most, that are as good as equal."""
    return -(-n // -(-n // most))


def _bits(context: Size) -> Size:
    """Bits of z, y and x in a place, one more than each of them needs."""
    z, y, x = (n.bit_length() + 1 for n in context)
    return z, y, x


def _context(shape: Size, size: Size) -> Size:
    z, y, x = (n + wide - 1 for n, wide in zip(shape, size, strict=True))
    return z, y, x


@njit(nogil=True, cache=True, error_model="numpy")
def _gather(source: Planes, reach: Any, shape: Any, order: Any, values: Any) -> None:
    """Keys of a tile and its context, whose columns between two ends are the block's, in order."""
    flipped, infinity, cval = order
    flat, z_step, y_step = source
    from_z, from_y, from_x, ends = reach
    nz, ny, nx = shape
    first, last = max(0, ends[0]), min(nx, ends[1])
    for z in range(nz):
        for y in range(ny):
            line = values[(z * ny + y) * nx :][:nx]
            if from_z[z] == OUTSIDE or from_y[y] == OUTSIDE:
                line[:] = cval
                continue
            begin = from_z[z] * z_step + from_y[y] * y_step
            for beyond in (range(first), range(last, nx)):
                for x in beyond:
                    at = from_x[x]
                    line[x] = cval if at == OUTSIDE else to_key(flat[begin + at], flipped, infinity)
            middle = flat[begin + from_x[first] :][: last - first]
            load_keys(middle, flipped, infinity, line[first:last])


@njit(nogil=True, cache=True, error_model="numpy")
def _take_values(values: Any, buckets: Any) -> None:
    """A bucket for each value of a byte."""
    for i in range(values.size):
        buckets[i] = values[i] + 128


@njit(nogil=True, cache=True, error_model="numpy")
def _place(places: Any, shape: Any, shifts: Any) -> None:
    """Tell where each voxel of a context stands: z, y and x in the bits of one number."""
    nz, ny, nx = shape
    i = 0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                places[i] = (z << shifts[1]) | (y << shifts[0]) | x
                i += 1


@njit(inline="always")
def _index(place: Any, shifts: Any, shape: Any) -> Any:
    """The index in a context of the voxel at a place."""
    _, ny, nx = shape
    where = np.int64(place)
    y, x = (
        (where >> shifts[0]) & ((1 << (shifts[1] - shifts[0])) - 1),
        where & ((1 << shifts[0]) - 1),
    )
    return ((where >> shifts[1]) * ny + y) * nx + x


@njit(nogil=True, cache=True, error_model="numpy")
def _number(places: Any, shifts: Any, shape: Any, starts: Any, buckets: Any) -> None:
    """Cut the sorted voxels into buckets, and tell each voxel its own."""
    many = starts.size - 1
    for bucket in range(many):
        starts[bucket], end = bucket * places.size // many, (bucket + 1) * places.size // many
        for k in range(starts[bucket], end):
            buckets[_index(places[k], shifts, shape)] = bucket
    starts[many] = places.size


@njit(nogil=True, cache=True, error_model="numpy")
def _slide(
    given: Any, size: Any, rank: int, columns: Any, window: Any, target: Any, order: Any
) -> None:
    """Write the voxels of a tile, row by row."""
    buckets, context, values, places, shifts, starts = given
    coarse, middle, fine = columns[0], columns[1], columns[-1]
    in_coarse, in_middle, in_fine = window[0], window[1], window[-1]
    bytewise = values.itemsize == 1
    flat, (nz, ny, nx), z_step, y_step = target
    flipped, infinity, _ = order
    deep, tall, wide = size
    extent = ((deep - 1) << shifts[1]) | ((tall - 1) << shifts[0]) | (wide - 1)
    guards = (1 << (shifts[0] - 1)) | (1 << (shifts[1] - 1)) | (1 << _PLACE)
    at_middle, at_fine = np.empty(_BINS, np.int64), np.empty(_BINS**2, np.int64)
    for z in range(nz):
        for y in range(ny):
            if y == 0:
                _count(buckets[z * context[1] * context[2] :], context, size, columns)
            else:
                before = buckets[(z * context[1] + y - 1) * context[2] :]
                _move(before, context, size, coarse, middle, fine, bytewise)
            row = flat[z * z_step + y * y_step :][:nx]
            at_middle[:], at_fine[:] = -2 * wide, -2 * wide
            in_coarse[:] = 0
            for x in range(wide):
                _add(in_coarse, coarse[x * _BINS :][:_BINS])
            for x in range(nx):
                if x > 0:
                    come, gone = coarse[(x + wide - 1) * _BINS :], coarse[(x - 1) * _BINS :]
                    _exchange(in_coarse, come[:_BINS], gone[:_BINS])
                bucket, left = _find(in_coarse, rank)
                part = in_middle[bucket * _BINS :][:_BINS]
                _refresh(part, middle[bucket * _BINS :], _STEPS[1], at_middle[bucket], x, wide)
                at_middle[bucket] = x
                bin_, left = _find(part, left)
                bucket = bucket * _BINS + bin_
                if bytewise:
                    row[x] = to_voxel(bucket - 128, flipped, infinity)
                    continue
                part = in_fine[bucket * _BINS :][:_BINS]
                _refresh(part, fine[bucket * _BINS :], _STEPS[2], at_fine[bucket], x, wide)
                at_fine[bucket] = x
                bin_, left = _find(part, left)
                bucket = bucket * _BINS + bin_
                first = (z << shifts[1]) | (y << shifts[0]) | x
                place = _among(places, starts[bucket], left, first, first + extent, guards)
                row[x] = to_voxel(values[_index(place, shifts, context)], flipped, infinity)


@njit(nogil=True, cache=True, error_model="numpy")
def _count(buckets: Any, context: Any, size: Any, columns: Any) -> None:
    """Count the first rows of a window in the columns' histograms."""
    _, ny, nx = context
    deep, tall, _ = size
    for k, histograms in enumerate(columns):
        histograms[:] = 0
        shift, step = np.uint64(4 * (len(columns) - 1 - k)), _STEPS[k]
        for z in range(deep):
            for i in range(z * ny * nx, (z * ny + tall) * nx):
                histograms[np.uint64(i % nx * step) + (np.uint64(buckets[i]) >> shift)] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _move(
    buckets: Any, context: Any, size: Any, coarse: Any, middle: Any, fine: Any, bytewise: bool
) -> None:
    """Take a row of some planes out, and count the row that is a window's height below it."""
    _, ny, nx = context
    deep, tall, _ = size
    plane, below, four = np.uint64(ny * nx), np.uint64(tall * nx), np.uint64(4)
    for x in range(nx):
        one, two, three = coarse[x * _STEPS[0] :], middle[x * _STEPS[1] :], fine[x * _STEPS[2] :]
        at = np.uint64(x)
        for _ in range(deep):
            gone, come = np.uint64(buckets[at]), np.uint64(buckets[at + below])
            if not bytewise:
                three[gone] -= 1
                three[come] += 1
                gone, come = gone >> four, come >> four
            two[gone] -= 1
            two[come] += 1
            one[gone >> four] -= 1
            one[come >> four] += 1
            at += plane


@njit(inline="always")
def _refresh(part: Any, columns: Any, step: int, before: int, x: int, wide: int) -> None:
    """Bring some bins of the window's histogram from where it stood `before` to `x`."""
    if 2 * (x - before) > wide:
        part[:] = 0
        for k in range(x, x + wide):
            _add(part, columns[k * step :][: part.size])
    else:
        for k in range(before, x):
            come, gone = columns[(k + wide) * step :], columns[k * step :]
            _exchange(part, come[: part.size], gone[: part.size])


@njit(inline="always")
def _add(sums: Any, come: Any) -> None:
    for k in range(sums.size):  # not a constant: LLVM would unroll the loop and not vectorise it
        sums[k] += come[k]


@njit(inline="always")
def _exchange(sums: Any, come: Any, gone: Any) -> None:
    for k in range(sums.size):
        sums[k] = sums[k] + come[k] - gone[k]


@njit(inline="always")
def _find(sums: Any, rank: Any) -> Any:
    """The bin that holds a rank, and the rank within it."""
    k, left = 0, np.int64(rank)
    while left >= sums[k]:
        left -= sums[k]
        k += 1
    return k, left


@njit(inline="always")
def _among(places: Any, at: int, left: int, first: int, last: int, guards: int) -> Any:
    """The place of a voxel of a bucket that begins at `at`: the one of number `left` in the box.

    `first` and `last` are the corners of the box. A bit above each of z, y and x is set before a
    subtraction, and stays set only where nothing is borrowed from it: three comparisons at once.
    The histograms have told that there is such a voxel.
    """
    place = np.int64(0)
    while left >= 0:
        place = np.int64(places[at])
        at += 1
        above, below = (place | guards) - first, (last | guards) - place
        left -= (above & below & guards) == guards
    return place
