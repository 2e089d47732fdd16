"""What the engine asks of those who read, change, measure and write planes.

The engine knows no file format and no filter: it calls these.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab, Spec

__all__ = [
    "Core",
    "Fold",
    "Join",
    "Op",
    "Resample",
    "Scan",
    "Scanner",
    "Sink",
    "Source",
    "Step",
    "Use",
    "Writer",
]

Core = tuple[slice, slice, slice]
"""The part of a block (z, y, x) whose result is kept."""


@dataclass(frozen=True)
class Use:
    """Bytes that somebody holds while a sweep runs, and what for."""

    who: str
    what: str
    nbytes: int


class Source(ABC):
    """Where planes come from. Building one may read headers, never pixels."""

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """Shape and dtype of all planes."""

    @property
    @abstractmethod
    def stored_bytes(self) -> int:
        """Bytes that reading every plane once takes from disk."""

    @abstractmethod
    def read(self, z: int, out: Plane) -> None:
        """Decode plane `z` into `out` (y, x). Called once a plane, from several threads.

        Raises
        ------
        SourceError
            If the plane can't be decoded whole; the message names the file.
        """

    @abstractmethod
    def scratch(self) -> int:
        """Bytes that one worker holds while it reads a plane, besides `out`."""

    def choose(self, planes: Sequence[int]) -> "Source":
        """These planes alone, in this order, as a source of their own."""
        return Chosen(self, tuple(planes))


@dataclass(frozen=True)
class Chosen(Source):
    """Some planes of another source, in any order; their stored bytes are the mean's."""

    source: Source
    planes: tuple[int, ...]

    @property
    def spec(self) -> Spec:
        """Of the chosen planes."""
        whole = self.source.spec
        return Spec((len(self.planes), *whole.plane_shape), whole.dtype)

    @property
    def stored_bytes(self) -> int:
        """Bytes that reading every chosen plane takes from disk, were all planes alike."""
        return self.source.stored_bytes * len(self.planes) // self.source.spec.planes

    def read(self, z: int, out: Plane) -> None:
        """Decode the chosen plane `z` into `out`."""
        self.source.read(self.planes[z], out)

    def scratch(self) -> int:
        """As the other source."""
        return self.source.scratch()

    def __str__(self) -> str:
        return str(self.source)


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

        A source in front then reads these alone, and `within` says what is left to do. A range
        with a negative step can be had in no other way. None where planes are made or mixed.
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


Step = Op | Resample | Scan
"""What turns one stream of planes into another: whatever stands in a chain of ops."""


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


class Fold(ABC):
    """Planes to one value, tapped while the planes flow on.

    A state is any object that only one thread changes; `merge` joins the workers' states.
    """

    word: ClassVar[str]

    def __str__(self) -> str:
        return self.word

    @abstractmethod
    def init(self, spec: Spec) -> Any:
        """A state that has seen nothing."""

    @abstractmethod
    def step(self, state: Any, block: Plane) -> None:
        """Take in some rows of a plane, without the GIL."""

    @abstractmethod
    def merge(self, one: Any, other: Any) -> Any:
        """One state that has seen what both have seen."""

    @abstractmethod
    def finish(self, state: Any) -> Mapping[str, Any]:
        """The value, as JSON takes it."""

    @abstractmethod
    def state_bytes(self, spec: Spec) -> int:
        """Bytes of one state; every worker holds one."""

    def warm(self, spec: Spec) -> None:
        """Compile the kernels that `step` calls for planes of this spec."""
        self.step(self.init(spec), np.zeros((1, 1), spec.dtype))


class Writer(ABC):
    """An open sink, fed plane by plane in order, each plane band by band."""

    @abstractmethod
    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band of the next plane (y, x), which is complete; called from several threads.

        The plane must not be kept: copy what is needed.
        """

    @abstractmethod
    def advance(self) -> None:
        """All bands of the plane are taken; called from the thread that runs the sweep."""

    @abstractmethod
    def close(self, folds: Mapping[str, Any]) -> Mapping[str, Any]:
        """All planes have come: write what is left, metadata last. Returns what was made."""

    @abstractmethod
    def release(self) -> None:
        """All outputs of the sweep are closed: this one is whole."""

    @abstractmethod
    def abort(self) -> None:
        """The run has failed: leave nothing that looks complete."""


class Sink(ABC):
    """Where planes go."""

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Spec of what flows on, which is `spec`. Raises PlanError for what can't be stored."""

    @abstractmethod
    def uses(self, spec: Spec, workers: int) -> tuple[Use, ...]:
        """Every byte that the writer holds all the time."""

    @abstractmethod
    def storing(self, spec: Spec, workers: int, *, lean: bool) -> int:
        """Bytes held, besides, only while it stores something in `Writer.advance`.

        Writers advance one after the other, so one of them at a time holds as much. `lean` is
        slower and holds as little as it can.
        """

    @abstractmethod
    def files(self, spec: Spec) -> int:
        """Files that will be written, at most."""

    @abstractmethod
    def open(self, spec: Spec, pool: Pool, buffers: Buffers, *, lean: bool) -> Writer:
        """Make ready to take planes."""

    @abstractmethod
    def warm(self, spec: Spec) -> None:
        """Compile the kernels that writing planes of this spec calls."""
