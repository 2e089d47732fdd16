"""The mean and the standard deviation in a window around each voxel, from sums along z, y and x.

Sums of integers are exact. Along z and y the kernel therefore updates the sum of the previous
window by one row that enters and one that leaves, so that its time hardly depends on the size of
the window. Rounded sums of floats would depend on the window in which they started, so they are
computed anew for each window. Along x the kernel adds sums of 2, 4, 8, ... voxels.
"""

from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, index_maps, pad_ends
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Array, Core, FlatRows, IndexMaps, Slab, Triple, Vector

__all__ = ["MAX_VOXELS", "integer_std_filter", "uniform_filter", "uniform_filter_bytes"]

MAX_VOXELS = 1 << 21
"""Voxels of the largest window: float64 holds the sum of so many 32-bit integers exactly."""

_MAX_VOXELS_INT32 = 1 << 15
"""Voxels of the largest window of 16-bit integers whose sum int32 holds."""

_CACHED_SUMS = 1 << 17
"""Sums that stay in the private cache of a processor core."""


def uniform_filter(
    block: Slab, core: Core, out: Slab, size: Triple, mode: str, cval: float
) -> None:
    """Write the mean of the window around each voxel of ``block[core]``.

    Parameters
    ----------
    block : array (z, y, x)
        The core and its context, of ``size // 2`` voxels.
    core : (z, y, x) slices
        The part to compute.
    out : array (z, y, x) of the dtype of `block`
        Takes the result, in the shape of the core. Integers are rounded half to even and saturated.
    size : (z, y, x) ints
        Voxels of the window along each axis, together at most `MAX_VOXELS`. A window of even size
        has one voxel more on the side of the lower indices.
    mode : one of `hoaconv.kernels.boundary.MODES`
        Defines the voxels beyond the ends of the block.
    cval : float
        Value of the voxels outside, for mode ``constant``.
    """
    _filter(block, core, out, size, mode, cval, 1)


def integer_std_filter(
    block: Slab, core: Core, out: Slab, size: Triple, mode: str, cval: float
) -> None:
    """Write the standard deviation of the window around each voxel, for narrow integers.

    Parameters
    ----------
    block, core, size, mode
        As for `uniform_filter`, with a block of integers of up to 16 bits.
    out : float array (z, y, x)
        Takes the result, in the shape of the core.
    cval : float
        Value of the voxels outside, for mode ``constant``; a whole number of up to 16 bits.
    """
    _filter(block, core, out, size, mode, cval, 2)


