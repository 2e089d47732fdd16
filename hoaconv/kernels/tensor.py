"""The structure tensor: products of the gradient's parts, smoothed, and what its axes tell.

All rows y of the planes in reach are made before any of rows y + 1, so that the products of few
rows are held at once, and none is computed twice in a block. Products exist within the volume
alone: what lies beyond its ends is said of the voxels first, then of the products. Gradients,
products and sums have the precision that `hoaconv.kernels.gaussian` states, eigenvalues float64.
"""

from math import acos, atan2, cos, degrees, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.boundary import (
    OUTSIDE,
    maps_of,
    pad_ends,
    reached,
)
from hoaconv.kernels.gaussian import Weights, real_of, weigh
from hoaconv.kernels.gradient import parts_of_row
from hoaconv.kernels.rows import Flat, flat_rows

__all__ = ["OUTPUTS", "structure_tensor", "structure_tensor_bytes"]

Slab = np.ndarray[Any, np.dtype[Any]]
Core = tuple[slice, slice, slice]

OUTPUTS = ("coherence", "azimuth", "elevation")
"""What `structure_tensor` can tell of a voxel."""

_COHERENCE, _AZIMUTH = 0, 1
_PARTS = 6
"""Products of two parts of the gradient: zz, zy, zx, yy, yx, xx."""

_ALIKE = 1e-6
"""Up to this (l1 - l3) (l2 - l3), for eigenvalues of sum 1, the least has no axis of its own."""


class _Scratch(NamedTuple):
    """What the kernel computes in; the last row of `products` and `ring` holds zeros."""

    rings: Slab
    parts: Slab
    products: Flat
    ring: Flat
    inner: Flat
    outer: Flat
    sums: Slab
    at: Flat


def structure_tensor(
    block: Slab,
    core: Core,
    out: Slab,
    smoothing: Weights,
    deriving: Weights,
    outer: Weights,
    output: str,
    mode: str,
) -> None:
    """Write what the structure tensor of ``block[core]`` tells into `out`.

    With eigenvalues l1 >= l2 >= l3 of the tensor, the coherence is (l1 - l3) / (l1 + l3), and 0
    where the tensor is. The angles are those of l3's eigenvector, taken with x >= 0: `azimuth`
    from x towards y, and `elevation` from the yx plane towards z, in degrees of -90..90. Both are
    0 where (l1 - l3) (l2 - l3) is no more than a millionth of (l1 + l2 + l3) squared: there no
    direction is defined. NaN, also for products beyond the range of the dtype computed in,
    gives NaN.

    Parameters
    ----------
    block : (z, y, x) array
        The core and as much context on each side as the weights reach, inner and outer ones
        together, less only where the volume ends. Along x it is whole.
    core : (z, y, x) slices
        The part to compute.
    out : (z, y, x) float array
        Of the core's shape.
    smoothing, deriving : three float64 arrays each
        For z, y and x: symmetric and antisymmetric weights of the gradient, as
        `hoaconv.kernels.gradient.gradient` takes them.
    outer : three float64 arrays
        For z, y and x: weights at distance 0, 1, 2, ... that smooth the products.
    output : one of OUTPUTS
        What to tell.
    mode : str
        What lies beyond the block's ends; for ``constant`` there are zeros.
    """
    real = real_of(block.dtype)
    _, ny, nx = block.shape
    inner_radii, outer_radii = _radii(smoothing), _radii(outer)
    planes, rows = (reached(core[i], block.shape[i], outer_radii[i]) for i in range(2))
    reach = (slice(*planes), slice(*rows), slice(None))
    gradient_maps = maps_of(block.shape, reach, inner_radii, mode)
    outer_maps = maps_of(block.shape, core, outer_radii, mode)
    depth = planes[1] - planes[0]
    _structure_tensor(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        (*planes, *rows, core[1].indices(ny)[0]),
        gradient_maps,
        outer_maps,
        tuple(w.astype(real) for w in smoothing),
        tuple(w.astype(real) for w in deriving),
        tuple(w.astype(real) for w in outer),
        OUTPUTS.index(output),
        _scratch(depth, len(out), nx, real, inner_radii, outer_radii),
    )


