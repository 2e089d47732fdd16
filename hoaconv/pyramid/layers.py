"""Layers of a pyramid's levels while they grow: in memory or, where it is short, in scratch."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise, takewhile
from math import prod

import numpy as np

from hoaconv.engine.contract import Use
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.packed import HEADER, MOST, PackedFile, packing_bytes
from hoaconv.io.zarr import ArrayWriter

__all__ = ["Layers", "Spilled"]

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layers:
    """The layers of all levels while they grow.

    Attributes
    ----------
    arrays
        Where layers go, level 0 first.
    groups
        For each level, the planes that make one of the next.
    spilled
        Levels, from 0 down, that hold a group of planes and let their layer wait in scratch. It
        comes back piece by piece, in memory that they share.
    """

    arrays: tuple[ArraySpec, ...]
    groups: tuple[int, ...]
    spilled: int = 0

    def planes(self, i: int) -> int:
        """Return the planes that the buffer of level `i` holds.

        A layer, or more where a group is thicker: a buffer that is a multiple of the layer and
        holds a group never overwrites a plane that has yet to be downsampled.
        """
        array, group = self.arrays[i], self.groups[i]
        depth, planes = array.unit[0], array.shape[0]
        return min(group if i < self.spilled else depth * -(-group // depth), planes)

    @property
    def room(self) -> int:
        """Voxels of the largest piece that comes back; 0 if none does."""
        return max((prod(array.piece_shape) for array in self._waiting), default=0)

    @cached_property
    def spillable(self) -> int:
        """Levels that can be spilled, each of which saves memory."""
        steps = [replace(self, spilled=n) for n in range(len(self.arrays) + 1)]
        less = (after._held < before._held for before, after in pairwise(steps))
        fits = (_plane_bytes(array, array.piece_shape) <= MOST for array in self.arrays)
        return sum(1 for _ in takewhile(all, zip(less, fits, strict=True)))

    @property
    def scratch_bytes(self) -> int:
        """Bytes that wait in scratch at once, at most."""
        return sum(map(_scratch_bytes, self._waiting))

    def uses(self, who: str, workers: int) -> tuple[Use, ...]:
        """Count the buffers of all levels, and pieces on their way to scratch and back."""
        buffers = tuple(self._buffer(who, i) for i in range(len(self.arrays)))
        if not self.spilled:
            return buffers
        back = self.room * self.arrays[0].dtype.itemsize
        planes = (_plane_bytes(array, array.piece_shape) for array in self._waiting)
        packing = (workers + 1) * packing_bytes(max(planes))
        places = sum(16 * array.unit[0] * array.piece_count for array in self._waiting)
        return (
            *buffers,
            Use(who, "a piece of a layer, back from scratch", back),
            Use(who, f"packing in {workers + 1} threads", packing + places),
        )

    @property
    def _waiting(self) -> tuple[ArraySpec, ...]:
        return self.arrays[: self.spilled]

    @property
    def _held(self) -> int:
        return sum(use.nbytes for use in self.uses("", workers=0))

    def _buffer(self, who: str, i: int) -> Use:
        planes, array = self.planes(i), self.arrays[i]
        kind = "planes, of a layer in scratch" if i < self.spilled else "planes, a layer"
        size = planes * _plane_bytes(array, array.shape)
        return Use(who, f"level {i}, {planes} {kind}", size)


def _plane_bytes(array: ArraySpec, shape: Shape) -> int:
    return prod(shape[1:]) * array.dtype.itemsize


def _scratch_bytes(array: ArraySpec) -> int:
    """Return the bytes of a layer, as if no piece of a plane were smaller packed."""
    planes = min(array.unit[0], array.shape[0])
    return planes * (_plane_bytes(array, array.shape) + HEADER * array.piece_count)


class Spilled:
    """The layer of one level, in scratch.

    Parameters
    ----------
    array
        Where it goes when it is whole.
    file
        Where it waits.
    room
        Voxels of the largest piece of any level. All come back in this memory: were it taken anew
        for each, there would be two, since whoever stores a piece lets go of it a little late.
    """

    def __init__(self, array: ArrayWriter, file: PackedFile, room: Slab, pool: Pool) -> None:
        self._array, self._file, self._room, self._pool = array, file, room, pool
        self._depth, self._pieces = array.spec.unit[0], array.spec.pieces
        self._places = np.zeros((self._depth, len(self._pieces), 2), np.int64)

    def put(self, z: int, plane: Plane) -> None:
        """Take the next plane, which is whole; it may be changed afterwards."""
        pack = partial(self._put, z % self._depth, plane)
        self._pool.map("scratch", pack, range(len(self._pieces)))

    def write(self, z: int, count: int) -> None:
        """Write the layer's `count` planes, `z` and those after it; then it is empty."""
        for piece in range(len(self._pieces)):
            self._write(z, count, piece)
        self._file.clear()

    def _put(self, slot: int, plane: Plane, piece: int) -> None:
        self._places[slot, piece] = self._file.put(plane[self._pieces[piece]])

    def _write(self, z: int, count: int, piece: int) -> None:
        rows, columns = self._pieces[piece]
        shape = (count, rows.stop - rows.start, columns.stop - columns.start)
        slab = self._room[: prod(shape)].reshape(shape)
        self._pool.map("scratch", partial(self._get, slab, piece), range(count))
        store = partial(self._array.write_layer, z, slab, rows.start, columns.start)
        self._pool.timed("store", store)

    def _get(self, slab: Slab, piece: int, slot: int) -> None:
        start, nbytes = self._places[slot, piece].tolist()
        self._file.get((start, nbytes), slab[slot])
