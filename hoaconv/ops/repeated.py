"""A volume of one plane as one of many: a flat or dark field that is used for every z."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Decode, Source
from hoaconv.engine.spec import Plane, Spec

__all__ = ["Repeated"]


@dataclass(frozen=True)
class Repeated(Source):
    """The only plane of a source, given for each of `planes`; a sweep decodes it once.

    Attributes
    ----------
    source
        A source of one plane.
    planes
        Planes that are given.
    """

    source: Source
    planes: int

    @property
    def spec(self) -> Spec:
        """The source's, with the planes that are given."""
        spec = self.source.spec
        return replace(spec, shape=(self.planes, *spec.plane_shape))

    @property
    def stored_bytes(self) -> int:
        """Bytes of the one plane on disk."""
        return self.source.stored_bytes

    def read(self, z: int, out: Plane) -> None:  # noqa: ARG002 - all planes are one
        """Decode the plane into `out`."""
        self.source.read(0, out)

    def scratch(self) -> int:
        """As the source."""
        return self.source.scratch()

    def begin(self, buffers: Buffers) -> Callable[[int], Decode]:
        """Begin a sweep, in which the plane is decoded once and copied for each z."""
        kept = _Kept(self.source, buffers)
        return lambda z: kept.give  # noqa: ARG005 - all planes are one

    def holds(self, workers: int) -> int:
        """Bytes of the decoded plane, and what the source holds."""
        return self.source.spec.plane_bytes + self.source.holds(workers)

    def choose(self, planes: Sequence[int]) -> Source:
        """Give the plane as often as there are chosen planes."""
        return replace(self, planes=len(planes))

    def __str__(self) -> str:
        return str(self.source)


class _Kept:
    """The plane, decoded when it is first asked for."""

    def __init__(self, source: Source, buffers: Buffers) -> None:
        self._spec, self._buffers = source.spec, buffers
        self._decode, self._lock = source.begin(buffers)(0), Lock()
        self._plane: Plane | None = None

    def give(self, out: Plane) -> None:
        with self._lock:
            if self._plane is None:
                plane = self._buffers.take(self._spec.plane_shape, self._spec.dtype)
                self._decode(plane)
                self._plane = plane
        out[...] = self._plane
