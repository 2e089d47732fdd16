"""A volume in a stored array of any format: a source of planes, read layer by layer."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import pairwise, product
from math import prod
from pathlib import Path
from typing import Any, cast

from hoaconv.engine.contract import LayeredSource, Piece
from hoaconv.engine.geometry import Geometry, Lengths
from hoaconv.engine.spec import Slab, Spec
from hoaconv.io.address import Addressed
from hoaconv.io.leading import Leading
from hoaconv.io.missing import missing_notes
from hoaconv.io.reordering import copy_reordered
from hoaconv.io.stored_array import StoredArray, View, read_dtype, view_of
from hoaconv.io.voxel_size import Axes

__all__ = ["ArrayVolume"]

PIECE_BYTES = 1 << 22
"""Smaller chunks are read several in one call, so that Python is called less often."""


AT_ONCE_BYTES = 1 << 25
"""Larger chunks are read fewer in one call, however far away they are."""


class ArrayVolume(Addressed, LayeredSource):
    """Planes (y, x) along z of a stored array, or some of them in any order.

    Whichever stored axis is z, a layer is as thick as a chunk is along it, and each chunk is
    decoded once.

    Parameters
    ----------
    array
        The open array.
    view
        Which of its axes are z, y and x; by default as their names tell.
    planes
        The planes to take; by default all.
    step
        Distance of these planes, from one to the next.
    box
        Stored rows and columns to take; by default all.

    Attributes
    ----------
    geometry
        As the array's metadata tell, of the planes that are taken, or as `at` sets it.
    spacing
        Stored voxels (z, y, x) from one that is read to the next.
    """

    def __init__(
        self,
        array: StoredArray,
        view: View | None = None,
        planes: Sequence[int] | None = None,
        step: int = 1,
        box: tuple[range, range] | None = None,
    ) -> None:
        self._array, self._view = array, view or view_of(array)
        self._dtype = read_dtype(array)
        self.spacing = (step, 1, 1)
        every = range(self._shape[0])
        self._planes = every if planes in (None, every) else tuple(planes)
        self._rows, self._columns = box or (range(self._shape[1]), range(self._shape[2]))
        first = (min(self._planes), self._rows.start, self._columns.start)
        stored = self._stored or Geometry()
        self.geometry = stored.shifted(first).coarser(self.spacing, middle=0)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self._view.of(self._array.shape)

    @cached_property
    def _chunk(self) -> tuple[int, int, int]:
        return self._view.of(self._array.chunks)

    @property
    def _stored(self) -> Geometry | None:
        """The geometry of the whole array, as its metadata tell."""
        return self._array.geometry(self._view.axes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on how the voxels are read, for the user."""
        stored = self._array.dtype.name
        told = {
            "bool": f"{self} holds booleans; they are read as uint8, 0 and 1",
            "float16": f"{self} holds float16; it is read as float32",
        }
        return (
            *self._array.notes,
            *([told[stored]] if stored in told else []),
            *missing_notes(self._array, self._boxed()),
        )

    def _boxed(self) -> tuple[slice, ...]:
        """Return the box of the stored array around all that is read."""
        sides = (range(min(self._planes), max(self._planes) + 1), self._rows, self._columns)
        z, y, x = (slice(side.start, side.stop) for side in sides)
        return self._view.box(z, y, x)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the image's label images."""
        return self._array.labels

    @property
    def shown(self) -> Mapping[str, Any]:
        """Settings of the channel for viewers: ``label``, ``color``, ``window``; may be empty."""
        told, axes = self._array.channels, self._array.axes
        index = next((i for a, i in self._view.fixed if axes and axes[a] in ("c", "channel")), 0)
        return told[index] if index < len(told) else {}

    @property
    def array(self) -> StoredArray:
        """The stored array."""
        return self._array

    @property
    def view(self) -> View:
        """The view of the stored array: its axes z, y and x."""
        return self._view

    @property
    def leading(self) -> Leading:
        """Times and channels, if all of them are wanted; the volume is that of the first ones."""
        loops, fixed = self._view.loops, dict(self._view.fixed)
        axes = "".join(letter for letter, _, _ in loops)
        shape, index = (n for _, _, n in loops), (fixed[axis] for _, axis, _ in loops)
        steps = (self._array.step(axis) for _, axis, _ in loops)
        return Leading(axes, tuple(shape), tuple(index), tuple(steps))

    def volume(self, leading: Leading) -> "ArrayVolume":
        """Return the volume of another time and channel; only those that all are wanted of."""
        index = dict(zip(leading.axes, leading.index, strict=True))
        other = copy(self)
        other._view = self._view.at(index)
        if self.address is not None:
            time = index.get("t", self.address.time)
            channel = index.get("c", self.address.channel)
            other.address = replace(self.address, time=time, channel=channel)
        return other

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry of all planes."""
        shape = (len(self._planes), len(self._rows), len(self._columns))
        return Spec(shape, self._dtype, self.geometry)

    @property
    def path(self) -> Path:
        """The array's folder or file."""
        return self._array.path

    @property
    def image_name(self) -> str | None:
        """The image's name by its own metadata, or None."""
        return self._array.image_name

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, or the folder of the array's chunks."""
        return self._array.files

    @property
    def stored_bytes(self) -> int:
        """Bytes of the chunks that are read, were all parts of the array alike."""
        layers = -(-self._shape[0] // self.depth)
        of_volume = prod(self._shape) / prod(self._array.shape) * self._share
        return int(self._array.stored_bytes * of_volume) * len(self.layers) // layers

    @property
    def _share(self) -> float:
        """Share of the chunks of a layer that are read."""
        pairs = zip((self._rows, self._columns), self._shape[1:], self._chunk[1:], strict=True)
        return prod(_count(side, c) / -(-n // c) for side, n, c in pairs)

    @property
    def depth(self) -> int:
        """Planes of a chunk."""
        return self._chunk[0]

    @property
    def planes(self) -> Sequence[int]:
        """The array's planes that are taken."""
        return self._planes

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Pieces of a layer: one chunk each, or several along x if chunks are small."""
        dy, dx = self._widths
        return tuple(product(_cells(self._rows, dy), _cells(self._columns, dx)))

    @property
    def piece_count(self) -> int:
        """Pieces of a layer, counted without a list of them."""
        pairs = zip((self._rows, self._columns), self._widths, strict=True)
        return prod(_count(side, width) for side, width in pairs)

    @cached_property
    def _widths(self) -> tuple[int, int]:
        """Rows and columns of a piece."""
        return self._chunk[1], self._chunk[2] * self._many

    @cached_property
    def _many(self) -> int:
        """Chunks of a piece."""
        chunk_bytes = prod(self._array.chunks) * self._dtype.itemsize
        at_once = min(self._array.at_once, AT_ONCE_BYTES // chunk_bytes)
        many = max(1, PIECE_BYTES // chunk_bytes, at_once)
        return min(many, _count(self._columns, self._chunk[2]))

    def piece_bytes(self, planes: int) -> int:  # noqa: ARG002 - all planes of a chunk are read
        """Return the bytes held while a piece is read: as the format needs, and the piece."""
        rows, columns = map(min, self.spec.plane_shape, self._widths)
        picked = min(self.depth, self._shape[0]) * rows * columns * self._array.dtype.itemsize
        return picked + self._array.reading_bytes(self._many)

    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        """Decode a piece of a layer.

        Raises
        ------
        SourceError
            If a chunk can't be read whole; the message names the array.
        """
        first, end = planes[0], planes[-1] + 1
        y, x = (
            slice(side.start + part.start, side.start + part.stop)
            for side, part in zip((self._rows, self._columns), piece, strict=True)
        )
        part = self._view.planes(self._array.read(self._view.box(slice(first, end), y, x)))
        if len(planes) == len(part):
            copy_reordered(part, out)
        else:
            out[...] = part[[z - first for z in planes]]

    def at(self, geometry: Geometry) -> "ArrayVolume":
        """Return the same volume with its voxels of another size, or elsewhere."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    def choose(self, planes: Sequence[int], step: int = 1) -> "ArrayVolume":
        """Return these planes alone, in this order; `step` apart."""
        taken = [self._planes[z] for z in planes]
        box = (self._rows, self._columns)
        chosen = ArrayVolume(self._array, self._view, taken, step * self.spacing[0], box)
        self._hand_on(chosen)
        chosen._take(planes)
        return chosen

    def window(self, rows: slice, columns: slice) -> "ArrayVolume":
        """Return a box of all planes; no chunk beside it is read."""
        box = (self._rows[rows], self._columns[columns])
        part = ArrayVolume(self._array, self._view, self._planes, self.spacing[0], box)
        part.geometry = self.geometry.shifted((0, rows.start, columns.start))
        self._hand_on(part)
        part.box = (box[0].start, box[0].stop, box[1].start, box[1].stop)
        return part

    def transposed(self, order: tuple[int, int, int]) -> "ArrayVolume | None":
        """Return the same voxels with another axis along z; each chunk is still read once.

        None where planes or a box have been chosen, or there is no z.
        """
        zyx, first = self._view.axes, self._planes[0]
        planes = range(first, first + len(self._planes))
        is_part = self.taken is not None or self.box is not None
        if is_part or list(self._planes) != list(planes) or None in zyx:
            return None
        sides = (planes, self._rows, self._columns)
        z, y, x = (sides[axis] for axis in order)
        axes = cast(Axes, tuple(zyx[axis] for axis in order))
        turned = ArrayVolume(self._array, replace(self._view, axes=axes), z, 1, (y, x))
        turned.geometry = self.geometry.permuted(order)
        self._hand_on(turned)
        turned.order = order if self.order is None else _after(self.order, order)
        return turned

    def _hand_on(self, other: "ArrayVolume") -> None:
        """Tell another volume of the same array how it is known."""
        other.address, other.opens = self.address, self.opens
        other.taken, other.box, other.order = self.taken, self.box, self.order

    @property
    def levels(self) -> tuple["ArrayVolume", ...]:
        """The volumes of all levels of the image, level 0 first; of some planes, or no image, none.

        Where `at` has set another voxel size than the image tells, that of the other levels is as
        many times another.

        Raises
        ------
        SourceError
            If the array of a level can't be opened.
        """
        is_whole = isinstance(self._planes, range) and self.box is None and self.order is None
        if not is_whole or self.address is None or self.opens is None:
            return ()
        own = self._array.location
        return tuple(self if path == own else self._beside(path) for path in self._array.levels)

    def _beside(self, path: str) -> "ArrayVolume":
        """Return another level of the image."""
        address = self.address.beside(path, self._array.scheme)  # type: ignore[union-attr]
        level: ArrayVolume = self.opens(address)  # type: ignore[misc]
        own = self._stored
        if own is None:  # nothing tells sizes but the shapes
            both = zip(self.spec.shape, level.spec.shape, strict=True)
            factors = [round(n / m) if n > m else 1 / round(m / n) for n, m in both]
            return level.at(self.geometry.coarser(factors))
        if self.geometry == own:
            return level
        factors = [new / old for new, old in zip(self.geometry.edges, own.edges, strict=True)]
        return level.at(
            replace(
                self.geometry,
                edges=_times(level.geometry.edges, factors),
                origin=_times(level.geometry.origin, factors),
            )
        )

    def __str__(self) -> str:
        return str(self._array)

    def __repr__(self) -> str:
        return f"ArrayVolume({str(self.path)!r}: {self.spec})"


def _count(side: range, width: int) -> int:
    """Return the cells of a grid that a side touches; the grid begins at 0."""
    return -(-side.stop // width) - side.start // width


def _cells(side: range, width: int) -> list[slice]:
    """Return the parts of a side, counted from its beginning, in each cell of a grid."""
    first, last = side.start // width, -(-side.stop // width)
    ends = [max(side.start, n * width) for n in range(first, last)] + [side.stop]
    return [slice(a - side.start, b - side.start) for a, b in pairwise(ends)]


def _after(first: tuple[int, int, int], then: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the order of axes after two transpositions."""
    z, y, x = (first[axis] for axis in then)
    return (z, y, x)


def _times(lengths: Lengths, factors: Sequence[float]) -> Lengths:
    z, y, x = (length * factor for length, factor in zip(lengths, factors, strict=True))
    return (z, y, x)
