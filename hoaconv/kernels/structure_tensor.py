"""The structure tensor: smoothed products of the components of the gradient.

The kernel computes row y of all planes in reach before any row y + 1. It thus holds the products of
few rows at a time and computes none of them twice in a block. The boundary mode applies twice: to
the voxels, and then to the products, which exist within the volume only. Gradients, products and
sums are in `hoaconv.kernels.rounding.compute_dtype`, eigenvalues in float64.
"""

from math import acos, atan2, cos, degrees, sqrt
from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, context_range, index_maps, pad_ends
from hoaconv.kernels.gradient import gradient_row
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import compute_dtype
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.separable import symmetric_sum, weight_radii
from hoaconv.kernels.types import Array, Core, FlatRows, IndexMaps, Slab, Triple, Vector, Weights

__all__ = ["OUTPUTS", "structure_tensor", "structure_tensor_bytes"]

OUTPUTS = ("coherence", "azimuth", "elevation")
"""The quantities that `structure_tensor` computes."""

_COHERENCE, _AZIMUTH = 0, 1
_PRODUCTS = 6
"""Products of two components of the gradient: zz, zy, zx, yy, yx, xx."""

_DEGENERATE = 1e-6
"""Upper bound of (l1 - l3) (l2 - l3), for eigenvalues of sum 1, at which l3 has no direction."""


class _Workspace(NamedTuple):
    """Buffers of the kernel. The last row of `products` and of `ring` holds zeros."""

    rings: Array
    """For each plane: the state of `gradient_row`."""
    components: Array
    """The gradient in one row."""
    products: Vector
    """The products in one row of each plane."""
    ring: Vector
    """For each plane and product: rows smoothed along z."""
    inner: Vector
    """A row of the gradient, and the values beyond its ends."""
    outer: Vector
    """A row of one product, and the values beyond its ends."""
    sums: Array
    """The tensors of one row."""
    offsets: Vector
    """Offsets of the rows that a weighted sum adds."""


def structure_tensor(
    block: Slab,
    core: Core,
    out: Slab,
    smoothing: Weights,
    derivative: Weights,
    outer: Weights,
    output: str,
    mode: str,
) -> None:
    """Write a quantity of the structure tensor of each voxel of ``block[core]``.

    Let l1 >= l2 >= l3 be the eigenvalues of the tensor. The coherence is (l1 - l3) / (l1 + l3), and
    0 for a tensor of zeros. The angles are those of the eigenvector of l3, with x >= 0: `azimuth`
    from x towards y, and `elevation` from the yx plane towards z, in degrees from -90 to 90. Both
    are 0 where (l1 - l3) (l2 - l3) is at most 1e-6 (l1 + l2 + l3)**2, since the direction is then
    undefined. The result is NaN for NaN, and for products outside the range of the dtype of
    computation.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of the sum of the radii of the inner and the outer weights.
    core : (z, y, x) slices
        The part to compute.
    out : float array (z, y, x)
        Takes the result, in the shape of the core.
    smoothing, derivative : three float64 arrays each
        Weights of the gradient, as for `hoaconv.kernels.gradient.gradient`.
    outer : three float64 arrays
        For z, y and x: the weights at the distances 0, 1, 2, ... that smooth the products.
    output : one of `OUTPUTS`
        The quantity to compute.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the values beyond the ends of the block; zeros for ``constant``.
    """
    real = compute_dtype(block.dtype)
    _, ny, nx = block.shape
    inner_radii, outer_radii = weight_radii(smoothing), weight_radii(outer)
    planes, rows = (context_range(core[i], block.shape[i], outer_radii[i]) for i in range(2))
    reach = (slice(*planes), slice(*rows), slice(None))
    _structure_tensor(
        flat_rows(block),
        flat_rows(out),
        out.shape,
        (*planes, *rows, core[1].indices(ny)[0]),
        index_maps(block.shape, reach, inner_radii, mode),
        index_maps(block.shape, core, outer_radii, mode),
        tuple(w.astype(real) for w in smoothing),
        tuple(w.astype(real) for w in derivative),
        tuple(w.astype(real) for w in outer),
        OUTPUTS.index(output),
        _workspace(planes[1] - planes[0], len(out), nx, real, inner_radii, outer_radii),
    )


