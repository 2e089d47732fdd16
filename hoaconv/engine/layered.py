"""Sources whose planes lie in layers: each layer is decoded once, piece by piece, by all threads.

A chunk of a zarr array, say, holds parts of many planes. All threads that want a plane of a layer
decode its pieces together, into one slab, and then take their planes from it.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import groupby
from threading import Event, Lock
from typing import ClassVar
from weakref import finalize

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.endpoints import Source
from hoaconv.engine.spec import Plane, Slab, Spec

__all__ = ["LayeredSource", "Piece", "tickets"]

Piece = tuple[slice, slice]
"""Rows and columns of a layer that are decoded in one call."""


class LayeredSource(Source):
    """Planes that are stored in layers of `depth`; some of them, in any order.

    A subclass says where planes lie and decodes pieces. The engine decodes each piece of a layer
    once, in parallel, and keeps the layer until its planes are given.
    """

    kind: ClassVar[str] = "layered source"

    @property
    @abstractmethod
    def depth(self) -> int:
        """Planes of a stored layer: planes 0 to `depth` - 1 lie in the first one."""

    @property
    @abstractmethod
    def planes(self) -> Sequence[int]:
        """The stored planes that it gives, in the order in which it gives them."""

    @property
    @abstractmethod
    def pieces(self) -> Sequence[Piece]:
        """Pieces of any layer; they cover it, and none overlaps another."""

    @property
    def piece_count(self) -> int:
        """Pieces of a layer: override it where they can be counted without a list of them."""
        return len(self.pieces)

    @abstractmethod
    def piece_bytes(self, planes: int) -> int:
        """Return the bytes that a thread holds while it reads so many planes of a piece."""

    @abstractmethod
    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        """Decode some stored planes of one layer, as far as the piece reaches; from any thread.

        Parameters
        ----------
        planes
            Numbers of stored planes, ascending.
        out
            Array (z, y, x) of that many planes, and the piece's rows and columns.

        Raises
        ------
        SourceError
            If they can't be decoded whole.
        """

    def read(self, z: int, out: Plane) -> None:
        """Decode plane `z` into `out`, piece by piece."""
        for piece in self.pieces:
            self.read_piece([self.planes[z]], piece, out[None, *piece])

    def scratch(self) -> int:
        """Return the bytes that a worker holds, besides the plane, while it reads one by itself."""
        return 0 if self.is_shared else self.piece_bytes(1)

    @cached_property
    def layers(self) -> tuple[tuple[int, ...], ...]:
        """Stored planes that are given one after the other and lie in the same layer."""
        groups = groupby(self.planes, lambda plane: plane // self.depth)
        return tuple(tuple(planes) for _, planes in groups)

    @cached_property
    def thickness(self) -> int:
        """The most planes that are decoded at once."""
        return 1 if self.depth == 1 else max(len(set(planes)) for planes in self.layers)

    @cached_property
    def is_shared(self) -> bool:
        """True if a layer serves several planes; otherwise each plane is read by itself."""
        return self.depth > 1 and any(len(planes) > 1 for planes in self.layers)

    def at_once(self, workers: int) -> int:
        """Return the layers that are read at once: one, unless they are too few for all workers."""
        few = -(-workers // (self.piece_count * self.thickness))
        return min(few, len(self.layers))

    def layer_bytes(self, workers: int) -> int:
        """Return the bytes of the layers being read, and of the threads that read them."""
        if not self.is_shared:
            return 0
        layers = self.at_once(workers)
        reading = min(workers, layers * self.piece_count) * self.piece_bytes(self.thickness)
        return layers * self.thickness * self.spec.plane_bytes + reading

    def choose(self, planes: Sequence[int]) -> Source:
        """Return these planes alone, in this order; of each layer its pieces are decoded once."""
        return _ChosenLayers(self, _chosen(self.planes, planes))


@dataclass(frozen=True)
class _ChosenLayers(LayeredSource):
    """Some stored planes of a layered source, in any order."""

    source: LayeredSource
    taken: Sequence[int]

    @property
    def spec(self) -> Spec:
        whole = self.source.spec
        return replace(whole, shape=(len(self.taken), *whole.plane_shape))

    @property
    def stored_bytes(self) -> int:
        """Bytes of the layers that are read, were all layers alike."""
        if self.depth == 1:  # planes may be millions: no list of them is made
            return self.source.stored_bytes * len(self.taken) // self.source.spec.planes
        return self.source.stored_bytes * len(self.layers) // len(self.source.layers)

    @property
    def depth(self) -> int:
        return self.source.depth

    @property
    def planes(self) -> Sequence[int]:
        return self.taken

    @property
    def pieces(self) -> Sequence[Piece]:
        return self.source.pieces

    @property
    def piece_count(self) -> int:
        return self.source.piece_count

    def piece_bytes(self, planes: int) -> int:
        return self.source.piece_bytes(planes)

    @property
    def decodes_slowly(self) -> bool:
        return self.source.decodes_slowly

    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        self.source.read_piece(planes, piece, out)

    def __str__(self) -> str:
        return str(self.source)


def _chosen(taken: Sequence[int], planes: Sequence[int]) -> Sequence[int]:
    """Return some of the planes that are taken; of ranges a range, since they may be millions."""
    if not isinstance(taken, range) or not isinstance(planes, range):
        return tuple(taken[z] for z in planes)
    first, step = taken.start + taken.step * planes.start, taken.step * planes.step
    return range(first, first + step * len(planes), step)


class _Layer:
    """Planes of one layer while a sweep reads them: decoded together, given one by one.

    A layer is begun when all planes of the one `before` are given, so that no more slabs are held
    than are counted. Whoever waits for that helps to read it.
    """

    def __init__(
        self,
        source: LayeredSource,
        planes: Sequence[int],
        take: Callable[[], Slab],
        before: "_Layer | None",
    ) -> None:
        self._source, self._take, self._before = source, take, before
        self._planes = sorted(set(planes))
        self._lock = Lock()
        self._todo = deque(source.pieces)
        self._undone, self._owed = len(self._todo), len(planes)
        self._slab: Slab | None = None
        self._error: BaseException | None = None
        self._filled, self._given = Event(), Event()

    def give(self, plane: int, out: Plane) -> None:
        """Copy a plane, as soon as it is there."""
        self._fill()
        if self._error is not None:
            raise self._error
        out[...] = self._slab[self._planes.index(plane)]  # type: ignore[index]

    def leave(self) -> None:
        """Note that one plane fewer is wanted; after the last one the slab is let go."""
        with self._lock:
            self._owed -= 1
            if self._owed:
                return
            self._slab = None
            self._todo.clear()
        self._filled.set()
        self._given.set()

    def _fill(self) -> None:
        """Read what nobody reads yet, wait for the rest."""
        if (before := self._before) is not None:
            before._fill()
            before._given.wait()
            self._before = None
        for piece in iter(self._next, None):
            self._read(piece)
        self._filled.wait()

    def _next(self) -> Piece | None:
        with self._lock:
            if not self._todo:
                return None
            if self._slab is None:
                self._slab = self._take()
            return self._todo.popleft()

    def _read(self, piece: Piece) -> None:
        # No name here refers to the slab: its memory is to be free when the last plane is given.
        try:
            self._source.read_piece(self._planes, piece, self._slab[:, *piece])  # type: ignore[index]
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

    def __init__(self, layer: _Layer, plane: int) -> None:
        self._layer, self._plane = layer, plane
        self._used = finalize(self, layer.leave)
        self._used.atexit = False

    def __call__(self, out: Plane) -> None:
        try:
            self._layer.give(self._plane, out)
        finally:
            self._used()


def tickets(source: LayeredSource, buffers: Buffers, workers: int) -> Iterator[_Ticket]:
    """Return a ticket for each plane in order, each of which decodes it into an array.

    They are called once, or dropped, in that order, by any thread.
    """
    room = (source.thickness, *source.spec.plane_shape)
    begun: deque[_Layer | None] = deque([None] * source.at_once(workers))
    for planes in source.layers:
        shape = (len(set(planes)), *source.spec.plane_shape)
        take = partial(buffers.take, shape, source.spec.dtype, room)
        layer = _Layer(source, planes, take, begun.popleft())
        begun.append(layer)
        yield from (_Ticket(layer, z) for z in planes)
