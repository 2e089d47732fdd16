"""Planes to the plane of the next level: one voxel for each cell of z * y * x factors.

A cell at an odd edge has fewer voxels, and only those count. Two steps a row: the rows of a cell
are joined voxel by voxel, which vectorises over x, then neighbours along x are joined.

The same as `tensorstore.downsample` for every integer dtype. Floats differ from it in the last
bits: here a mean adds in float64 (TensorStore: float32 for float32).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit

from hoaconv.kernels.rounding import dtype_range, store_row
from hoaconv.kernels.rows import Flat, flat_rows

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
"""Most voxels in a cell: so many 16-bit ones still sum exactly in 32 bits."""

Plane = np.ndarray[Any, np.dtype[Any]]
Method = Callable[[Sequence[Plane], int, int, int, Plane], None]


def mean(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Average each cell; integers exactly, rounded half to even. NaN spreads.

    Parameters
    ----------
    planes : (y, x) arrays of one shape and dtype
        The planes of a cell. Fewer may exist at the volume's end: then any plane fills the rest.
        Rows ``r0 * fy`` to ``r1 * fy`` suffice for rows r0 to r1 of the result.
    count : int
        How many of the planes, from the first, exist and count.
    fy, fx : int
        Rows and columns of a cell.
    out : (ceil(y / fy), ceil(x / fx)) array of the planes' dtype
        Takes the result.

    Raises
    ------
    ValueError
        If the shapes don't match, or a cell has more than `MAX_CELL` voxels.
    """
    cells = _Cells.of(planes, count, fy, fx, out)
    scratch = np.empty(cells.shape[1], _sum_dtype(out.dtype)), np.empty(out.shape[1])
    _mean(
        cells.planes,
        cells.shape,
        cells.step,
        cells.cell,
        scratch,
        dtype_range(out.dtype),
        cells.out,
        cells.out_step,
    )


