"""Boundary modes: the voxels beyond the ends of a volume.

A block ends where the volume ends, so a position beyond the ends of a block lies outside the
volume. Three index maps, one for each axis, give the planes, rows and voxels of the block that
take the place of those positions.
"""

from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import row_view
from hoaconv.kernels.types import Core, FlatRows, IndexMaps, Indices, Triple

__all__ = [
    "MODES",
    "OUTSIDE",
    "boundary_indices",
    "context_positions",
    "context_range",
    "index_maps",
    "index_maps_bytes",
    "load_padded_row",
    "pad_ends",
]

MODES = ("reflect", "nearest", "mirror", "constant")
"""Boundary modes with the names and meanings of scipy.ndimage."""

OUTSIDE = -1
"""The index of a position where no voxel exists and `cval` is the value (mode ``constant``)."""


def index_maps(shape: Triple, core: Core, radii: Triple, mode: str) -> IndexMaps:
    """Return the indices into a block of the planes, rows and voxels that a filter reads.

    Parameters
    ----------
    shape : (z, y, x) ints
        Shape of the block.
    core : (z, y, x) slices
        The part to compute; along x it is all of the block.
    radii : (z, y, x) ints
        Radii of the filter.
    mode : one of `MODES`
        Defines the voxels beyond the ends of the block.

    Returns
    -------
    z_map, y_map : int64 arrays (core + 2 * radius,)
        Index, or `OUTSIDE`, of each plane and row from `radius` before the core to `radius` after
        it.
    x_map : int64 array (2 * radius,)
        Index, or `OUTSIDE`, of the `radius` voxels before a row, then of the `radius` after it.
    """
    (nz, ny, nx), (rz, ry, rx) = shape, radii
    ends = np.concatenate([np.arange(-rx, 0), np.arange(nx, nx + rx)])
    return (
        boundary_indices(context_positions(core[0], nz, rz), nz, mode),
        boundary_indices(context_positions(core[1], ny, ry), ny, mode),
        boundary_indices(ends, nx, mode),
    )


def index_maps_bytes(shape: Triple, radii: Triple) -> int:
    """Return the bytes that `index_maps` allocates, with the temporaries of its expressions."""
    arrays = 20 * 112  # headers of numpy arrays, which small maps do not outweigh
    return 4 * 8 * (shape[0] + shape[1] + 2 * sum(radii)) + arrays


def context_positions(part: slice, n: int, radius: int) -> Indices:
    """Return the positions from `radius` before a part of an axis of length `n` to `radius` after.

    Positions below 0 or from `n` on lie beyond the ends of the block.
    """
    start, stop, _ = part.indices(n)
    return np.arange(start - radius, stop + radius)


def context_range(part: slice, n: int, radius: int) -> tuple[int, int]:
    """Return start and stop of the positions of `context_positions` that lie in the block."""
    start, stop, _ = part.indices(n)
    return max(0, start - radius), min(n, stop + radius)


def boundary_indices(positions: Indices, n: int, mode: str) -> Indices:
    """Return the index of the voxel that has the value at each position of an axis of length `n`.

    A position from 0 to n - 1 is its own index. For mode ``constant`` all others are `OUTSIDE`.

    Examples
    --------
    >>> [boundary_indices(np.arange(-2, 5), 3, mode).tolist() for mode in ("reflect", "mirror")]
    [[1, 0, 0, 1, 2, 2, 1], [2, 1, 0, 1, 2, 1, 0]]
    """
    if mode == "constant":
        return np.where((positions < 0) | (positions >= n), OUTSIDE, positions)
    if mode == "nearest" or n == 1:
        return np.clip(positions, 0, n - 1)
    period, last = (2 * n, 2 * n - 1) if mode == "reflect" else (2 * n - 2, 2 * n - 2)
    positions = positions % period
    return np.where(positions < n, positions, last - positions)


@kernel
def pad_ends(line: Any, x_map: Any, radius: int, nx: int, cval: Any) -> None:
    """Write the `radius` values before and after a row of `nx` values in the middle of `line`."""
    for k in range(radius):
        for end, index in ((k, x_map[k]), (radius + nx + k, x_map[radius + k])):
            line[end] = cval if index == OUTSIDE else line[radius + index]


@kernel
def load_padded_row(
    source: FlatRows, maps: IndexMaps, z: int, y: int, cval: Any, line: Any
) -> None:
    """Write a row of the block and the values beyond its ends into `line`.

    `z` and `y` are positions in the index maps. The radius along x is half the size of the x map.
    """
    plane, row, radius = maps[0][z], maps[1][y], maps[2].size // 2
    if OUTSIDE in (plane, row):
        line[:] = cval
        return
    nx = line.size - 2 * radius
    voxels = row_view(source, plane, row, nx)
    middle = line[radius : radius + nx]
    for x in range(nx):
        middle[x] = voxels[x]
    pad_ends(line, maps[2], radius, nx, cval)
