"""A zarr array as a source of planes, read layer by layer through tensorstore.

A chunk holds many planes. In a sweep each chunk is decoded once: all threads that want a plane of
a layer decode its chunks together, into one slab, and then take their planes from it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from threading import Event, Lock
from weakref import finalize

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Decode, Source
from hoaconv.engine.geometry import Geometry, Lengths
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.io.zarr_array import Piece, ZarrArray
from hoaconv.io.zarr_store import find_array

__all__ = ["ZarrVolume", "open_zarr"]


class _Layer:
    """Planes of one layer while a sweep reads them: decoded together, given one by one.

    There is one slab at a time: a layer is begun when all planes of the one `before` are given.
    Whoever waits for that helps to read it.
    """

    def __init__(
        self,
        array: ZarrArray,
        planes: Sequence[int],
        take: Callable[[], Slab],
        before: "_Layer | None",
    ) -> None:
        self._array, self._take, self._before = array, take, before
        self._planes = sorted(set(planes))
        self._lock = Lock()
        self._todo = deque(array.pieces)
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
        """One plane fewer is wanted; after the last one the slab is let go."""
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
            self._array.read(self._planes, piece, self._slab[:, *piece])  # type: ignore[index]
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


class ZarrVolume(Source):
    """Planes of a zarr array, or some of them in any order; headers have been checked.

    Attributes
    ----------
    path
        The array's folder.
    image_name
        What the image is called by its own metadata, else None.
    geometry
        As the OME-Zarr image around it tells, of the planes that are taken, or as `at` sets it.
    spacing
        Stored voxels from one that is read to the next, zyx.
    notes
        What the run must tell the user.
    """

    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the image's label images."""
        return self._array.stored.labels

    def __init__(
        self, array: ZarrArray, planes: Sequence[int] | None = None, step: int = 1
    ) -> None:
        stored, first = array.stored.geometry or Geometry(), min(planes) if planes else 0
        self._array = array
        self.spacing = (step, 1, 1)
        self._planes = range(array.spec.planes) if planes is None else tuple(planes)
        self.geometry = stored.shifted((first, 0, 0)).coarser(self.spacing, middle=0)

    @property
    def spec(self) -> Spec:
        """Shape and dtype of all planes."""
        whole = self._array.spec
        return Spec((len(self._planes), *whole.plane_shape), whole.dtype, self.geometry)

    @property
    def path(self) -> Path:
        """The array's folder."""
        return self._array.stored.path

    @property
    def image_name(self) -> str | None:
        """What the image is called by its own metadata."""
        return self._array.stored.image_name

    @property
    def files(self) -> tuple[Path, ...]:
        """Where the planes are: the array's chunks."""
        return (self.path / ("c" if self._array.stored.zarr_format == 3 else "0"),)

    @property
    def stored_bytes(self) -> int:
        """Bytes of the layers that are read, were all layers of the array alike."""
        layers = -(-self._array.spec.planes // self._array.depth)
        return self._array.stored_bytes * len(self._layers) // layers

    def read(self, z: int, out: Plane) -> None:
        """Decode plane `z` into `out`: all chunks that it lies in, piece by piece.

        Raises
        ------
        SourceError
            If a chunk can't be read whole; the message names the array.
        """
        for piece in self._array.pieces:
            self._array.read([self._planes[z]], piece, out[None, *piece])

    def scratch(self) -> int:
        """Bytes that a worker holds, besides the plane, while it reads one by itself."""
        return 0 if self._thickest > 1 else self._array.piece_bytes(1)

    @property
    def together(self) -> int:
        """Planes that lie in the same chunks."""
        return self._thickest

    def holds(self, workers: int) -> int:
        """A layer, as far as its planes are wanted, and what the threads hold that read it."""
        if self._thickest == 1:
            return 0
        reading = min(workers, self._array.piece_count) * self._array.piece_bytes(self._thickest)
        return self._thickest * self.spec.plane_bytes + reading

    def begin(self, buffers: Buffers) -> Callable[[int], Decode]:
        """Begin a sweep, in which every layer is decoded once."""
        if self._thickest == 1:
            return super().begin(buffers)
        tickets = self._tickets(buffers)
        return lambda _: next(tickets)  # asked for in order: see `Source.begin`

    def at(self, geometry: Geometry) -> "ZarrVolume":
        """Return the same volume with its voxels of another size, or elsewhere."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    def choose(self, planes: Sequence[int], step: int = 1) -> "ZarrVolume":
        """These planes alone, in this order; `step` apart."""
        step *= self.spacing[0]
        return ZarrVolume(self._array, [self._planes[z] for z in planes], step)

    @property
    def levels(self) -> tuple["ZarrVolume", ...]:
        """The volumes of all levels of the image, level 0 first; of some planes, or no image, none.

        Where `at` has set another voxel size than the image tells, that of the other levels is as
        many times another.

        Raises
        ------
        SourceError
            If the array of a level can't be opened.
        """
        paths = self._array.stored.levels if isinstance(self._planes, range) else ()
        return tuple(self if path == self.path else self._beside(path) for path in paths)

    def _beside(self, path: Path) -> "ZarrVolume":
        """Return another level of the image."""
        level, own = open_zarr(path), self._array.stored.geometry
        if own is None or self.geometry == own:
            return level
        factors = [new / old for new, old in zip(self.geometry.edges, own.edges, strict=True)]
        return level.at(
            replace(
                self.geometry,
                edges=_times(level.geometry.edges, factors),
                origin=_times(level.geometry.origin, factors),
            )
        )

    @cached_property
    def _layers(self) -> tuple[tuple[int, ...], ...]:
        """Planes that are wanted one after the other and lie in the same chunks."""
        groups = groupby(self._planes, lambda z: z // self._array.depth)
        return tuple(tuple(planes) for _, planes in groups)

    @cached_property
    def _thickest(self) -> int:
        return max(len(set(planes)) for planes in self._layers)

    def _tickets(self, buffers: Buffers) -> Iterator[_Ticket]:
        layer = None
        room = (self._thickest, *self.spec.plane_shape)
        for planes in self._layers:
            shape = (len(set(planes)), *self.spec.plane_shape)
            take = partial(buffers.take, shape, self.spec.dtype, room)
            layer = _Layer(self._array, planes, take, layer)
            yield from (_Ticket(layer, z) for z in planes)

    def __str__(self) -> str:
        return self._array.stored.name

    def __repr__(self) -> str:
        return f"ZarrVolume({str(self.path)!r}: {self.spec})"


def _times(lengths: Lengths, factors: Sequence[float]) -> Lengths:
    z, y, x = (length * factor for length, factor in zip(lengths, factors, strict=True))
    return (z, y, x)


def open_zarr(path: Path) -> ZarrVolume:
    """Open an array, or level 0 of an OME-Zarr image; no chunk is read.

    Raises
    ------
    SourceError
        If there is none, or its voxels or axes aren't those of a volume.
    """
    return ZarrVolume(ZarrArray(find_array(path)))
