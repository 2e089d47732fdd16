"""Thin edges: the gradient's length, where it is greatest along the gradient's direction.

This is the step of J. Canny, IEEE Trans. Pattern Analysis and Machine Intelligence 8 (1986) 679,
that thins edges, in three dimensions. As in `hoaconv.kernels.tensor`, all rows y of the planes in
reach are made before any of rows y + 1, so that few are held and none is computed twice.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import (
    OUTSIDE,
    maps_of,
    pad_ends,
    reached,
)
from hoaconv.kernels.gaussian import Weights, real_of
from hoaconv.kernels.gradient import parts_of_row
from hoaconv.kernels.rows import Flat, flat_rows

__all__ = ["thin_edges", "thin_edges_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]

_HELD = 3
"""Rows of a plane that are held: a voxel's own and those beside it."""


class _Scratch(NamedTuple):
    """What the kernel computes in; the last row of `lengths` holds zeros."""

    rings: Slab
    line: Flat
    at: Flat
    parts: Slab
    lengths: Flat
    near: Flat


def thin_edges(
    block: Slab, core: Core, out: Slab, smoothing: Weights, deriving: Weights, mode: str
) -> None:
    """Write the gradient's length in ``block[core]`` into `out` where an edge is, else 0.

    From a voxel, the gradient's direction meets the surface of the cube of 3 x 3 x 3 voxels around
    it ahead and behind; the length there is interpolated linearly from the four voxels of that
    face that lie around. An edge is where the voxel's own length isn't less than the one ahead and
    greater than the one behind. Where one of the three is NaN, so is the result.

    Parameters
    ----------
    block : (z, y, x) array
        The core and as much context on each side as the weights reach and a voxel more, less only
        where the volume ends. Along x it is whole.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) float array
        Of the core's shape.
    smoothing, deriving : three float64 arrays each
        For z, y and x: symmetric and antisymmetric weights, as `hoaconv.kernels.gradient.gradient`
        takes them.
    mode : str
        What lies beyond the block's ends, first of voxels and then of lengths; for ``constant``
        there are zeros.
    """
    real = real_of(block.dtype)
    nz, ny, nx = block.shape
    rz, ry, rx = (w.size - 1 for w in smoothing)
    beside = maps_of(block.shape, core, (1, 1, 1), mode)
    planes, rows = (reached(core[i], block.shape[i], 1) for i in range(2))
    reach = (slice(*planes), slice(*rows), slice(None))
    maps = maps_of(block.shape, reach, (rz, ry, rx), mode)
    _thin_edges(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        (planes[0], *rows, core[0].indices(nz)[0], core[1].indices(ny)[0]),
        maps,
        beside,
        tuple(w.astype(real) for w in smoothing),
        tuple(w.astype(real) for w in deriving),
        _scratch(planes[1] - planes[0], nx, real, (rz, ry, rx)),
    )


def thin_edges_bytes(
    shape: tuple[int, int, int], dtype: np.dtype[Any], radii: tuple[int, int, int]
) -> int:
    """Bytes that `thin_edges` allocates for a block of this shape and dtype, at the most."""
    nz, ny, nx = shape
    rows = nz * (2 * (2 * radii[1] + 1) + 4 * _HELD) + 2
    reals = rows * (nx + 2) + 2 * radii[2] + 3 * sum(radii) + 16
    maps = 2 * (nz + ny) + 4 * sum(radii) + 2 * max(radii) + 32
    arrays = 40 * 112  # numpy's objects: here small rows don't outweigh them
    return reals * real_of(dtype).itemsize + 4 * maps * 8 + arrays


