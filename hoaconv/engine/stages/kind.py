"""The questions that the planner, the memory model and a run ask of every stage.

A kind of stage is one class, in one module, that answers them for all parts that bear its name. The
planner's passes, the memory model, the pull order and the run are loops over stages that ask.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from hoaconv.engine.contract import Economy, Fold, Op, Use
from hoaconv.engine.part import Part
from hoaconv.engine.spec import WIDE, Plane, Spec
from hoaconv.engine.stages.running import Running
from hoaconv.engine.stages.stage import At, Counts, Found, P
from hoaconv.engine.stages.trial import Trial, Tried
from hoaconv.errors import PlanError

__all__ = ["Kind", "Share", "inferred", "kind_of", "register"]

_KINDS: dict[str, "Kind[Any]"] = {}


@dataclass(frozen=True)
class Share:
    """A stage's share in a sweep, as the memory model counts it.

    Attributes
    ----------
    workers
        Threads of the pool; the thread that runs the sweep helps them.
    ahead
        Planes that sources decode ahead.
    economy
        How the sweep saves memory.
    kept
        Planes of the stage's own that live at once, at most.
    lent
        For a source: planes decoded where a sink keeps them, which the sink counts.
    is_early
        For a fold: whether it sees planes as they are decoded, in any order.
    reuses_freed
        Whether the process keeps large blocks that decoders have freed.
    """

    workers: int
    ahead: int
    economy: Economy
    kept: int
    lent: int = 0
    is_early: bool = False
    reuses_freed: bool = False


class Kind(ABC, Generic[P]):
    """One kind of stage; `P` is the class of its parts. Has no state.

    Attributes
    ----------
    name
        The kind's name, as in `Part.kind`.
    reads
        Whether a sweep begins here: it takes no planes.
    passes_on
        Whether the planes that it gives are those that it takes.
    measures
        Whether it is a tap: it finds a value.
    stores
        Whether it is a sink: it opens a writer.
    is_output
        Whether what it stores stays when the run is over.
    has_own_pace
        Whether it gives another number of planes than it takes. Its stream then yields None before
        each plane that it takes, so that the run knows when to pull it.
    takes_all
        Whether it takes all ends of the plan before it, as a join does.
    is_value
        Whether equal parts on the same planes are done once.
    """

    name: ClassVar[str]
    reads: ClassVar[bool] = False
    passes_on: ClassVar[bool] = False
    measures: ClassVar[bool] = False
    stores: ClassVar[bool] = False
    is_output: ClassVar[bool] = False
    has_own_pace: ClassVar[bool] = False
    takes_all: ClassVar[bool] = False
    is_value: ClassVar[bool] = False

    # Planning.

    @abstractmethod
    def infer(self, part: P, inputs: tuple[Spec, ...]) -> Spec:
        """Return the spec of the result. Raises PlanError for inputs that it can't take."""

    def spelled(self, part: P) -> str:
        """Return how it changes planes; an empty string if it doesn't."""
        return "" if self.passes_on or self.reads else str(part)

    def ops(self, part: P) -> tuple[Op, ...]:  # noqa: ARG002 - the parameter is the contract
        """Return the ops that it applies to each band, one after the other; else none."""
        return ()

    def asks(self, part: P) -> tuple[tuple[int, Fold], ...]:  # noqa: ARG002 - as above
        """Return the folds whose values it needs before it can run.

        Each comes with the number of the input that it measures. Inputs from the second on that
        are measured are read for nothing else.
        """
        return ()

    def unbound(self, part: P, sought: tuple[str, ...]) -> Part:
        """Return the part that waits for the values of the folds that it `asks` for."""
        raise PlanError(f"{part} waits for no value such as {sought}")

    def bound(self, part: P, found: Found) -> Part:  # noqa: ARG002 - as above
        """Return the part with the values that it waited for."""
        return part

    def requires(self, part: P, spec: Spec) -> tuple[Fold, ...]:  # noqa: ARG002 - as above
        """Return the folds of its planes that must stand before it."""
        return ()

    def serves(self, part: P, fold: Fold, required: Fold) -> bool:  # noqa: ARG002 - as above
        """Return whether a part that is there does for a required fold."""
        return fold == required

    def looks_back(self, part: P) -> bool:  # noqa: ARG002 - as above
        """Return whether a fold does that has measured planes before they were changed."""
        return False

    def chooses(self, part: P, spec: Spec) -> range | None:  # noqa: ARG002 - as above
        """Return the planes of its input that it keeps, if it does nothing else to z."""
        return None

    def keeps_to_z(self, part: P, spec: Spec) -> bool:
        """Return whether each plane of the result comes from the plane at the same z alone."""
        return self.chooses(part, spec) == range(spec.planes)

    def within(self, part: P) -> Part | None:  # noqa: ARG002 - as above
        """Return the part that is left when a source gives only the planes that it chooses."""
        return None

    def cuts(self, part: P, spec: Spec) -> tuple[slice, slice] | None:  # noqa: ARG002 - as above
        """Return the rows and columns of its input that it keeps, if it does nothing else."""
        return None

    def turns(self, part: P, spec: Spec) -> tuple[int, int, int] | None:  # noqa: ARG002 - as above
        """Return the old axes that become z, y, x, if it does nothing else."""
        return None

    def keeps_place(self, part: P, spec: Spec) -> bool:  # noqa: ARG002 - as above
        """Return whether each voxel of the result comes from the voxel at the same place alone."""
        return False

    def is_local(self, part: P, spec: Spec) -> bool:  # noqa: ARG002 - as above
        """Return whether a plane of the result depends on no more than its halo."""
        return True

    # Demand: how many planes come and wait.

    def needed(self, at: At[P], results: Counts) -> Counts:  # noqa: ARG002 - as above
        """Return how many planes it must have taken to have given so many; never decreasing."""
        return results

    def keeps(self, at: At[P]) -> int:
        """Return how many planes of its input it keeps at most, the next one included."""
        return at.stage.window

    def taken(self, at: At[P], results: Counts) -> Counts:
        """Return how many planes it has taken, at least, when it has given so many."""
        return self.needed(at, results)

    def dropped(self, at: At[P], results: Counts) -> Counts:
        """Return how many of those it keeps no longer. Not asked where it passes planes on."""
        return self.taken(at, results)

    # Bytes.

    @abstractmethod
    def uses(self, at: At[P], share: Share) -> Iterable[Use]:
        """Return every byte that it holds while the sweep runs."""

    def storing(self, at: At[P], share: Share) -> int:  # noqa: ARG002 - as above
        """Return the bytes held, besides, while it stores something: one stage at a time does."""
        return 0

    def lends(self, at: At[P], economy: Economy) -> int:  # noqa: ARG002 - as above
        """Return how many planes may be decoded where it keeps them, however early they come."""
        return 0

    def sees_any_order(self, part: P) -> bool:  # noqa: ARG002 - as above
        """Return whether it may see planes as they are decoded, in any order."""
        return False

    def decoder_bytes(self, part: P) -> int:  # noqa: ARG002 - as above
        """Return the bytes that a worker holds while it reads a plane, besides the plane."""
        return 0

    def decodes_slowly(self, part: P) -> bool:  # noqa: ARG002 - as above
        """Return whether decoding its planes takes so long that packing adds under 1 % to it."""
        return False

    def packs(self, at: At[P]) -> bool:  # noqa: ARG002 - as above
        """Return whether `Economy.packed` makes it hold less."""
        return False

    def encoding(self, at: At[P]) -> float:  # noqa: ARG002 - as above
        """Return the nanoseconds in which a thread encodes a byte: see `Sink.encoding`."""
        return 0.0

    def has_next_layer(self, at: At[P]) -> bool:  # noqa: ARG002 - as above
        """Return whether it takes less time with `Economy.next_layer`."""
        return False

    def parts(self, at: At[P]) -> bool:  # noqa: ARG002 - as above
        """Return whether it holds less with `Economy.in_parts`."""
        return False

    def through_scratch(self, at: At[P], economy: Economy) -> int:  # noqa: ARG002 - as above
        """Return the bytes that it writes to scratch in the whole sweep, before they are packed."""
        return 0

    def spillable(self, at: At[P]) -> int:  # noqa: ARG002 - as above
        """Return how many steps of `Economy.spilled` it can take."""
        return 0

    def spills(self, at: At[P], economy: Economy) -> str:  # noqa: ARG002 - as above
        """Return what waits in scratch while it runs, in words; an empty string if nothing does."""
        return ""

    def scratch_bytes(self, at: At[P], economy: Economy) -> int:  # noqa: ARG002 - as above
        """Return the bytes in scratch at once, at most."""
        return 0

    def bytes_read(self, part: P) -> int:  # noqa: ARG002 - as above
        """Return the bytes that reading its planes takes from disk."""
        return 0

    def files(self, at: At[P]) -> int:  # noqa: ARG002 - as above
        """Return the number of files that it writes, at most."""
        return 0

    def row(self, at: At[P]) -> dict[str, Any]:
        """Return the stage as a row of a printed schedule, in JSON's types."""
        stage = at.stage
        return {
            "stage": str(stage.part),
            "kind": stage.kind,
            "inputs": list(stage.inputs),
            "window": stage.window,
            "stride": stage.stride,
            "halo": list(stage.halo),
            "rows": stage.rows,
            "shape": list(at.given.shape),
            "dtype": str(at.given.dtype),
        }

    # Running.

    @abstractmethod
    def lower(self, at: At[P], inputs: list[Iterator[Plane]], running: Running) -> Iterator[Any]:
        """Return the stream of its planes, made of the streams that it takes."""

    @abstractmethod
    def trial(self, at: At[P], planes: list[Plane], trial: Trial) -> Tried:
        """Return the seconds of one thread for a plane, and a plane such as it gives."""

    def packed_bytes(self, at: At[P], planes: list[Plane]) -> int:  # noqa: ARG002 - as above
        """Return the estimated bytes on disk of all that stays of it when the run is over."""
        return 0

    def warm(self, part: P, inputs: tuple[Spec, ...]) -> None:
        """Compile, or load, the kernels that planes of these inputs meet."""


def register(kind: Kind[Any]) -> None:
    """Let `kind` answer for all parts that bear its name."""
    _KINDS[kind.name] = kind


def kind_of(part: Part) -> Kind[Any]:
    """Return who answers for a part.

    Raises
    ------
    PlanError
        If nobody does.
    """
    try:
        return _KINDS[part.kind]
    except KeyError:
        raise PlanError(
            f"{part} is of the kind {part.kind!r}, which nobody has registered: see "
            "hoaconv.engine.stages.register"
        ) from None


def inferred(part: Part, inputs: tuple[Spec, ...]) -> Spec:
    """Return the spec of a part's result.

    Raises
    ------
    PlanError
        If the part can't take such inputs, or can't keep their integers of 64 bits exact.
    """
    wide = next((spec.dtype for spec in inputs if spec.dtype in WIDE), None)
    if wide is not None and not part.takes_wide:
        raise PlanError(f"'{part}' can't keep {wide} voxels exact; write 'cast float64' before it")
    return kind_of(part).infer(part, inputs)