def uniform_filter_bytes(shape: Triple, dtype: np.dtype[Any], size: Triple, powers: int = 1) -> int:
    """Return the bytes that a filter of this module allocates.

    Parameters
    ----------
    shape, dtype
        Of the block.
    size : (z, y, x) ints
        Voxels of the window along each axis.
    powers : int
        1 for `uniform_filter`, 2 for `integer_std_filter`.
    """
    nx, padded = shape[2], shape[2] + 2 * (size[2] // 2)
    rows = min(_stripe_rows(nx, size[1]), shape[1]) + 2 * (size[1] // 2)
    sums = powers * (rows + 1) * nx + nx + 2 * padded
    maps = (shape[0] + shape[1] + 2 * sum(size) + size[0]) * 8
    inside = 4 * padded * 8
    return sums * _sum_dtype(dtype, size, powers).itemsize + powers * nx * 8 + 4 * maps + inside


class _Workspace(NamedTuple):
    """Buffers of the kernel. An axis of `powers` is: voxels, and their squares if required."""

    stripe: Array
    """Sums along z (powers, rows, x) of the rows that a stripe of the core needs."""
    column: Array
    """Sums along z and y (powers, x) of one row."""
    lines: Array
    """Two rows of partial sums along x, and the values beyond their ends."""
    sums: Vector
    """Sums of the windows of one row."""
    totals: Array
    """Sums of the windows (powers, x) as float64, then the result."""
    offsets: Vector
    """Offsets of the rows to add."""


def _sum_dtype(dtype: np.dtype[Any], size: Triple, powers: int) -> np.dtype[Any]:
    """Return the dtype of the sums, which are exact for integers."""
    narrow = dtype.kind in "ui" and dtype.itemsize <= 2 and powers == 1
    few = size[0] * size[1] * size[2] <= _MAX_VOXELS_INT32
    return np.dtype(np.int32 if narrow and few else np.float64)


def _stripe_rows(nx: int, size: int) -> int:
    """Return the rows of the core that are computed together."""
    return max(2 * size, _CACHED_SUMS // nx)


def _voxels_inside(nx: int, size: int) -> Vector:
    """Return for each x the voxels of the window along x that lie in the volume."""
    first = np.arange(nx) - size // 2
    return np.asarray(np.minimum(first + size, nx) - np.maximum(first, 0))


def _filter(
    block: Slab, core: Core, out: Slab, size: Triple, mode: str, cval: float, powers: int
) -> None:
    """Apply `uniform_filter` (`powers` 1) or `integer_std_filter` (2) stripe by stripe."""
    nx = block.shape[2]
    rz, ry, rx = (n // 2 for n in size)
    z_map, y_map, x_map = index_maps(block.shape, core, (rz, ry, rx), mode)
    fill = cval if mode == "constant" else 0.0
    rows, real = _stripe_rows(nx, size[1]), _sum_dtype(block.dtype, size, powers)
    workspace = _Workspace(
        np.empty((powers, min(rows, out.shape[1]) + 2 * ry, nx), real),
        np.empty((powers, nx), real),
        np.empty((2, nx + 2 * rx), real),
        np.empty(nx, real),
        np.empty((powers, nx)),
        np.empty(max(size) + 1, np.int64),
    )
    inside = _voxels_inside(nx, size[2]) if fill else np.empty(0, np.int64)
    for y in range(0, out.shape[1], rows):
        part = out[:, y : y + rows]
        _filter_stripe(
            flat_rows(block),
            flat_rows(part),
            part.shape,
            (z_map, y_map[y : y + part.shape[1] + 2 * ry], x_map),
            size,
            block.dtype.kind in "ui",
            inside,
            (*dtype_range(out.dtype), float(fill)),
            workspace,
        )


@kernel
def _filter_stripe(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    size: Any,
    exact: bool,
    inside: Any,
    limits: Any,
    workspace: Any,
) -> None:
    """Sum the rows of each plane along z, then each row along y and x."""
    z_map, y_map, x_map = maps
    lo, hi, fill = limits
    stripe, column, lines, sums, totals, offsets = workspace
    nz, ny, nx = shape
    powers, voxels = len(stripe), size[0] * size[1] * size[2]
    for z in range(nz):
        _sum_z(source, z_map, y_map, z, size[0], exact and z > 0, offsets, stripe)
        for y in range(ny):
            for k in range(size[1] + 1):
                offsets[k] = (y + k - 1) * nx
            for p in range(powers):
                rows = offsets[: size[1] + 1]
                _sum_rows(stripe[p].ravel(), rows, exact and y > 0, False, column[p])
                _sum_x(column[p], x_map, size[2], lines, sums)
                totals[p] = sums
            if fill != 0:
                columns = _count_inside(z_map[z : z + size[0]])
                columns *= _count_inside(y_map[y : y + size[1]])
                _add_outside(columns, voxels, inside, fill, totals)
            if powers == 1:
                _mean(voxels, totals[0])
            else:
                _standard_deviation(voxels, totals[0], totals[1])
            store_row(totals[0], lo, hi, row_view(target, z, y, nx))


@kernel
def _sum_z(
    source: FlatRows,
    z_map: Any,
    y_map: Any,
    z: int,
    size: int,
    update: bool,
    offsets: Any,
    stripe: Any,
) -> None:
    """Write the sums along z of each row of the stripe, of voxels and of squares if required."""
    flat, z_step, y_step = source
    rows = offsets[: size + 1]
    for y in range(y_map.size):
        for k in range(size + 1):
            plane = z_map[max(z + k - 1, 0)]
            outside = OUTSIDE in (plane, y_map[y])
            rows[k] = OUTSIDE if outside else plane * z_step + y_map[y] * y_step
        for p in range(len(stripe)):
            _sum_rows(flat, rows, update, p == 1, stripe[p, y])


@kernel
def _sum_rows(flat: Any, offsets: Any, update: bool, squared: bool, sums: Any) -> None:
    """Write the sum of the rows at ``offsets[1:]``, or of their squares; `OUTSIDE` counts as 0.

    With `update`, `sums` holds the sum of the previous window, whose rows are at ``offsets[:-1]``.
    """
    real, last = sums.dtype.type, offsets.size - 1
    if not update:
        sums[:] = 0
    for k in range(0 if update else 1, offsets.size, last if update else 1):
        if offsets[k] == OUTSIDE:
            continue
        sign, row = real(1 if k else -1), flat[offsets[k] : offsets[k] + sums.size]
        for x in range(sums.size):
            value = real(row[x])
            sums[x] += sign * (value * value if squared else value)


@kernel
def _sum_x(row: Any, x_map: Any, size: int, lines: Any, sums: Any) -> None:
    """Write the sums of `size` neighbours along x.

    They are composed of the sums of 1, 2, 4, ... neighbours that make up `size` in binary.
    """
    n, radius = row.size, size // 2
    line, other = lines
    line[radius : radius + n] = row
    pad_ends(line, x_map, radius, n, line.dtype.type(0))
    sums[:] = 0
    width, done = 1, 0
    while True:
        if size & width:
            part = line[done : done + n]
            for x in range(n):
                sums[x] += part[x]
            done += width
        if 2 * width > size:
            return
        # An update in place would prevent the vectorisation of this loop.
        left, right = line[: line.size - width], line[width:]
        for x in range(left.size):
            other[x] = left[x] + right[x]
        line, other = other, line
        width *= 2


@kernel
def _count_inside(indices: Any) -> int:
    """Return the number of indices that are not `OUTSIDE`."""
    inside = 0
    for index in indices:
        inside += index != OUTSIDE
    return inside


@kernel
def _add_outside(columns: int, voxels: int, inside: Any, fill: Any, totals: Any) -> None:
    """Add the voxels outside: all of a window but ``columns * inside``, each with value `fill`."""
    for p in range(len(totals)):
        value = fill if p == 0 else fill * fill
        for x in range(inside.size):
            totals[p, x] += value * (voxels - columns * inside[x])


@kernel
def _mean(voxels: int, totals: Any) -> None:
    """Replace sums by means."""
    for x in range(totals.size):
        totals[x] /= voxels


@kernel
def _standard_deviation(voxels: int, totals: Any, squares: Any) -> None:
    """Replace sums by standard deviations.

    Deviations are taken from the whole number nearest to the mean, so that all steps but the last
    two are exact.
    """
    n = np.float64(voxels)
    for x in range(totals.size):
        near = np.rint(totals[x] / n)
        rest = totals[x] - near * n
        m2 = squares[x] - near * (2 * totals[x] - near * n)
        totals[x] = np.sqrt((m2 - rest * rest / n) / n)
