"""Layers of a pyramid's levels while they grow: as planes, packed in memory, or in scratch."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import accumulate, pairwise, takewhile
from math import prod
from operator import mul

import numpy as np

from hoaconv.engine.contract import Use
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.packed import HEADER, MOST, PackedFile, PackedMemory, packing_bytes
from hoaconv.io.zarr import ArrayWriter

__all__ = ["Layers", "Waiting"]

Shape = tuple[int, int, int]

SHARE = 0.75
"""Bytes of memory for a packed layer, as a share of its voxels'; what exceeds it goes to scratch.
Measured: MEASURED."""


@dataclass(frozen=True)
class Layers:
    """The layers of all levels while they grow.

    A level whose layer waits, packed, holds only a group of planes. When the layer is whole, it
    comes back piece by piece into memory that all levels share: the *room*.

    Attributes
    ----------
    arrays
        Where layers go, level 0 first.
    groups
        For each level, the planes that make one of the next.
    spilled
        Levels, from 0 down, whose layers wait in scratch.
    packed
        Whether layers of the other levels, from 1 on, wait in memory where that holds less.
    """

    arrays: tuple[ArraySpec, ...]
    groups: tuple[int, ...]
    spilled: int = 0
    packed: bool = False

    def planes(self, i: int) -> int:
        """Return the planes that the buffer of level `i` holds.

        A layer, or more where a group is thicker: a buffer that is a multiple of the layer and
        holds a group never overwrites a plane that has yet to be downsampled.
        """
        return self._group(i) if self.waits(i) else self._whole(i)

    def waits(self, i: int) -> bool:
        """Return whether the layer of level `i` waits, packed, in scratch or in memory."""
        return i < self.spilled or self.packed_bytes(i) > 0

    def packed_bytes(self, i: int) -> int:
        """Return the bytes of memory for the packed layer of level `i`; 0 if it isn't there."""
        array = self.arrays[i]
        plane = _plane_bytes(array, array.shape)
        share = int(SHARE * _depth(array) * plane)
        held = share + _places_bytes(array) + self._group(i) * plane
        fits = _plane_bytes(array, array.piece_shape) <= MOST and held < self._whole(i) * plane
        return share if self.packed and i >= max(1, self.spilled) and fits else 0

    @property
    def borrows(self) -> bool:
        """Whether the buffer of level 0 is the room: free, and large enough, whenever it must be.

        Levels from 1 on write a layer right after a group of level 0 was downsampled. The buffer is
        free then if level 0 has just written a layer, or its last planes.
        """
        first = self.arrays[0]
        factors = accumulate((1, *self.groups[:-1]), mul)
        waiting = zip(self.arrays, factors, strict=True)
        in_step = (
            array.shape[0] <= array.unit[0] or array.unit[0] * factor % first.unit[0] == 0
            for array, factor in waiting
        )
        size = self.planes(0) * prod(first.shape[1:])
        return not self.spilled and self._piece <= size and all(in_step)

    @property
    def room(self) -> int:
        """Voxels of a room of its own; 0 if none is needed."""
        return 0 if self.borrows else self._piece

    @cached_property
    def spillable(self) -> int:
        """Levels that can be spilled, each of which saves memory."""
        steps = [replace(self, spilled=n) for n in range(len(self.arrays) + 1)]
        less = (after.held < before.held for before, after in pairwise(steps))
        fits = (_plane_bytes(array, array.piece_shape) <= MOST for array in self.arrays)
        return sum(1 for _ in takewhile(all, zip(less, fits, strict=True)))

    @property
    def scratch_bytes(self) -> int:
        """Bytes that wait in scratch at once, at most."""
        return sum(self._scratch_bytes(i) for i in self._waiting)

    @property
    def held(self) -> int:
        """Bytes that are held if one thread packs."""
        return sum(use.nbytes for use in self.uses("", workers=0))

    def uses(self, who: str, workers: int) -> tuple[Use, ...]:
        """Count the buffers of all levels, packed layers, and pieces on their way in and out."""
        buffers = tuple(self._buffer(who, i) for i in range(len(self.arrays)))
        waiting = [self.arrays[i] for i in self._waiting]
        if not waiting:
            return buffers
        back = self.room * self.arrays[0].dtype.itemsize
        planes = (_plane_bytes(array, array.piece_shape) for array in waiting)
        packing = (workers + 1) * packing_bytes(max(planes))
        places = sum(map(_places_bytes, waiting))
        return (
            *buffers,
            *([Use(who, "a piece of a layer, back from scratch", back)] if back else []),
            Use(who, f"packing in {workers + 1} threads", packing + places),
        )

    @property
    def _waiting(self) -> list[int]:
        return [i for i in range(len(self.arrays)) if self.waits(i)]

    @property
    def _piece(self) -> int:
        """Voxels of the largest piece that comes back; 0 if none does."""
        return max((prod(self.arrays[i].piece_shape) for i in self._waiting), default=0)

    def _group(self, i: int) -> int:
        return min(self.groups[i], self.arrays[i].shape[0])

    def _whole(self, i: int) -> int:
        """Return the planes of a buffer that holds a layer and a group."""
        array, group = self.arrays[i], self.groups[i]
        depth = array.unit[0]
        return min(depth * -(-group // depth), array.shape[0])

    def _buffer(self, who: str, i: int) -> Use:
        planes, array, packed = self.planes(i), self.arrays[i], self.packed_bytes(i)
        kind = "planes, a layer"
        if self.waits(i):
            kind = "planes, and a packed layer" if packed else "planes, of a layer in scratch"
        size = planes * _plane_bytes(array, array.shape) + packed
        return Use(who, f"level {i}, {planes} {kind}", size)

    def _scratch_bytes(self, i: int) -> int:
        """Return the bytes of a layer in scratch, as if no piece of a plane were smaller packed.

        The end of a packed layer's memory stays free where the next piece is larger.
        """
        array = self.arrays[i]
        piece = _plane_bytes(array, array.piece_shape) + HEADER
        plane = _plane_bytes(array, array.shape) + HEADER * array.piece_count
        return _depth(array) * plane - max(0, self.packed_bytes(i) - piece)


def _depth(array: ArraySpec) -> int:
    """Return the planes of a layer."""
    return min(array.unit[0], array.shape[0])


def _plane_bytes(array: ArraySpec, shape: Shape) -> int:
    return prod(shape[1:]) * array.dtype.itemsize


def _places_bytes(array: ArraySpec) -> int:
    """Return the bytes of the table of places of a layer's packed pieces."""
    return 16 * array.unit[0] * array.piece_count


class Waiting:
    """The layer of one level, packed.

    Parameters
    ----------
    array
        Where it goes when it is whole.
    packed
        Where it waits.
    """

    def __init__(self, array: ArrayWriter, packed: PackedFile | PackedMemory, pool: Pool) -> None:
        self._array, self._packed, self._pool = array, packed, pool
        self._label = "scratch" if isinstance(packed, PackedFile) else "pack"
        self._depth, self._pieces = array.spec.unit[0], array.spec.pieces
        self._places = np.zeros((self._depth, len(self._pieces), 2), np.int64)

    def put(self, z: int, plane: Plane) -> None:
        """Take the next plane, which is whole; it may be changed afterwards."""
        pack = partial(self._put, z % self._depth, plane)
        self._pool.map(self._label, pack, range(len(self._pieces)))

    def write(self, z: int, count: int, room: Slab) -> None:
        """Write the layer's `count` planes, `z` and those after it; then it is empty.

        Parameters
        ----------
        room
            Memory (voxels,) for the largest piece of any level. All come back in this memory: were
            it taken anew for each, there would be two, since whoever stores a piece lets go of it a
            little late.
        """
        for piece in range(len(self._pieces)):
            self._write(z, count, piece, room)
        self._packed.clear()

    def _put(self, slot: int, plane: Plane, piece: int) -> None:
        self._places[slot, piece] = self._packed.put(plane[self._pieces[piece]])

    def _write(self, z: int, count: int, piece: int, room: Slab) -> None:
        rows, columns = self._pieces[piece]
        shape = (count, rows.stop - rows.start, columns.stop - columns.start)
        slab = room[: prod(shape)].reshape(shape)
        self._pool.map(self._label, partial(self._get, slab, piece), range(count))
        store = partial(self._array.write_layer, z, slab, rows.start, columns.start)
        self._pool.timed("store", store)

    def _get(self, slab: Slab, piece: int, slot: int) -> None:
        start, nbytes = self._places[slot, piece].tolist()
        self._packed.get((start, nbytes), slab[slot])