def _scratch(depth: int, nx: int, real: np.dtype[Any], radii: tuple[int, int, int]) -> _Scratch:
    lengths = np.empty((depth * _HELD + 1) * (nx + 2), real)
    lengths[-(nx + 2) :] = 0
    return _Scratch(
        np.empty((depth, 2, (2 * radii[1] + 1) * nx), real),
        np.empty(nx + 2 * radii[2], real),
        np.empty(2 * max(radii) + 1, np.int64),
        np.empty((depth, _HELD, 3, nx), real),
        lengths,
        np.empty(9, np.int64),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _thin_edges(
    source: Any,
    target: Any,
    shape: Any,
    spans: Any,
    maps: Any,
    beside: Any,
    smoothing: Any,
    deriving: Any,
    scratch: Any,
) -> None:
    """For each row in reach: the gradient of all planes, and the rows that are now complete."""
    flat, z_step, y_step = target
    nz, ny, nx = shape
    first_plane, first_row, last_row, core_plane, core_row = spans
    parts, lengths, near = scratch.parts, scratch.lengths, scratch.near
    for row in range(first_row, core_row + ny + 1):
        if row < last_row:
            _derive(source, row, first_row, maps, beside[2], smoothing, deriving, scratch)
        y = row - 1 - core_row
        if y < 0:
            continue
        for z in range(nz):
            for k in range(9):
                plane, other = beside[0][z + k // 3], beside[1][y + k % 3]
                near[k] = ((plane - first_plane) * _HELD + other % _HELD) * (nx + 2)
                if OUTSIDE in (plane, other):
                    near[k] = lengths.size - (nx + 2)
            begin = z * z_step + y * y_step
            own = parts[core_plane - first_plane + z, (row - 1) % _HELD]
            _keep(own, lengths, near, flat[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _derive(
    source: Any,
    row: int,
    first: int,
    maps: Any,
    ends: Any,
    smoothing: Any,
    deriving: Any,
    scratch: Any,
) -> None:
    """Parts and length of the gradient, in one row of all planes in reach."""
    rings, line, at, lengths = scratch.rings, scratch.line, scratch.at, scratch.lengths
    nx = scratch.parts.shape[3]
    for z in range(len(rings)):
        made = scratch.parts[z, row % _HELD]
        parts_of_row(source, z, row - first, maps, smoothing, deriving, rings[z], line, at, made)
        begin = (z * _HELD + row % _HELD) * (nx + 2)
        wide = lengths[begin : begin + nx + 2]
        for x in range(nx):
            wide[x + 1] = np.sqrt(made[0, x] ** 2 + made[1, x] ** 2 + made[2, x] ** 2)
        pad_ends(wide, ends, 1, nx, wide.dtype.type(0))


@njit(nogil=True, cache=True, error_model="numpy")
def _keep(parts: Any, lengths: Any, near: Any, out: Any) -> None:
    """A row's lengths where they are greatest along the gradient, else 0."""
    for x in range(out.size):
        length = lengths[near[4] + x + 1]
        if length == 0:
            out[x] = 0
            continue
        gz, gy, gx = parts[0, x], parts[1, x], parts[2, x]
        most = max(abs(gz), abs(gy), abs(gx))
        shares = abs(gz) / most, abs(gy) / most, abs(gx) / most
        z, y, k = 3 if gz > 0 else -3, 1 if gy > 0 else -1, 1 if gx > 0 else -1
        ahead = _between(lengths, near, x + 1, z, y, k, shares)
        behind = _between(lengths, near, x + 1, -z, -y, -k, shares)
        if np.isnan(length) or np.isnan(ahead) or np.isnan(behind):
            out[x] = np.nan
        else:
            # Of two that are alike along the gradient, one is kept.
            out[x] = length if length >= ahead and length > behind else 0


@njit(nogil=True, cache=True, error_model="numpy")
def _between(lengths: Any, near: Any, x: int, z: int, y: int, k: int, shares: Any) -> Any:
    """The length at `shares` of the way to the next voxel along each axis."""
    of_z, of_y, of_x = shares
    a, b, c, d = near[4] + x, near[4 + y] + x, near[4 + z] + x, near[4 + z + y] + x
    here = _mix(
        _mix(lengths[a], lengths[a + k], of_x), _mix(lengths[b], lengths[b + k], of_x), of_y
    )
    there = _mix(
        _mix(lengths[c], lengths[c + k], of_x), _mix(lengths[d], lengths[d + k], of_x), of_y
    )
    return _mix(here, there, of_z)


@njit(nogil=True, cache=True, error_model="numpy")
def _mix(one: Any, other: Any, share: Any) -> Any:
    """Exact for equals and for a share of 1, so that rounding makes no edge."""
    return other if share == 1 else one + share * (other - one)
