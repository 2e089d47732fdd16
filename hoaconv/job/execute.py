"""A resolved job is run, and reported."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from threading import Event
from typing import Any

from hoaconv import __version__
from hoaconv.engine import machine
from hoaconv.engine.run import Outcome, run
from hoaconv.engine.schedule import Schedule
from hoaconv.engine.spec import Plane
from hoaconv.errors import BudgetError, StoreError
from hoaconv.io.leading import Leading
from hoaconv.io.output import OutputSink
from hoaconv.job.chain import sources_of, spelled, steps_of
from hoaconv.job.making import published_text
from hoaconv.job.paths import replace_text
from hoaconv.job.pictures import told, write_pictures
from hoaconv.job.prior_values import chains_that_need
from hoaconv.job.report import Report
from hoaconv.job.resolve import Resolved
from hoaconv.job.run_plan import RunPlan
from hoaconv.job.target import Named
from hoaconv.job.tracking import PlaneSize, tracked
from hoaconv.job.volumes import Done, give_up, schedule_at, together
from hoaconv.job.watching import Watcher
from hoaconv.ops.advice import constant_notes
from hoaconv.units import format_bytes

__all__ = ["Executed", "execute", "report_of"]


@dataclass(frozen=True)
class Executed:
    """The outcome of a run, and the bytes that its record takes in the main output."""

    outcome: Outcome
    record_bytes: int


def execute(resolved: Resolved, watcher: Watcher, cancelled: Event | None = None) -> Executed:
    """Run a resolved job; its main output gets a record of the run, if it has a place for one.

    Raises
    ------
    SourceError, StoreError, PlanError
        If something can't be read, written or computed; what was written is removed.
    BudgetError
        If memory runs out all the same.
    Cancelled
        If `cancelled` is set meanwhile.
    KeyboardInterrupt
        If the run is interrupted.
    """
    watcher.planned(RunPlan(resolved.schedule, resolved.refusals, resolved.leading))
    if resolved.written:
        machine.begin_libraries()
    spec = sources_of(resolved.plan)[0].spec
    grown = [0]

    def on_written(outcome: Outcome) -> None:
        if resolved.main is not None:
            told = _report(resolved, Executed(outcome, 0)).record(published_text)
            grown.append(resolved.main.record(told))

    try:
        size = PlaneSize(spec.plane_bytes, prod(spec.plane_shape))
        totals = [sweep.planes for sweep in resolved.schedule.sweeps] * resolved.leading.count
        with tracked(watcher, size, totals, cancelled or Event()) as tell:
            return Executed(_run_all(resolved, tell, on_written), sum(grown))
    except MemoryError as error:
        budget = format_bytes(resolved.schedule.limits.budget)
        raise BudgetError(
            f"memory has run out, of which the budget allows {budget}; lower `budget`, or raise "
            "the limit (ulimit -v)"
        ) from error


def _run_all(
    resolved: Resolved, tell: Callable[[], None], on_written: Callable[[Outcome], None]
) -> Outcome:
    """Sweep volume after volume: all times and channels of the source, or its only volume."""
    if not resolved.leading.axes:
        return run(resolved.schedule, tell, on_written)
    done: list[Done] = []

    def written(leading: Leading, made: Schedule, outcome: Outcome) -> None:
        if leading.is_last:
            on_written(together(resolved, [*done, (leading, made, outcome)]))

    try:
        for leading in resolved.leading.all():
            made = schedule_at(resolved, leading)
            done.append((leading, made, run(made, tell, partial(written, leading, made))))
    except BaseException as error:
        give_up(resolved, error)
        raise
    return together(resolved, done)


def report_of(resolved: Resolved, executed: Executed, watcher: Watcher) -> Report:
    """Return the report of a run; write it where that was asked for, and what folds have drawn.

    Raises
    ------
    StoreError
        If the report or a picture can't be written; the outputs are complete.
    """
    outcome = executed.outcome
    needs = chains_that_need(resolved.plan)
    if resolved.leading.axes:
        volumes = resolved.leading.all()
        needs = {f"{volume}: {chain}": op for volume in volumes for chain, op in needs.items()}
    flat = tuple(constant_notes(outcome.found, needs))
    for text in flat:
        watcher.note(text)
    made = _report(resolved, executed)
    made = replace(made, notes=(*resolved.notes, *flat))
    if resolved.report:
        _write_report(resolved.report, made.to_json())
    write_pictures(_chains(resolved), outcome)
    return made


def _chains(resolved: Resolved) -> dict[OutputSink, tuple[Any, ...]]:
    """Return the outputs on disk and the steps in front of each, the main one last."""
    plans = {sink: resolved.branches[i].volume.plan for i, sink in resolved.written.items()}
    return {sink: steps_of(plan) for sink, plan in plans.items()}


def _report(resolved: Resolved, executed: Executed) -> Report:
    outcome = executed.outcome
    made, main = resolved.schedule, resolved.main
    branch = resolved.branches[-1]
    spec = branch.volume.spec
    rows = {sink: outcome.outputs[sink] for sink in resolved.written.values()}
    others = [(i, sink) for i, sink in resolved.written.items() if sink is not main]
    return Report(
        source=resolved.source,
        output="" if main is None else str(main.path),
        version=__version__,
        ops=spelled(branch.volume.plan),
        options=resolved.given,
        shape=spec.shape,
        dtype=str(spec.dtype),
        voxel_size=spec.geometry.voxel_size,
        unit=spec.geometry.unit,
        levels=() if main is None else tuple(rows[main].get("levels", ())),
        others=tuple(
            {
                "what": resolved.what(i),
                **rows[sink],
                "folds": _told(resolved, sink, outcome),
                "ops": spelled(resolved.branches[i].volume.plan),
            }
            for i, sink in others
        ),
        files=sum(row["files"] for row in rows.values()),
        bytes_read=made.bytes_read * resolved.leading.count,
        bytes_raw=made.bytes_decoded * resolved.leading.count,
        volumes=dict(zip(resolved.leading.axes, resolved.leading.shape, strict=True)),
        bytes_written=sum(row["bytes"] for row in rows.values()) + executed.record_bytes,
        seconds=outcome.seconds,
        workers=made.limits.workers,
        budget=made.limits.budget,
        projected=made.projected,
        measured=outcome.measured,
        measured_by=outcome.measured_by,
        busy=outcome.busy,
        waited=outcome.waited,
        folds={} if main is None else _told(resolved, main, outcome),
        found=outcome.found,
        intervals=outcome.intervals,
        notes=resolved.notes,
        measurements=_measurements(resolved, outcome),
        values=_values(resolved, outcome),
    )


def _told(resolved: Resolved, sink: OutputSink, outcome: Outcome) -> Mapping[str, Any]:
    return told(_chains(resolved), sink, outcome)


def _values(resolved: Resolved, outcome: Outcome) -> dict[str, Any]:
    """Return what the run has for each output, by its name: a value, an array, or a path."""
    made: dict[str, Any] = {}
    for i, branch in enumerate(resolved.branches):
        if i in resolved.written:
            made[branch.name] = resolved.written[i].path
        elif i in resolved.arrays:
            made[branch.name] = resolved.arrays[i].array
        elif i in resolved.sinks:
            made[branch.name] = outcome.outputs[resolved.sinks[i]]
        else:
            value, picture = _value(resolved, outcome, i)
            present = branch.present
            made[branch.name] = present(value, picture) if present else value
    return made


def _measurements(resolved: Resolved, outcome: Outcome) -> dict[str, Any]:
    """Return the values of the folds that are outputs of their own, by their names."""
    names = {i: resolved.branches[i].name for i in resolved.folds}
    return {name: _value(resolved, outcome, i)[0] for i, name in names.items()}


def _value(resolved: Resolved, outcome: Outcome, i: int) -> tuple[Mapping[str, Any], Plane | None]:
    """Return what the fold of a branch has found, and drawn."""
    fold = resolved.folds[i]
    sampled = _sampled(resolved, fold)
    value = outcome.found[sampled] if sampled else outcome.values[fold]
    return value, outcome.drawn.get(fold)


def _sampled(resolved: Resolved, fold: Named) -> str | None:
    """Return the name under which groups of a sample tell the value of a fold; else None."""
    stages = (stage for sweep in resolved.schedule.sweeps for stage in sweep.stages)
    return next((stage.finds for stage in stages if stage.part == fold), None)


def _write_report(path: Path, text: str) -> None:
    try:
        replace_text(path, text)
    except OSError as error:
        raise StoreError(
            f"the report {path} can't be written: {error.strerror}; the output is complete"
        ) from error
