"""Downsampling of planes: one voxel for each cell of z * y * x voxels.

A cell at the end of an odd axis has fewer voxels, and only those count. The kernel first joins the
rows of a cell voxel by voxel, in loops that are vectorised over x, then neighbours along x.

For integer dtypes the results are those of `tensorstore.downsample`. Means of floats differ in the
last bits: they are added in float64 here, and in float32 by TensorStore for float32.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import dtype_range, is_wide, store_row
from hoaconv.kernels.rows import flat_rows
from hoaconv.kernels.types import Plane, Vector

__all__ = [
    "MAX_CELL",
    "METHODS",
    "downsample",
    "downsample_bytes",
    "maximum",
    "mean",
    "minimum",
    "mode",
    "nearest",
]

MAX_CELL = 1 << 15
"""Voxels of the largest cell: 32 bits hold the sum of so many 16-bit voxels exactly."""

Method = Callable[[Sequence[Plane], int, int, int, Plane], None]


def mean(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Write the mean of each cell; exact and rounded half to even for integers, NaN with any NaN.

    Parameters
    ----------
    planes : arrays (y, x) of one shape and dtype
        The planes of a cell. At the end of a volume any plane may take the place of missing ones.
        Rows ``r0 * fy`` to ``r1 * fy`` suffice for the rows r0 to r1 of the result.
    count : int
        The number of planes, from the first one on, that exist and count.
    fy, fx : int
        Rows and columns of a cell.
    out : array (ceil(y / fy), ceil(x / fx)) of the dtype of the planes
        Takes the result.

    Raises
    ------
    ValueError
        If the shapes or dtypes do not match, or a cell has more than `MAX_CELL` voxels.
    """
    cells = _Cells.of(planes, count, fy, fx, out)
    if is_wide(out.dtype):
        halves = np.empty((2, cells.shape[1]), np.int64)
        _mean_wide(*cells[:4], halves, cells.out, cells.out_step)
        return
    workspace = np.empty(cells.shape[1], _sum_dtype(out.dtype)), np.empty(out.shape[1])
    _mean(
        cells.planes,
        cells.shape,
        cells.step,
        cells.cell,
        workspace,
        dtype_range(out.dtype),
        cells.out,
        cells.out_step,
    )


