"""Run a schedule: open, sweep, close, or clean up after what went wrong."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from hoaconv.engine.contract import Fold, Sink, Source
from hoaconv.engine.lower import Sweep, Tap, lower
from hoaconv.engine.machine import Peak
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.engine.stream import zip

__all__ = ["Outcome", "run", "warm"]


@dataclass(frozen=True)
class Outcome:
    """What a run made and took.

    Attributes
    ----------
    made
        What the sinks say of what they wrote.
    folds
        Values of the folds, by word.
    seconds, measured
        Wall time, and the most bytes that the process held.
    busy
        Seconds of work by kind, summed over threads.
    """

    made: tuple[Mapping[str, Any], ...]
    folds: Mapping[str, Any]
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
            made, folds = _sweep(sweep)
        except BaseException:
            pool.close()  # nobody writes any more when what was written is removed
            for writer in sweep.writers.values():
                writer.abort()
            raise
        pool.close()
    return Outcome(made, folds, perf_counter() - start, peak.nbytes, pool.busy)


def _sweep(sweep: Sweep) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Any]]:
    for i, stage in enumerate(sweep.schedule.stages):
        if isinstance(stage.part, Sink):
            spec = sweep.schedule.spec_in(stage)
            sweep.writers[i] = stage.part.open(spec, sweep.pool, sweep.buffers)
        elif isinstance(stage.part, Fold):
            sweep.taps[i] = Tap(sweep, stage)
    deque(zip(*lower(sweep)), maxlen=0)  # a loop's variable would keep the last plane alive
    folds = {sweep.schedule.stages[i].part.word: tap.finish() for i, tap in sweep.taps.items()}  # type: ignore[union-attr]
    return tuple(writer.close(folds) for writer in sweep.writers.values()), folds


def warm(plan: Plan) -> None:
    """Compile, or load from disk, the kernels that a plan needs, so that its run meets none."""
    draft = infer(Schedule.draft(plan, Limits(budget=0, workers=1)))
    for stage in draft.stages:
        if not isinstance(stage.part, Source):
            stage.part.warm(draft.spec_in(stage))
