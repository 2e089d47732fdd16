"""Non-maximum suppression: thin edges of the magnitude of the gradient.

This is the step of J. Canny, "A computational approach to edge detection", IEEE Trans. Pattern
Analysis and Machine Intelligence 8 (1986) 679-698, in three dimensions. As in
`hoaconv.kernels.structure_tensor`, the kernel computes row y of all planes in reach before any row
y + 1, so that it holds few rows and computes no gradient twice.
"""

from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, context_range, index_maps, pad_ends
from hoaconv.kernels.gradient import gradient_row
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.separable import weight_radii
from hoaconv.kernels.types import Array, Core, FlatRows, IndexMaps, Slab, Triple, Vector, Weights

__all__ = ["suppress_non_maxima", "suppress_non_maxima_bytes"]

_HELD = 3
"""Rows of each plane that the kernel holds: the row of a voxel and its two neighbours."""


class _Workspace(NamedTuple):
    """Buffers of the kernel. The last row of `magnitudes` holds zeros."""

    rings: Array
    """For each plane: the state of `gradient_row`."""
    line: Vector
    """A row of the gradient, and the values beyond its ends."""
    offsets: Vector
    """Offsets of the rows that a weighted sum adds."""
    components: Array
    """For each plane: the gradient in the rows held."""
    magnitudes: Vector
    """For each plane: its magnitude in the rows held, and one value beyond each end."""
    neighbours: Vector
    """Offsets in `magnitudes` of the 3 x 3 rows around a row, in the order (z, y)."""


def suppress_non_maxima(
    block: Slab, core: Core, out: Slab, smoothing: Weights, derivative: Weights, mode: str
) -> None:
    """Write the magnitude of the gradient of ``block[core]`` at edges, and 0 elsewhere.

    The line through a voxel in the direction of the gradient meets the surface of the cube of
    3 x 3 x 3 voxels at one point ahead and one behind. The magnitude at these points is
    interpolated bilinearly from the four voxels around them. The voxel is at an edge if its own
    magnitude is not less than the one ahead and greater than the one behind. If one of the three is
    NaN, the result is NaN.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of the radius of the weights plus one voxel.
    core : (z, y, x) slices
        The part to compute.
    out : float array (z, y, x)
        Takes the result, in the shape of the core.
    smoothing, derivative : three float64 arrays each
        Weights of the gradient, as for `hoaconv.kernels.gradient.gradient`.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels, and then the magnitudes, beyond the ends of the block; zeros for
        ``constant``.
    """
    real = compute_dtype(block.dtype)
    nz, ny, nx = block.shape
    radii = weight_radii(smoothing)
    planes, rows = (context_range(core[i], block.shape[i], 1) for i in range(2))
    reach = (slice(*planes), slice(*rows), slice(None))
    _suppress_non_maxima(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        (planes[0], *rows, core[0].indices(nz)[0], core[1].indices(ny)[0]),
        index_maps(block.shape, reach, radii, mode),
        index_maps(block.shape, core, (1, 1, 1), mode),
        tuple(w.astype(real) for w in smoothing),
        tuple(w.astype(real) for w in derivative),
        _workspace(planes[1] - planes[0], nx, real, radii),
    )


def suppress_non_maxima_bytes(shape: Triple, dtype: np.dtype[Any], radii: Triple) -> int:
    """Return an upper bound of the bytes that `suppress_non_maxima` allocates.

    Parameters
    ----------
    shape, dtype
        Of the block.
    radii : (z, y, x) ints
        Radii of the weights.
    """
    nz, ny, nx = shape
    rows = nz * (2 * (2 * radii[1] + 1) + 4 * _HELD) + 2
    reals = rows * (nx + 2) + 2 * radii[2] + 3 * sum(radii) + 16
    maps = 2 * (nz + ny) + 4 * sum(radii) + 2 * max(radii) + 32
    arrays = 40 * 112  # headers of numpy arrays, which small rows do not outweigh
    return reals * compute_dtype(dtype).itemsize + 4 * maps * 8 + arrays


def _workspace(depth: int, nx: int, real: np.dtype[Any], radii: Triple) -> _Workspace:
    """Return the buffers for the gradient in `depth` planes."""
    magnitudes = np.empty((depth * _HELD + 1) * (nx + 2), real)
    magnitudes[-(nx + 2) :] = 0
    return _Workspace(
        np.empty((depth, 2, (2 * radii[1] + 1) * nx), real),
        np.empty(nx + 2 * radii[2], real),
        np.empty(2 * max(radii) + 1, np.int64),
        np.empty((depth, _HELD, 3, nx), real),
        magnitudes,
        np.empty(9, np.int64),
    )


