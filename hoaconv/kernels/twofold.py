"""Sums of voxels, and of their squares, as pairs of float64: some 106 bits at 16 bytes a sum.

The second number of a pair is the rounding error of the first (T. J. Dekker, "A floating-point
technique for extending the available precision", Numerische Mathematik 18 (1971), 224-242).
"""

from math import sqrt
from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import flat_rows
from hoaconv.kernels.types import Vector

__all__ = ["add_pairs", "pair_deviations"]

Pairs = np.ndarray[Any, np.dtype[np.float64]]
"""(cells, 2) or (cells, 4): a sum and its error, then the sum of squares and its error."""


def add_pairs(block: Pairs, sums: Pairs, odd: Vector) -> None:
    """Add each voxel of a block to a cell of its own.

    Parameters
    ----------
    block : (y, x) array
        Of any dtype.
    sums : (y * x, 2) or (y * x, 4) array
        Sums so far; at first 0. With four columns squares are added too.
    odd : (y * x) array
        Sums of the voxels that are no finite number; 0 where all are.
    """
    flat, _, step = flat_rows(block)
    _add_pairs(flat, step, block.shape, sums, odd)


@kernel
def _add_pairs(flat: Any, step: int, shape: Any, sums: Any, odd: Any) -> None:
    ny, nx = shape
    squared = sums.shape[1] > 2
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            value, c = np.float64(row[x]), y * nx + x
            if not np.isfinite(value):
                odd[c] += value
                continue
            sums[c, 0], sums[c, 1] = _added(sums[c, 0], sums[c, 1], value, 0.0)
            if squared:
                square, rest = _product(value, value)
                sums[c, 2], sums[c, 3] = _added(sums[c, 2], sums[c, 3], square, rest)


@kernel
def pair_deviations(sums: Any, number: float, out: Any) -> None:
    """Write the standard deviation of each cell's `number` voxels into `out`."""
    for c in range(out.size):
        total, rest, squares, error = sums[c]
        if not np.isfinite(squares):
            out[c] = np.inf
            continue
        high, low = _product(number, squares)
        less, under = _product(total, total)
        spread, tail = _added(high, low + number * error, -less, -(under + 2 * total * rest))
        out[c] = sqrt(max(spread + tail, 0.0)) / number


@kernel
def _added(high: Any, low: Any, value: Any, rest: Any) -> Any:
    """Add two pairs."""
    total = high + value
    part = total - high
    error = (high - (total - part)) + (value - part) + low + rest
    made = total + error
    return made, error - (made - total)


@kernel
def _product(one: Any, other: Any) -> Any:
    """Return the product of two floats as a pair, which is exact."""
    made = one * other
    a, b = _halves(one)
    c, d = _halves(other)
    return made, ((a * c - made) + a * d + b * c) + b * d


@kernel
def _halves(value: Any) -> Any:
    """Return the first 26 bits of a float, and the rest."""
    spread = 134217729.0 * value
    first = spread - (spread - value)
    return first, value - first
