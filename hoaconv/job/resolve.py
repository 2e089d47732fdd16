"""The step before a run that looks at files: outputs, scratch, reports, disks.

All that can be refused is refused here, before the first slice is decoded.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoaconv.engine import machine
from hoaconv.engine.contract import Fold, Sink
from hoaconv.engine.estimate import estimate
from hoaconv.engine.informed import Informed
from hoaconv.engine.part import Part
from hoaconv.engine.passes import schedule
from hoaconv.engine.passes.check import check
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.engine.stages import At
from hoaconv.errors import StoreError
from hoaconv.io.leading import Leading
from hoaconv.io.output import OutputSink
from hoaconv.io.scratch import ScratchFolder, ScratchSink, check_space
from hoaconv.io.url import as_path
from hoaconv.job.arrays import ArraySink
from hoaconv.job.chain import behind, sources_of, steps_of
from hoaconv.job.compiling import load_kernels
from hoaconv.job.images import steps_in_front
from hoaconv.job.making import file_groups, files_of, leading_of, source_name, source_path
from hoaconv.job.masks import gives_mask
from hoaconv.job.options import Running
from hoaconv.job.output import Output
from hoaconv.job.paths import (
    check_apart,
    check_beside,
    check_scratch,
    check_separate,
    scratch_folder,
    take_report_path,
)
from hoaconv.job.pictures import check_pictures
from hoaconv.job.prior_values import Earlier, bind, read_earlier
from hoaconv.job.remarks import Notes, Refusals
from hoaconv.job.sinks import sinks_of
from hoaconv.job.space import fits_uncompressed, space_refusal
from hoaconv.job.target import Branch, InMemory, Named, Request
from hoaconv.job.watching import Watcher
from hoaconv.ops.advice import advice

__all__ = ["Resolved", "check_outputs", "resolve", "take_budget", "take_workers"]

BUDGET_SHARE = 0.6
"""Share of the free memory that a run takes if no budget is given."""


@dataclass(frozen=True)
class Resolved:
    """A job whose files have been checked, and its schedule.

    Attributes
    ----------
    branches
        The outputs, labels first, the main one on disk last.
    written
        The sinks of the outputs on disk, by branch; in the same order.
    arrays, folds, sinks
        The sinks of arrays in memory, the folds that measure, and sinks of the user's own, by
        branch.
    refusals
        The reasons why this machine can't run it, if only a plan was asked for.
    notes
        Remarks for the user.
    report
        The file in which to write the report.
    leading
        Times and channels of the source. Each is a volume that is swept like the first one, whose
        plan and schedule these are.
    """

    branches: tuple[Branch, ...]
    written: Mapping[int, OutputSink]
    arrays: Mapping[int, ArraySink]
    folds: Mapping[int, Named]
    sinks: Mapping[int, Sink]
    plan: Plan
    schedule: Schedule
    source: str
    given: Mapping[str, Any]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    report: Path | None
    leading: Leading = field(default_factory=Leading)

    @property
    def main(self) -> OutputSink | None:
        """The main output on disk, which is completed last; None if nothing is written."""
        return list(self.written.values())[-1] if self.written else None

    def what(self, i: int) -> str:
        """Return the kind of the output of a branch, in words."""
        target = self.branches[i].target
        return target.what if isinstance(target, Output) else type(target).__name__


def resolve(job: Request, watcher: Watcher, *, planning: bool) -> Resolved:
    """Look at all files that a job takes and makes, and schedule it.

    Parameters
    ----------
    job
        A `hoaconv.job.job.Job`.
    planning
        Whether what this machine alone refuses (memory, disk space, outputs that exist) becomes
        one of the refusals; else it raises.

    Raises
    ------
    SpellingError, SourceError, PlanError, BudgetError, StoreError
        As `hoaconv.job.job.Job.run` does.
    """
    budget, workers = take_budget(job.running), take_workers(job.running)
    machine.begin(workers)
    refusals = Refusals(kept=planning)
    earlier = read_earlier(job.values.from_report)
    branches = _ordered(job.branches)
    notes = Notes(watcher)
    report = _checked(branches, job.running, refusals)
    notes.add(*_advised(branches))
    leading = leading_of(branches)
    made = _ends(branches, job.given, job.running.scratch, leading)
    for i, sink in made.written.items():
        notes.add(*sink.notes(branches[i].volume.spec))
    with refusals.here():
        _check_pictures(branches, made.written)
    plan = _together(branches, made, earlier)
    load_kernels(plan, watcher)
    machine.trim_malloc()  # what earlier plans and runs have freed isn't taken
    limits = Limits(
        budget,
        workers,
        machine.resident(),
        _scratch(made.written, job.running),
        sample=job.values.sample,
    )
    planned = schedule(plan, limits, checked=not planning)
    with refusals.here():
        check(planned)
    with refusals.here():
        machine.check_room(planned.projected)
    refusals.add(check_space(_scratch_needs(planned)))
    if not planning and not fits_uncompressed(planned):
        machine.begin_libraries()  # a few chunks are packed
        refusals.add(space_refusal(planned, estimate(planned)))
    source = source_name(branches[-1])
    if earlier and (note := earlier.differs_from(source, _shape(branches[-1]))):
        notes.add(note)
    return Resolved(
        branches,
        made.written,
        made.arrays,
        made.folds,
        made.sinks,
        plan,
        planned,
        source,
        job.given,
        tuple(refusals.texts),
        tuple(notes.texts),
        report,
        leading,
    )


def _check_pictures(branches: Sequence[Branch], written: Mapping[int, OutputSink]) -> None:
    """Refuse files that folds will draw, if they can't be written."""
    chains = {sink: steps_of(branches[i].volume.plan) for i, sink in written.items()}
    if written:
        check_pictures(chains, [file for branch in branches for file in files_of(branch)])


