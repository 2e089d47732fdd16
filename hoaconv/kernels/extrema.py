"""Least or greatest voxel of a window around each: of a box, a ball, a cross.

Voxels are compared as integers without sign. Their order is total, so that the bits of the result
don't depend on who is compared with whom first, as they would with NaN and the two zeros of floats.
One search, for the least, serves all: the greatest is the complement of the least complement.
"""

from functools import lru_cache
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import OUTSIDE, maps_bytes, maps_of, pad_ends
from hoaconv.kernels.pointwise import store
from hoaconv.kernels.rows import Flat, Planes, flat_rows

__all__ = [
    "FOOTPRINTS",
    "box_bytes",
    "box_extreme",
    "footprint_bytes",
    "footprint_extreme",
]

FOOTPRINTS = ("box", "ball", "cross")

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]
Sizes = tuple[int, int, int]


def box_extreme(
    block: Slab, core: Core, out: Slab, size: Sizes, greatest: bool, mode: str, cval: float
) -> None:
    """Write the least voxel of the box around each of ``block[core]`` into `out`.

    What it costs hardly depends on the size.

    Parameters
    ----------
    block : (z, y, x) array
        The core and as much context on each side as ``size // 2``, less only where the volume
        ends. Along x it is whole.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) array of block's dtype
        Of the core's shape. NaN wherever the box holds one.
    size : three ints
        Of the box along z, y, x. One of even size reaches one further back than ahead.
    greatest : bool
        Write the greatest voxel instead.
    mode : one of `hoaconv.kernels.boundary.MODES`
        What lies beyond the block's ends.
    cval : float
        The value outside, for mode ``constant``: rounded and saturated for an integer dtype.
    """
    code = _code(block.dtype, greatest)
    nx, key = block.shape[2], code.half.dtype
    _box(
        flat_rows(block.view(key)),
        flat_rows(out.view(key)),
        out.shape,
        maps_of(block.shape, core, (size[0] // 2, size[1] // 2, size[2] // 2), mode),
        size,
        code,
        _encoded(cval, block.dtype, code),
        np.empty((out.shape[0] + size[0], nx), key),
        np.empty((out.shape[0], size[1] + 1, nx), key),
        np.empty((2, nx + size[2] // 2 * 2), key),
    )


def box_bytes(shape: Sizes, dtype: np.dtype[Any], size: Sizes) -> int:
    """Bytes that `box_extreme` allocates for a block of this shape and dtype."""
    nz, _, nx = shape
    rows = nz + size[0] + nz * (size[1] + 1)
    radii = size[0] // 2, size[1] // 2, size[2] // 2
    return (rows * nx + 2 * (nx + 2 * radii[2])) * dtype.itemsize + maps_bytes(shape, radii)


def footprint_extreme(
    block: Slab,
    core: Core,
    out: Slab,
    radii: Sizes,
    footprint: str,
    greatest: bool,
    mode: str,
    cval: float,
) -> None:
    """Write the least voxel of the ball or cross around each of ``block[core]`` into `out`.

    A ball of radii r holds the offsets d with ``sum((d / r) ** 2) <= 1``, and along an axis of
    radius 0 no other than 0; a cross those along one axis. Other parameters as `box_extreme`.
    """
    code = _code(block.dtype, greatest)
    nx, key = block.shape[2], code.half.dtype
    ring = np.full((out.shape[0], 2 * radii[1] + 1, nx), np.iinfo(key).max, key)
    _footprint(
        flat_rows(block.view(key)),
        flat_rows(out.view(key)),
        out.shape,
        maps_of(block.shape, core, radii, mode),
        radii,
        _lines(radii, footprint),
        code,
        _encoded(cval, block.dtype, code),
        ring,
        np.empty((2, nx + 2 * radii[2]), key),
    )


def footprint_bytes(shape: Sizes, dtype: np.dtype[Any], radii: Sizes) -> int:
    """Bytes that `footprint_extreme` allocates for a block of this shape and dtype."""
    nz, _, nx = shape
    ring = nz * (2 * radii[1] + 1) * nx
    lines = (2 * radii[0] + 1) * (2 * radii[1] + 1) * 32 + radii[2] * 16
    return (ring + 2 * (nx + 2 * radii[2])) * dtype.itemsize + lines + maps_bytes(shape, radii)


class _Code(NamedTuple):
    """How voxels become integers that the search can order: see `_encode`."""

    half: Any
    turn: Any
    flip: Any
    infinite: Any


def _code(dtype: np.dtype[Any], greatest: bool) -> _Code:
    key = np.dtype(f"u{dtype.itemsize}")
    most = int(np.iinfo(key).max)
    half = most // 2 + 1
    real = dtype.kind == "f"
    infinite = int(np.array(np.inf, dtype).view(key)[()]) ^ half if real else most
    flip = (0 if dtype.kind == "u" else half) ^ (most if greatest else 0)
    turn = half - 1 if real else 0
    return _Code(key.type(half), key.type(turn), key.type(flip), key.type(infinite))


def _encoded(cval: float, dtype: np.dtype[Any], code: _Code) -> Any:
    voxel = np.empty(1, dtype)
    store(np.array([float(cval)]), voxel)
    key = voxel.view(code.half.dtype)
    _encode(key, code, key)
    return key[0]


class _Lines(NamedTuple):
    """A footprint as lines along x, the short ones first: those of size i begin at ``first[i]``."""

    size: Flat
    first: Flat
    dz: Flat
    dy: Flat


@lru_cache(maxsize=8)
def _lines(radii: Sizes, footprint: str) -> _Lines:
    """Offsets of lines are counted from the footprint's corner, so none is negative."""
    rz, ry, _ = radii
    reach = _ball_reach if footprint == "ball" else _cross_reach
    lines = sorted(
        (2 * half + 1, dz + rz, dy + ry)
        for dz in range(-rz, rz + 1)
        for dy in range(-ry, ry + 1)
        if (half := reach(radii, dz, dy)) is not None
    )
    sizes, dz, dy = np.array(lines).T.copy()
    size, first = np.unique(sizes, return_index=True)
    return _Lines(size, np.append(first, sizes.size), dz, dy)


def _ball_reach(radii: Sizes, dz: int, dy: int) -> int | None:
    """Greatest offset along x in a ball at these along z and y; None if there is none.

    In whole numbers, because a float's rounding would drop voxels that lie just on the ball.
    """
    rz, ry, rx = (max(r, 1) ** 2 for r in radii)
    rest = rz * ry - dz * dz * ry - dy * dy * rz
    return None if rest < 0 else min(radii[2], isqrt(rest * rx // (rz * ry)))


def _cross_reach(radii: Sizes, dz: int, dy: int) -> int | None:
    if dz and dy:
        return None
    return 0 if dz or dy else radii[2]


@njit(nogil=True, cache=True, error_model="numpy")
def _box(
    source: Planes,
    target: Planes,
    shape: Any,
    maps: Any,
    size: Any,
    code: Any,
    cval: Any,
    column: Any,
    rings: Any,
    lines: Any,
) -> None:
    """For each row: the column of planes shortened along z, then along x, a group of rows along y.

    Groups are as long as the box. Of the one before, a ring keeps the least of each row and those
    after it in its group; of the one now, rows as they are and, in the last place, their least.
    A box ends in the group now and begins in the one before: two rows tell what is least in it.
    """
    into, z_step, y_step = target
    nz, ny, nx = shape
    sz, sy, sx = size
    for y in range(ny + sy - 1):
        for k in range(nz + sz - 1):
            _take_row(source, maps[0][k], maps[1][y], code, cval, column[k])
        _shorten_rows(column, nz + sz - 1, sz)
        place = y % sy
        for z in range(nz):
            ring, least = rings[z], rings[z, sy]
            row, spare = lines[0], lines[1]
            _copy(column[z], row[sx // 2 : sx // 2 + nx])
            pad_ends(row, maps[2], sx // 2, nx, cval)
            row, spare = _shorten(row, spare, 1, sx)
            _copy(row, ring[place])
            if place == 0:
                _copy(row, least)
            else:
                _lower(least, row)
            if y >= sy - 1:
                begin = z * z_step + (y - sy + 1) * y_step
                before = least if place == sy - 1 else ring[place + 1]
                _give(least, before, code, into[begin : begin + nx])
            if place == sy - 1:
                for k in range(sy - 2, -1, -1):
                    _lower(ring[k], ring[k + 1])


@njit(nogil=True, cache=True, error_model="numpy")
def _footprint(
    source: Planes,
    target: Planes,
    shape: Any,
    maps: Any,
    radii: Any,
    footprint: Any,
    code: Any,
    cval: Any,
    ring: Any,
    lines: Any,
) -> None:
    """Take each row that is reached once, and lower with it all rows that see it.

    `ring` holds the least so far of the rows that have more to see; it comes filled.
    """
    into, z_step, y_step = target
    nz, ny, nx = shape
    rz, ry, rx = radii
    turn = 2 * ry + 1
    unseen = ring[0, 0, 0]
    for y in range(ny + turn - 1):
        for k in range(nz + 2 * rz):
            row, spare = lines[0], lines[1]
            _take_row(source, maps[0][k], maps[1][y], code, cval, row[rx : rx + nx])
            pad_ends(row, maps[2], rx, nx, cval)
            _scatter(row, spare, k, y, shape, rx, footprint, ring)
        if y < turn - 1:
            continue
        for z in range(nz):
            begin = z * z_step + (y - turn + 1) * y_step
            seen = ring[z, (y + 1) % turn]
            _give(seen, seen, code, into[begin : begin + nx])
            seen[:] = unseen


@njit(nogil=True, cache=True, error_model="numpy")
def _scatter(
    row: Any, spare: Any, k: int, y: int, shape: Any, rx: int, footprint: Any, ring: Any
) -> None:
    nz, ny, nx = shape
    done = 1
    for i in range(footprint.size.size):
        size = footprint.size[i]
        row, spare = _shorten(row, spare, done, size)
        done = size
        begin = rx - size // 2
        for j in range(footprint.first[i], footprint.first[i + 1]):
            at_z, at_y = k - footprint.dz[j], y - footprint.dy[j]
            if 0 <= at_z < nz and 0 <= at_y < ny:
                _lower(ring[at_z, at_y % ring.shape[1]], row[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _take_row(source: Planes, z: int, y: int, code: Any, cval: Any, row: Any) -> None:
    flat, z_step, y_step = source
    if OUTSIDE in (z, y):
        row[:] = cval
    else:
        begin = z * z_step + y * y_step
        _encode(flat[begin : begin + row.size], code, row)


@njit(nogil=True, cache=True, error_model="numpy")
def _encode(voxels: Any, code: Any, row: Any) -> None:
    """Write the integers, without sign, that are ordered as voxels are: NaN first.

    Signed integers are, with the sign's bit flipped; floats too, if all others of the negative ones
    are turned before. NaN then lies beyond both infinities, from where it is brought to 0.
    """
    half, turn, flip, infinite = code
    for x in range(row.size):
        bits = voxels[x]
        bits = (bits ^ turn if bits >= half else bits) ^ flip
        row[x] = row.dtype.type(0) if bits > infinite else bits  # a plain 0 would make it float


@njit(nogil=True, cache=True, error_model="numpy")
def _give(one: Any, other: Any, code: Any, voxels: Any) -> None:
    """Write the less of two rows as the voxels that it stands for."""
    half, turn, flip, _ = code
    for x in range(voxels.size):
        bits = (other[x] if other[x] < one[x] else one[x]) ^ flip
        voxels[x] = bits ^ turn if bits >= half else bits


@njit(nogil=True, cache=True, error_model="numpy")
def _copy(one: Any, other: Any) -> None:
    """Copy a row; numba makes of a slice assigned to a slice a loop ten times as slow."""
    for x in range(other.size):
        other[x] = one[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _lower(one: Any, other: Any) -> None:
    """Make `one` the less of two rows."""
    for x in range(one.size):
        one[x] = other[x] if other[x] < one[x] else one[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _shorten_rows(rows: Any, n: int, size: int) -> None:
    """Replace each of `n` rows by the least of it and the ``size - 1`` after it, where they are.

    The least of twice as many is that of two who know theirs.
    """
    done = 1
    while done < size:
        step = min(done, size - done)
        done += step
        for k in range(n - done + 1):
            _lower(rows[k], rows[k + step])


@njit(nogil=True, cache=True, error_model="numpy")
def _shorten(row: Any, spare: Any, done: int, size: int) -> Any:
    """The same along a row whose voxels know the least of `done`; the result and the other row."""
    while done < size:
        step = min(done, size - done)
        done += step
        left, right = row[: row.size - done + 1], row[step : row.size - done + 1 + step]
        for x in range(left.size):
            spare[x] = right[x] if right[x] < left[x] else left[x]
        row, spare = spare, row
    return row, spare