def structure_tensor_bytes(
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    inner: tuple[int, int, int],
    outer: tuple[int, int, int],
) -> int:
    """Bytes that `structure_tensor` allocates for a block of this shape and dtype, at the most."""
    nz, ny, nx = shape
    turns = 2 * inner[1] + 1, 2 * outer[1] + 1
    # A block with its whole context has a core and products of fewer planes; one at an end hasn't.
    rows = nz * (2 * turns[0] + _PARTS) + nz * _PARTS * turns[1] + 2 + 3 + 2 + _PARTS
    reals = rows * nx + 2 * (inner[2] + outer[2]) + 3 * sum(inner) + 2 * sum(outer) + 16
    maps = 2 * (nz + ny) + 8 * (sum(inner) + sum(outer)) + 16
    arrays = 40 * 112  # numpy's objects: here small rows don't outweigh them
    return reals * real_of(dtype).itemsize + 4 * maps * 8 + arrays


def _radii(weights: Weights) -> tuple[int, int, int]:
    z, y, x = (w.size - 1 for w in weights)
    return z, y, x


def _scratch(
    depth: int,
    nz: int,
    nx: int,
    real: np.dtype[Any],
    inner: tuple[int, int, int],
    outer: tuple[int, int, int],
) -> _Scratch:
    products = np.empty((depth * _PARTS + 1) * nx, real)
    ring = np.empty((nz * _PARTS * (2 * outer[1] + 1) + 1) * nx, real)
    products[-nx:] = ring[-nx:] = 0
    return _Scratch(
        np.empty((depth, 2, (2 * inner[1] + 1) * nx), real),
        np.empty((3, nx), real),
        products,
        ring,
        np.empty(nx + 2 * inner[2], real),
        np.empty(nx + 2 * outer[2], real),
        np.empty((_PARTS, nx), real),
        np.empty(2 * max(*inner, *outer) + 1, np.int64),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _structure_tensor(
    source: Any,
    target: Any,
    shape: Any,
    spans: Any,
    maps: Any,
    outer_maps: Any,
    smoothing: Any,
    deriving: Any,
    outer: Any,
    output: int,
    scratch: Any,
) -> None:
    """For each row in reach: products of all planes, their z-pass, and the rows now complete."""
    flat, z_step, y_step = target
    nz, _, nx = shape
    first_plane, _, first_row, last_row, core_row = spans
    wide = outer[1].size - 1
    for row in range(first_row, core_row + shape[1] + wide):
        if row < last_row:
            _multiply(source, row - first_row, maps, smoothing, deriving, scratch)
            for z in range(nz):
                _smooth_z(scratch, z, row, first_plane, outer_maps[0], outer)
        y = row - wide - core_row
        if y < 0:
            continue
        for z in range(nz):
            _smooth_y_and_x(scratch, z, y, outer_maps, outer)
            begin = z * z_step + y * y_step
            _tell(scratch.sums, output, flat[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _multiply(
    source: Any, row: int, maps: Any, smoothing: Any, deriving: Any, scratch: Any
) -> None:
    """Products of the gradient's parts, in one row of all planes in reach."""
    parts, products, nx = scratch.parts, scratch.products, scratch.parts.shape[1]
    for z in range(len(scratch.rings)):
        parts_of_row(
            source,
            z,
            row,
            maps,
            smoothing,
            deriving,
            scratch.rings[z],
            scratch.inner,
            scratch.at,
            parts,
        )
        begin = z * _PARTS * nx
        for one in range(3):
            for other in range(one, 3):
                made = products[begin : begin + nx]
                for x in range(nx):
                    made[x] = parts[one, x] * parts[other, x]
                begin += nx


@njit(nogil=True, cache=True, error_model="numpy")
def _smooth_z(scratch: Any, z: int, row: int, first: int, from_z: Any, outer: Any) -> None:
    """The z-pass of the six products of a row, into the ring."""
    products, ring, at = scratch.products, scratch.ring, scratch.at
    nx, turn = scratch.parts.shape[1], 2 * outer[1].size - 1
    for part in range(_PARTS):
        for k in range(2 * outer[0].size - 1):
            plane = from_z[z + k]
            at[k] = ((plane - first) * _PARTS + part) * nx
            if plane == OUTSIDE:
                at[k] = products.size - nx
        begin = ((z * _PARTS + part) * turn + row % turn) * nx
        weigh(products, at, outer[0], ring[begin : begin + nx])


@njit(nogil=True, cache=True, error_model="numpy")
def _smooth_y_and_x(scratch: Any, z: int, y: int, maps: Any, outer: Any) -> None:
    """The y-pass and the x-pass of the six products, from the ring to `sums`."""
    ring, line, at = scratch.ring, scratch.outer, scratch.at
    nx, turn, wide = scratch.parts.shape[1], 2 * outer[1].size - 1, outer[2].size - 1
    for part in range(_PARTS):
        for k in range(turn):
            row = maps[1][y + k]
            at[k] = ((z * _PARTS + part) * turn + row % turn) * nx
            if row == OUTSIDE:
                at[k] = ring.size - nx
        weigh(ring, at, outer[1], line[wide : wide + nx])
        pad_ends(line, maps[2], wide, nx, line.dtype.type(0))
        for k in range(2 * wide + 1):
            at[k] = k
        weigh(line, at, outer[2], scratch.sums[part])


@njit(nogil=True, cache=True, error_model="numpy")
def _tell(tensors: Any, output: int, out: Any) -> None:
    """What is asked of a row of tensors, each divided by its trace."""
    for x in range(out.size):
        zz, zy, zx = np.float64(tensors[0, x]), np.float64(tensors[1, x]), np.float64(tensors[2, x])
        yy, yx, xx = np.float64(tensors[3, x]), np.float64(tensors[4, x]), np.float64(tensors[5, x])
        trace = zz + yy + xx
        if trace == 0:
            out[x] = 0
            continue
        tensor = zz / trace, zy / trace, zx / trace, yy / trace, yx / trace, xx / trace
        value = _coherence(tensor) if output == _COHERENCE else _angle(tensor, output)
        out[x] = np.nan if np.isnan(value) else value


@njit(nogil=True, cache=True, error_model="numpy")
def _eigenvalues(tensor: Any) -> tuple[float, float]:
    """Greatest and least, of a trace of 1: O. K. Smith, Comm. ACM 4 (1961) 168."""
    zz, zy, zx, yy, yx, xx = tensor
    a, b, c = zz - 1 / 3, yy - 1 / 3, xx - 1 / 3
    spread = sqrt((a * a + b * b + c * c + 2 * (zy * zy + zx * zx + yx * yx)) / 6)
    if spread == 0:
        return 1 / 3, 1 / 3
    a, b, c, d, e, f = a / spread, b / spread, c / spread, zy / spread, zx / spread, yx / spread
    half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2
    if half > 1:
        half = 1.0
    elif half < -1:
        half = -1.0
    along = cos(acos(half) / 3)
    most = 1 / 3 + 2 * spread * along
    # The cosine of an angle a third of a turn further on.
    least = 1 / 3 - spread * (along + sqrt(3 * (1 - along * along)))
    # Rounding may take the least below 0, where no sum of squares lies.
    return most, 0.0 if least < 0 else least


@njit(nogil=True, cache=True, error_model="numpy")
def _coherence(tensor: Any) -> float:
    most, least = _eigenvalues(tensor)
    return (most - least) / (most + least)


@njit(nogil=True, cache=True, error_model="numpy")
def _angle(tensor: Any, output: int) -> float:
    """Azimuth or elevation of the least eigenvalue's eigenvector v.

    The adjugate of the tensor less l3 is (l1 - l3) (l2 - l3) v v', so each column is along v.
    """
    _, least = _eigenvalues(tensor)
    a, d, e, b, f, c = tensor
    a, b, c = a - least, b - least, c - least
    zz, yy, xx = b * c - f * f, a * c - e * e, a * b - d * d
    zy, zx, yx = e * f - d * c, d * f - e * b, d * e - a * f
    if zz + yy + xx <= _ALIKE:
        return 0.0
    z, y, x = zx, yx, xx
    if zz > max(yy, xx):
        z, y, x = zz, zy, zx
    elif yy > xx:
        z, y, x = zy, yy, yx
    if x < 0 or (x == 0 and y < 0) or (x == 0 and y == 0 and z < 0):
        z, y, x = -z, -y, -x
    return degrees(atan2(y, x) if output == _AZIMUTH else atan2(z, sqrt(y * y + x * x)))
