"""The contract of sources and sinks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.fold import Fold
from hoaconv.engine.part import Part
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec

__all__ = [
    "Chosen",
    "Economy",
    "Sink",
    "Source",
    "Use",
    "Writer",
]


@dataclass(frozen=True)
class Use:
    """Bytes that somebody holds while a sweep runs, and what for."""

    who: str
    what: str
    nbytes: int


@dataclass(frozen=True)
class Economy:
    """Ways in which a sweep holds less, at some cost in speed.

    Attributes
    ----------
    tight
        Whether as little as can be is on its way to disk at once, bands are narrow, and freed
        memory goes back to the system.
    spilled
        Steps of what sinks keep in scratch instead of in memory, the step that saves most first. A
        sink takes no more than its `Sink.spillable`.
    next_layer
        Whether a layered source decodes the next layer while the last one is given. It holds more,
        and is faster.
    in_parts
        Whether a layered source decodes a layer in parts, which wait in scratch. `next_layer` then
        has no effect.
    packed
        Whether sinks pack what waits in memory: planes of a pyramid's levels from 1 on. What can't
        be packed well goes to scratch.
    encoders
        Planes that wait, or are encoded, in a sink that encodes planes whole, at most.
    """

    tight: bool = False
    spilled: int = 0
    packed: bool = False
    next_layer: bool = False
    in_parts: bool = False
    encoders: int = 1


class Source(Part):
    """Gives planes. Building one may read headers, never pixels."""

    kind: ClassVar[str] = "source"

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
        """Decode plane `z` into `out` (y, x), whatever was read before; from several threads.

        Raises
        ------
        SourceError
            If the plane can't be decoded whole; the message names the file.
        """

    @abstractmethod
    def scratch(self) -> int:
        """Return the bytes that one worker holds while it reads a plane, besides `out`."""

    def freed_bytes(self, decoders: int) -> int:
        """Return the bytes that decoders have freed and the process keeps for the next plane.

        They count where the process keeps large blocks. Its heap falls into pieces: measured, 0.8
        to 2.7 times the bytes of a decoder with 2 to 16 of them; but no more pieces come than
        planes.
        """
        return min(1 + decoders // 4, self.spec.planes - decoders) * self.scratch()

    @property
    def decodes_slowly(self) -> bool:
        """True if a core takes 10 ns or more to decode a byte of a plane, as it does with JP2.

        To pack in memory what waits there (`Economy.packed`) then takes under 1 % of the time.
        """
        return False

    def choose(self, planes: Sequence[int]) -> "Source":
        """Return these planes alone, in this order, as a source of their own."""
        return Chosen(self, tuple(planes))

    def window(self, rows: slice, columns: slice) -> "Source | None":  # noqa: ARG002 - the contract
        """Return these rows and columns of all planes alone, as a source that reads no others.

        None where each plane is read whole.
        """
        return None

    def transposed(self, order: tuple[int, int, int]) -> "Source | None":  # noqa: ARG002 - as above
        """Return the volume with its axes in another order, if each part is still read once.

        Axis i of the result is axis ``order[i]``. None where only planes along z can be read.
        """
        return None


@dataclass(frozen=True)
class Chosen(Source):
    """Some planes of another source, in any order; their stored bytes are the mean's."""

    source: Source
    planes: tuple[int, ...]

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry of the chosen planes."""
        whole = self.source.spec
        return replace(whole, shape=(len(self.planes), *whole.plane_shape))

    @property
    def stored_bytes(self) -> int:
        """Bytes that reading every chosen plane takes from disk, were all planes alike."""
        return self.source.stored_bytes * len(self.planes) // self.source.spec.planes

    def read(self, z: int, out: Plane) -> None:
        """Decode the chosen plane `z` into `out`."""
        self.source.read(self.planes[z], out)

    def window(self, rows: slice, columns: slice) -> "Source | None":
        """Return a window of the chosen planes, if the other source has one."""
        part = self.source.window(rows, columns)
        return None if part is None else replace(self, source=part)

    def scratch(self) -> int:
        """Return the bytes that the other source holds."""
        return self.source.scratch()

    @property
    def decodes_slowly(self) -> bool:
        """True if the other source decodes slowly."""
        return self.source.decodes_slowly

    def __str__(self) -> str:
        return str(self.source)


class Writer(ABC):
    """An open sink, fed plane by plane in order, each plane band by band."""

    def lend(self, z: int) -> Plane | None:  # noqa: ARG002 - the parameter is the contract
        """Return the place in which plane `z` is to be made, if there is room for it by now.

        The thread that runs the sweep asks for it, once for each plane. Nobody refers to the place
        any more when the plane has been advanced past.
        """
        return None

    @property
    def filled(self) -> bool:
        """True if the next plane was lent its place: it is then not taken, only advanced past."""
        return False

    @abstractmethod
    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band of the next plane; called from several threads, once for each band.

        Parameters
        ----------
        plane
            The whole plane (y, x), the same one for each of its bands. It must not be kept: copy
            what is needed.
        rows
            The rows that are new in this call: store ``plane[rows]``. The other rows come in calls
            of their own.
        """

    @abstractmethod
    def advance(self) -> None:
        """Go on to the next plane: all bands are taken. The thread that runs the sweep calls it."""

    @abstractmethod
    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Write what is left, metadata last: all planes have come. Return what was made.

        Parameters
        ----------
        folds
            The values of the folds that the sink `requires`.
        """

    @abstractmethod
    def release(self) -> None:
        """Finish: all outputs of the run are closed, and this one is whole."""

    @abstractmethod
    def abort(self) -> bool:
        """Remove what was written, since the run has failed.

        Returns
        -------
        bool
            Whether something was removed; False where nothing of the run's was there.

        Raises
        ------
        StoreError
            If what was written stays.
        """


class Sink(Part):
    """Stores planes."""

    kind: ClassVar[str] = "sink"
    takes_wide: ClassVar[bool] = True

    @abstractmethod
    def infer(self, spec: Spec) -> Spec:
        """Return `spec`, which flows on. Raise PlanError for planes that can't be stored."""

    @abstractmethod
    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        """Return every byte that the writer holds all the time."""

    @abstractmethod
    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:
        """Return the bytes held, besides, only while it stores something in `Writer.advance`.

        Writers advance one after the other, so one of them at a time holds as much.
        """

    def lends(self, spec: Spec, economy: Economy) -> int:  # noqa: ARG002 - the contract
        """Return the planes, from the first on, that its writer lends places however early.

        See `Writer.lend`. The sink counts them in `uses`, so they aren't counted once more.
        """
        return 0

    def packs(self, spec: Spec) -> bool:  # noqa: ARG002 - the parameter is the contract
        """Return whether `Economy.packed` makes it hold less."""
        return False

    @property
    def encoding(self) -> float:
        """Nominal nanoseconds in which a thread encodes a byte of a plane.

        It isn't 0 for a sink that encodes planes whole, several at once: `Economy.encoders`.
        """
        return 0.0

    def spillable(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Return the most steps of `Economy.spilled`; each holds less than the one before."""
        return 0

    def through_scratch(self, spec: Spec, economy: Economy) -> int:  # noqa: ARG002 - the contract
        """Return the bytes that it writes to scratch in the whole sweep, before they are packed."""
        return 0

    def spills(self, spec: Spec, economy: Economy) -> str:  # noqa: ARG002 - the contract
        """Return what waits in scratch, in words; an empty string if nothing does."""
        return ""

    def requires(self, spec: Spec) -> tuple[Fold, ...]:  # noqa: ARG002 - the contract
        """Return the folds of its planes whose values it writes; the planner puts them before it.

        A fold that `serves` and that the chain has measured just there, of the same planes, is not
        measured again.
        """
        return ()

    def serves(self, fold: Fold, required: Fold) -> bool:
        """Return whether the value of a fold does for that of a required one."""
        return fold == required

    @property
    def looks_back(self) -> bool:
        """True if a fold `serves` that has measured earlier planes, before steps changed these."""
        return False

    def scratch_bytes(self, spec: Spec, economy: Economy) -> int:  # noqa: ARG002 - the contract
        """Return the bytes in scratch at once, at most."""
        return 0

    @abstractmethod
    def files(self, spec: Spec) -> int:
        """Return the number of files that will be written, at most."""

    @abstractmethod
    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds that one thread takes to store such a plane; store nothing.

        The plane may be cut to its first rows; the answer is for a whole one.
        """

    def packed_bytes(self, spec: Spec, plane: Plane) -> int:  # noqa: ARG002 - the contract
        """Return the estimated bytes on disk of all that it writes, from a plane such as it stores.

        The plane may be the first rows of one alone.
        """
        return 0

    @abstractmethod
    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> Writer:
        """Return a writer; it takes its memory from `buffers` when the first plane comes."""

    @abstractmethod
    def warm(self, spec: Spec) -> None:
        """Compile the kernels that writing planes of this spec calls."""
