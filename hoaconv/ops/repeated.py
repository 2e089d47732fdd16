"""A volume of one plane as one of many: a flat or dark field that is used for every z."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from hoaconv.engine.contract import LayeredSource, Resample, Source
from hoaconv.engine.spec import Plane, Slab, Spec

__all__ = ["Repeat", "Repeated"]

Piece = tuple[slice, slice]

_WHOLE = (slice(None), slice(None))


@dataclass(frozen=True)
class Repeated(LayeredSource):
    """The only plane of a source, given for each z: a layer of its own, decoded once a sweep.

    Attributes
    ----------
    source
        A source of one plane.
    count
        Planes that are given.
    """

    source: Source
    count: int

    @property
    def spec(self) -> Spec:
        """The source's, with the planes that are given."""
        spec = self.source.spec
        return replace(spec, shape=(self.count, *spec.plane_shape))

    @property
    def stored_bytes(self) -> int:
        """Bytes of the one plane on disk."""
        return self.source.stored_bytes

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the source, which no output may replace."""
        return tuple(getattr(self.source, "files", ()))

    @property
    def depth(self) -> int:
        """Number of planes that are given, so that all of them belong to one layer."""
        return self.count

    @property
    def planes(self) -> Sequence[int]:
        """The one stored plane, for each that is given."""
        return (0,) * self.count

    @property
    def pieces(self) -> Sequence[Piece]:
        """The whole plane."""
        return (_WHOLE,)

    def piece_bytes(self, planes: int) -> int:  # noqa: ARG002 - there is one
        """Return the bytes that a thread holds while it reads the plane."""
        return self.source.scratch()

    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:  # noqa: ARG002
        """Decode the plane into ``out[0]``."""
        self.source.read(0, out[0])

    def choose(self, planes: Sequence[int]) -> Source:
        """Return the plane as often as there are chosen planes."""
        return replace(self, count=len(planes))

    def __str__(self) -> str:
        return str(self.source)


@dataclass(frozen=True)
class Repeat(Resample):
    """The only plane of a volume behind ops, given for each z; the ops are applied once.

    Attributes
    ----------
    count
        Planes that are given.
    """

    word: ClassVar[str] = "repeat"
    takes_wide: ClassVar[bool] = True

    count: int

    def infer(self, spec: Spec) -> Spec:
        """Return the spec with the planes that are given."""
        return replace(spec, shape=(self.count, *spec.plane_shape))

    def reach(self, spec: Spec, z: int) -> range:  # noqa: ARG002 - there is one
        """Return the one plane."""
        return range(1)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Copy rows of the plane."""
        out[...] = planes[0][rows]

    def __str__(self) -> str:
        return f"repeat {self.count}"
