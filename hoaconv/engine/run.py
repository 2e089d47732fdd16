"""Run a schedule: open, sweep after sweep, close, or clean up after what went wrong."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from traceback import clear_frames
from typing import Any, cast

from hoaconv.engine import machine, stop
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Fold, HoldWriter, Part, Pieces, Scratch, Sink, Writer
from hoaconv.engine.kept import kept
from hoaconv.engine.lower import lower
from hoaconv.engine.memory import early_folds, lenders
from hoaconv.engine.part import named
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.passes.require import require
from hoaconv.engine.passes.sample import sample_of
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import PATIENCE, Pool
from hoaconv.engine.pull_order import pull
from hoaconv.engine.sampling import Intervals, half_samples, interval, together
from hoaconv.engine.schedule import Limits, Schedule, Sweep
from hoaconv.engine.spec import Plane
from hoaconv.engine.stages import Place, Running, Stage, kind_of
from hoaconv.engine.stages.taps import Tap
from hoaconv.errors import PlanError, StoreError

__all__ = ["Outcome", "fold_names", "run", "warm"]


@dataclass(frozen=True)
class Outcome:
    """The results of a run, its time and its memory.

    Attributes
    ----------
    outputs
        What each sink says of what it wrote, by the sink; under ``"folds"`` the values, by name,
        of the folds that its planes went through.
    folds
        Values of all folds, in the plan's order.
    pictures
        By the sink, and by name, what these folds have drawn.
    values, drawn
        Values of all folds, and what they have drawn, by the fold.
    found
        What ops needed to know of the whole volume, by the chain of ops that needed it.
    intervals
        Where the true values lie, with a confidence of about 95 %, if they are a sample's.
    seconds, measured, measured_by
        Wall time, the most bytes that the process held, and how that was measured.
    busy, waited
        Seconds of work by kind, summed over threads; seconds of waiting, by what for: the workers
        for ``work``, the thread that runs the sweep for anything else.
    """

    outputs: Mapping[Sink, Mapping[str, Any]]
    folds: tuple[Mapping[str, Any], ...]
    pictures: Mapping[Sink, Mapping[str, Plane]]
    found: Mapping[str, Mapping[str, Any]]
    intervals: Mapping[str, Intervals]
    seconds: float
    measured: int
    busy: Mapping[str, float]
    waited: Mapping[str, float]
    values: Mapping[Fold, Mapping[str, Any]] = field(default_factory=dict)
    drawn: Mapping[Fold, Plane] = field(default_factory=dict)
    measured_by: str = ""


def run(
    schedule: Schedule,
    on_plane: Callable[[], None] = lambda: None,
    on_written: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Run all sweeps. If one fails, all that was written is removed; later errors remove nothing.

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
        If it ends in nothing, neither a sink nor a fold, or is no schedule.
    BudgetError
        If ``ulimit -v`` or ``ulimit -d`` leave less than the schedule takes.
    SourceError
        If a plane can't be read.
    StoreError
        If something can't be written.
    """
    _check(schedule)
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
    outcome = Outcome(
        outputs,
        tuple(value for place, value in sorted(work.values.items()) if not work.seeks(place)),
        work.pictures,
        work.found,
        work.intervals,
        perf_counter() - start,
        peak.nbytes,
        work.pool.busy,
        work.pool.waited,
        {work.fold_at(place): value for place, value in work.values.items()},
        {work.fold_at(place): plane for place, plane in work.drawn.items()},
        peak.how,
    )
    _do_all([partial(on_written, outcome), *work.releases()])
    return replace(outcome, seconds=perf_counter() - start)


