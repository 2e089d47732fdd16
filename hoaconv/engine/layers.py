"""Layers of a source while a sweep reads them: decoded together, their planes given one by one.

A chunk of a zarr array, say, holds parts of many planes. All threads that want a plane of a layer
decode its pieces together. The layer is then held in memory, or waits in scratch, until its planes
are given.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Event, Lock
from weakref import finalize

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.layered import LayeredSource
from hoaconv.engine.pool import Pool
from hoaconv.engine.scratch import Pieces
from hoaconv.engine.spec import Plane

__all__ = ["tickets"]


class _Room(ABC):
    """Decoded planes of one layer."""

    @abstractmethod
    def read(self, n: int) -> None:
        """Decode piece `n` of all planes of the layer."""

    @abstractmethod
    def give(self, i: int, out: Plane) -> None:
        """Copy the layer's plane `i` into `out`, once all pieces are read."""

    @abstractmethod
    def release(self) -> None:
        """Let go of the planes: none is wanted any more."""


class _Memory(_Room):
    """A layer in one slab, which returns to the buffers when nothing refers to it any more."""

    def __init__(self, source: LayeredSource, buffers: Buffers, planes: Sequence[int]) -> None:
        shape = source.spec.plane_shape
        self._source, self._planes, self._pieces = source, planes, source.pieces
        self._slab = buffers.take(
            (len(planes), *shape), source.spec.dtype, (source.thickness, *shape)
        )

    def read(self, n: int) -> None:
        piece = self._pieces[n]
        self._source.read_piece(self._planes, piece, self._slab[:, *piece])

    def give(self, i: int, out: Plane) -> None:
        out[...] = self._slab[i]

    def release(self) -> None:
        """Do nothing: the layer drops the room."""


class _Scratch(_Room):
    """A layer in scratch: each piece of each plane packed by itself."""

    def __init__(
        self, source: LayeredSource, buffers: Buffers, waiting: Pieces, planes: Sequence[int]
    ) -> None:
        self._source, self._buffers, self._waiting = source, buffers, waiting
        self._planes, self._pieces = planes, source.pieces
        self._places = np.zeros((len(planes), source.piece_count, 2), np.int64)

    def read(self, n: int) -> None:
        rows, columns = self._pieces[n]
        ny, nx = self._source.spec.plane_shape
        shape = (len(self._planes), len(range(ny)[rows]), len(range(nx)[columns]))
        room = (self._source.thickness, self._source.piece_voxels)
        part = self._buffers.take(shape, self._source.spec.dtype, room)
        self._source.read_piece(self._planes, (rows, columns), part)
        for i, plane in enumerate(part):
            self._places[i, n] = self._waiting.put(plane)

    def give(self, i: int, out: Plane) -> None:
        places = self._places[i].tolist()
        for (start, nbytes), piece in zip(places, self._pieces, strict=True):
            self._waiting.get((start, nbytes), out[piece])

    def release(self) -> None:
        self._waiting.clear()


