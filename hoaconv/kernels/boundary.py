"""What lies beyond a volume's ends: which voxel of a block stands at a place outside it.

A block ends where the volume does, so that places beyond its ends are beyond the volume's. Where
a kernel takes its planes, rows and voxels from is looked up in three maps of indices, one an axis.
"""

from typing import Any

import numpy as np
from numba import njit

from hoaconv.kernels.rows import Flat

__all__ = [
    "MODES",
    "OUTSIDE",
    "Core",
    "Radii",
    "maps_bytes",
    "maps_of",
    "pad_ends",
    "positions",
    "reached",
    "sources",
]

MODES = ("reflect", "nearest", "mirror", "constant")
"""What lies beyond a volume's end, named and meant as in scipy.ndimage."""

OUTSIDE = -1
"""In place of an index: there is no voxel, `cval` stands there."""
Core = tuple[slice, slice, slice]
Radii = tuple[int, int, int]


def maps_of(shape: Radii, core: Core, radii: Radii, mode: str) -> tuple[Flat, Flat, Flat]:
    """Where planes and rows come from, and the voxels beyond a row's ends, as indices or OUTSIDE.

    Parameters
    ----------
    shape : (z, y, x) ints
        Of the block. Along x it is whole.
    core : (z, y, x) slices
        The part to compute; all of x.
    radii : (z, y, x) ints
        How far a voxel of the core looks.
    mode : one of MODES
        What lies beyond the block's ends.

    Returns
    -------
    maps : three int64 arrays
        For each plane and row from ``radii`` before the core to as many after it, and for the
        ``radii[2]`` voxels before a row followed by those after it.
    """
    (nz, ny, nx), (rz, ry, rx) = shape, radii
    ends = np.concatenate([np.arange(-rx, 0), np.arange(nx, nx + rx)])
    return (
        sources(positions(core[0], nz, rz), nz, mode),
        sources(positions(core[1], ny, ry), ny, mode),
        sources(ends, nx, mode),
    )


def maps_bytes(shape: Radii, radii: Radii) -> int:
    """Bytes that `maps_of` allocates at once: an array expression holds temporaries of its size."""
    arrays = 20 * 112  # numpy's objects, which small maps don't outweigh
    return 4 * 8 * (shape[0] + shape[1] + 2 * sum(radii)) + arrays


def positions(part: slice, n: int, radius: int) -> Flat:
    """Where the weights reach from the core of an axis, in the block's index."""
    start, stop, _ = part.indices(n)
    return np.arange(start - radius, stop + radius)


def reached(part: slice, n: int, radius: int) -> tuple[int, int]:
    """First of the block's planes or rows within the radius of the core, and the one past them."""
    start, stop, _ = part.indices(n)
    return max(0, start - radius), min(n, stop + radius)


def sources(at: Flat, n: int, mode: str) -> Flat:
    """Index into the block whose voxel stands at each position, some before 0 or from n on."""
    if mode == "constant":
        return np.where((at < 0) | (at >= n), OUTSIDE, at)
    if mode == "nearest" or n == 1:
        return np.clip(at, 0, n - 1)
    period, last = (2 * n, 2 * n - 1) if mode == "reflect" else (2 * n - 2, 2 * n - 2)
    at = at % period
    return np.where(at < n, at, last - at)


@njit(nogil=True, cache=True, error_model="numpy")
def pad_ends(line: Any, from_x: Any, radius: int, nx: int, cval: Any) -> None:
    """Fill both ends of a line whose middle holds a row."""
    for k in range(radius):
        for end, index in ((k, from_x[k]), (radius + nx + k, from_x[radius + k])):
            line[end] = cval if index == OUTSIDE else line[radius + index]
