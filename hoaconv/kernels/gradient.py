"""The gradient of a volume: its magnitude, or one of its components.

A component is separable: an antisymmetric convolution along its own axis and symmetric ones along
the other two axes. The three components share two convolutions along z and three along y. The order
of the axes, the precision and the boundary modes are those of `hoaconv.kernels.separable`.
"""

from typing import Any

import numpy as np

from hoaconv.kernels.boundary import index_maps, index_maps_bytes, pad_ends
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.separable import (
    antisymmetric_sum,
    convolve_z,
    convolve_z_antisymmetric,
    symmetric_sum,
    weight_radii,
)
from hoaconv.kernels.types import Core, FlatRows, IndexMaps, Slab, Triple, Weights

__all__ = ["MAGNITUDE", "gradient", "gradient_bytes", "gradient_row"]

MAGNITUDE = 3
"""The value of `axis` that selects the magnitude of the gradient."""


def gradient(
    block: Slab,
    core: Core,
    out: Slab,
    smoothing: Weights,
    derivative: Weights,
    axis: int,
    mode: str,
    cval: float,
) -> None:
    """Write the magnitude or one component of the gradient of ``block[core]``.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of the radius of the weights.
    core : (z, y, x) slices
        The part to compute.
    out : float array (z, y, x)
        Takes the result, in the shape of the core.
    smoothing, derivative : three float64 arrays each
        For z, y and x: the symmetric and the antisymmetric weights at the distances 0, 1, 2, ...
        Both have the same radii.
    axis : int
        0, 1 or 2 for the component along z, y or x, or `MAGNITUDE`.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``.
    """
    real, nx = compute_dtype(block.dtype), block.shape[2]
    rz, ry, rx = weight_radii(smoothing)
    _gradient(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        index_maps(block.shape, core, (rz, ry, rx), mode),
        tuple(w.astype(real) for w in smoothing),
        tuple(w.astype(real) for w in derivative),
        axis,
        real.type(cval),
        np.empty((2, (2 * ry + 1) * nx), real),
        np.empty(nx + 2 * rx, real),
        np.empty((2, nx), real),
        np.empty(2 * max(rz, ry, rx) + 1, np.int64),
    )


def gradient_bytes(shape: Triple, dtype: np.dtype[Any], radii: Triple) -> int:
    """Return the bytes that `gradient` allocates for a block of this shape and dtype."""
    item = compute_dtype(dtype).itemsize
    rows = 2 * (2 * radii[1] + 1) * shape[2] + shape[2] + 2 * radii[2] + 2 * shape[2]
    weights = 3 * sum(radii)
    return (rows + weights) * item + (2 * max(radii) + 1) * 8 + index_maps_bytes(shape, radii)


@kernel
def _gradient(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    smoothing: Any,
    derivative: Any,
    axis: int,
    cval: Any,
    rings: Any,
    line: Any,
    sums: Any,
    offsets: Any,
) -> None:
    """Compute row by row; `rings` holds rows smoothed along z, and rows derived along z."""
    nz, ny, nx = shape
    span = 2 * smoothing[1].size - 1
    for z in range(nz):
        for y in range(ny + span - 1):
            slot = y % span * nx
            smoothed, derived = rings[0, slot : slot + nx], rings[1, slot : slot + nx]
            if axis != 0:
                convolve_z(source, maps, z, y, smoothing[0], cval, offsets, smoothed)
            if axis in (0, MAGNITUDE):
                convolve_z_antisymmetric(source, maps, z, y, derivative[0], cval, offsets, derived)
            if y < span - 1:
                continue
            row, component, total = row_view(target, z, y - span + 1, nx), sums[0], sums[1]
            total[:] = 0
            for along in range(3):
                if axis not in (along, MAGNITUDE):
                    continue
                _component(
                    rings, y, along, maps, smoothing, derivative, cval, line, offsets, component
                )
                for x in range(nx):
                    value = component[x]
                    total[x] += value * value if axis == MAGNITUDE else value
            for x in range(nx):
                row[x] = np.sqrt(total[x]) if axis == MAGNITUDE else total[x]


@kernel
def _component(
    rings: Any,
    y: int,
    axis: int,
    maps: IndexMaps,
    smoothing: Any,
    derivative: Any,
    cval: Any,
    line: Any,
    offsets: Any,
    component: Any,
) -> None:
    """Write the component along `axis` of the row whose window ends with row `y` of the rings."""
    nx, span, rx = component.size, 2 * smoothing[1].size - 1, smoothing[2].size - 1
    ring, middle = rings[1 if axis == 0 else 0], line[rx : rx + nx]
    for k in range(span):
        offsets[k] = (y + 1 + k) % span * nx
    if axis == 1:
        antisymmetric_sum(ring, offsets, derivative[1], middle)
    else:
        symmetric_sum(ring, offsets, smoothing[1], middle)
    pad_ends(line, maps[2], rx, nx, cval)
    for k in range(2 * rx + 1):
        offsets[k] = k
    if axis == 2:
        antisymmetric_sum(line, offsets, derivative[2], component)
    else:
        symmetric_sum(line, offsets, smoothing[2], component)


@kernel
def gradient_row(
    source: FlatRows,
    z: int,
    row: int,
    maps: IndexMaps,
    smoothing: Any,
    derivative: Any,
    rings: Any,
    line: Any,
    offsets: Any,
    components: Any,
) -> None:
    """Write the three components of the gradient in one row, with a `cval` of 0.

    The rows of a plane must be asked for in ascending order from 0 on.

    Parameters
    ----------
    source : flat rows
        The block.
    z, row : int
        Plane and row, counted from the begin of the core of `maps`.
    maps : three int64 arrays
        As `hoaconv.kernels.boundary.index_maps` returns them.
    smoothing, derivative : three float arrays each
        Weights of `gradient` in the dtype of computation.
    rings : float array (2, (2 * y radius + 1) * nx)
        State of this plane between calls.
    line : float array (nx + 2 * x radius,)
        Workspace.
    offsets : int64 array (2 * largest radius + 1,) or longer
        Workspace.
    components : float array (3, nx)
        Takes the components along z, y and x.
    """
    cval, nx, span = components.dtype.type(0), components.shape[1], 2 * smoothing[1].size - 1
    for y in range(0 if row == 0 else row + span - 1, row + span):
        slot = y % span * nx
        smoothed, derived = rings[0, slot : slot + nx], rings[1, slot : slot + nx]
        convolve_z(source, maps, z, y, smoothing[0], cval, offsets, smoothed)
        convolve_z_antisymmetric(source, maps, z, y, derivative[0], cval, offsets, derived)
    last = row + span - 1
    for axis in range(3):
        _component(
            rings, last, axis, maps, smoothing, derivative, cval, line, offsets, components[axis]
        )
