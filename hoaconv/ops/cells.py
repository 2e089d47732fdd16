"""Accumulators of many cells at once: what a reduction along axes holds while planes flow by.

A cell is a pixel of the result. None of them depends on the order in which rows come.
"""

from abc import ABC, abstractmethod
from math import inf
from typing import Any, Self

import numpy as np

from hoaconv.engine.spec import Plane
from hoaconv.kernels.exact import (
    add_exactly,
    add_whole,
    carry,
    deviations,
    limb_counts,
    round_sums,
)
from hoaconv.kernels.rounding import as_voxel
from hoaconv.kernels.twofold import add_pairs, pair_deviations
from hoaconv.kernels.types import Vector

__all__ = ["Cells", "Exact", "Extremes", "Twofold", "Whole"]

Across = tuple[int, int]
"""Voxel (y, x) of a block belongs to cell ``y * across[0] + x * across[1]``."""


class Cells(ABC):
    """The accumulators of some cells."""

    @abstractmethod
    def add(self, block: Plane, across: Across, first: int) -> None:
        """Take in a block; its first voxel belongs to cell `first`."""

    @abstractmethod
    def values(self, method: str, number: int, out: Vector) -> None:
        """Write the cells' values into `out`; each cell has seen `number` voxels."""

    @abstractmethod
    def clear(self) -> None:
        """Forget all voxels."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Take in what the cells of another have seen."""


class Extremes(Cells):
    """Least or greatest voxels; NaN where a cell has seen one."""

    def __init__(self, count: int, dtype: np.dtype[Any], method: str) -> None:
        self._pick: Any = np.maximum if method == "max" else np.minimum
        self._start = as_voxel(-inf if method == "max" else inf, dtype)
        self._cells = np.full(count, self._start, dtype)

    @staticmethod
    def nbytes(count: int, dtype: np.dtype[Any]) -> int:
        """Bytes of so many cells."""
        return count * dtype.itemsize

    def add(self, block: Plane, across: Across, first: int) -> None:
        """Take in a block."""
        with np.errstate(invalid="ignore"):  # NaN is to show
            if across[1]:
                for y, row in enumerate(block):
                    begin = first + y * across[0]
                    cells = self._cells[begin : begin + row.size]
                    self._pick(cells, row, out=cells)
                return
            for y, row in enumerate(block):
                cell = first + y * across[0]
                self._cells[cell] = self._pick(self._cells[cell], self._pick.reduce(row))

    def values(self, method: str, number: int, out: Vector) -> None:  # noqa: ARG002 - the contract
        """Write the cells; a zero has no sign, since it would tell the order."""
        np.add(self._cells, self._cells.dtype.type(0), out=out)

    def clear(self) -> None:
        """Forget all voxels."""
        self._cells[...] = self._start

    def merge(self, other: Self) -> None:
        """Take in the cells of another."""
        self._pick(self._cells, other._cells, out=self._cells)


