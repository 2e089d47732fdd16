"""The contract of the engine with those who read, change, measure and write planes.

The engine knows no file format and no filter. It calls these classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.endpoints import Economy, Sink, Source, Use, Writer
from hoaconv.engine.fold import Fold
from hoaconv.engine.geometry import Lengths
from hoaconv.engine.layered import LayeredSource, Piece
from hoaconv.engine.part import Part
from hoaconv.engine.scratch import Hold, HoldWriter, Pieces, Scratch, Waiting
from hoaconv.engine.spec import Plane, Slab, Spec

__all__ = [
    "Core",
    "Economy",
    "Fold",
    "Hold",
    "HoldWriter",
    "Join",
    "LayeredSource",
    "Lengths",
    "Op",
    "Part",
    "Piece",
    "Pieces",
    "Resample",
    "Scan",
    "Scanner",
    "Scratch",
    "Sink",
    "Source",
    "Step",
    "Use",
    "Waiting",
    "Writer",
    "Zip",
]

Core = tuple[slice, slice, slice]
"""The part of a block (z, y, x) whose result is kept."""


class Op(Part):
    """Planes to planes. A subclass is a frozen dataclass; its fields are the parameters.

    No padding is ever added: at a volume's end the block is shorter there, so that the op's
    own boundary mode acts on the true edge. Any legal window and band gives the same bits.
    """

    kind: ClassVar[str] = "op"
    word: ClassVar[str]

    @property
    def halo(self) -> tuple[int, int, int]:
        """Context (z, y, x) that a voxel of the result needs on each side."""
        return (0, 0, 0)

    @property
    def needs(self) -> Fold | None:
        """The fold of the whole input whose value the op needs first, such as percentiles, or None.

        The planner then inserts a sweep that finds the value. Until it is known the op can't be
        applied, but `halo`, `infer` and `work` already answer as they will then.
        """
        return None

    def settle(self, found: Mapping[str, Any]) -> "Op":  # noqa: ARG002 - the parameter is the contract
        """Return the op with the value that the fold it `needs` has found."""
        return self

    def resolved(self) -> "Op":
        """Return the op with the content of the files that it names.

        It is the one place where an op reads a file; `infer`, `halo` and `work` are then pure.

        Raises
        ------
        SpellingError
            If a file can't be read, or doesn't hold what the op takes.
        """
        return self

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - the parameter is the contract
        """Return whether the result is the input, bit for bit; the op is then left out."""
        return False

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the result, of the same shape. Raise PlanError for other inputs."""
        return spec

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Return the bytes that `apply` allocates for a block, besides input and output."""
        return 0

    @abstractmethod
    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the result for ``block[core]`` into `out`, single-threaded, without the GIL.

        `block` is C-contiguous; `out` is a band of a slab, so each ``out[z]`` is C-contiguous.
        """

    def warm(self, spec: Spec) -> None:
        """Compile the kernels that `apply` calls for planes of this spec."""
        voxel = Spec((1, 1, 1), spec.dtype)
        out = np.empty(voxel.shape, self.infer(voxel).dtype)
        self.apply(np.zeros(voxel.shape, voxel.dtype), (slice(0, 1),) * 3, out)


