"""Memory of a pyramid's layers while they grow: as planes, packed, or in scratch."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise, takewhile
from math import prod
from operator import mul

from hoaconv.engine.contract import Use
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.packed import HEADER, MOST, packing_bytes

__all__ = ["Layers"]

Shape = tuple[int, int, int]

SHARE = 0.75
"""Bytes of memory for packed planes, as a share of their voxels'; what exceeds it goes to scratch.
Measured on planes of levels 1 and 2: 0.55 to 0.75, light-sheet and micro-CT slices of 16 and 8 bits
and a noisy phantom; a cut-out of bone, sharp and of 8 bits, takes 0.96."""


@dataclass(frozen=True)
class Layers:
    """The layers of all levels while they grow.

    A level whose layer waits holds only a group of planes, and memory for planes that wait for the
    others of their layer. When the layer is whole, it comes back piece by piece, and is written:
    see `hoaconv.pyramid.waiting`.

    Attributes
    ----------
    arrays
        Where layers go, level 0 first.
    groups
        For each level, the planes that make one of the next.
    spilled
        Levels, from 0 down, whose layers wait in scratch.
    packed
        Whether planes of the other levels, from 1 on, wait packed.
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
        """Return whether the layer of level `i` waits, in scratch or in memory, not in a buffer."""
        return i < self.spilled or self._shares[i] is not None

    def waiting_bytes(self, i: int) -> int:
        """Return the bytes of memory for planes of level `i` that wait, packed or not."""
        return self._shares[i] or 0

    @cached_property
    def late(self) -> bool:
        """True if level 0 is downsampled layer by layer, each when it has been written.

        What is then made of its last planes need not wait in memory of its own: the buffer of level
        0 is free, group after group. There lie planes of layers that are now complete, and there
        these layers come back. That takes a buffer of one layer that whole groups fill, levels that
        complete layers only together with level 0, and planes that shrink enough.
        """
        if self.spilled or len(self.arrays) == 1:
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
        used = [self._buffer(who, i) for i in range(len(self.arrays))]
        waiting = [self.arrays[i] for i in self._waiting]
        places = sum(map(_places_bytes, waiting))
        if places:
            used.append(Use(who, "where planes lie", places))
        if self.room:
            back = self.room * self.arrays[0].dtype.itemsize
            used.append(Use(who, "a piece of a layer, back from scratch", back))
        packing = max(self._packing(i, workers + 1) for i in range(len(self.arrays)))
        if packing:
            used.append(Use(who, f"packing in {workers + 1} threads", packing))
        return tuple(used)

    def _packing(self, i: int, threads: int) -> int:
        """Return the bytes that threads hold while they pack or unpack planes of level `i`.

        Each packs a piece of one plane, or reads back that of another from scratch.
        """
        array = self.arrays[i]
        piece = _plane_bytes(array, array.piece_shape)
        if i < self.spilled:
            return threads * packing_bytes(piece)
        if not self.packed or not self.waiting_bytes(i):
            return 0
        return max(
            min(threads, array.piece_count) * packing_bytes(piece), threads * (piece + HEADER)
        )

    @property
    def _waiting(self) -> list[int]:
        return [i for i in range(len(self.arrays)) if self.waits(i)]

    @cached_property
    def _factors(self) -> tuple[int, ...]:
        """Planes of level 0 that a plane of each level is made of."""
        return tuple(accumulate((1, *self.groups[:-1]), mul))

    def _lasting(self, i: int, layer: int) -> int:
        """Return the planes of level `i` that are there when level 0 begins the last part of it."""
        depth, factor = self.arrays[i].unit[0], self._factors[i]
        own, planes = self.arrays[0].unit[0], self.arrays[0].shape[0]
        end = min((layer + 1) * depth * factor, planes)
        return (end - 1) // own * own // factor

    @cached_property
    def _shares(self) -> tuple[int | None, ...]:
        """Bytes of memory for planes of each level that wait; None where none wait in memory."""
        places = range(len(self.arrays))
        if not self.late and not (self.packed and self.spilled):
            return (None,) * len(places)
        return tuple(self._if_less(i) if i >= max(1, self.spilled) else None for i in places)

    def _if_less(self, i: int) -> int | None:
        """Return the share of a level if it then holds less."""
        array = self.arrays[i]
        plane = _plane_bytes(array, array.shape)
        share = int((SHARE if self.packed else 1) * self._most_lasting(i) * plane)
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
        planes, array = self.planes(i), self.arrays[i]
        kind = "planes, a layer"
        if i < self.spilled:
            kind = "planes, of a layer in scratch"
        elif self.waits(i):
            waiting = self._most_lasting(i)
            kind = f"planes, and {waiting} packed" if self.packed else f"planes, and {waiting} more"
        size = planes * _plane_bytes(array, array.shape) + self.waiting_bytes(i)
        return Use(who, f"level {i}, {planes} {kind}", size)

    def _scratch_bytes(self, i: int) -> int:
        """Return the bytes of a layer in scratch, as if no piece of a plane were smaller packed.

        The end of the memory of packed planes stays free where the next piece is larger.
        """
        if i >= self.spilled and not self.packed:
            return 0
        array = self.arrays[i]
        piece = _plane_bytes(array, array.piece_shape) + HEADER
        plane = _plane_bytes(array, array.shape) + HEADER * array.piece_count
        return self._most_lasting(i) * plane - max(0, self.waiting_bytes(i) - piece)


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
