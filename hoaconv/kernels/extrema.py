"""Minimum and maximum filters with a box, a ball or a cross.

Voxels are compared as unsigned integer keys. The order of the keys is total, so the bits of the
result do not depend on the order of comparisons, as they would with NaN and the two zeros of
floats. One search for the minimum serves both filters: the maximum is the complement of the minimum
of the complements.
"""

from functools import lru_cache
from math import isqrt
from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, index_maps, index_maps_bytes, pad_ends
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import as_voxel
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Core, FlatRows, IndexMaps, Slab, Triple, Vector

__all__ = [
    "FOOTPRINTS",
    "box_extremum",
    "box_extremum_bytes",
    "footprint_extremum",
    "footprint_extremum_bytes",
]

FOOTPRINTS = ("box", "ball", "cross")


def box_extremum(
    block: Slab, core: Core, out: Slab, size: Triple, maximum: bool, mode: str, cval: float
) -> None:
    """Write the minimum or maximum of the box around each voxel of ``block[core]``.

    The time hardly depends on the size of the box. Along y this is the algorithm of M. van Herk,
    "A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels",
    Pattern Recognition Letters 13 (1992) 517-521, and of J. Gil and M. Werman, "Computing 2-D min,
    median, and max filters", IEEE Trans. Pattern Analysis and Machine Intelligence 15 (1993)
    504-507.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of ``size // 2`` voxels.
    core : (z, y, x) slices
        The part to compute.
    out : array (z, y, x) of the dtype of `block`
        Takes the result, in the shape of the core. It is NaN where the box contains NaN.
    size : (z, y, x) ints
        Voxels of the box along each axis. A box of even size has one voxel more on the side of the
        lower indices.
    maximum : bool
        Write the maximum instead of the minimum.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``; rounded and saturated for an integer
        dtype.
    """
    encoding = _encoding(block.dtype, maximum)
    nx, key = block.shape[2], encoding.sign.dtype
    _box(
        flat_rows(block.view(key)),
        flat_rows(out.view(key)),
        out.shape,
        index_maps(block.shape, core, (size[0] // 2, size[1] // 2, size[2] // 2), mode),
        size,
        encoding,
        _key_of(cval, block.dtype, encoding),
        np.empty((out.shape[0] + size[0], nx), key),
        np.empty((out.shape[0], size[1] + 1, nx), key),
        np.empty((2, nx + size[2] // 2 * 2), key),
    )


def box_extremum_bytes(shape: Triple, dtype: np.dtype[Any], size: Triple) -> int:
    """Return the bytes that `box_extremum` allocates for a block of this shape and dtype."""
    nz, _, nx = shape
    rows = nz + size[0] + nz * (size[1] + 1)
    radii = size[0] // 2, size[1] // 2, size[2] // 2
    return (rows * nx + 2 * (nx + 2 * radii[2])) * dtype.itemsize + index_maps_bytes(shape, radii)


def footprint_extremum(
    block: Slab,
    core: Core,
    out: Slab,
    radii: Triple,
    footprint: str,
    maximum: bool,
    mode: str,
    cval: float,
) -> None:
    """Write the minimum or maximum of the ball or cross around each voxel of ``block[core]``.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of `radii` voxels.
    core, out, maximum, mode, cval
        As for `box_extremum`.
    radii : (z, y, x) ints
        Radii of the footprint.
    footprint : {"ball", "cross"}
        A ball contains the offsets d with ``sum((d / radii) ** 2) <= 1``, where d is 0 along an
        axis of radius 0. A cross contains the offsets along one axis only.
    """
    encoding = _encoding(block.dtype, maximum)
    nx, key = block.shape[2], encoding.sign.dtype
    ring = np.full((out.shape[0], 2 * radii[1] + 1, nx), np.iinfo(key).max, key)
    _footprint(
        flat_rows(block.view(key)),
        flat_rows(out.view(key)),
        out.shape,
        index_maps(block.shape, core, radii, mode),
        radii,
        _lines(radii, footprint),
        encoding,
        _key_of(cval, block.dtype, encoding),
        ring,
        np.empty((2, nx + 2 * radii[2]), key),
    )


def footprint_extremum_bytes(shape: Triple, dtype: np.dtype[Any], radii: Triple) -> int:
    """Return the bytes that `footprint_extremum` allocates for a block of this shape and dtype."""
    nz, _, nx = shape
    ring = nz * (2 * radii[1] + 1) * nx
    lines = (2 * radii[0] + 1) * (2 * radii[1] + 1) * 32 + radii[2] * 16
    rows = (ring + 2 * (nx + 2 * radii[2])) * dtype.itemsize
    return rows + lines + index_maps_bytes(shape, radii)


class _Encoding(NamedTuple):
    """The map from the bits of a voxel to an unsigned key that ascends with the voxel.

    Flipping the sign bit makes signed integers ascend. It makes floats ascend if all other bits of
    the negative ones are flipped before. NaN of either sign then lies beyond the infinities, and
    becomes key 0, the minimum.
    """

    sign: Any
    """The sign bit."""
    negative: Any
    """Bits to flip first if the sign bit is set."""
    flip: Any
    """Bits to flip then, in all voxels."""
    largest: Any
    """The largest key that is not NaN."""


def _encoding(dtype: np.dtype[Any], maximum: bool) -> _Encoding:
    """Return the encoding of a dtype, with complemented keys for a search of the maximum."""
    key = np.dtype(f"u{dtype.itemsize}")
    ones = int(np.iinfo(key).max)
    sign = ones // 2 + 1
    real = dtype.kind == "f"
    largest = int(np.array(np.inf, dtype).view(key)[()]) ^ sign if real else ones
    flip = (0 if dtype.kind == "u" else sign) ^ (ones if maximum else 0)
    negative = sign - 1 if real else 0
    return _Encoding(key.type(sign), key.type(negative), key.type(flip), key.type(largest))


def _key_of(value: float, dtype: np.dtype[Any], encoding: _Encoding) -> Any:
    """Return the key of a number, which is rounded and saturated for an integer dtype."""
    key = np.array([as_voxel(value, dtype)], dtype).view(encoding.sign.dtype)
    _encode(key, encoding, key)
    return key[0]


class _Lines(NamedTuple):
    """A footprint as lines along x, sorted by length.

    The lines of ``length[i]`` voxels are those from ``first[i]`` to ``first[i + 1]``. `dz` and `dy`
    are the offsets of each line from the corner of the footprint, which are not negative.
    """

    length: Vector
    first: Vector
    dz: Vector
    dy: Vector


@lru_cache(maxsize=8)
def _lines(radii: Triple, footprint: str) -> _Lines:
    """Return the lines of a ball or a cross."""
    rz, ry, _ = radii
    half_length = _ball_half_length if footprint == "ball" else _cross_half_length
    lines = sorted(
        (2 * half + 1, dz + rz, dy + ry)
        for dz in range(-rz, rz + 1)
        for dy in range(-ry, ry + 1)
        if (half := half_length(radii, dz, dy)) is not None
    )
    lengths, dz, dy = np.array(lines).T.copy()
    length, first = np.unique(lengths, return_index=True)
    return _Lines(length, np.append(first, lengths.size), dz, dy)


def _ball_half_length(radii: Triple, dz: int, dy: int) -> int | None:
    """Return the largest offset along x in a ball at `dz` and `dy`; None if there is none.

    The arithmetic is in integers, since rounded floats would exclude voxels on the surface.
    """
    rz, ry, rx = (max(r, 1) ** 2 for r in radii)
    rest = rz * ry - dz * dz * ry - dy * dy * rz
    return None if rest < 0 else min(radii[2], isqrt(rest * rx // (rz * ry)))


def _cross_half_length(radii: Triple, dz: int, dy: int) -> int | None:
    """Return the largest offset along x in a cross at `dz` and `dy`; None if there is none."""
    if dz and dy:
        return None
    return 0 if dz or dy else radii[2]


@kernel
def _box(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    size: Any,
    encoding: Any,
    cval: Any,
    column: Any,
    rings: Any,
    lines: Any,
) -> None:
    """Compute the minima along z, then along x, then along y.

    Along y, rows are in groups of the size of the box. The ring of a plane holds, for each row of
    the previous group, the minimum of this row and all later ones of the group; for the current
    group the rows themselves and, in the last place, their minimum so far. A box ends in the
    current group and begins in the previous one, so its minimum is that of two rows of the ring.
    """
    nz, ny, nx = shape
    sz, sy, sx = size
    for y in range(ny + sy - 1):
        for k in range(nz + sz - 1):
            _load_row(source, maps[0][k], maps[1][y], encoding, cval, column[k])
        _minima_z(column, nz + sz - 1, sz)
        place = y % sy
        for z in range(nz):
            ring, current = rings[z], rings[z, sy]
            row, spare = lines[0], lines[1]
            _copy(column[z], row[sx // 2 : sx // 2 + nx])
            pad_ends(row, maps[2], sx // 2, nx, cval)
            row, spare = _minima_x(row, spare, 1, sx)
            _copy(row, ring[place])
            if place == 0:
                _copy(row, current)
            else:
                _take_minima(current, row)
            if y >= sy - 1:
                previous = current if place == sy - 1 else ring[place + 1]
                _store_minima(current, previous, encoding, row_view(target, z, y - sy + 1, nx))
            if place == sy - 1:
                for k in range(sy - 2, -1, -1):
                    _take_minima(ring[k], ring[k + 1])


@kernel
def _footprint(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    radii: Any,
    footprint: Any,
    encoding: Any,
    cval: Any,
    ring: Any,
    lines: Any,
) -> None:
    """Load each row of the block once, and update all rows of the result that contain it.

    `ring` holds the minima so far of the rows that are not yet complete; it comes filled with the
    largest key.
    """
    nz, ny, nx = shape
    rz, ry, rx = radii
    span = 2 * ry + 1
    empty = ring[0, 0, 0]
    for y in range(ny + span - 1):
        for k in range(nz + 2 * rz):
            row, spare = lines[0], lines[1]
            _load_row(source, maps[0][k], maps[1][y], encoding, cval, row[rx : rx + nx])
            pad_ends(row, maps[2], rx, nx, cval)
            _scatter(row, spare, k, y, shape, rx, footprint, ring)
        if y < span - 1:
            continue
        for z in range(nz):
            minima = ring[z, (y + 1) % span]
            _store_minima(minima, minima, encoding, row_view(target, z, y - span + 1, nx))
            minima[:] = empty


@kernel
def _scatter(
    row: Any, spare: Any, z: int, y: int, shape: Any, rx: int, footprint: Any, ring: Any
) -> None:
    """Update with row `y` of plane `z` the rows of the result that contain it."""
    nz, ny, nx = shape
    done = 1
    for i in range(footprint.length.size):
        length = footprint.length[i]
        row, spare = _minima_x(row, spare, done, length)
        done = length
        begin = rx - length // 2
        for j in range(footprint.first[i], footprint.first[i + 1]):
            to_z, to_y = z - footprint.dz[j], y - footprint.dy[j]
            if 0 <= to_z < nz and 0 <= to_y < ny:
                _take_minima(ring[to_z, to_y % ring.shape[1]], row[begin : begin + nx])


@kernel
def _load_row(source: FlatRows, z: int, y: int, encoding: Any, cval: Any, row: Any) -> None:
    """Write the keys of a row of the block, or `cval` for a row outside."""
    if OUTSIDE in (z, y):
        row[:] = cval
    else:
        _encode(row_view(source, z, y, row.size), encoding, row)


@kernel
def _encode(voxels: Any, encoding: Any, keys: Any) -> None:
    """Write the keys of a row of voxels, which are viewed as unsigned integers."""
    sign, negative, flip, largest = encoding
    for x in range(keys.size):
        bits = voxels[x]
        bits = (bits ^ negative if bits >= sign else bits) ^ flip
        keys[x] = keys.dtype.type(0) if bits > largest else bits  # a plain 0 would make it float


@kernel
def _store_minima(a: Any, b: Any, encoding: Any, voxels: Any) -> None:
    """Write the voxels of the minima of two rows of keys."""
    sign, negative, flip, _ = encoding
    for x in range(voxels.size):
        bits = (b[x] if b[x] < a[x] else a[x]) ^ flip
        voxels[x] = bits ^ negative if bits >= sign else bits


@kernel
def _copy(source: Any, target: Any) -> None:
    """Copy a row, ten times as fast as numba's assignment of a slice to a slice."""
    for x in range(target.size):
        target[x] = source[x]


@kernel
def _take_minima(a: Any, b: Any) -> None:
    """Replace row `a` by the minima of rows `a` and `b`."""
    for x in range(a.size):
        a[x] = b[x] if b[x] < a[x] else a[x]


@kernel
def _minima_z(rows: Any, n: int, size: int) -> None:
    """Replace each of `n` rows by the minima of it and the ``size - 1`` rows after it.

    The minima of 2 k rows are those of two minima of k rows.
    """
    done = 1
    while done < size:
        step = min(done, size - done)
        done += step
        for k in range(n - done + 1):
            _take_minima(rows[k], rows[k + step])


@kernel
def _minima_x(row: Any, spare: Any, done: int, size: int) -> Any:
    """Compute the minima of `size` neighbours along x from those of `done` neighbours.

    Returns the row that holds the result, and the other one.
    """
    while done < size:
        step = min(done, size - done)
        done += step
        left, right = row[: row.size - done + 1], row[step : row.size - done + 1 + step]
        for x in range(left.size):
            spare[x] = right[x] if right[x] < left[x] else left[x]
        row, spare = spare, row
    return row, spare
