"""Sources whose planes lie in layers, such as the chunks of a zarr array: what they say of them.

`hoaconv.engine.layers` reads them: each piece of a layer is decoded once.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import ClassVar, cast

from hoaconv.engine.endpoints import Source
from hoaconv.engine.spec import Plane, Slab, Spec

__all__ = ["LayeredSource", "Piece"]

PARTS = 4
"""A layer that waits in scratch is read in so many parts or more, if it has as many pieces."""

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

    @cached_property
    def piece_voxels(self) -> int:
        """Voxels of the largest piece of a plane."""
        ny, nx = self.spec.plane_shape
        return max(len(range(ny)[rows]) * len(range(nx)[columns]) for rows, columns in self.pieces)

    def at_once(self, workers: int, *, next_layer: bool = False) -> int:
        """Return the layers that are held at once.

        It is one, unless the pieces of one are too few for all workers; with `next_layer` it is one
        more.
        """
        few = -(-workers // (self.piece_count * self.thickness))
        return min(few + next_layer, len(self.layers))

    def layer_bytes(self, workers: int, *, next_layer: bool = False) -> int:
        """Return the bytes of the layers being read, and of the threads that read them."""
        if not self.is_shared:
            return 0
        layers = self.at_once(workers, next_layer=next_layer)
        reading = min(workers, layers * self.piece_count) * self.piece_bytes(self.thickness)
        return layers * self.thickness * self.spec.plane_bytes + reading

    def parts_at_once(self, workers: int) -> int:
        """Return the pieces that are read at once where a layer waits in scratch."""
        return min(workers, -(-self.piece_count // PARTS))

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

    def window(self, rows: slice, columns: slice) -> Source | None:
        part = self.source.window(rows, columns)
        return part and replace(self, source=cast(LayeredSource, part))

    def __str__(self) -> str:
        return str(self.source)


def _chosen(taken: Sequence[int], planes: Sequence[int]) -> Sequence[int]:
    """Return some of the planes that are taken; of ranges a range, since they may be millions."""
    if not isinstance(taken, range) or not isinstance(planes, range):
        return tuple(taken[z] for z in planes)
    first, step = taken.start + taken.step * planes.start, taken.step * planes.step
    return range(first, first + step * len(planes), step)