class Whole(Cells):
    """Sums of integers, and of their squares, in int64, which must be able to hold them."""

    def __init__(self, count: int, method: str) -> None:
        self._sums = np.zeros(count, np.int64)
        self._squares = np.zeros(count if method == "std" else 0, np.int64)

    @staticmethod
    def nbytes(count: int, method: str) -> int:
        """Bytes of so many cells."""
        return 8 * count * (2 if method == "std" else 1)

    def add(self, block: Plane, across: Across, first: int) -> None:
        """Take in a block."""
        add_whole(block, across, self._sums[first:], self._squares[first:])

    def values(self, method: str, number: int, out: Vector) -> None:
        """Write sums, means or standard deviations, some cells at a time."""
        for begin in range(0, out.size, _CHUNK):
            part = slice(begin, begin + _CHUNK)
            if method == "sum":
                out[part] = self._sums[part]
            elif method == "mean":
                np.divide(self._sums[part], number, out=out[part])
            else:
                self._deviations(part, number, out[part])

    def _deviations(self, part: slice, number: int, out: Vector) -> None:
        """Write standard deviations: squares about the whole number that is nearest to the mean.

        These are exact: the int64 arithmetic wraps around, and the result is one that int64 holds.
        """
        sums = self._sums[part]
        nearest = (sums + number // 2) // number
        rest = (sums - nearest * number) / number
        squares = self._squares[part] - nearest * (2 * sums - nearest * number)
        np.sqrt(squares / number - rest**2, out=out)

    def clear(self) -> None:
        """Forget all voxels."""
        self._sums[...] = 0
        self._squares[...] = 0

    def merge(self, other: Self) -> None:
        """Take in the cells of another."""
        self._sums += other._sums
        self._squares += other._squares


_CHUNK = 1 << 10
"""Cells whose values are made at once: their temporaries needn't be counted."""


class Exact(Cells):
    """Sums of voxels of any dtype, and of their squares, that are never rounded."""

    def __init__(self, count: int, dtype: np.dtype[Any], method: str) -> None:
        limbs, squares = limb_counts(dtype)
        self._dtype = dtype
        self._sums = np.zeros((count, limbs), np.int64)
        self._squares = np.zeros((count, squares if method == "std" else 0), np.int64)
        self._odd = np.zeros(count)

    @staticmethod
    def nbytes(count: int, dtype: np.dtype[Any], method: str) -> int:
        """Bytes of so many cells."""
        limbs, squares = limb_counts(dtype)
        return (8 * (limbs + (squares if method == "std" else 0) + 1) + 1) * count

    def add(self, block: Plane, across: Across, first: int) -> None:
        """Take in a block."""
        cells = slice(first, first + _reach(block, across))
        sums, squares = self._sums[cells], self._squares[cells]
        add_exactly(block, across, sums, squares, self._odd[cells])
        carry(sums)
        carry(squares)

    def values(self, method: str, number: int, out: Vector) -> None:
        """Write sums, means or standard deviations; sums are rounded once."""
        if method == "std":
            deviations(self._sums, self._squares, self._dtype, number, out)
        else:
            round_sums(self._sums, self._dtype, out)
        _finish(method, number, self._odd, out)

    def clear(self) -> None:
        """Forget all voxels."""
        for array in (self._sums, self._squares, self._odd):
            array[...] = 0

    def merge(self, other: Self) -> None:
        """Take in the cells of another."""
        self._sums += other._sums
        self._squares += other._squares
        self._odd += other._odd
        carry(self._sums)
        carry(self._squares)


class Twofold(Cells):
    """Sums in pairs of float64, for as many cells as a plane has pixels, which see planes in order.

    Exact sums would take 80 bytes a pixel of float32, and 536 of float64.
    """

    def __init__(self, count: int, method: str) -> None:
        self._sums = np.zeros((count, 4 if method == "std" else 2))
        self._odd = np.zeros(count)

    @staticmethod
    def nbytes(count: int, method: str) -> int:
        """Bytes of so many cells."""
        return (8 * (5 if method == "std" else 3) + 1) * count

    def add(self, block: Plane, across: Across, first: int) -> None:  # noqa: ARG002 - a voxel a cell
        """Take in a block, each voxel into a cell of its own."""
        cells = slice(first, first + block.size)
        add_pairs(block, self._sums[cells], self._odd[cells])

    def values(self, method: str, number: int, out: Vector) -> None:
        """Write sums, means or standard deviations."""
        if method == "std":
            pair_deviations(self._sums, float(number), out)
        else:
            np.add(self._sums[:, 0], self._sums[:, 1], out=out)
        _finish(method, number, self._odd, out)

    def clear(self) -> None:
        """Forget all voxels."""
        self._sums[...] = 0
        self._odd[...] = 0

    def merge(self, other: Self) -> None:
        """Take in the cells of another."""
        self._sums += other._sums
        self._odd += other._odd


def _finish(method: str, number: int, odd: Vector, out: Vector) -> None:
    """Divide sums for a mean, and let NaN and infinities show as NumPy's functions do."""
    with np.errstate(invalid="ignore"):  # an infinity less itself is NaN
        np.copyto(out, np.nan if method == "std" else odd, where=odd != 0)
    if method == "mean":
        np.divide(out, number, out=out)


def _reach(block: Plane, across: Across) -> int:
    """Return how many cells the voxels of a block belong to."""
    return (block.shape[0] - 1) * across[0] + (block.shape[1] - 1) * across[1] + 1
