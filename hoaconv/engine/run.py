"""Run a schedule: open, sweep, close, or clean up after what went wrong."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

from hoaconv.engine.contract import Fold, Join, Sink, Source
from hoaconv.engine.lower import Sweep, Tap, lower
from hoaconv.engine.machine import Peak
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.engine.spec import Plane
from hoaconv.engine.stream import zip
from hoaconv.errors import StoreError

__all__ = ["Outcome", "fold_names", "run", "warm"]

_Outputs = Mapping[Sink, Mapping[str, Any]]
_Pictures = Mapping[Sink, Mapping[str, Plane]]


@dataclass(frozen=True)
class Outcome:
    """What a run made and took.

    Attributes
    ----------
    outputs
        What each sink says of what it wrote, by the sink; under ``"folds"`` the values, by name,
        of the folds that its planes went through.
    folds
        Values of all folds, in the plan's order.
    pictures
        By the sink, and by name, what these folds have drawn.
    seconds, measured
        Wall time, and the most bytes that the process held.
    busy
        Seconds of work by kind, summed over threads.
    """

    outputs: Mapping[Sink, Mapping[str, Any]]
    folds: tuple[Mapping[str, Any], ...]
    pictures: Mapping[Sink, Mapping[str, Plane]]
    seconds: float
    measured: int
    busy: Mapping[str, float]


def run(schedule: Schedule, on_plane: Callable[[], None] = lambda: None) -> Outcome:
    """Sweep once; `on_plane` is called in this thread for every plane read.

    Raises
    ------
    SourceError
        If a plane can't be read.
    StoreError
        If something can't be written.
    """
    start = perf_counter()
    pool = Pool(schedule.limits.workers)
    sweep = Sweep(schedule, pool, on_plane=on_plane)
    with Peak() as peak:
        try:
            made = _sweep(sweep)
        except BaseException as error:
            pool.close()  # nobody writes any more when what was written is removed
            _abort(sweep, error)
            raise
        pool.close()
    return Outcome(*made, perf_counter() - start, peak.nbytes, pool.busy)


def _sweep(sweep: Sweep) -> tuple[_Outputs, tuple[Mapping[str, Any], ...], _Pictures]:
    for i, stage in enumerate(sweep.schedule.stages):
        if isinstance(stage.part, Sink):
            spec = sweep.schedule.spec_in(stage)
            sweep.writers[i] = stage.part.open(
                spec, sweep.pool, sweep.buffers, lean=sweep.schedule.lean
            )
        elif isinstance(stage.part, Fold):
            sweep.taps[i] = Tap(sweep, stage)
    deque(zip(*lower(sweep)), maxlen=0)  # a loop's variable would keep the last plane alive
    ended = {i: tap.finish() for i, tap in sweep.taps.items()}
    outputs: dict[Sink, Mapping[str, Any]] = {}
    pictures: dict[Sink, Mapping[str, Plane]] = {}
    for i, writer in sweep.writers.items():
        sink = cast(Sink, sweep.schedule.stages[i].part)
        taps = _taps_before(sweep.schedule, i)
        nearest = {tap.word: ended[j][0] for j, tap in taps.items()}
        named = list(zip(fold_names(tuple(taps.values())), (ended[j] for j in taps)))
        folds = {name: value for name, (value, _) in named}
        outputs[sink] = {**writer.close(nearest), "folds": folds}
        pictures[sink] = {name: drawn for name, (_, drawn) in named if drawn is not None}
    for writer in sweep.writers.values():
        writer.release()
    return outputs, tuple(value for value, _ in ended.values()), pictures


def _taps_before(schedule: Schedule, i: int) -> dict[int, Fold]:
    """The folds that a stage's planes went through, from the source on, by their places."""
    found: dict[int, Fold] = {}
    for j in schedule.stages[i].inputs:
        found |= _taps_before(schedule, j)
    part = schedule.stages[i].part
    return found | {i: part} if isinstance(part, Fold) else found


def fold_names(folds: Sequence[Fold]) -> list[str]:
    """What the values of the folds of one chain are called: as they are spelled, twins numbered.

    Examples
    --------
    ``stats | gaussian 1 | stats`` gives ``stats`` and ``stats (2)``.
    """
    texts = [str(fold) for fold in folds]
    counts = [texts[: i + 1].count(text) for i, text in enumerate(texts)]
    return [f"{text} ({n})" if n > 1 else text for text, n in zip(texts, counts)]


def _abort(sweep: Sweep, error: BaseException) -> None:
    """Remove what was written, the latest output first; tell with the error whether it is gone."""
    left: list[str] = []
    for writer in reversed(sweep.writers.values()):
        try:
            writer.abort()
        except StoreError as reason:
            left.append(str(reason))
    for note in left or ["what was written is removed"]:
        error.add_note(note)


def warm(plan: Plan) -> None:
    """Compile, or load from disk, the kernels that a plan needs, so that its run meets none."""
    draft = infer(Schedule.draft(plan, Limits(budget=0, workers=1)))
    for stage in draft.stages:
        if not isinstance(stage.part, Source | Join):
            stage.part.warm(draft.spec_in(stage))
