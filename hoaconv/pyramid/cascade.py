"""Pyramids while they are written: planes are gathered to layers, and halved layer by layer.

A plane is copied into the layer of level 0, or made in it. A full layer is written at once, and
then downsampled, group of planes by group: its buffer is free for what is made of it, and for
layers of smaller levels that are complete now. Where that can't be (`Layers.late`), a group is
downsampled as soon as it is whole, straight into the layer of the next level. No file that was
written is read again. Where memory is short, layers wait packed, or in scratch.
"""

from functools import partial
from threading import Lock

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab
from hoaconv.io.zarr import ArrayWriter
from hoaconv.kernels.downsample import downsample
from hoaconv.pyramid.levels import Level
from hoaconv.pyramid.waiting import Room, Waiting

__all__ = ["Cascade"]

BAND_ROWS = 256


class Cascade:
    """The writer of one level, which feeds the next.

    Parameters
    ----------
    array
        Where its layers go.
    planes
        How many its buffer holds: see `Layers.planes`.
    method
        How groups of voxels become one: see `hoaconv.kernels.downsample`.
    below
        The next, smaller level and its cascade.
    waiting
        The layer, if it waits elsewhere than in the buffer.
    late
        Whether a layer is downsampled when it has been written, in memory of its own: see
        `Layers.late`.
    """

    def __init__(
        self,
        array: ArrayWriter,
        planes: int,
        pool: Pool,
        buffers: Buffers,
        method: str,
        below: "tuple[Level, Cascade] | None" = None,
        waiting: Waiting | None = None,
        *,
        late: bool = False,
    ) -> None:
        self._array, self._pool, self._buffers, self._method = array, pool, buffers, method
        self._step = below[0].step if below else (1, 1, 1)
        self._below = below[1] if below else None
        self._waiting, self._late = waiting, late
        self._room = (planes, *array.spec.shape[1:])
        self._held: Slab | None = None
        self._lock = Lock()
        self._lent: set[int] = set()
        self.planes = 0
        """Planes taken so far."""

    def lend(self, z: int) -> Plane | None:
        """Return the slot of plane `z`, if its last content is written and downsampled."""
        depth, group = self._array.spec.unit[0], self._step[0]
        same_layer = z // depth == self.planes // depth
        begun = self.planes // group * group  # the planes before are downsampled
        if self._waiting or not same_layer or z - self._room[0] >= begun:
            return None
        self._lent.add(z)
        slot: Plane = self._layer[z % len(self._layer)]
        return slot

    @property
    def filled(self) -> bool:
        """True if the next plane was lent its slot."""
        return self.planes in self._lent

    def take(self, plane: Plane, rows: slice) -> None:
        """Copy a band of the next plane, and downsample it if it completes a group.

        The group's earlier planes are in the layer; of this one other bands may not be yet, so
        it is read where it comes from.
        """
        self.slot()[rows] = plane[rows]
        count = self._completes()
        if count:
            fy = self._step[1]
            cells = slice(-(-rows.start // fy), -(-rows.stop // fy))
            self._shrink((*self._newest(count - 1), plane), count, cells)

    def advance(self, room: Room) -> None:
        """Go on: the plane in `slot` is whole and downsampled. Write what is complete.

        Parameters
        ----------
        room
            Where layers that wait come back, unless this level is `late`.
        """
        completed = self._completes()
        if self._waiting:
            self._waiting.put(self.planes, self.slot(), room)
        self._lent.discard(self.planes)
        self.planes += 1
        planes, depth = self._array.spec.shape[0], self._array.spec.unit[0]
        if completed and self._below:
            self._below.fill(room)
        if self.planes == planes or self.planes % depth == 0:
            count = (self.planes - 1) % depth + 1
            self._write(count, room)
            if self._late:
                self._fill_below(count)
        if self.planes == planes:
            self._held = self._waiting = None

    def fill(self, room: Room) -> None:
        """Downsample the plane that was made in `slot`, then go on as `advance` does."""
        count = self._completes()
        if count:
            self._downsample((*self._newest(count - 1), self.slot()), count)
        self.advance(room)

    def _fill_below(self, count: int) -> None:
        """Downsample the layer, its last `count` planes; its memory is then the room."""
        layer, group, room = self._layer[:count], self._step[0], Room(self._layer.reshape(-1))
        for z in range(0, count, group):
            planes = tuple(layer[z : z + group])
            self._downsample(planes, len(planes))
            if self._below:
                self._below.fill(room)

    def _downsample(self, planes: tuple[Plane, ...], count: int) -> None:
        """Downsample a group of planes into the next level's slot, on all threads."""
        if self._below:
            size = max(1, BAND_ROWS // self._step[1])
            shrink = partial(self._shrink, planes, count)
            self._pool.map("downsample", shrink, bands(len(self._below.slot()), size))

    def slot(self) -> Plane:
        """Return the place of the next plane."""
        slot: Plane = self._layer[self.planes % len(self._layer)]
        return slot

    @property
    def _layer(self) -> Slab:
        """The buffer; the first thread takes it for the first plane."""
        with self._lock:
            if self._held is None:
                self._held = self._buffers.take(self._room, self._array.spec.dtype)
            return self._held

    def _completes(self) -> int:
        """Return the planes of the group that the plane in `slot` completes, else 0."""
        if self._below is None or self._late:
            return 0
        count = self.planes % self._step[0] + 1
        last = self.planes + 1 == self._array.spec.shape[0]
        return count if last or count == self._step[0] else 0

    def _newest(self, count: int) -> tuple[Plane, ...]:
        """Return the `count` planes before the one in `slot`."""
        places = range(self.planes - count, self.planes)
        return tuple(self._layer[z % len(self._layer)] for z in places)

    def _shrink(self, planes: tuple[Plane, ...], count: int, cells: slice) -> None:
        """Downsample a group of planes into rows `cells` of the next level's slot."""
        if self._below is None:
            return
        fz, fy, fx = self._step
        filled = planes + planes[-1:] * (fz - count)
        taken = tuple(plane[cells.start * fy : cells.stop * fy] for plane in filled)
        downsample(self._method, taken, count, fy, fx, self._below.slot()[cells])

    def _write(self, count: int, room: Room) -> None:
        """Write the layer's last `count` planes, which are whole."""
        z = self.planes - count
        if self._waiting:
            self._waiting.write(z, count, room)
            return
        start = z % len(self._layer)
        layer = self._layer[start : start + count]
        self._pool.timed("store", partial(self._array.write_layer, z, layer))
