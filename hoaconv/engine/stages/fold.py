"""Folds: a value of all planes, found while they flow on."""

from time import perf_counter

from hoaconv.engine.contract import Fold, Use
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages.kind import Kind, Share
from hoaconv.engine.stages.memory import bands_of
from hoaconv.engine.stages.passing import let_see
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At
from hoaconv.engine.stages.trial import Trial, Tried

__all__ = ["FoldKind"]


class FoldKind(Kind[Fold]):
    """Answers for folds."""

    name = Fold.kind
    passes_on = True
    measures = True

    def infer(self, part: Fold, inputs: tuple[Spec, ...]) -> Spec:  # noqa: ARG002 - of any fold
        """Return the spec of the planes that flow on."""
        return inputs[0]

    def sees_any_order(self, part: Fold) -> bool:
        """Return whether each thread has a state of its own."""
        return not part.shared

    def uses(self, at: At[Fold], share: Share) -> tuple[Use, ...]:
        """Count a state for each thread that sees a plane, or ever takes a band.

        The planes are counted where they are made. For a histogram, the states are the bins of
        equation 6 of Sporring and Stansby (2026).
        """
        many, what = 1, "one state of all threads"
        if not at.part.shared:
            bands = 1 if share.is_early else bands_of(at.taken, at.stage)
            threads = share.workers if share.is_early else share.workers + 1
            many = min(threads, at.taken.planes * bands)
            what = f"states of {many} threads"
        return (Use(str(at.part), what, many * at.part.state_bytes(at.taken)),)

    def lower(self, at: At[Fold], inputs: list[Planes], running: Running) -> Planes:
        """Return the planes, seen by the tap unless it sees them as they are decoded."""
        if running.is_early(at.i):
            return inputs[0]
        return let_see(at, inputs[0], running.taps[at.i], running)

    def trial(self, at: At[Fold], planes: list[Plane], trial: Trial) -> Tried:
        """Take one plane in; a value that later ops need is noted."""
        (plane,), spec = planes, at.given
        state = at.part.init(Spec((spec.planes, *plane.shape), spec.dtype))
        start = perf_counter()
        at.part.step(state, plane)
        seconds = (perf_counter() - start) * spec.plane_shape[0] / len(plane)
        if at.stage.finds is not None:
            trial.found[at.stage.finds] = at.part.finish(state)
        return seconds, plane

    def warm(self, part: Fold, inputs: tuple[Spec, ...]) -> None:
        """Compile the fold's kernels."""
        part.warm(inputs[0])
