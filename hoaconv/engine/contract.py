"""What the engine asks of those who read, change, measure and write planes.

The engine knows no file format and no filter: it calls these.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.ends import Decode, Hold, Scratch, Sink, Source, Thrift, Use, Writer
from hoaconv.engine.geometry import Lengths
from hoaconv.engine.spec import Plane, Slab, Spec

__all__ = [
    "Core",
    "Decode",
    "Fold",
    "Hold",
    "Join",
    "Lengths",
    "Op",
    "Resample",
    "Scan",
    "Scanner",
    "Scratch",
    "Sink",
    "Source",
    "Step",
    "Thrift",
    "Use",
    "Writer",
    "Zip",
]

Core = tuple[slice, slice, slice]
"""The part of a block (z, y, x) whose result is kept."""


class Op(ABC):
    """Planes to planes. A subclass is a frozen dataclass; its fields are the parameters.

    No padding is ever added: at a volume's end the block is shorter there, so that the op's
    own boundary mode acts on the true edge. Any legal window and band gives the same bits.
    """

    word: ClassVar[str]

    @property
    def halo(self) -> tuple[int, int, int]:
        """Context (z, y, x) that a voxel of the result needs on each side."""
        return (0, 0, 0)

    @property
    def needs(self) -> "Fold | None":
        """What must be known of the whole input first, such as its percentiles; None if nothing.

        The planner then inserts a sweep that finds it. Until then the op can't be applied, but
        `halo`, `infer` and `work` answer as they will.
        """
        return None

    def settle(self, found: Mapping[str, Any]) -> "Op":  # noqa: ARG002 - the parameter is the contract
        """The op that it is once the fold that it `needs` has `found` its value."""
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
        """Whether the result is the input, bit for bit; the op is then left out."""
        return False

    def after(self, before: "Op") -> "Op | None":  # noqa: ARG002 - the parameter is the contract
        """One op for `before` and then this one, equal within the tolerance that it states."""
        return None

    def infer(self, spec: Spec) -> Spec:
        """Spec of the result, of the same shape. Raises PlanError for what it can't take."""
        return spec

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Bytes that `apply` allocates for a block of this spec, besides input and output."""
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


class Resample(ABC):
    """Planes to planes of another shape or order: crop, pad, flip, bin, resize.

    Plane z of the result is made of the input's planes ``reach(spec, z)``, a range whose ends
    never go back as z grows; it may be empty. A subclass is a frozen dataclass.
    """

    word: ClassVar[str]

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Spec of the result. Raises PlanError for an input that it can't take."""

    @abstractmethod
    def reach(self, spec: Spec, z: int) -> range:
        """Planes of the input (of `spec`) that plane `z` of the result is made of."""

    def chooses(self, spec: Spec) -> range | None:  # noqa: ARG002 - the parameter is the contract
        """Planes of the input that are kept, in the result's order, if that is all it does to z.

        A source in front then reads these alone, and `within` says what is left to do, which has
        no part in choosing. A range with a negative step can be had in no other way. None where
        planes are made or mixed.
        """
        return None

    def within(self) -> "Resample | None":
        """What it does to each plane, once the planes are chosen; None if nothing."""
        return self

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Bytes that one call of `apply` allocates, besides input and output."""
        return 0

    @abstractmethod
    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:
        """Write `rows` of plane `z` of the result into `out` (rows, x), without the GIL.

        `planes` are the input's ``reach(spec, z)``, whole. Called from several threads.
        """

    def warm(self, spec: Spec) -> None:  # noqa: B027 - numpy alone needs none
        """Compile the kernels that `apply` calls for planes of this spec."""


class Scanner(ABC):
    """A `Scan` at work. Each plane that it gives is an array of its own, which it then forgets."""

    @abstractmethod
    def take(self, plane: Plane) -> Iterator[Plane]:
        """Take the next plane; give, one by one, those that are decided now, in order.

        The plane is taken in before this returns, and isn't kept. All that is given is fetched
        before the next plane comes.
        """

    @abstractmethod
    def end(self) -> Iterator[Plane]:
        """No plane comes any more: give the rest."""


class Scan(ABC):
    """Planes to planes of the same shape, decided by what went by and what comes later.

    It follows objects along z, so it sees planes one by one, in order, whole. Planes that it
    can't decide yet wait in its own state, packed as it likes. A subclass is a frozen dataclass.
    """

    word: ClassVar[str]

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Spec of the result. Raises PlanError for an input that it can't take."""

    @abstractmethod
    def delay(self, spec: Spec) -> int:
        """Planes that a scanner takes, at the most, beyond the one that it gives."""

    @abstractmethod
    def state_bytes(self, spec: Spec) -> int:
        """Bytes that a scanner holds at the most, besides the planes it is given and gives."""

    @abstractmethod
    def open(self, spec: Spec, buffers: Buffers) -> Scanner:
        """Begin; planes that it gives come from `buffers`."""

    @abstractmethod
    def warm(self, spec: Spec) -> None:
        """Compile the kernels that scanning planes of this spec calls."""


