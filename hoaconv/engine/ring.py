"""Memory for the planes of one op: slots in a row, used in turns.

An op makes several planes at once, as one array (z, y, x). Readers let go of one plane after the
other, so each slot is free again when the last view of its own plane dies.
"""

from typing import NamedTuple

import numpy as np

from hoaconv.engine.buffers import Buffers, array_in
from hoaconv.engine.spec import Plane, Slab, Spec

__all__ = ["Places", "Ring"]


class Places(NamedTuple):
    """Places of consecutive planes.

    Attributes
    ----------
    slabs
        Arrays (z, y, x) into which the planes are written, in order.
    planes
        The same places as planes (y, x). The memory of a plane is in use while a view of it lives.
    """

    slabs: tuple[Slab, ...]
    planes: tuple[Plane, ...]


class Ring:
    """Memory for `slots` planes of one spec.

    Readers of a stream only go forward, so slots become free in the order in which they were taken.
    If somebody keeps a plane for longer, the next planes get other memory.

    Parameters
    ----------
    buffers
        Gives the memory of the slots, and any other memory.
    spec
        The planes.
    slots
        The most planes that live at once, those that are being made included.
    """

    def __init__(self, buffers: Buffers, spec: Spec, slots: int) -> None:
        self._buffers, self._spec, self._slots = buffers, spec, slots
        self._memory = buffers.take((slots * spec.plane_bytes,), np.uint8).data
        self._free = set(range(slots))
        self._next = 0

    def take(self, n: int) -> Places:
        """Return places for `n` planes: one slab, or two where they run over the end."""
        stop = self._next + n
        slots = [slot % self._slots for slot in range(self._next, stop)]
        if n > self._slots or not self._free.issuperset(slots):
            return self._elsewhere(n)
        self._free.difference_update(slots)
        turn = min(stop, self._slots)
        parts = [(self._next, turn), (0, stop - turn)]
        self._next = stop % self._slots
        slabs = tuple(self._slab(*part) for part in parts if part[0] < part[1])
        return Places(slabs, tuple(map(self._plane, slots)))

    def _elsewhere(self, n: int) -> Places:
        """Return places in memory of their own, which is in use until all of them are free."""
        slab = self._buffers.take((n, *self._spec.plane_shape), self._spec.dtype)
        return Places((slab,), tuple(slab))

    def _slab(self, start: int, stop: int) -> Slab:
        memory = self._memory[start * self._spec.plane_bytes : stop * self._spec.plane_bytes]
        return np.frombuffer(memory, self._spec.dtype).reshape(-1, *self._spec.plane_shape)

    def _plane(self, slot: int) -> Plane:
        memory = self._memory[slot * self._spec.plane_bytes :]
        return array_in(memory, self._spec.plane_shape, self._spec.dtype, self._free.add, slot)