@kernel
def _suppress_non_maxima(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    ranges: Any,
    maps: IndexMaps,
    neighbour_maps: IndexMaps,
    smoothing: Any,
    derivative: Any,
    workspace: Any,
) -> None:
    """Compute the gradient of each row in reach, and the row of the core that is then complete.

    `ranges` holds the first plane, and start and stop of the rows in reach, then the first plane
    and row of the core, all as indices into the block.
    """
    nz, ny, nx = shape
    first_plane, first_row, last_row, core_plane, core_row = ranges
    components, magnitudes = workspace.components, workspace.magnitudes
    neighbours = workspace.neighbours
    z_map, y_map, x_map = neighbour_maps
    for row in range(first_row, core_row + ny + 1):
        if row < last_row:
            _compute_gradient(source, row, first_row, maps, x_map, smoothing, derivative, workspace)
        y = row - 1 - core_row
        if y < 0:
            continue
        for z in range(nz):
            for k in range(9):
                plane, near = z_map[z + k // 3], y_map[y + k % 3]
                neighbours[k] = ((plane - first_plane) * _HELD + near % _HELD) * (nx + 2)
                if OUTSIDE in (plane, near):
                    neighbours[k] = magnitudes.size - (nx + 2)
            own = components[core_plane - first_plane + z, (row - 1) % _HELD]
            _suppress_row(own, magnitudes, neighbours, row_view(target, z, y, nx))


@kernel
def _compute_gradient(
    source: FlatRows,
    row: int,
    first: int,
    maps: IndexMaps,
    x_map: Any,
    smoothing: Any,
    derivative: Any,
    workspace: Any,
) -> None:
    """Write components and magnitude of the gradient in one row of all planes in reach."""
    rings, line, offsets = workspace.rings, workspace.line, workspace.offsets
    nx = workspace.components.shape[3]
    for z in range(len(rings)):
        gradient = workspace.components[z, row % _HELD]
        gradient_row(
            source, z, row - first, maps, smoothing, derivative, rings[z], line, offsets, gradient
        )
        begin = (z * _HELD + row % _HELD) * (nx + 2)
        padded = workspace.magnitudes[begin : begin + nx + 2]
        for x in range(nx):
            padded[x + 1] = np.sqrt(gradient[0, x] ** 2 + gradient[1, x] ** 2 + gradient[2, x] ** 2)
        pad_ends(padded, x_map, 1, nx, padded.dtype.type(0))


@kernel
def _suppress_row(components: Any, magnitudes: Any, neighbours: Any, out: Any) -> None:
    """Write the magnitudes of a row that are maximal along the gradient, and 0 elsewhere."""
    for x in range(out.size):
        magnitude = magnitudes[neighbours[4] + x + 1]
        if magnitude == 0:
            out[x] = 0
            continue
        gz, gy, gx = components[0, x], components[1, x], components[2, x]
        largest = max(abs(gz), abs(gy), abs(gx))
        shares = abs(gz) / largest, abs(gy) / largest, abs(gx) / largest
        dz, dy, dx = 3 if gz > 0 else -3, 1 if gy > 0 else -1, 1 if gx > 0 else -1
        ahead = _interpolate(magnitudes, neighbours, x + 1, dz, dy, dx, shares)
        behind = _interpolate(magnitudes, neighbours, x + 1, -dz, -dy, -dx, shares)
        if np.isnan(magnitude) or np.isnan(ahead) or np.isnan(behind):
            out[x] = np.nan
        else:
            # One of two equal voxels along the gradient is kept.
            out[x] = magnitude if magnitude >= ahead and magnitude > behind else 0


@kernel
def _interpolate(
    magnitudes: Any, neighbours: Any, x: int, dz: int, dy: int, dx: int, shares: Any
) -> Any:
    """Return the magnitude at `shares` of the way to the next voxel along z, y and x.

    `dz` and `dy` are steps in `neighbours`, `dx` is a step along the row.
    """
    along_z, along_y, along_x = shares
    a, b = neighbours[4] + x, neighbours[4 + dy] + x
    c, d = neighbours[4 + dz] + x, neighbours[4 + dz + dy] + x
    near = _mix(
        _mix(magnitudes[a], magnitudes[a + dx], along_x),
        _mix(magnitudes[b], magnitudes[b + dx], along_x),
        along_y,
    )
    far = _mix(
        _mix(magnitudes[c], magnitudes[c + dx], along_x),
        _mix(magnitudes[d], magnitudes[d + dx], along_x),
        along_y,
    )
    return _mix(near, far, along_z)


@kernel
def _mix(a: Any, b: Any, share: Any) -> Any:
    """Interpolate linearly; exact for equal values and a share of 1, so rounding makes no edge."""
    return b if share == 1 else a + share * (b - a)