def take_budget(running: Running) -> int:
    """Return the budget in bytes; by default a share of what this process may use."""
    return running.budget or int(BUDGET_SHARE * machine.memory_limit())


def take_workers(running: Running) -> int:
    """Return the number of threads; by default the CPUs that this process may use."""
    return running.workers or machine.cpus()


def _ordered(branches: Sequence[Branch]) -> tuple[Branch, ...]:
    """Return labels first, the main output last: no store is complete before what lies in it."""
    first = next((b for b in branches if _is_whole(b)), None)
    rest = [b for b in branches if b is not first]
    parts, others = ([b for b in rest if _is_part(b) == which] for which in (True, False))
    return (*parts, *others, *([first] if first else []))


def _is_whole(branch: Branch) -> bool:
    """Return whether a branch has an output on disk of its own."""
    return isinstance(branch.target, Output) and not branch.target.is_part


def _is_part(branch: Branch) -> bool:
    return isinstance(branch.target, Output) and branch.target.is_part


def check_outputs(
    outputs: Sequence[Output], running: Running, sources: Sequence[str | os.PathLike[str]]
) -> None:
    """Refuse outputs that can't be made, before headers are read.

    Raises
    ------
    SpellingError
        If an output has no name that a folder can have.
    StoreError
        If outputs and sources lie inside each other, or scratch can't be used.
    """
    whole = [output for output in outputs if not output.is_part]
    for output in whole:
        output.check_name()
        for src in () if output.in_place else sources:
            check_beside(as_path(output.path), src)
    check_separate([as_path(output.path) for output in whole])
    labels = [os.path.realpath(output.path).casefold() for output in outputs if output.is_part]
    if len(set(labels)) < len(labels):  # one folder on some file systems
        raise StoreError("two labels have one name; name them otherwise")
    scratch_folder(running.scratch)


def _checked(branches: Sequence[Branch], running: Running, refusals: Refusals) -> Path | None:
    """Check paths against each other and the sources; return the path of the report."""
    outputs = [b.target for b in branches if isinstance(b.target, Output)]
    named = [name for b in branches if (name := source_path(b)) is not None]
    report = None
    with refusals.here():
        report = take_report_path(running.report)
    with refusals.here():
        check_outputs(outputs, running, named)
    for output in (output for output in outputs if not output.is_part):
        with refusals.here():
            output.check_free()
        if output.in_place:
            continue
        with refusals.here():
            for branch in branches:
                for source in sources_of(branch.volume.plan):  # a lone file may have it beside it
                    for files in file_groups(source):
                        check_apart(as_path(output.path), files)
                for files in file_groups(sources_of(branch.volume.plan)[0]):
                    check_scratch(running.scratch, as_path(output.path), files)
    return report