class Resample(Part):
    """Planes to planes of another shape or order: crop, pad, flip, bin, resize.

    Plane z of the result is made of the input's planes ``reach(spec, z)``, a range whose ends
    never go back as z grows; it may be empty. A subclass is a frozen dataclass.
    """

    kind: ClassVar[str] = "resample"
    word: ClassVar[str]

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the result. Raise PlanError for an input that it can't take."""

    @abstractmethod
    def reach(self, spec: Spec, z: int) -> range:
        """Return the planes of the input (of `spec`) that plane `z` of the result is made of."""

    def chooses(self, spec: Spec) -> range | None:  # noqa: ARG002 - the parameter is the contract
        """Return the planes of the input that are kept, in the result's order, or None.

        It is None where planes are made or mixed. Otherwise a source in front reads these planes
        alone, and `within` returns what is left to do. A range with a negative step is possible
        only in this way.
        """
        return None

    def within(self) -> "Resample | None":
        """Return what is left to do with each chosen plane; None if nothing."""
        return self

    def cuts(self, spec: Spec) -> tuple[slice, slice] | None:  # noqa: ARG002 - as above
        """Return the rows and columns of each plane that are kept, if all it does is to cut them.

        A source in front may then read these alone, and nothing is left to do. None for anything
        else, and where planes along z are left out too.
        """
        return None

    def turns(self, spec: Spec) -> tuple[int, int, int] | None:  # noqa: ARG002 - as above
        """Return the old axes that become z, y, x, if all it does is to transpose; else None.

        A source in front may then read its planes along another axis, and nothing is left to do.
        """
        return None

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Return the bytes that one call of `apply` allocates, besides input and output."""
        return 0

    @abstractmethod
    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:
        """Write `rows` of plane `z` of the result into `out` (rows, x), without the GIL.

        `planes` are the input's ``reach(spec, z)``, whole. Called from several threads.
        """

    def warm(self, spec: Spec) -> None:
        """Compile the kernels that `apply` calls for planes of this spec."""


class Scanner(ABC):
    """A `Scan` at work. Each plane that it gives is an array of its own, which it then forgets."""

    @abstractmethod
    def take(self, plane: Plane) -> Iterator[Plane]:
        """Take the next plane; return the planes that are decided now, in order.

        The plane is taken in before this returns, and isn't kept. The caller fetches all planes
        before it brings the next one.
        """

    @abstractmethod
    def end(self) -> Iterator[Plane]:
        """Return the rest: no plane comes any more."""


class Scan(Part):
    """Planes to planes of the same shape, decided by what went by and what comes later.

    It follows objects along z, so it sees planes one by one, in order, whole. Planes that it
    can't decide yet wait in its own state, packed as it likes. A subclass is a frozen dataclass.
    """

    kind: ClassVar[str] = "scan"
    word: ClassVar[str]

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the result. Raise PlanError for an input that it can't take."""

    @abstractmethod
    def delay(self, spec: Spec) -> int:
        """Return the most planes that a scanner takes beyond the one that it gives."""

    @abstractmethod
    def state_bytes(self, spec: Spec) -> int:
        """Return the most bytes that a scanner holds, besides the planes it is given and gives."""

    @abstractmethod
    def open(self, spec: Spec, buffers: Buffers) -> Scanner:
        """Return a scanner; the planes that it gives come from `buffers`."""

    @abstractmethod
    def warm(self, spec: Spec) -> None:
        """Compile the kernels that scanning planes of this spec calls."""


class Join(Part):
    """Planes of several streams to one, a plane of each at a time. Needs no context."""

    kind: ClassVar[str] = "join"

    @abstractmethod
    def infer(self, *specs: Spec) -> Spec:
        """Return the spec of the result. Raise PlanError for inputs that don't go together."""

    @abstractmethod
    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Write the result for the same rows of every stream's plane into `out`."""

    @abstractmethod
    def work(self, *specs: Spec) -> int:
        """Return the bytes that `apply` allocates for planes of these specs, besides the planes."""


class Zip(ABC):
    """A step that takes planes of other volumes beside those of its own stream.

    It is a frozen dataclass. In a plan a join stands in its place; the caller opens the volumes.
    """

    word: ClassVar[str]

    @property
    @abstractmethod
    def others(self) -> tuple[str, ...]:
        """Paths of the other volumes; empty where it needs none."""

    @abstractmethod
    def join(self) -> Join:
        """Return the join of the stream's planes and those of the others, in their order."""

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the result, from that of its own stream."""


Step = Op | Resample | Scan | Zip | Fold
"""A step of a chain of ops: it turns one stream of planes into another, or taps it."""
