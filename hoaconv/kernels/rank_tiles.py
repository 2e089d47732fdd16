"""Tiles of `hoaconv.kernels.rank_histogram`: their sizes, and the arrays that they need."""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.radix import sort_by_key_bytes
from hoaconv.kernels.types import Triple, Vector

__all__ = [
    "BINS",
    "POSITION_BITS",
    "STEPS",
    "Layout",
    "Workspace",
    "context_shape",
    "position_bits",
]

_COLUMNS_BYTES = 1 << 19
"""Bytes of the histograms of the columns of a tile, which stay in the cache of a core."""

_MIN_COLUMNS = 32
"""Fewest columns of the result of a tile; narrower tiles would count too much context twice."""

_MAX_ROWS = 128
"""Most rows of the result of a tile, so that the voxels to sort stay in the cache of a core."""

BINS = 16
"""Bins of the coarsest histogram, and bins of each finer one within a bin of the coarser one."""

STEPS = (BINS, 256 + 32, 4096 + 32)
"""Bins from the histogram of one column to that of the next, from coarse to fine. With powers of
two, the same bin of all columns would fall into one set of a cache."""

POSITION_BITS = 32
"""Bits of the position of a voxel in the context of a tile: z, y and x."""


class Workspace(NamedTuple):
    """Arrays that serve all tiles."""

    values: Vector
    """Keys of the voxels of a tile and its context."""
    positions: Vector
    """Positions of these voxels, in ascending order of their keys."""
    buckets: Vector
    """Bucket of each voxel."""
    starts: Vector
    """Index in `positions` of the first voxel of each bucket."""
    columns: Vector
    """Histograms of the columns, from coarse to fine."""
    window: Vector
    """Histograms of the window, from coarse to fine."""
    sort: tuple[Vector, Vector]
    """Workspace of the sort."""


class Layout(NamedTuple):
    """Sizes of the result of a tile, and of the arrays that it needs."""

    rows: int
    columns: int
    context: Triple
    """Shape (z, y, x) of a tile with its context."""
    digits: int
    """Histograms of a column, each `BINS` times as fine as the one before."""
    counts: np.dtype[Any]
    keys: np.dtype[Any]

    @classmethod
    def of(cls, shape: Triple, size: Triple, keys: np.dtype[Any]) -> "Layout":
        """Return the layout for a result of `shape`, and windows of `size`."""
        counts = np.dtype(np.uint16 if prod(size) < 1 << 16 else np.uint32)
        digits = 2 if keys.itemsize == 1 else 3
        columns = _COLUMNS_BYTES // (STEPS[digits - 1] * counts.itemsize) - size[2] + 1
        rows, columns = _even(shape[1], _MAX_ROWS), _even(shape[2], max(_MIN_COLUMNS, columns))
        context = context_shape((shape[0], rows, columns), size)
        while sum(position_bits(context)) > POSITION_BITS and rows * columns > 1:
            rows, columns = -(-rows // 2), -(-columns // 2)
            context = context_shape((shape[0], rows, columns), size)
        return cls(rows, columns, context, digits, counts, keys)

    @property
    def shifts(self) -> tuple[int, int]:
        """Bits below y and bits below z in a position."""
        _, y, x = position_bits(self.context)
        return x, x + y

    def _arrays(self) -> Iterator[tuple[int, np.dtype[Any]]]:
        """Yield size and dtype of each array of the workspace, in its order."""
        voxels, nx = prod(self.context), self.context[2]
        sorted_voxels = voxels if self.keys.itemsize > 1 else 0
        yield voxels, self.keys
        yield sorted_voxels, np.dtype(np.uint32)
        yield voxels, np.dtype(np.uint16)
        yield (BINS**self.digits) + 1, np.dtype(np.int64)
        yield nx * sum(STEPS[: self.digits]), self.counts
        yield sum(BINS ** (k + 1) for k in range(self.digits)), self.counts
        yield sorted_voxels, np.dtype(np.uint64)
        yield sorted_voxels, np.dtype(np.uint64)

    @property
    def nbytes(self) -> int:
        """Bytes of the workspace and of the sort."""
        held = sum(count * dtype.itemsize for count, dtype in self._arrays())
        return held + sort_by_key_bytes(self.keys, prod(self.context))

    def workspace(self) -> Workspace:
        """Return the arrays that serve all tiles."""
        arrays = [np.empty(count, dtype) for count, dtype in self._arrays()]
        values, positions, buckets, starts, columns, window, first, second = arrays
        return Workspace(values, positions, buckets, starts, columns, window, (first, second))

    def histograms(self, workspace: Workspace, nx: int) -> tuple[tuple[Vector, ...], ...]:
        """Return the histograms of `nx` columns and those of the window, from coarse to fine."""
        ends = np.cumsum([nx * step for step in STEPS[: self.digits]])
        bins = np.cumsum([BINS ** (k + 1) for k in range(self.digits)])
        columns = np.split(workspace.columns[: ends[-1]], ends[:-1])
        return tuple(columns), tuple(np.split(workspace.window, bins[:-1]))

    def tiles(self, shape: Triple) -> Iterator[tuple[slice, slice]]:
        """Yield rows and columns of each tile of a result of this shape."""
        for y in range(0, shape[1], self.rows):
            for x in range(0, shape[2], self.columns):
                yield (
                    slice(y, min(y + self.rows, shape[1])),
                    slice(x, min(x + self.columns, shape[2])),
                )


def _even(n: int, limit: int) -> int:
    """Return the size of the fewest parts of `n`, almost equal and at most `limit`."""
    return -(-n // -(-n // limit))


def position_bits(context: Triple) -> Triple:
    """Return the bits of z, y and x in a position: one more than each of them needs."""
    z, y, x = (n.bit_length() + 1 for n in context)
    return z, y, x


def context_shape(shape: Triple, size: Triple) -> Triple:
    """Return the shape of a tile with its context."""
    z, y, x = (n + span - 1 for n, span in zip(shape, size, strict=True))
    return z, y, x