def _shape(branch: Branch) -> tuple[int, int, int]:
    shape: tuple[int, int, int] = branch.volume.spec.shape
    return shape


def _advised(branches: Sequence[Branch]) -> Iterator[str]:
    """Give notes on sources and on chains that are probably not meant so."""
    for branch in branches:
        yield from branch.volume.notes
    outputs = (b.target for b in branches if isinstance(b.target, Output))
    written = {Path(output.path).name for output in outputs if output.is_part}
    for branch in branches:
        if isinstance(branch.target, Output):
            parts = steps_of(branch.volume.plan)
            steps = [part.op if isinstance(part, Informed) else part for part in parts]
            mask = gives_mask(branch.volume.plan)
            dtype = branch.volume.spec.dtype
            yield from advice(steps, branch.target.downsampled_by, dtype, is_mask=mask)
    for branch in branches:
        told = getattr(sources_of(branch.volume.plan)[0], "labels", ())
        labels = [name for name in told if name not in written]
        if labels and isinstance(branch.target, Output) and not branch.target.in_place:
            yield f"labels of the source aren't copied: {', '.join(labels)}"


@dataclass(frozen=True)
class _Ends:
    written: dict[int, OutputSink]
    arrays: dict[int, ArraySink]
    folds: dict[int, Named]
    sinks: dict[int, Sink]

    def of(self, i: int) -> Part:
        """Return the end of a branch."""
        ends: dict[int, Part] = {**self.written, **self.arrays, **self.folds, **self.sinks}
        return ends[i]


def _ends(
    branches: Sequence[Branch],
    given: Mapping[str, Any],
    scratch: Path | None,
    leading: Leading,
) -> _Ends:
    """Return what stands at the end of each branch, by its number."""
    written = sinks_of(branches, given, scratch, leading)
    arrays = {i: ArraySink() for i, b in enumerate(branches) if isinstance(b.target, InMemory)}
    folds = {
        i: Named(b.name, b.target) for i, b in enumerate(branches) if isinstance(b.target, Fold)
    }
    sinks = {i: b.target for i, b in enumerate(branches) if isinstance(b.target, Sink)}
    return _Ends(written, arrays, folds, sinks)


def _together(branches: Sequence[Branch], ends: _Ends, earlier: Earlier | None) -> Plan:
    """Return the plan of one sweep that feeds every output."""
    plans = [
        _in_front(bind(b.volume.plan, earlier), ends.written.get(i)) | ends.of(i)
        for i, b in enumerate(branches)
    ]
    whole = plans[0]
    for plan in plans[1:]:
        whole &= plan
    return whole


def _in_front(plan: Plan, sink: OutputSink | None) -> Plan:
    """Return the plan with the steps that a sink wants between a volume and itself."""
    for part in steps_in_front(sink) if sink else ():
        plan = plan | part if isinstance(part, Sink) else behind(plan, (part,), {})
    return plan


def _scratch(written: Mapping[int, OutputSink], running: Running) -> ScratchFolder | None:
    if written:
        return list(written.values())[-1].scratch_for_job(running.scratch)
    return None if running.scratch is None else ScratchFolder.of(Path("job"), running.scratch)


def _scratch_needs(made: Schedule) -> list[tuple[Path, int]]:
    """Return the place of planes and layers outside memory, and their bytes."""
    return [
        (place, kind.scratch_bytes(at, sweep.economy))
        for sweep in made.sweeps
        for kind, at in sweep.asked
        if (place := _scratch_place(at)) is not None
    ]


def _scratch_place(at: At[Any]) -> Path | None:
    """Return the folder in or beside which something of a stage may wait."""
    if isinstance(at.part, OutputSink | ScratchSink):
        return at.part.scratch_place
    return at.scratch.folder if isinstance(at.scratch, ScratchFolder) else None
