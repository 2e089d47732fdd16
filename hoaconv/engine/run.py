"""Run a schedule: open, sweep after sweep, close, or clean up after what went wrong."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from traceback import clear_frames
from typing import Any, cast

from hoaconv.engine import machine, stop
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Fold, Hold, Join, Sink, Source, Writer
from hoaconv.engine.informed import Informed
from hoaconv.engine.lower import Running, Tap, lower
from hoaconv.engine.pace import pull
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.passes.measure import settled, wanted
from hoaconv.engine.passes.sample import sample_of
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import PATIENCE, Pool
from hoaconv.engine.sampling import Intervals, half_samples, interval, together
from hoaconv.engine.schedule import Limits, Place, Schedule, Sweep
from hoaconv.engine.spec import Plane
from hoaconv.errors import PlanError, StoreError

__all__ = ["Outcome", "fold_names", "run", "warm"]


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
    drawn
        The pictures of the same folds; None for a fold that draws none.
    pictures
        By the sink, and by name, what these folds have drawn.
    found
        What ops needed to know of the whole volume, by the chain of ops that needed it.
    intervals
        Where the true values lie, with a confidence of about 95 %, if they are a sample's.
    seconds, measured
        Wall time, and the most bytes that the process held.
    busy, waited
        Seconds of work by kind, summed over threads; seconds of waiting, by what for: the workers
        for ``work``, the thread that runs the sweep for anything else.
    """

    outputs: Mapping[Sink, Mapping[str, Any]]
    folds: tuple[Mapping[str, Any], ...]
    drawn: tuple[Plane | None, ...]
    pictures: Mapping[Sink, Mapping[str, Plane]]
    found: Mapping[str, Mapping[str, Any]]
    intervals: Mapping[str, Intervals]
    seconds: float
    measured: int
    busy: Mapping[str, float]
    waited: Mapping[str, float]