def maximum(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Write the maximum of each cell; NaN with any NaN. Parameters as for `mean`."""
    _write_extrema(True, planes, count, fy, fx, out)


def minimum(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Write the minimum of each cell; NaN with any NaN. Parameters as for `mean`."""
    _write_extrema(False, planes, count, fy, fx, out)


def _write_extrema(
    largest: bool, planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane
) -> None:
    """Write the maximum of each cell if `largest`, else the minimum."""
    cells = _Cells.of(planes, count, fy, fx, out)
    extrema = np.empty(cells.shape[1], out.dtype)
    _extrema(
        cells.planes,
        cells.shape,
        cells.step,
        cells.cell,
        largest,
        extrema,
        cells.out,
        cells.out_step,
    )


def mode(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Write the mode of each cell, the smallest of several. Parameters as for `mean`.

    NaN equals no value, so the mode is NaN only for cells that contain nothing else.
    """
    cells = _Cells.of(planes, count, fy, fx, out)
    voxels = np.empty(count * fy * fx, out.dtype)
    _mode(cells.planes, cells.shape, cells.step, cells.cell, voxels, cells.out, cells.out_step)


def nearest(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Write the first voxel of each cell. Parameters as for `mean`."""
    _check(planes, count, fy, fx, out)
    out[...] = planes[0][::fy, ::fx]


METHODS: Mapping[str, Method] = MappingProxyType(
    {"mean": mean, "mode": mode, "max": maximum, "min": minimum, "nearest": nearest}
)
"""The methods of downsampling by name."""


def downsample(
    method: str, planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane
) -> None:
    """Downsample by the method of a name in `METHODS`. Other parameters as for `mean`."""
    METHODS[method](planes, count, fy, fx, out)


def downsample_bytes(nx: int, dtype: np.dtype[Any]) -> int:
    """Return an upper bound, for all methods, of the bytes allocated for planes of `nx` columns."""
    sums = nx * (_sum_dtype(dtype).itemsize + 8)
    return max(sums, MAX_CELL * dtype.itemsize)


def _sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype that holds the sum of `MAX_CELL` integers exactly; float64 for floats."""
    if dtype.kind == "f":
        return np.dtype(np.float64)
    return np.dtype(np.int32 if dtype.itemsize <= 2 else np.int64)


class _Cells(NamedTuple):
    """The arguments of a kernel."""

    planes: tuple[Vector, ...]
    """Flat views of the planes."""
    shape: tuple[int, int]
    """Shape (y, x) of a plane."""
    step: int
    """Elements between two rows of a plane."""
    cell: tuple[int, int, int]
    """Planes, rows and columns of a cell."""
    out: Vector
    """Flat view of the result."""
    out_step: int
    """Elements between two rows of the result."""

    @classmethod
    def of(cls, planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> Self:
        """Check the parameters of `mean`, and return them as kernels take them."""
        _check(planes, count, fy, fx, out)
        rows = [flat_rows(plane) for plane in planes]
        ny, nx = planes[0].shape
        if len({y_step for _, _, y_step in rows}) > 1:
            raise ValueError("all planes must have the same step between rows")
        flat, _, out_step = flat_rows(out)
        flats = tuple(plane for plane, _, _ in rows)
        return cls(flats, (ny, nx), rows[0][2], (count, fy, fx), flat, out_step)


def _check(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Raise ValueError if the parameters of `mean` do not match."""
    shape = planes[0].shape
    if any(plane.shape != shape or plane.dtype != out.dtype for plane in planes):
        raise ValueError(f"all planes must have shape {shape} and dtype {out.dtype}")
    if not 1 <= count <= len(planes):
        raise ValueError(f"{count} planes were asked for, {len(planes)} given")
    if min(fy, fx) < 1 or count * fy * fx > MAX_CELL:
        raise ValueError(f"a cell of {count} x {fy} x {fx} voxels: 1 to {MAX_CELL} are possible")
    expected = (-(-shape[0] // fy), -(-shape[1] // fx))
    if out.shape != expected:
        raise ValueError(f"planes of {shape} become {expected}, but out is {out.shape}")


@kernel
def _mean(
    planes: Any,
    shape: Any,
    step: int,
    cell: Any,
    workspace: Any,
    limits: Any,
    out: Any,
    out_step: int,
) -> None:
    """Write the means, computed in float64, row of cells by row of cells."""
    count, fy, fx = cell
    sums, means = workspace
    (ny, nx), (lo, hi) = shape, limits
    for row in range(0, ny, fy):
        rows = min(fy, ny - row)
        _sum_rows(planes, step, row, rows, count, sums)
        _sum_columns(sums, fx, means)
        _divide(means[: nx // fx], count * rows * fx)
        if nx % fx:
            _divide(means[nx // fx :], count * rows * (nx % fx))
        begin = row // fy * out_step
        store_row(means, lo, hi, out[begin : begin + means.size])


@kernel
def _mean_wide(
    planes: Any, shape: Any, step: int, cell: Any, halves: Any, out: Any, out_step: int
) -> None:
    """Write the means of integers of 64 bits, whose halves of 32 bits are summed apart."""
    count, fy, fx = cell
    ny, nx = shape
    high, low = halves
    half, mask = out.dtype.type(32), out.dtype.type(0xFFFFFFFF)
    for row in range(0, ny, fy):
        rows = min(fy, ny - row)
        halves[:] = 0
        for p in range(count):
            for r in range(row, row + rows):
                line = planes[p][r * step : r * step + nx]
                for x in range(nx):
                    high[x] += np.int64(line[x] >> half)
                    low[x] += np.int64(line[x] & mask)
        for x in range(0, nx, fx):
            stop = min(x + fx, nx)
            number = count * rows * (stop - x)
            mean = _divided_wide(high[x:stop].sum(), low[x:stop].sum(), number)
            out[row // fy * out_step + x // fx] = out.dtype.type(mean)


@kernel
def _divided_wide(high: Any, low: Any, number: Any) -> Any:
    """Return ``(high * 2**32 + low) / number`` modulo 2**64, rounded half to even."""
    rest = (high % number << 32) + low
    mean, left = (high // number << 32) + rest // number, 2 * (rest % number)
    return mean + 1 if left > number or (left == number and mean & 1) else mean


@kernel
def _sum_rows(planes: Any, step: int, row: int, rows: int, count: int, sums: Any) -> None:
    """Write the sums of the rows of a cell, which are added in pairs."""
    n = sums.size
    sums[:] = 0
    for p in range(count):
        plane = planes[p]
        for r in range(row, row + rows - 1, 2):
            a = plane[r * step : r * step + n]
            b = plane[(r + 1) * step : (r + 1) * step + n]
            for x in range(n):
                sums[x] += sums.dtype.type(a[x]) + sums.dtype.type(b[x])
        if rows % 2:
            last = (row + rows - 1) * step
            a = plane[last : last + n]
            for x in range(n):
                sums[x] += sums.dtype.type(a[x])


@kernel
def _sum_columns(sums: Any, fx: int, cells: Any) -> None:
    """Write the sums of `fx` neighbours along x."""
    whole = sums.size // fx
    if fx == 1:
        for x in range(whole):
            cells[x] = sums[x]
    elif fx == 2:
        for x in range(whole):
            cells[x] = sums[2 * x] + sums[2 * x + 1]
    else:
        for x in range(whole):
            cells[x] = sums[fx * x : fx * x + fx].sum()
    if whole < cells.size:
        cells[whole] = sums[whole * fx :].sum()


@kernel
def _divide(cells: Any, n: int) -> None:
    """Divide sums below 2**47 by `n`, so precisely that exactly the true ties are ties."""
    if n & (n - 1) == 0:
        cells *= 1.0 / n
    else:
        cells /= n


@kernel
def _extrema(
    planes: Any,
    shape: Any,
    step: int,
    cell: Any,
    largest: bool,
    extrema: Any,
    out: Any,
    out_step: int,
) -> None:
    """Write the extrema, row of cells by row of cells."""
    count, fy, fx = cell
    ny, nx = shape
    for row in range(0, ny, fy):
        for p in range(count):
            plane = planes[p]
            for r in range(row, min(row + fy, ny)):
                line = plane[r * step : r * step + nx]
                first = p == 0 and r == row
                for x in range(nx):
                    replaces = first or _exceeds(line[x], extrema[x], largest)
                    extrema[x] = line[x] if replaces else extrema[x]
        for x in range(0, nx, fx):
            extremum = extrema[x]
            for k in range(x + 1, min(x + fx, nx)):
                extremum = extrema[k] if _exceeds(extrema[k], extremum, largest) else extremum
            out[row // fy * out_step + x // fx] = extremum


@kernel
def _exceeds(voxel: Any, extremum: Any, largest: bool) -> Any:
    """Return whether a voxel replaces the extremum so far; NaN replaces any."""
    return (voxel > extremum if largest else voxel < extremum) or np.isnan(voxel)


@kernel
def _mode(
    planes: Any, shape: Any, step: int, cell: Any, voxels: Any, out: Any, out_step: int
) -> None:
    """Write the modes; `voxels` holds the voxels of one cell."""
    count, fy, fx = cell
    ny, nx = shape
    for row in range(0, ny, fy):
        for x in range(0, nx, fx):
            n = 0
            for p in range(count):
                plane = planes[p]
                for r in range(row, min(row + fy, ny)):
                    for k in range(x, min(x + fx, nx)):
                        n = _insert(voxels, n, plane[r * step + k])
            out[row // fy * out_step + x // fx] = _most_frequent(voxels, n)


@kernel
def _insert(voxels: Any, n: int, voxel: Any) -> int:
    """Insert a voxel into the first `n`, which are sorted with NaN last; return ``n + 1``."""
    k = n
    while k > 0 and (voxels[k - 1] > voxel or np.isnan(voxels[k - 1])):
        voxels[k] = voxels[k - 1]
        k -= 1
    voxels[k] = voxel
    return n + 1


@kernel
def _most_frequent(voxels: Any, n: int) -> Any:
    """Return the value of the longest run in the first `n` voxels, which are sorted."""
    value, longest, run = voxels[0], 1, 1
    for k in range(1, n):
        run = run + 1 if voxels[k] == voxels[k - 1] else 1
        if run > longest:
            value, longest = voxels[k], run
    return value
