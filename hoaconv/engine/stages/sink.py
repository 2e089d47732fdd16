"""Sinks: planes are written while they flow on."""

from collections.abc import Iterable

from hoaconv.engine.contract import Economy, Fold, Hold, Sink, Use
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages.kind import Kind, Share
from hoaconv.engine.stages.passing import let_see
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At
from hoaconv.engine.stages.trial import Trial, Tried

__all__ = ["HoldKind", "SinkKind"]


class SinkKind(Kind[Sink]):
    """Answers for sinks."""

    name = Sink.kind
    passes_on = True
    stores = True
    is_output = True

    def infer(self, part: Sink, inputs: tuple[Spec, ...]) -> Spec:
        """Return the spec of the planes that flow on."""
        return part.infer(*inputs)

    def requires(self, part: Sink, spec: Spec) -> tuple[Fold, ...]:
        """Return the folds whose values the sink writes."""
        return part.requires(spec)

    def serves(self, part: Sink, fold: Fold, required: Fold) -> bool:
        """Return whether the sink can do with a fold that is there."""
        return part.serves(fold, required)

    def looks_back(self, part: Sink) -> bool:
        """Return whether the sink can do with a fold of planes that were changed since."""
        return part.looks_back

    def uses(self, at: At[Sink], share: Share) -> Iterable[Use]:
        """Count what the writer holds all the time."""
        return at.part.uses(at.taken, share.workers, share.economy)

    def storing(self, at: At[Sink], share: Share) -> int:
        """Return what the writer holds, besides, while it stores something."""
        return at.part.storing(at.taken, share.workers, share.economy)

    def lends(self, at: At[Sink], economy: Economy) -> int:
        """Return how many places the writer lends from the beginning."""
        return at.part.lends(at.taken, economy)

    def packs(self, at: At[Sink]) -> bool:
        """Return whether the writer holds less while layers wait packed in memory."""
        return at.part.packs(at.taken)

    def encoding(self, at: At[Sink]) -> float:
        """Return the nanoseconds in which a thread encodes a byte."""
        return at.part.encoding

    def spillable(self, at: At[Sink]) -> int:
        """Return how much the writer can let wait in scratch."""
        return at.part.spillable(at.taken)

    def through_scratch(self, at: At[Sink], economy: Economy) -> int:
        """Return the bytes that the writer lets go through scratch."""
        return at.part.through_scratch(at.taken, economy)

    def spills(self, at: At[Sink], economy: Economy) -> str:
        """Return what the writer lets wait in scratch."""
        return at.part.spills(at.taken, economy)

    def scratch_bytes(self, at: At[Sink], economy: Economy) -> int:
        """Return the bytes in scratch at once, at most."""
        return at.part.scratch_bytes(at.taken, economy)

    def files(self, at: At[Sink]) -> int:
        """Return the number of files that will be written, at most."""
        return at.part.files(at.taken)

    def lower(self, at: At[Sink], inputs: list[Planes], running: Running) -> Planes:
        """Return the planes, seen by the writer."""
        return let_see(at, inputs[0], running.writers[at.i], running)

    def trial(self, at: At[Sink], planes: list[Plane], trial: Trial) -> Tried:  # noqa: ARG002
        """Let the sink try to store one plane."""
        (plane,) = planes
        return at.part.trial(at.given, plane), plane

    def packed_bytes(self, at: At[Sink], planes: list[Plane]) -> int:
        """Ask the sink."""
        (plane,) = planes
        return at.part.packed_bytes(at.taken, plane)

    def warm(self, part: Sink, inputs: tuple[Spec, ...]) -> None:
        """Compile the sink's kernels."""
        part.warm(inputs[0])


class HoldKind(SinkKind):
    """Answers for holds: sinks whose planes a later sweep reads again."""

    name = Hold.kind
    is_output = False

    def trial(self, at: At[Sink], planes: list[Plane], trial: Trial) -> Tried:
        """Note what will be read again, too."""
        tried = super().trial(at, planes, trial)
        trial.held[trial.sweep, at.stage.inputs[0]] = tried
        return tried
