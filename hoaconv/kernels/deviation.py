"""The standard deviation in a window around each voxel, for floats and wide integers.

The difference of large sums of squares would cancel a small variance. The kernel therefore combines
the means and the M2 of parts, M2 being the sum of the squared deviations from the mean: columns
along z, then columns combined along y, then along x.

T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing
sample variances", COMPSTAT (1982) 30-41; here for parts of equal size.
"""

from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.boundary import OUTSIDE, index_maps, index_maps_bytes, pad_ends
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import Array, Core, FlatRows, IndexMaps, Slab, Triple, Vector

__all__ = ["std_filter", "std_filter_bytes"]


def std_filter(block: Slab, core: Core, out: Slab, size: Triple, mode: str, cval: float) -> None:
    """Write the standard deviation in the window around each voxel of ``block[core]``.

    Parameters
    ----------
    block, core, size, mode, cval
        As for `hoaconv.kernels.uniform.uniform_filter`.
    out : float array (z, y, x)
        Takes the result, computed in float64, in the shape of the core.
    """
    nx = block.shape[2]
    rz, ry, rx = (n // 2 for n in size)
    workspace = _Workspace(
        np.empty((2, size[1] * nx)),
        np.empty((2, nx + 2 * rx)),
        np.empty((2, nx)),
        np.empty(max(size), np.int64),
    )
    maps = index_maps(block.shape, core, (rz, ry, rx), mode)
    _std_filter(flat_rows(block), flat_rows(out), out.shape, maps, size, float(cval), workspace)


def std_filter_bytes(shape: Triple, size: Triple) -> int:
    """Return the bytes that `std_filter` allocates for a block of this shape."""
    rows = 2 * (size[1] * shape[2] + 2 * shape[2] + 2 * (size[2] // 2))
    return 8 * (rows + max(size)) + index_maps_bytes(shape, size)


class _Workspace(NamedTuple):
    """Buffers of the kernel. The first axis of the float64 ones is: means, M2."""

    ring: Array
    """Rows of columns along z, one after the other."""
    line: Array
    """A row of columns combined along y, and the values beyond its ends."""
    row: Array
    """A row of windows."""
    offsets: Vector
    """Offsets of the parts to combine."""


@kernel
def _std_filter(
    source: FlatRows,
    target: FlatRows,
    shape: Any,
    maps: IndexMaps,
    size: Any,
    cval: float,
    workspace: Any,
) -> None:
    """Compute row by row: columns along z, their union along y, and the union of these along x."""
    ring, line, windows, offsets = workspace
    nz, ny, nx = shape
    rx, voxels = size[2] // 2, size[0] * size[1] * size[2]
    for z in range(nz):
        for y in range(ny + size[1] - 1):
            slot = y % size[1] * nx
            columns = ring[:, slot : slot + nx]
            planes = maps[0][z : z + size[0]]
            _column_moments(source, planes, maps[1][y], cval, columns[0], columns[1])
            if y < size[1] - 1:
                continue
            for k in range(size[1]):
                offsets[k] = (y + 1 + k) % size[1] * nx
            middle = line[:, rx : rx + nx]
            _combine(ring, offsets[: size[1]], size[0], middle[0], middle[1])
            pad_ends(line[0], maps[2], rx, nx, cval)
            pad_ends(line[1], maps[2], rx, nx, 0.0)
            for k in range(size[2]):
                offsets[k] = k
            _combine(line, offsets[: size[2]], size[0] * size[1], windows[0], windows[1])
            row = row_view(target, z, y - size[1] + 1, nx)
            for x in range(nx):
                row[x] = np.sqrt(windows[1, x] / voxels)


@kernel
def _column_moments(source: FlatRows, planes: Any, y: int, cval: float, mean: Any, m2: Any) -> None:
    """Write mean and M2 of the columns of a row along z, in two passes over the planes."""
    mean[:] = 0
    m2[:] = 0
    for second_pass in range(2):
        for plane in planes:
            outside = OUTSIDE in (plane, y)
            row = row_view(source, 0 if outside else plane, 0 if outside else y, mean.size)
            for x in range(mean.size):
                value = cval if outside else np.float64(row[x])
                if second_pass:
                    m2[x] += (value - mean[x]) * (value - mean[x])
                else:
                    mean[x] += value
        if not second_pass:
            for x in range(mean.size):
                mean[x] /= planes.size


@kernel
def _combine(parts: Any, offsets: Any, voxels: int, mean: Any, m2: Any) -> None:
    """Write mean and M2 of the union of parts of `voxels` voxels each."""
    n = mean.size
    mean[:] = 0
    m2[:] = 0
    for begin in offsets:
        means, m2s = parts[0, begin : begin + n], parts[1, begin : begin + n]
        for x in range(n):
            mean[x] += means[x]
            m2[x] += m2s[x]
    for x in range(n):
        mean[x] /= offsets.size
    for begin in offsets:
        means = parts[0, begin : begin + n]
        for x in range(n):
            m2[x] += voxels * ((means[x] - mean[x]) * (means[x] - mean[x]))