def structure_tensor_bytes(
    shape: Triple, dtype: np.dtype[Any], inner: Triple, outer: Triple
) -> int:
    """Return an upper bound of the bytes that `structure_tensor` allocates.

    Parameters
    ----------
    shape, dtype
        Of the block.
    inner, outer : (z, y, x) ints
        Radii of the weights of the gradient, and of those that smooth the products.
    """
    nz, ny, nx = shape
    spans = 2 * inner[1] + 1, 2 * outer[1] + 1
    # The core and the products of a block have fewer planes than the block, except at an end.
    rows = nz * (2 * spans[0] + _PRODUCTS) + nz * _PRODUCTS * spans[1] + 2 + 3 + 2 + _PRODUCTS
    reals = rows * nx + 2 * (inner[2] + outer[2]) + 3 * sum(inner) + 2 * sum(outer) + 16
    maps = 2 * (nz + ny) + 8 * (sum(inner) + sum(outer)) + 16
    arrays = 40 * 112  # headers of numpy arrays, which small rows do not outweigh
    return reals * compute_dtype(dtype).itemsize + 4 * maps * 8 + arrays


def _workspace(
    depth: int, nz: int, nx: int, real: np.dtype[Any], inner: Triple, outer: Triple
) -> _Workspace:
    """Return the buffers for `depth` planes of products and `nz` planes of the core."""
    products = np.empty((depth * _PRODUCTS + 1) * nx, real)
    ring = np.empty((nz * _PRODUCTS * (2 * outer[1] + 1) + 1) * nx, real)
    products[-nx:] = ring[-nx:] = 0
    return _Workspace(
        np.empty((depth, 2, (2 * inner[1] + 1) * nx), real),
        np.empty((3, nx), real),
        products,
        ring,
        np.empty(nx + 2 * inner[2], real),
        np.empty(nx + 2 * outer[2], real),
        np.empty((_PRODUCTS, nx), real),
        np.empty(2 * max(*inner, *outer) + 1, np.int64),
    )


@kernel
def _structure_tensor(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    ranges: Any,
    maps: IndexMaps,
    outer_maps: IndexMaps,
    smoothing: Any,
    derivative: Any,
    outer: Any,
    output: int,
    workspace: Any,
) -> None:
    """Compute the products of each row in reach, and the rows of the core that are then complete.

    `ranges` holds start and stop of the planes and of the rows in reach, and the first row of the
    core, all as indices into the block.
    """
    nz, ny, nx = shape
    first_plane, _, first_row, last_row, core_row = ranges
    ry = outer[1].size - 1
    for row in range(first_row, core_row + ny + ry):
        if row < last_row:
            _compute_products(source, row - first_row, maps, smoothing, derivative, workspace)
            for z in range(nz):
                _smooth_z(workspace, z, row, first_plane, outer_maps[0], outer)
        y = row - ry - core_row
        if y < 0:
            continue
        for z in range(nz):
            _smooth_y_and_x(workspace, z, y, outer_maps, outer)
            _write_quantity(workspace.sums, output, row_view(target, z, y, nx))


@kernel
def _compute_products(
    source: FlatRows, row: int, maps: IndexMaps, smoothing: Any, derivative: Any, workspace: Any
) -> None:
    """Write the products of the components of the gradient in one row of all planes in reach."""
    components, products = workspace.components, workspace.products
    nx = components.shape[1]
    for z in range(len(workspace.rings)):
        gradient_row(
            source,
            z,
            row,
            maps,
            smoothing,
            derivative,
            workspace.rings[z],
            workspace.inner,
            workspace.offsets,
            components,
        )
        begin = z * _PRODUCTS * nx
        for i in range(3):
            for j in range(i, 3):
                product = products[begin : begin + nx]
                for x in range(nx):
                    product[x] = components[i, x] * components[j, x]
                begin += nx


@kernel
def _smooth_z(workspace: Any, z: int, row: int, first: int, z_map: Any, outer: Any) -> None:
    """Smooth the six products of a row along z, and write them into the ring."""
    products, ring, offsets = workspace.products, workspace.ring, workspace.offsets
    nx, span = workspace.components.shape[1], 2 * outer[1].size - 1
    for i in range(_PRODUCTS):
        for k in range(2 * outer[0].size - 1):
            plane = z_map[z + k]
            offsets[k] = ((plane - first) * _PRODUCTS + i) * nx
            if plane == OUTSIDE:
                offsets[k] = products.size - nx
        begin = ((z * _PRODUCTS + i) * span + row % span) * nx
        symmetric_sum(products, offsets, outer[0], ring[begin : begin + nx])