class _Layer:
    """Planes of one layer, decoded together, given one by one.

    A layer is begun when all planes of the one `before` are given, so that no more rooms are held
    than are counted. Whoever waits for that helps to read it.

    Parameters
    ----------
    planes
        Numbers of stored planes, in the order in which they are given.
    take
        Makes room for the layer's planes.
    most
        Pieces that are read at once, at most.
    """

    def __init__(
        self,
        source: LayeredSource,
        planes: Sequence[int],
        take: Callable[[Sequence[int]], _Room],
        most: int,
        before: "_Layer | None",
    ) -> None:
        self._take, self._most, self._before = take, most, before
        self.planes, self._stored = planes, sorted(set(planes))
        self._lock = Lock()
        self._todo = deque(range(source.piece_count))
        self._undone, self._owed = len(self._todo), len(planes)
        self._room: _Room | None = None
        self._error: BaseException | None = None
        self._is_begun = False
        self._filled, self._given = Event(), Event()

    def give(self, plane: int, out: Plane) -> None:
        """Copy a plane, as soon as it is there."""
        self._fill()
        if self._error is not None:
            raise self._error
        self._room.give(self._stored.index(plane), out)  # type: ignore[union-attr]

    def leave(self) -> None:
        """Note that one plane fewer is wanted; after the last one the room is let go."""
        with self._lock:
            self._owed -= 1
            if self._owed:
                return
            room, self._room = self._room, None
            self._todo.clear()
        if room is not None:
            room.release()
            del room
        self._filled.set()
        self._given.set()

    def begin(self, pool: Pool, ended: Event) -> None:
        """Have the pool read the layer until `ended`, if there is memory for it by now.

        A worker reads a piece and then queues up again, so that no plane of the last layer waits
        for more than a piece.
        """
        before = self._before
        with self._lock:
            if self._is_begun or not (before is None or before._given.is_set()):
                return
            self._is_begun = True
        for _ in range(min(pool.workers, self._most)):
            pool.submit("decode", self._read_on, pool, ended)

    def _read_on(self, pool: Pool, ended: Event) -> None:
        if not ended.is_set() and self._read_one():
            pool.submit("decode", self._read_on, pool, ended)

    def _fill(self) -> None:
        """Read what nobody reads yet, wait for the rest."""
        if (before := self._before) is not None:
            before._fill()
            before._given.wait()
            self._before = None
        while self._read_one():
            pass
        self._filled.wait()

    def _read_one(self) -> bool:
        """Read a piece that nobody reads yet; return whether there was one."""
        n = self._next()
        if n is not None:
            self._read(n)
        return n is not None

    def _next(self) -> int | None:
        with self._lock:
            if not self._todo or self._undone - len(self._todo) == self._most:
                return None
            if self._room is None:
                self._room = self._take(self._stored)
            return self._todo.popleft()

    def _read(self, n: int) -> None:
        # No name here refers to the room: its memory is to be free when the last plane is given.
        try:
            self._room.read(n)  # type: ignore[union-attr]
        except BaseException as error:  # it belongs to all who want a plane of the layer
            with self._lock:
                self._error = error
                self._todo.clear()
            self._filled.set()
        with self._lock:
            self._undone -= 1
            done = not self._undone
        if done:
            self._filled.set()


class _Ticket:
    """One plane of a layer, to be had once; a ticket that is dropped counts as used."""

    def __init__(self, layer: _Layer, plane: int, after: Callable[[], None]) -> None:
        self._layer, self._plane, self._after = layer, plane, after
        self._used = finalize(self, layer.leave)
        self._used.atexit = False

    def __call__(self, out: Plane) -> None:
        try:
            self._layer.give(self._plane, out)
        finally:
            self._used()
        self._after()


def tickets(
    source: LayeredSource,
    buffers: Buffers,
    pool: Pool,
    *,
    next_layer: bool = False,
    waiting: Pieces | None = None,
) -> Iterator[_Ticket]:
    """Return a ticket for each plane in order, each of which decodes it into an array.

    They are called once, or dropped, in that order, by any thread of the pool.

    Parameters
    ----------
    next_layer
        Whether the pool reads the next layer, as later work, once the last one is whole.
    waiting
        Where layers wait, one at a time; None if they are held in memory.
    """
    if waiting is None:
        take: Callable[[Sequence[int]], _Room] = partial(_Memory, source, buffers)
        most, held = source.piece_count, source.at_once(pool.workers, next_layer=next_layer)
    else:
        take = partial(_Scratch, source, buffers, waiting)
        most, held = source.parts_at_once(pool.workers), 1
    ended = Event()
    try:
        for layer, after in _layers(source, take, most, held):
            is_early = next_layer and waiting is None
            then = partial(after.begin, pool, ended) if is_early and after else _nothing
            yield from (_Ticket(layer, z, then) for z in layer.planes)
    finally:
        ended.set()  # nobody wants what isn't read yet


def _layers(
    source: LayeredSource, take: Callable[[Sequence[int]], _Room], most: int, held: int
) -> Iterator[tuple[_Layer, _Layer | None]]:
    """Return each layer with the one after it; it is begun when the one `held` before is given."""
    begun: deque[_Layer | None] = deque([None] * held)
    last: _Layer | None = None
    for planes in source.layers:
        layer = _Layer(source, planes, take, most, begun.popleft())
        begun.append(layer)
        if last is not None:
            yield last, layer
        last = layer
    if last is not None:
        yield last, None


def _nothing() -> None:
    """Do nothing after a plane is given."""