def _check(schedule: Schedule) -> None:
    """Refuse what is no schedule, ends in nothing, or doesn't fit this process."""
    if not isinstance(schedule, Schedule):
        raise PlanError(
            f"run takes a schedule, not {named(schedule)}; write run(schedule(plan, limits)), with "
            "schedule from hoaconv.engine.passes"
        )
    kinds = [kind for sweep in schedule.sweeps for kind, _ in sweep.asked]
    if not any(kind.stores or kind.measures for kind in kinds):
        raise PlanError("the plan ends in nothing: add a sink or a fold")
    machine.check_room(schedule.projected)


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

    Every sink is opened before the first sweep, so that an output that stands in the way is refused
    at once. All are closed after the last sweep.
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
        self._pieces: list[Pieces] = []

    def _plane_read(self) -> None:
        stop.raise_if_asked()
        self._on_plane()

    def outputs(self) -> Mapping[Sink, Mapping[str, Any]]:
        """Open, sweep, close; return what each sink says of what it wrote."""
        buffers = [Buffers() for _ in self._schedule.sweeps]
        for (k, i), sink, sweep in self._sinks():
            spec = sweep.spec_in(sweep.stages[i])
            self._writers[k, i] = sink.open(spec, self.pool, buffers[k], sweep.economy)
        for k, own in enumerate(buffers):
            self._sweep(k, own)
            own.clear()  # the next sweep has sizes of its own
            machine.trim_malloc()
        places = {id(sink): place for place, sink, _ in self._sinks()}
        made: dict[Sink, Mapping[str, Any]] = {}
        for sink in self._schedule.sinks:
            place = places[id(sink)]
            taps = self._taps_before(place)
            wanted = sink.requires(self._schedule.spec_into(sink))
            required = {fold: self._nearest(sink, fold, taps) for fold in wanted}
            names = dict(zip(taps, fold_names(tuple(taps.values())), strict=True))
            folds = {names[tap]: self.values[tap] for tap in taps}
            made[sink] = {**self._writers[place].close(required), "folds": folds}
            self.pictures[sink] = {names[t]: self.drawn[t] for t in taps if t in self.drawn}
        return made

    def _nearest(self, sink: Sink, fold: Fold, taps: Mapping[Place, Fold]) -> Mapping[str, Any]:
        """Return the value of the last fold before a sink that serves for a required one."""
        return self.values[[place for place, tap in taps.items() if sink.serves(tap, fold)][-1]]

    def releases(self) -> list[Callable[[], None]]:
        """Return what is left to do for each sink when all are closed."""
        places = {id(sink): place for place, sink, _ in self._sinks()}
        return [self._writers[places[id(sink)]].release for sink in self._schedule.sinks]

    def _sinks(self) -> Iterator[tuple[Place, Sink, Sweep]]:
        for k, sweep in enumerate(self._schedule.sweeps):
            for kind, at in sweep.asked:
                if kind.stores:
                    yield (k, at.i), at.part, sweep

    def _sweep(self, k: int, buffers: Buffers) -> None:
        """Sweep once; later ops then know what it has found."""
        planned = self._schedule.sweeps[k]
        stages = (replace(stage, part=self._bound(stage)) for stage in planned.stages)
        sweep = planned.with_stages(tuple(stages))
        running = Running(self.pool, buffers, sweep.readers, kept(sweep), sweep.ahead)
        running.next_layer = sweep.economy.next_layer
        running.early, running.lenders = early_folds(sweep), lenders(sweep)
        running.on_plane = self._plane_read
        for kind, at in sweep.asked:
            if kind.stores:
                running.writers[at.i] = self._writers[k, at.i]
            if kind.measures:
                running.taps[at.i] = Tap(at.part, at.taken)
            if sweep.economy.in_parts and kind.parts(at):
                running.pieces[at.i] = self._pieces_of(k, at.i)
        lean, large = sweep.economy.tight, planned.keeps_large_blocks
        with nullcontext() if lean else machine.reuse_freed(large=large):
            pull(sweep, lower(sweep, running))
        for pieces in running.pieces.values():
            pieces.remove()
        self._measured(k, {i: tap.state() for i, tap in running.taps.items()})
        for kind, at in sweep.asked:
            if kind.stores and not kind.is_output:
                running.writers[at.i].close({})
            if at.stage.after:
                self._writers[self._hold_of(at.stage.after)].release()

    def _pieces_of(self, k: int, i: int) -> Pieces:
        """Return the place where layers of a source wait in this sweep."""
        pieces = cast(Scratch, self._schedule.limits.scratch).pieces(f"source-{k}-{i}")
        self._pieces.append(pieces)
        return pieces

    def _bound(self, stage: Stage) -> Part:
        """Return the part of a stage, with the values and planes of the sweeps before."""
        if stage.after:
            return cast(HoldWriter, self._writers[self._hold_of(stage.after)]).kept()
        return kind_of(stage.part).bound(stage.part, self.found)

    def fold_at(self, place: Place) -> Fold:
        """Return the fold that stands at a place."""
        return cast(Fold, self._schedule.sweeps[place[0]].stages[place[1]].part)

    def _hold_of(self, place: Place) -> Place:
        """Return the hold that has taken a stage's planes."""
        k, i = place
        asked = self._schedule.sweeps[k].asked
        return next(
            (k, at.i)
            for kind, at in asked
            if kind.stores and not kind.is_output and at.stage.inputs == (i,)
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
        """Return the name of the value that a fold looks for, if a later op needs it."""
        return self._schedule.sweeps[place[0]].stages[place[1]].finds

    def _taps_before(self, place: Place) -> dict[Place, Fold]:
        """Return the folds that a stage's planes went through, from the source on."""
        k, i = place
        sweep = self._schedule.sweeps[k]
        found: dict[Place, Fold] = {}
        for j in sorted(sweep.before(i) | {i}):  # each stage once, however many branches lead there
            stage = sweep.stages[j]
            if stage.after:
                found |= self._taps_before(stage.after)
            if kind_of(stage.part).measures:
                found[k, j] = cast(Fold, stage.part)
        return found

    def abort(self, error: BaseException) -> None:
        """Remove what waits, then what was written, the latest first; tell if it is gone."""
        left: list[str] = []
        removed = False
        for pieces in self._pieces:
            try:
                pieces.remove()
            except StoreError as reason:
                left.append(str(reason))
        holds = {place for place, sink, _ in self._sinks() if not kind_of(sink).is_output}
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
    """Return names for the values of one chain's folds: their spellings, with twins numbered.

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
    for kind, at in require(infer(draft)).asked:
        stop.raise_if_asked()
        kind.warm(at.part, at.inputs or (at.given,))
