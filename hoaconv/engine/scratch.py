"""The contract of scratch, where planes wait between sweeps, and layers of a source."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.endpoints import Economy, Sink, Source, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError

__all__ = ["Hold", "HoldWriter", "Pieces", "Scratch", "Waiting"]


class HoldWriter(Writer):
    """An open `Hold`."""

    @abstractmethod
    def kept(self) -> Source:
        """Return what gives the planes again, once all have come; until `release` or `abort`."""


class Hold(Sink):
    """Keeps planes on disk for a later sweep. It is a value: the place is made by `open`."""

    kind: ClassVar[str] = "hold"

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """The planes that it keeps."""

    @property
    @abstractmethod
    def reading_bytes(self) -> int:
        """Bytes that one worker holds while it reads a plane again, besides the plane."""

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is. Raises PlanError unless it is the one that was agreed."""
        if spec != self.spec:
            raise PlanError(f"{self} was made for {self.spec}; it gets {spec}")
        return spec

    def through_scratch(self, spec: Spec, economy: Economy) -> int:  # noqa: ARG002 - the contract
        """Return the bytes of all planes."""
        return spec.nbytes

    def files(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Return 0: no file stays."""
        return 0

    def warm(self, spec: Spec) -> None:
        """Compile nothing: there are no kernels."""

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:  # noqa: ARG002 - the contract
        """Return the estimated bytes on disk of all that it writes, from a plane such as it stores.

        The plane may be the first rows of one alone.
        """
        return 0

    @abstractmethod
    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> HoldWriter:
        """Make ready to take planes."""


@dataclass(frozen=True)
class Waiting(Source):
    """Stands in a schedule for the planes of a `Hold`, which a run reads in its place."""

    hold: Hold

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry of the planes that will be kept."""
        return self.hold.spec

    @property
    def stored_bytes(self) -> int:
        """No byte: planes in scratch are no slices."""
        return 0

    def read(self, z: int, out: Plane) -> None:  # noqa: ARG002 - the parameter is the contract
        """Raise PlanError: only a run has the planes."""
        raise PlanError(f"plane {z} of {self} was read before a run has kept it")

    def scratch(self) -> int:
        """Return the bytes that reading a plane takes."""
        return self.hold.reading_bytes

    def __str__(self) -> str:
        return str(self.hold)


class Pieces(ABC):
    """Pieces of planes that wait in scratch until they are read back; from several threads.

    Making one makes no file; the first `put` does.
    """

    @abstractmethod
    def put(self, piece: Plane) -> tuple[int, int]:
        """Pack a piece (y, x), write it, and return its place: first byte, number of bytes.

        Raises
        ------
        StoreError
            If it can't be written, as on a full disk, or after `remove`.
        """

    @abstractmethod
    def get(self, place: tuple[int, int], out: Plane) -> None:
        """Read what `put` wrote at `place` into `out`, of its shape and dtype; it may be a view.

        Raises
        ------
        StoreError
            If it can't be read back.
        """

    @abstractmethod
    def clear(self) -> None:
        """Discard all pieces: later ones are written over them."""

    @abstractmethod
    def remove(self) -> None:
        """Remove the file, if there is one; no piece can be put afterwards.

        Raises
        ------
        StoreError
            If the file can't be removed.
        """


class Scratch(ABC):
    """A place for what waits outside memory. It is a value: planning makes nothing."""

    @abstractmethod
    def hold(self, name: str, spec: Spec) -> Hold:
        """Return a place for planes of `spec`; in one schedule each has another name."""

    @abstractmethod
    def pieces(self, name: str) -> Pieces:
        """Return a place for pieces of planes; in one schedule each has another name."""

    @property
    @abstractmethod
    def largest_piece(self) -> int:
        """Bytes of a piece of a plane, at most."""

    @abstractmethod
    def stored_bytes(self, pieces: int, nbytes: int) -> int:
        """Return the bytes that so many pieces, of `nbytes` in all, take in scratch at most."""

    @abstractmethod
    def packing_bytes(self, nbytes: int) -> int:
        """Return the bytes that a thread holds while it puts or gets a piece of `nbytes`."""
