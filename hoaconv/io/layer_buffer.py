"""The memory of one layer of chunks, which planes fill one after the other."""

from collections.abc import Callable
from threading import Lock

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.errors import PlanError

__all__ = ["LayerBuffer"]


class LayerBuffer:
    """Planes of a layer; when it is whole, it is stored, and the next one is filled.

    Parameters
    ----------
    depth
        Planes of a layer; the last one may have fewer.
    store
        Takes the number of a layer's first plane, and the layer (z, y, x).

    Attributes
    ----------
    planes
        Planes that have come.
    """

    def __init__(
        self, spec: Spec, depth: int, buffers: Buffers, store: Callable[[int, Slab], None]
    ) -> None:
        self._spec, self._depth, self._buffers = spec, min(depth, spec.planes), buffers
        self._store, self._lock = store, Lock()
        self._held: Slab | None = None
        self._lent: set[int] = set()
        self.planes = 0

    def lend(self, z: int) -> Plane | None:
        """Return the place of a plane, if it lies in the layer that is being filled."""
        if z // self._depth != self.planes // self._depth:
            return None
        self._lent.add(z)
        return self._slot(z)

    @property
    def filled(self) -> bool:
        """True if the next plane was lent its place."""
        return self.planes in self._lent

    def take(self, plane: Plane, rows: slice) -> None:
        """Copy a band of the next plane."""
        self._slot(self.planes)[rows] = plane[rows]

    def advance(self) -> None:
        """Go on to the next plane; store the layer if it is whole."""
        self._lent.discard(self.planes)
        self.planes += 1
        if self.planes % self._depth and self.planes < self._spec.planes:
            return
        count = (self.planes - 1) % self._depth + 1
        self._store(self.planes - count, self._layer()[:count])
        if self.planes == self._spec.planes:
            self._held = None

    def check_whole(self) -> None:
        """Raise PlanError if a plane hasn't come."""
        if self.planes != self._spec.planes:
            raise PlanError(f"{self.planes} planes came of {self._spec.planes}")

    def _slot(self, z: int) -> Plane:
        slot: Plane = self._layer()[z % self._depth]
        return slot

    def _layer(self) -> Slab:
        """Return the memory; the first thread takes it for the first plane."""
        with self._lock:
            if self._held is None:
                shape = (self._depth, *self._spec.plane_shape)
                self._held = self._buffers.take(shape, self._spec.dtype)
            return self._held
