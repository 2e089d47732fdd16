"""Layers that wait for their last planes: in scratch, packed in memory, or as they are."""

from collections.abc import Callable
from functools import partial
from math import prod
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab
from hoaconv.io.packed import PackedFile, PackedMemory, Place
from hoaconv.io.zarr import ArrayWriter

__all__ = ["Room", "Waiting"]

Shape = tuple[int, int, int]

Voxels = np.ndarray[Any, np.dtype[Any]]
"""Memory, as an array (voxels,)."""


class Room:
    """Memory (voxels,): parts of planes lie at its beginning, as they are, pieces at its end.

    All pieces of all levels come back in the same memory: were it taken anew for each, there would
    be two, since whoever stores a piece lets go of it a little late. Several threads may put and
    get at once.
    """

    label: ClassVar[str] = "copy"
    """Name of the time that it takes, in reports."""

    def __init__(self, memory: Voxels) -> None:
        self._memory, self._used = memory, 0
        self._lock = Lock()

    def put(self, rows: Plane) -> Place:
        """Copy part of a plane behind those that are there; return first voxel and voxels."""
        with self._lock:
            start, self._used = self._used, self._used + rows.size
        self._memory[start : start + rows.size].reshape(rows.shape)[...] = rows
        return start, rows.size

    def get(self, place: Place, out: Plane) -> None:
        """Copy what lies at `place` into `out`."""
        start, size = place
        out[...] = self._memory[start : start + size].reshape(out.shape)

    def clear(self) -> None:
        """Discard all parts of planes; none can be read any more."""
        self._used = 0

    def slab(self, shape: Shape) -> Slab:
        """Return the place of a piece."""
        return self._memory[len(self._memory) - prod(shape) :].reshape(shape)


Store = PackedFile | PackedMemory | Room
"""Memory, or a file, where parts of planes lie."""


class Waiting:
    """The layer of one level, which waits for its last planes.

    Parameters
    ----------
    array
        Where it goes when it is whole.
    store
        Where it waits.
    lasts
        Returns for a plane whether it has to wait there. One that doesn't lies in the room in which
        its layer comes back, which is at once: see `Layers.late`.
    """

    def __init__(
        self, array: ArrayWriter, store: Store, lasts: Callable[[int], bool], pool: Pool
    ) -> None:
        self._array, self._store, self._lasts, self._pool = array, store, lasts, pool
        self._depth, self._pieces = array.spec.unit[0], array.spec.pieces
        self._places = np.zeros((self._depth, len(self._pieces), 2), np.int64)

    def put(self, z: int, plane: Plane, room: Room) -> None:
        """Take the next plane, which is whole; it may be changed afterwards."""
        put = partial(self._put, self._store_of(z, room), z % self._depth, plane)
        self._pool.map(self._store.label, put, range(len(self._pieces)))

    def write(self, z: int, count: int, room: Room) -> None:
        """Write the layer's `count` planes, `z` and those after it; then it is empty."""
        for piece in range(len(self._pieces)):
            self._write(range(z, z + count), piece, room)
        self._store.clear()

    def _store_of(self, z: int, room: Room) -> Store:
        return self._store if self._lasts(z) else room

    def _put(self, store: Store, slot: int, plane: Plane, piece: int) -> None:
        self._places[slot, piece] = store.put(plane[self._pieces[piece]])

    def _write(self, planes: range, piece: int, room: Room) -> None:
        rows, columns = self._pieces[piece]
        slab = room.slab((len(planes), rows.stop - rows.start, columns.stop - columns.start))
        get = partial(self._get, slab, planes.start, piece, room)
        self._pool.map(self._store.label, get, planes)
        store = partial(self._array.write_layer, planes.start, slab, rows.start, columns.start)
        self._pool.timed("store", store)

    def _get(self, slab: Slab, first: int, piece: int, room: Room, z: int) -> None:
        start, size = self._places[z % self._depth, piece].tolist()
        self._store_of(z, room).get((start, size), slab[z - first])
