"""Several sources in a row: their planes follow each other along z."""

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, ClassVar

from hoaconv.engine.endpoints import Source
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.layered import LayeredSource
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import SourceError

__all__ = ["Appended"]


class Appended(Source):
    """The planes of several sources, one source after the other.

    Each may be of another kind. Those that lie in layers keep doing so: each chunk is read once.
    The size and place of the voxels are those of the first.

    Parameters
    ----------
    sources
        The sources, in order.

    Raises
    ------
    SourceError
        If their planes differ in shape or dtype.
    """

    kind: ClassVar[str] = "appended source"

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        first = self.sources[0].spec
        for other in self.sources[1:]:
            if (other.spec.plane_shape, other.spec.dtype) != (first.plane_shape, first.dtype):
                raise SourceError(
                    f"{other} is {other.spec}, and {self.sources[0]}, to which it is appended, is "
                    f"{first}: planes have to be alike in shape and dtype"
                )
        self.geometry: Geometry = first.geometry
        self._ends = tuple(accumulate(source.spec.planes for source in self.sources))

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry of all planes."""
        first = self.sources[0].spec
        return Spec((self._ends[-1], *first.plane_shape), first.dtype, self.geometry)

    @property
    def stored_bytes(self) -> int:
        """Bytes that reading every plane once takes from disk."""
        return sum(source.stored_bytes for source in self.sources)

    def read(self, z: int, out: Plane) -> None:
        """Decode plane `z` into `out` (y, x)."""
        source, own = self._place(z)
        self.sources[source].read(own, out)

    def _place(self, z: int) -> tuple[int, int]:
        """Return the number of the source that holds a plane, and the plane's number in it."""
        source = next(i for i, end in enumerate(self._ends) if z < end)
        return source, z - (self._ends[source - 1] if source else 0)

    def scratch(self) -> int:
        """Return the bytes that one worker holds while it reads a plane."""
        return max(source.scratch() for source in self.sources)

    @property
    def decodes_slowly(self) -> bool:
        """True if all of them decode slowly."""
        return all(source.decodes_slowly for source in self.sources)

    def layer_bytes(self, workers: int, ahead: int) -> int:
        """Return the bytes of the layers held at once, of sources whose planes lie in layers.

        Planes that are decoded ahead may lie in the next sources, whose layers are then begun.
        """
        held = [
            source.layer_bytes(workers) if isinstance(source, LayeredSource) else 0
            for source in self.sources
        ]
        return max(sum(held[first:last]) for first, last in self._spans(ahead + 1))

    def _spans(self, planes: int) -> Iterator[tuple[int, int]]:
        """Yield the sources that so many planes in a row may lie in: the first, and one behind."""
        counts = [source.spec.planes for source in self.sources]
        for first in range(len(counts)):
            last, between = first + 1, 1  # the last plane of the first source
            while last < len(counts) and between < planes:
                between += counts[last]
                last += 1
            yield first, last

    def choose(self, planes: Sequence[int]) -> Source:
        """Return these planes alone, in this order; of each layer its pieces are decoded once."""
        runs = groupby(map(self._place, planes), lambda place: place[0])
        parts = [self.sources[i].choose([z for _, z in run]) for i, run in runs]
        return parts[0] if len(parts) == 1 else self._of(parts)

    def window(self, rows: slice, columns: slice) -> Source | None:
        """Return a window of all planes, if each source has one."""
        parts = [source.window(rows, columns) for source in self.sources]
        known = [part for part in parts if part is not None]
        return self._of(known) if len(known) == len(parts) else None

    def _of(self, parts: Sequence[Source]) -> "Appended":
        return Appended(parts)

    def at(self, geometry: Geometry) -> "Appended":
        """Return this volume with another voxel size or origin."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    # What a job asks of the sources of files; the first one speaks for all.

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read."""
        return tuple(f for source in self.sources for f in getattr(source, "files", ()))

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks of all readers, each once."""
        told = (note for source in self.sources for note in getattr(source, "notes", ()))
        return tuple(dict.fromkeys(told))

    @property
    def spacing(self) -> tuple[int, int, int]:
        """Stored voxels (z, y, x) from one that is read to the next."""
        spacing: tuple[int, int, int] = getattr(self.sources[0], "spacing", (1, 1, 1))
        return spacing

    @property
    def address(self) -> Any:
        """The address of the first."""
        return getattr(self.sources[0], "address", None)

    @property
    def image_name(self) -> str | None:
        """Name of the first image, or None."""
        name: str | None = getattr(self.sources[0], "image_name", None)
        return name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Appended):
            return NotImplemented
        return (self.sources, self.geometry) == (other.sources, other.geometry)

    def __hash__(self) -> int:
        return hash(self.sources)

    def __str__(self) -> str:
        return " + ".join(map(str, self.sources))
