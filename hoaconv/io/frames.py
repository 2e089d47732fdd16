"""Frames: parts of an array of any number of axes, each swept as a volume (z, rows, x).

The last three axes are z, y and x. Where a chunk, of the source or of what is written, spans
several indices of the axes before them, a frame holds all of these, so that each chunk is decoded
once and written once. Their rows lie side by side in a plane: those of one block of y for each
index, then those of the next block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import lcm, prod
from typing import Any

import numpy as np

from hoaconv.engine.spec import Slab

__all__ = ["Box", "Frame", "frames_of"]

Box = tuple[slice, ...]
Voxels = np.ndarray[Any, np.dtype[Any]]

LINE_BYTES = 1 << 26
"""Bytes of a frame of an array with one axis, which is swept in parts."""


@dataclass(frozen=True)
class Frame:
    """Part of an array, as a volume.

    Attributes
    ----------
    starts, lengths
        Where it begins in the array, and how long it is, along each axis.
    block
        Rows of y that lie side by side for one index of the axes before z.
    """

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    block: int

    @property
    def lead(self) -> tuple[int, ...]:
        """Length along each axis before z."""
        return self.lengths[:-3]

    @property
    def indices(self) -> int:
        """Number of indices of the axes before z."""
        return prod(self.lead)

    @property
    def rows(self) -> int:
        """Length along y; 1 for an array of one or two axes, whose planes are lines."""
        return self.lengths[-2] if len(self.lengths) > 2 else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows of a plane, voxels of a row."""
        z = 1 if len(self.lengths) < 2 else self.lengths[-min(3, len(self.lengths))]
        return z, self.indices * self.rows, self.lengths[-1]

    def box(self, z: slice, y: slice, x: slice, lead: Box | None = None) -> Box:
        """Return the box of the array that holds these planes, rows of y, and columns.

        Parameters
        ----------
        lead
            Indices of the axes before z, counted in the frame; by default all.
        """
        count = len(self.lengths)
        inside = (z, y, x) if count > 2 else (z, x)[2 - count :]
        before = (slice(0, n) for n in self.lead) if lead is None else lead
        both = zip((*before, *inside), self.starts, strict=True)
        return tuple(slice(side.start + first, side.stop + first) for side, first in both)

    def flat(self, voxels: Voxels) -> Slab:
        """Return the voxels of a box, of all indices and one block of y, as planes (z, y, x)."""
        if voxels.ndim < 3:
            return voxels.reshape(-1, 1, voxels.shape[-1])
        z, _, x = voxels.shape[-3:]
        return np.moveaxis(voxels, -3, 0).reshape(z, -1, x) if self.lead else voxels

    def stored(self, slab: Slab) -> Voxels:
        """Return a part of planes of one index as the array has it: without axes that it lacks."""
        return (
            slab if len(self.lengths) > 2 else slab.reshape(slab.shape[::2][-len(self.lengths) :])
        )

    def gathered(self, slab: Slab, lead: Box, y: slice) -> Voxels:
        """Return rows of y of some indices, of whole planes, as a new array (..., z, y, x)."""
        depth, _, width = slab.shape
        sides = tuple(side.stop - side.start for side in lead)
        out = np.empty((*sides, depth, y.stop - y.start, width), slab.dtype)
        for start in range(y.start // self.block * self.block, y.stop, self.block):
            rows = min(self.block, self.rows - start)
            first = start * self.indices
            block = slab[:, first : first + self.indices * rows]
            block = block.reshape(depth, *self.lead, rows, width)
            low, high = max(start, y.start), min(start + rows, y.stop)
            part = block[:, *lead, low - start : high - start]
            out[..., low - y.start : high - y.start, :] = np.moveaxis(part, 0, -3)
        return out


def frames_of(
    shape: Sequence[int], stored: Sequence[int], unit: Sequence[int], itemsize: int
) -> Iterator[Frame]:
    """Yield the frames of an array, in order; of an array without a voxel, none.

    Parameters
    ----------
    stored
        Shape of what is decoded at once.
    unit
        Shape of what is written at once.
    """
    if not all(shape):
        return
    swept = min(3, len(shape)) if len(shape) > 1 else 0
    steps = [min(lcm(k, u), n) for n, k, u in zip(shape, stored, unit, strict=True)]
    if not swept:
        steps[0] *= max(1, LINE_BYTES // (steps[0] * itemsize))
    steps[len(shape) - swept :] = shape[len(shape) - swept :]
    sides = [range(0, n, step) for n, step in zip(shape, steps, strict=True)]
    block = min(stored[-2], shape[-2]) if len(shape) > 2 else 1
    for starts in product(*sides):
        ends = zip(starts, steps, shape, strict=True)
        yield Frame(starts, tuple(min(step, n - first) for first, step, n in ends), block)