class Join(ABC):
    """Planes of several streams to one: what follows a zip. Needs no context."""

    @abstractmethod
    def infer(self, *specs: Spec) -> Spec:
        """Spec of the result. Raises PlanError for inputs that don't go together."""

    @abstractmethod
    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Write the result for the same rows of every stream's plane into `out`."""

    @abstractmethod
    def work(self, *specs: Spec) -> int:
        """Bytes that `apply` allocates for planes of these specs, besides input and output."""


class Zip(ABC):
    """What takes planes of other volumes beside those of its own stream; a frozen dataclass.

    In a plan it is a join; the conversion opens the volumes.
    """

    word: ClassVar[str]

    @property
    @abstractmethod
    def others(self) -> tuple[str, ...]:
        """Paths of the other volumes; none where it makes do without."""

    @abstractmethod
    def join(self) -> Join:
        """Takes the stream's planes, then those of the others in their order."""

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Spec of the result, from that of its own stream."""


class Fold(ABC):
    """Planes to one value, tapped while the planes flow on.

    A state is any object that only one thread changes; `merge` joins the workers' states. The
    value must not depend on who has seen what, in which order: sums of floats have to be exact.
    """

    word: ClassVar[str]

    shared: ClassVar[bool] = False
    """Whether all threads change one state, which then gets the planes in order.

    Each touches the rows of its own band alone, or holds a lock meanwhile.
    """

    draws: ClassVar[bool] = False
    """Whether it also makes a picture."""

    def __str__(self) -> str:
        return self.word

    @abstractmethod
    def init(self, spec: Spec) -> Any:
        """A state that has seen nothing."""

    @abstractmethod
    def step(self, state: Any, block: Plane, z: int = 0, y: int = 0) -> None:
        """Take in rows `y` and on of plane `z`, without the GIL; whole along x.

        Every row of a plane comes once, to a `shared` state before any of the next plane.
        """

    @abstractmethod
    def merge(self, one: Any, other: Any) -> Any:
        """One state that has seen what both have seen; neither of them is changed."""

    @abstractmethod
    def finish(self, state: Any) -> Mapping[str, Any]:
        """The value, as JSON takes it."""

    def ends(self, name: str, spec: Spec) -> tuple[float, float]:  # noqa: ARG002 - the contract's
        """The least and the greatest that a number of the value can be, whatever the voxels are."""
        return -inf, inf

    def draw(self, state: Any) -> Plane | None:  # noqa: ARG002 - the parameter is the contract
        """The picture, if it `draws` one."""
        return None

    @abstractmethod
    def state_bytes(self, spec: Spec) -> int:
        """Bytes of one state, and of the picture; every worker holds one, or all share it."""

    def warm(self, spec: Spec) -> None:
        """Compile the kernels that `step` calls for planes of this spec."""
        voxel = Spec((1, 1, 1), spec.dtype)
        self.step(self.init(voxel), np.zeros((1, 1), spec.dtype))


Step = Op | Resample | Scan | Zip | Fold
"""Whatever may stand in a chain of ops: turns one stream of planes into another, or taps it."""
