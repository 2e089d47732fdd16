"""Layers of a pyramid's levels while they grow: as planes, packed in memory, or in scratch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import accumulate, pairwise, takewhile
from math import prod
from operator import mul
from threading import Lock
from typing import Any

import numpy as np

from hoaconv.engine.contract import Use
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.packed import HEADER, MOST, PackedFile, PackedMemory, packing_bytes
from hoaconv.io.zarr import ArrayWriter

__all__ = ["Layers", "Room", "Waiting"]

Shape = tuple[int, int, int]

Voxels = np.ndarray[Any, np.dtype[Any]]
"""Memory, as an array (voxels,)."""

SHARE = 0.75
"""Bytes of memory for packed planes, as a share of their voxels'; what exceeds it goes to scratch.
Measured on planes of levels 1 and 2: 0.55 to 0.75, light-sheet and micro-CT slices of 16 and 8 bits
and a noisy phantom; a cut-out of bone, sharp and of 8 bits, takes 0.96."""


@dataclass(frozen=True)
class Layers:
    """The layers of all levels while they grow.

    A level whose layer waits, packed, holds only a group of planes. When the layer is whole, it
    comes back piece by piece, and is written.

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
        return i < self.spilled or self._shares[i] is not None

    def packed_bytes(self, i: int) -> int:
        """Return the bytes of memory for packed planes of level `i`."""
        return self._shares[i] or 0

    @cached_property
    def late(self) -> bool:
        """Whether level 0 is downsampled layer by layer, each when it has been written.

        What is then made of its last planes need not wait in memory of its own: the buffer of level
        0 is free, group after group. There lie planes of layers that are now complete, and there
        these layers come back. That takes a buffer of one layer that whole groups fill, levels that
        complete layers only together with level 0, and planes that shrink enough.
        """
        if not self.packed or self.spilled or len(self.arrays) == 1:
            return False
        first, group = self.arrays[0], self.groups[0]
        whole_groups = first.unit[0] % group == 0 or first.shape[0] <= first.unit[0]
        below = tuple(zip(self.arrays, self._factors, strict=True))[1:]
        in_step = all(
            array.shape[0] <= array.unit[0] or array.unit[0] * factor % first.unit[0] == 0
            for array, factor in below
        )
        voxels = prod(first.shape[1:])
        of_a_group = sum(prod(array.shape[1:]) for array, _ in below)
        of_all = sum(_most_made(self._whole(0), f) * prod(array.shape[1:]) for array, f in below)
        largest = max(prod(array.piece_shape) for array, _ in below)
        fits = of_a_group <= group * voxels and of_all + largest <= self._whole(0) * voxels
        return whole_groups and in_step and fits

    def lasts(self, i: int, z: int) -> bool:
        """Return whether plane `z` of level `i` waits while level 0 makes another layer."""
        return not self.late or z < self._lasting(i, z // self.arrays[i].unit[0])

    @property
    def room(self) -> int:
        """Voxels of the largest piece that comes back, if it can't lie in the buffer of level 0."""
        pieces = (prod(self.arrays[i].piece_shape) for i in self._waiting)
        return 0 if self.late else max(pieces, default=0)

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

    @cached_property
    def _factors(self) -> tuple[int, ...]:
        """For each level, the planes of level 0 that one of its planes is made of."""
        return tuple(accumulate((1, *self.groups[:-1]), mul))

    def _lasting(self, i: int, layer: int) -> int:
        """Return the planes of level `i` that are there when level 0 begins the last part of it."""
        depth, factor = self.arrays[i].unit[0], self._factors[i]
        own, planes = self.arrays[0].unit[0], self.arrays[0].shape[0]
        end = min((layer + 1) * depth * factor, planes)
        return (end - 1) // own * own // factor

    @cached_property
    def _shares(self) -> tuple[int | None, ...]:
        """Bytes of memory for packed planes of each level; None where none wait in memory."""
        places = range(len(self.arrays))
        if not self.late and not (self.packed and self.spilled):
            return (None,) * len(places)
        return tuple(self._if_less(i) if i >= max(1, self.spilled) else None for i in places)

    def _if_less(self, i: int) -> int | None:
        """Return the share of a level if it then holds less."""
        array = self.arrays[i]
        plane = _plane_bytes(array, array.shape)
        share = int(SHARE * self._most_lasting(i) * plane)
        held = self._group(i) * plane + share + _places_bytes(array)
        fits = _plane_bytes(array, array.piece_shape) <= MOST
        return share if fits and held < self._whole(i) * plane else None

    def _most_lasting(self, i: int) -> int:
        """Return the most planes of level `i` that wait at once: of the first or last layer."""
        array = self.arrays[i]
        if not self.late:
            return _depth(array)
        depth, last = array.unit[0], (array.shape[0] - 1) // array.unit[0]
        return max(0, *(self._lasting(i, layer) - layer * depth for layer in (0, last)))

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

        The end of the memory of packed planes stays free where the next piece is larger.
        """
        array = self.arrays[i]
        piece = _plane_bytes(array, array.piece_shape) + HEADER
        plane = _plane_bytes(array, array.shape) + HEADER * array.piece_count
        return self._most_lasting(i) * plane - max(0, self.packed_bytes(i) - piece)


def _most_made(planes: int, factor: int) -> int:
    """Return the most planes that so many of level 0, a layer anywhere, complete or begin."""
    return planes // factor + (2 if planes % factor else 0)


def _depth(array: ArraySpec) -> int:
    """Return the planes of a layer."""
    return min(array.unit[0], array.shape[0])


def _plane_bytes(array: ArraySpec, shape: Shape) -> int:
    return prod(shape[1:]) * array.dtype.itemsize


def _places_bytes(array: ArraySpec) -> int:
    """Return the bytes of the table of places of a layer's packed pieces."""
    return 16 * array.unit[0] * array.piece_count


class Room:
    """Memory (voxels,) for layers that come back; each piece lies at its end.

    All pieces of all levels come back in the same memory: were it taken anew for each, there would
    be two, since whoever stores a piece lets go of it a little late.
    """

    def __init__(self, memory: Voxels) -> None:
        self._memory, self._used = memory, 0
        self._lock = Lock()

    def slab(self, shape: Shape) -> Slab:
        """Return the place of a piece."""
        return self._memory[len(self._memory) - prod(shape) :].reshape(shape)

    def keep(self, rows: Plane) -> int:
        """Copy part of a plane to the beginning, behind what is there; return its first voxel."""
        with self._lock:
            start, self._used = self._used, self._used + rows.size
        self.kept(start, rows.shape)[...] = rows
        return start

    def kept(self, start: int, shape: tuple[int, int]) -> Plane:
        """Return the part of a plane that begins at this voxel."""
        return self._memory[start : start + prod(shape)].reshape(shape)


class Waiting:
    """The layer of one level, packed.

    Parameters
    ----------
    array
        Where it goes when it is whole.
    packed
        Where it waits.
    lasts
        Returns for a plane whether it has to wait there. One that doesn't is kept in the room, in
        which its layer comes back: see `Layers.late`.
    """

    def __init__(
        self,
        array: ArrayWriter,
        packed: PackedFile | PackedMemory,
        lasts: Callable[[int], bool],
        pool: Pool,
    ) -> None:
        self._array, self._packed, self._lasts, self._pool = array, packed, lasts, pool
        self._label = "scratch" if isinstance(packed, PackedFile) else "pack"
        self._depth, self._pieces = array.spec.unit[0], array.spec.pieces
        self._places = np.zeros((self._depth, len(self._pieces), 2), np.int64)

    def put(self, z: int, plane: Plane, room: Room) -> None:
        """Take the next plane, which is whole; it may be changed afterwards."""
        put = partial(self._pack if self._lasts(z) else self._keep, room, z % self._depth, plane)
        self._pool.map(self._label, put, range(len(self._pieces)))

    def write(self, z: int, count: int, room: Room) -> None:
        """Write the layer's `count` planes, `z` and those after it; then it is empty."""
        for piece in range(len(self._pieces)):
            self._write(z, count, piece, room)
        self._packed.clear()

    def _pack(self, _: Room, slot: int, plane: Plane, piece: int) -> None:
        self._places[slot, piece] = self._packed.put(plane[self._pieces[piece]])

    def _keep(self, room: Room, slot: int, plane: Plane, piece: int) -> None:
        self._places[slot, piece] = room.keep(plane[self._pieces[piece]]), 0

    def _write(self, z: int, count: int, piece: int, room: Room) -> None:
        rows, columns = self._pieces[piece]
        slab = room.slab((count, rows.stop - rows.start, columns.stop - columns.start))
        self._pool.map(self._label, partial(self._get, room, slab, piece), range(count))
        store = partial(self._array.write_layer, z, slab, rows.start, columns.start)
        self._pool.timed("store", store)

    def _get(self, room: Room, slab: Slab, piece: int, slot: int) -> None:
        start, nbytes = self._places[slot, piece].tolist()
        if nbytes:
            self._packed.get((start, nbytes), slab[slot])
        else:
            slab[slot] = room.kept(start, slab[slot].shape)
