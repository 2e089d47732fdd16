"""A zarr array as a source of planes, read layer by layer through tensorstore."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

from hoaconv.engine.contract import LayeredSource
from hoaconv.engine.geometry import Geometry, Lengths
from hoaconv.engine.spec import Slab, Spec
from hoaconv.io.address import Address, Addressed
from hoaconv.io.zarr_array import Piece, ZarrArray
from hoaconv.io.zarr_store import find_array

__all__ = ["ZarrVolume", "open_zarr"]


class ZarrVolume(Addressed, LayeredSource):
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
    """

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on how the voxels are read, for the user."""
        told = f"{self} holds booleans; they are read as uint8, 0 and 1"
        return (told,) if self._array.holds_bools else ()

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
        """The image's name by its own metadata, or None."""
        return self._array.stored.image_name

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder of the array's chunks."""
        return (self.path / ("c" if self._array.stored.zarr_format == 3 else "0"),)

    @property
    def stored_bytes(self) -> int:
        """Bytes of the layers that are read, were all layers of the array alike."""
        layers = -(-self._array.spec.planes // self._array.depth)
        return self._array.stored_bytes * len(self.layers) // layers

    @property
    def depth(self) -> int:
        """Planes of a chunk."""
        return self._array.depth

    @property
    def planes(self) -> Sequence[int]:
        """The array's planes that are taken."""
        return self._planes

    @property
    def pieces(self) -> Sequence[Piece]:
        """Chunks of a layer, or as many along x as are worth a call."""
        return self._array.pieces

    @property
    def piece_count(self) -> int:
        """Pieces of a layer, counted without a list of them."""
        return self._array.piece_count

    def piece_bytes(self, planes: int) -> int:
        """Return the bytes held while a piece is read: packed chunks, decoded, picked."""
        return self._array.piece_bytes(planes)

    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        """Decode a piece of a layer.

        Raises
        ------
        SourceError
            If a chunk can't be read whole; the message names the array.
        """
        self._array.read(planes, piece, out)

    def at(self, geometry: Geometry) -> "ZarrVolume":
        """Return the same volume with its voxels of another size, or elsewhere."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    def choose(self, planes: Sequence[int], step: int = 1) -> "ZarrVolume":
        """Return these planes alone, in this order; `step` apart."""
        taken = [self._planes[z] for z in planes]
        chosen = ZarrVolume(self._array, taken, step * self.spacing[0])
        chosen.address, chosen.opens, chosen.taken = self.address, self.opens, self.taken
        chosen._take(planes)
        return chosen

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
        if self.opens is not None:
            level = level.addressed(Address(str(path), str(path)), self.opens)
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