def run(
    schedule: Schedule,
    on_plane: Callable[[], None] = lambda: None,
    on_written: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Sweep by sweep; what fails before all is written has everything removed, nothing after that.

    Parameters
    ----------
    on_plane
        Called in this thread for every plane read.
    on_written
        Called when all is written, and before the outputs are put on disk and said to be whole:
        what it writes into them is covered by that. Its outcome has the seconds until then.

    Raises
    ------
    PlanError
        If it ends in nothing: no sink, no fold.
    BudgetError
        If ``ulimit -v`` or ``ulimit -d`` leave less than the schedule takes.
    SourceError
        If a plane can't be read.
    StoreError
        If something can't be written.
    """
    parts = [stage.part for sweep in schedule.sweeps for stage in sweep.stages]
    if not any(isinstance(part, Sink | Fold) for part in parts):
        raise PlanError("the plan ends in nothing: add a sink or a fold")
    machine.check_room(schedule.projected)
    start = perf_counter()
    work = _Run(schedule, on_plane)
    with machine.Peak() as peak:
        try:
            outputs = work.outputs()
            work.pool.close()
        except BaseException as error:
            # Nobody writes any more when what was written is removed; a thread that is left
            # behind only reads.
            work.pool.close(patience=PATIENCE)
            work.abort(error)
            clear_frames(error.__traceback__)  # they hold planes until the error is forgotten
            machine.trim_malloc()
            raise
    told = [place for place in sorted(work.values) if not work.seeks(place)]
    outcome = Outcome(
        outputs,
        tuple(work.values[place] for place in told),
        tuple(work.drawn.get(place) for place in told),
        work.pictures,
        work.found,
        work.intervals,
        perf_counter() - start,
        peak.nbytes,
        work.pool.busy,
        work.pool.waited,
    )
    _do_all([partial(on_written, outcome), *work.releases()])
    return replace(outcome, seconds=perf_counter() - start)


def _do_all(steps: Iterable[Callable[[], None]]) -> None:
    """Do all steps, whatever becomes of one; raise the first error, which tells of the others."""
    failed: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:
            if failed is None:
                failed = error
            else:
                failed.add_note(str(error))
    if failed is not None:
        failed.add_note("nothing of what was written is removed")
        raise failed


class _Run:
    """A schedule at work.

    Every sink is opened before the first sweep, so that outputs that stand in the way are told at
    once, and closed after the last one.
    """

    def __init__(self, schedule: Schedule, on_plane: Callable[[], None]) -> None:
        self.pool = Pool(schedule.limits.workers)
        self.values: dict[Place, Mapping[str, Any]] = {}
        self.pictures: dict[Sink, Mapping[str, Plane]] = {}
        self.drawn: dict[Place, Plane] = {}
        self.found: dict[str, Mapping[str, Any]] = {}
        self.intervals: dict[str, Intervals] = {}
        self._schedule, self._on_plane = schedule, on_plane
        self._writers: dict[Place, Writer] = {}

    def _plane_read(self) -> None:
        stop.raise_if_asked()
        self._on_plane()

    def outputs(self) -> Mapping[Sink, Mapping[str, Any]]:
        """Open, sweep, close; what each sink says of what it wrote."""
        buffers = [Buffers() for _ in self._schedule.sweeps]
        for (k, i), sink, sweep in self._sinks():
            spec = sweep.spec_in(sweep.stages[i])
            self._writers[k, i] = sink.open(spec, self.pool, buffers[k], sweep.thrift)
        for k, own in enumerate(buffers):
            self._sweep(k, own)
            own.clear()  # the next sweep has sizes of its own
            machine.trim_malloc()
        places = {id(sink): place for place, sink, _ in self._sinks()}
        made: dict[Sink, Mapping[str, Any]] = {}
        for sink in self._schedule.sinks:
            place = places[id(sink)]
            taps = self._taps_before(place)
            nearest = {fold.word: self.values[tap] for tap, fold in taps.items()}
            names = dict(zip(taps, fold_names(tuple(taps.values())), strict=True))
            folds = {names[tap]: self.values[tap] for tap in taps}
            made[sink] = {**self._writers[place].close(nearest), "folds": folds}
            self.pictures[sink] = {names[t]: self.drawn[t] for t in taps if t in self.drawn}
        return made

    def releases(self) -> list[Callable[[], None]]:
        """What is left to do for each sink when all are closed."""
        places = {id(sink): place for place, sink, _ in self._sinks()}
        return [self._writers[places[id(sink)]].release for sink in self._schedule.sinks]

    def _sinks(self) -> Iterator[tuple[Place, Sink, Sweep]]:
        for k, sweep in enumerate(self._schedule.sweeps):
            for i, stage in enumerate(sweep.stages):
                if isinstance(stage.part, Sink):
                    yield (k, i), stage.part, sweep

    def _sweep(self, k: int, buffers: Buffers) -> None:
        """One sweep; what it has found, later ops know."""
        sweep = self._schedule.sweeps[k]
        stages = (replace(stage, part=settled(stage.part, self.found)) for stage in sweep.stages)
        running = Running(sweep.with_stages(tuple(stages)), self.pool, buffers)
        running.on_plane = self._plane_read
        for i, stage in enumerate(sweep.stages):
            if isinstance(stage.part, Sink):
                running.writers[i] = self._writers[k, i]
            elif isinstance(stage.part, Fold):
                running.taps[i] = Tap(running, stage)
        lean, large = sweep.thrift.lean, sweep.keeps_large_blocks
        with nullcontext() if lean else machine.reuse_freed(large=large):
            pull(running.sweep, lower(running))
        self._measured(k, {i: tap.state() for i, tap in running.taps.items()})
        for i, stage in enumerate(sweep.stages):
            if isinstance(stage.part, Hold):
                running.writers[i].close({})
            if stage.after:
                self._writers[self._hold_of(stage.after)].release()

    def _hold_of(self, place: Place) -> Place:
        """Where the planes of a stage wait."""
        k, i = place
        stages = self._schedule.sweeps[k].stages
        return next(
            (k, j)
            for j, stage in enumerate(stages)
            if isinstance(stage.part, Hold) and stage.inputs == (i,)
        )

    def _measured(self, k: int, states: Mapping[int, Any]) -> None:
        """Finish the folds of a sweep; groups of a sample look for the same."""
        sweep, groups = self._schedule.sweeps[k], defaultdict[str, list[int]](list)
        for i, state in states.items():
            fold = cast(Fold, sweep.stages[i].part)
            self.values[k, i] = fold.finish(state)
            if (drawn := fold.draw(state)) is not None:
                self.drawn[k, i] = drawn
            if (sought := self.seeks((k, i))) is not None:
                groups[sought].append(i)
        for sought, places in groups.items():
            fold = cast(Fold, sweep.stages[places[0]].part)
            own = [states[i] for i in places]
            self.found[sought] = value = together(fold, own)
            self.intervals[sought] = {}
            if (sample := sample_of(sweep, places)) is not None:
                ends = partial(fold.ends, spec=sweep.spec_in(sweep.stages[places[0]]))
                halves = half_samples(fold, own)
                self.intervals[sought] = interval(value, halves, sample, ends)

    def seeks(self, place: Place) -> str | None:
        """What a fold looks for, if a later op needs it."""
        return self._schedule.sweeps[place[0]].stages[place[1]].finds

    def _taps_before(self, place: Place) -> dict[Place, Fold]:
        """The folds that a stage's planes went through, from the source on."""
        k, i = place
        sweep = self._schedule.sweeps[k]
        found: dict[Place, Fold] = {}
        for j in sorted(sweep.before(i) | {i}):
            stage = sweep.stages[j]
            if stage.after:
                found |= self._taps_before(stage.after)
            if isinstance(stage.part, Fold):
                found[k, j] = stage.part
        return found

    def abort(self, error: BaseException) -> None:
        """Remove what waits, then what was written, the latest first; tell if it is gone."""
        left: list[str] = []
        removed = False
        holds = {place for place, sink, _ in self._sinks() if isinstance(sink, Hold)}
        latest_first = list(reversed(self._writers))
        for place in sorted(latest_first, key=lambda place: place not in holds):
            try:
                removed |= self._writers[place].abort() and place not in holds
            except StoreError as reason:
                left.append(str(reason))
        self._writers.clear()
        for note in left or (["what was written is removed"] if removed else []):
            error.add_note(note)


def fold_names(folds: Sequence[Fold]) -> list[str]:
    """What the values of the folds of one chain are called: as they are spelled, twins numbered.

    Examples
    --------
    ``stats | gaussian 1 | stats`` gives ``stats`` and ``stats (2)``.
    """
    texts = [str(fold) for fold in folds]
    counts = [texts[: i + 1].count(text) for i, text in enumerate(texts)]
    return [f"{text} ({n})" if n > 1 else text for text, n in zip(texts, counts, strict=True)]


def warm(plan: Plan) -> None:
    """Compile, or load from disk, the kernels that a plan needs, so that its run meets none."""
    (draft,) = Schedule.draft(plan, Limits(budget=0, workers=1)).sweeps
    draft = infer(draft)
    for stage in draft.stages:
        stop.raise_if_asked()
        for place, fold in wanted(stage):
            fold.warm(draft.spec_of(draft.stages[place]))
        part = stage.part.op if isinstance(stage.part, Informed) else stage.part
        if not isinstance(part, Source | Join):
            part.warm(draft.spec_in(stage))