@kernel
def _smooth_y_and_x(workspace: Any, z: int, y: int, maps: IndexMaps, outer: Any) -> None:
    """Smooth the six products of a row along y and x, from the ring to `sums`."""
    ring, line, offsets = workspace.ring, workspace.outer, workspace.offsets
    nx, span, rx = workspace.components.shape[1], 2 * outer[1].size - 1, outer[2].size - 1
    for i in range(_PRODUCTS):
        for k in range(span):
            row = maps[1][y + k]
            offsets[k] = ((z * _PRODUCTS + i) * span + row % span) * nx
            if row == OUTSIDE:
                offsets[k] = ring.size - nx
        symmetric_sum(ring, offsets, outer[1], line[rx : rx + nx])
        pad_ends(line, maps[2], rx, nx, line.dtype.type(0))
        for k in range(2 * rx + 1):
            offsets[k] = k
        symmetric_sum(line, offsets, outer[2], workspace.sums[i])


@kernel
def _write_quantity(tensors: Any, output: int, out: Any) -> None:
    """Write the quantity of a row of tensors (6, x), each divided by its trace."""
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


@kernel
def _eigenvalues(tensor: Any) -> tuple[float, float]:
    """Return the largest and the smallest eigenvalue of a tensor of trace 1.

    O. K. Smith, "Eigenvalues of a symmetric 3 x 3 matrix", Communications of the ACM 4 (1961) 168.
    """
    zz, zy, zx, yy, yx, xx = tensor
    a, b, c = zz - 1 / 3, yy - 1 / 3, xx - 1 / 3
    scale = sqrt((a * a + b * b + c * c + 2 * (zy * zy + zx * zx + yx * yx)) / 6)
    if scale == 0:
        return 1 / 3, 1 / 3
    a, b, c, d, e, f = a / scale, b / scale, c / scale, zy / scale, zx / scale, yx / scale
    half_determinant = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2
    if half_determinant > 1:
        half_determinant = 1.0
    elif half_determinant < -1:
        half_determinant = -1.0
    cosine = cos(acos(half_determinant) / 3)
    largest = 1 / 3 + 2 * scale * cosine
    # cos(phi + 2 pi / 3) by the angle sum identity.
    smallest = 1 / 3 - scale * (cosine + sqrt(3 * (1 - cosine * cosine)))
    # The tensor is positive semidefinite: only rounding makes this eigenvalue negative.
    return largest, 0.0 if smallest < 0 else smallest


@kernel
def _coherence(tensor: Any) -> float:
    """Return (l1 - l3) / (l1 + l3)."""
    largest, smallest = _eigenvalues(tensor)
    return (largest - smallest) / (largest + smallest)


@kernel
def _angle(tensor: Any, output: int) -> float:
    """Return azimuth or elevation of the eigenvector v of the smallest eigenvalue l3.

    The adjugate of (tensor - l3) is (l1 - l3) (l2 - l3) v v', so each of its columns is parallel to
    v. The one of the largest diagonal element has the smallest rounding error.
    """
    _, smallest = _eigenvalues(tensor)
    a, d, e, b, f, c = tensor
    a, b, c = a - smallest, b - smallest, c - smallest
    zz, yy, xx = b * c - f * f, a * c - e * e, a * b - d * d
    zy, zx, yx = e * f - d * c, d * f - e * b, d * e - a * f
    if zz + yy + xx <= _DEGENERATE:
        return 0.0
    z, y, x = zx, yx, xx
    if zz > max(yy, xx):
        z, y, x = zz, zy, zx
    elif yy > xx:
        z, y, x = zy, yy, yx
    if x < 0 or (x == 0 and y < 0) or (x == 0 and y == 0 and z < 0):
        z, y, x = -z, -y, -x
    return degrees(atan2(y, x) if output == _AZIMUTH else atan2(z, sqrt(y * y + x * x)))