def maximum(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Greatest voxel of each cell; NaN spreads. Parameters as for `mean`."""
    _most(True, planes, count, fy, fx, out)


def minimum(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Least voxel of each cell; NaN spreads. Parameters as for `mean`."""
    _most(False, planes, count, fy, fx, out)


def _most(
    greatest: bool, planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane
) -> None:
    cells = _Cells.of(planes, count, fy, fx, out)
    best = np.empty(cells.shape[1], out.dtype)
    _extreme(
        cells.planes, cells.shape, cells.step, cells.cell, greatest, best, cells.out, cells.out_step
    )


def mode(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """Most frequent voxel of each cell, of several the least. Parameters as for `mean`.

    A NaN equals nothing, so it wins only where a cell holds nothing else.
    """
    cells = _Cells.of(planes, count, fy, fx, out)
    voxels = np.empty(count * fy * fx, out.dtype)
    _mode(cells.planes, cells.shape, cells.step, cells.cell, voxels, cells.out, cells.out_step)


def nearest(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
    """First voxel of each cell. Parameters as for `mean`."""
    _check(planes, count, fy, fx, out)
    out[...] = planes[0][::fy, ::fx]


METHODS: Mapping[str, Method] = MappingProxyType(
    {"mean": mean, "mode": mode, "max": maximum, "min": minimum, "nearest": nearest}
)
"""Every way to make one voxel of a cell, by its word."""


def downsample(
    method: str, planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane
) -> None:
    """Run the method of a word of `METHODS`; parameters as for `mean`."""
    METHODS[method](planes, count, fy, fx, out)


def downsample_bytes(nx: int, dtype: np.dtype[Any]) -> int:
    """Bytes that a call holds for planes of `nx` columns, the most that any method takes."""
    sums = nx * (_sum_dtype(dtype).itemsize + 8)
    return max(sums, MAX_CELL * dtype.itemsize)


def _sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What sums up to `MAX_CELL` voxels exactly; float64 for floats."""
    if dtype.kind == "f":
        return np.dtype(np.float64)
    return np.dtype(np.int32 if dtype.itemsize <= 2 else np.int64)


class _Cells(NamedTuple):
    """The parameters of `mean`, checked, as the kernels take them."""

    planes: tuple[Flat, ...]
    shape: tuple[int, int]
    step: int
    cell: tuple[int, int, int]
    out: Flat
    out_step: int

    @classmethod
    def of(cls, planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> Self:
        _check(planes, count, fy, fx, out)
        rows = [flat_rows(plane) for plane in planes]
        ny, nx = planes[0].shape
        if len({y_step for _, _, y_step in rows}) > 1:
            raise ValueError("all planes must have the same step between rows")
        flat, _, out_step = flat_rows(out)
        flats = tuple(one for one, _, _ in rows)
        return cls(flats, (ny, nx), rows[0][2], (count, fy, fx), flat, out_step)


def _check(planes: Sequence[Plane], count: int, fy: int, fx: int, out: Plane) -> None:
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


@njit(nogil=True, cache=True, error_model="numpy")
def _mean(
    planes: Any, shape: Any, step: int, cell: Any, scratch: Any, limits: Any, out: Any, to: int
) -> None:
    count, fy, fx = cell
    sums, cells = scratch
    (ny, nx), (lo, hi) = shape, limits
    for row in range(0, ny, fy):
        rows = min(fy, ny - row)
        _sum_rows(planes, step, row, rows, count, sums)
        _sum_columns(sums, fx, cells)
        _divide(cells[: nx // fx], count * rows * fx)
        if nx % fx:
            _divide(cells[nx // fx :], count * rows * (nx % fx))
        begin = row // fy * to
        store_row(cells, lo, hi, out[begin : begin + cells.size])


@njit(nogil=True, cache=True, error_model="numpy")
def _sum_rows(planes: Any, step: int, row: int, rows: int, count: int, sums: Any) -> None:
    """Add up the rows of a cell, two at a time where there are two."""
    n = sums.size
    sums[:] = 0
    for p in range(count):
        plane = planes[p]
        for r in range(row, row + rows - 1, 2):
            one = plane[r * step : r * step + n]
            other = plane[(r + 1) * step : (r + 1) * step + n]
            for x in range(n):
                sums[x] += sums.dtype.type(one[x]) + sums.dtype.type(other[x])
        if rows % 2:
            last = (row + rows - 1) * step
            one = plane[last : last + n]
            for x in range(n):
                sums[x] += sums.dtype.type(one[x])


@njit(nogil=True, cache=True, error_model="numpy")
def _sum_columns(sums: Any, fx: int, cells: Any) -> None:
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


@njit(nogil=True, cache=True, error_model="numpy")
def _divide(cells: Any, n: int) -> None:
    """Divide sums of less than 2**47 by n, so exactly that a tie stays one and no other comes."""
    if n & (n - 1) == 0:
        cells *= 1.0 / n
    else:
        cells /= n


@njit(nogil=True, cache=True, error_model="numpy")
def _extreme(
    planes: Any, shape: Any, step: int, cell: Any, greatest: bool, best: Any, out: Any, to: int
) -> None:
    count, fy, fx = cell
    ny, nx = shape
    for row in range(0, ny, fy):
        for p in range(count):
            plane = planes[p]
            for r in range(row, min(row + fy, ny)):
                line = plane[r * step : r * step + nx]
                first = p == 0 and r == row
                for x in range(nx):
                    wins = first or _beats(line[x], best[x], greatest)
                    best[x] = line[x] if wins else best[x]
        for x in range(0, nx, fx):
            top = best[x]
            for k in range(x + 1, min(x + fx, nx)):
                top = best[k] if _beats(best[k], top, greatest) else top
            out[row // fy * to + x // fx] = top


@njit(nogil=True, cache=True, error_model="numpy")
def _beats(one: Any, other: Any, greatest: bool) -> Any:
    """Whether a voxel replaces the best so far; NaN beats all."""
    return (one > other if greatest else one < other) or np.isnan(one)


@njit(nogil=True, cache=True, error_model="numpy")
def _mode(planes: Any, shape: Any, step: int, cell: Any, voxels: Any, out: Any, to: int) -> None:
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
            out[row // fy * to + x // fx] = _longest_run(voxels, n)


@njit(nogil=True, cache=True, error_model="numpy")
def _insert(voxels: Any, n: int, voxel: Any) -> int:
    """Put a voxel in its place among the first n, which are sorted, NaN last; return n + 1."""
    k = n
    while k > 0 and (voxels[k - 1] > voxel or np.isnan(voxels[k - 1])):
        voxels[k] = voxels[k - 1]
        k -= 1
    voxels[k] = voxel
    return n + 1


@njit(nogil=True, cache=True, error_model="numpy")
def _longest_run(voxels: Any, n: int) -> Any:
    best, most, run = voxels[0], 1, 1
    for k in range(1, n):
        run = run + 1 if voxels[k] == voxels[k - 1] else 1
        if run > most:
            best, most = voxels[k], run
    return best
