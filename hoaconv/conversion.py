"""A conversion from options to report: all that can be refused is refused before it runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hoaconv import __version__
from hoaconv.chains import (
    chained,
    load_own_ops,
    open_others,
    open_source,
    spec_behind,
    teller,
    warm_up,
)
from hoaconv.engine import machine
from hoaconv.engine.contract import Step
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import Outcome, run
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError, StoreError
from hoaconv.found import settle, take_earlier
from hoaconv.io.folder import check_free
from hoaconv.io.scratch import ScratchFolder, ScratchSink, check_space
from hoaconv.io.source import Volume
from hoaconv.ops.advice import advice, constant_notes
from hoaconv.ops.measure import SHOWN, Histogram
from hoaconv.ops.spelling import spell_ops
from hoaconv.options import (
    Branches,
    Output,
    take_branches,
    take_budget,
    take_ops,
    take_sample,
    take_workers,
)
from hoaconv.paths import (
    check_apart,
    check_scratch,
    check_separate,
    replace_text,
    take_report_path,
)
from hoaconv.pictures import check_pictures, told, write_pictures
from hoaconv.pyramid.sink import OmeZarr, record
from hoaconv.report import Report, Watcher
from hoaconv.voxel_edges import choose_geometry

__all__ = ["Conversion", "prepare"]


@dataclass(frozen=True)
class Conversion:
    """A stack, or a zarr array, and what is to be made of it, scheduled and ready to run.

    `sinks` are the outputs with their ops; the main image comes last, and is closed last.
    """

    source: str
    stack: Volume
    sinks: Mapping[OmeZarr, tuple[Step, ...]]
    schedule: Schedule
    notes: tuple[str, ...]
    options: Mapping[str, Any]
    report: Path | None
    watcher: Watcher

    def run(self) -> Report:
        """Convert; write the report where one was asked for, and what folds have drawn.

        Raises
        ------
        StoreError
            If scratch doesn't fit on its disk, or something can't be written.
        """
        if self.schedule.refusal:
            raise StoreError(self.schedule.refusal)
        self.watcher.planned(self.schedule)
        machine.begin_libraries()
        outcome, more = self._run()
        flat = tuple(constant_notes(outcome.found))
        for text in flat:
            self.watcher.note(text)
        made = replace(self._report(outcome), notes=(*self.notes, *flat))
        made = replace(made, bytes_written=made.bytes_written + more)
        if self.report:
            _write_report(self.report, made.to_json())
        write_pictures(self.sinks, outcome)
        return made

    def _run(self) -> tuple[Outcome, int]:
        """Return the outcome, and the bytes that the store's own report takes."""
        scratch = self.schedule.limits.scratch
        *_, main = self.sinks
        more: list[int] = []

        def on_written(outcome: Outcome) -> None:
            more.append(record(main, self._report(outcome).record()))

        try:
            with teller(self.watcher, self.stack.spec, self.schedule) as tell:
                return run(self.schedule, tell, on_written), sum(more)
        finally:
            if scratch:
                scratch.remove()

    def _told(self, sink: OmeZarr, outcome: Outcome) -> Mapping[str, Any]:
        geometry = self.schedule.spec_into(sink).geometry
        return told(self.sinks, sink, geometry, outcome)

    def _report(self, outcome: Outcome) -> Report:
        *others, main = self.sinks
        made, limits = outcome.outputs[main], self.schedule.limits
        spec = self.schedule.spec_into(main)
        return Report(
            source=self.source,
            output=str(main.path),
            version=__version__,
            ops=main.provenance["ops"],
            options=self.options,
            shape=spec.shape,
            dtype=str(spec.dtype),
            voxel_size=spec.geometry.voxel_size,
            unit=spec.geometry.unit,
            levels=tuple(made["levels"]),
            others=tuple(
                {
                    **outcome.outputs[sink],
                    "folds": self._told(sink, outcome),
                    "ops": spell_ops(self.sinks[sink]),
                }
                for sink in others
            ),
            files=made["files"] + sum(outcome.outputs[sink]["files"] for sink in others),
            bytes_read=self.schedule.bytes_read,
            bytes_raw=self.schedule.bytes_decoded,
            bytes_written=made["bytes"] + sum(outcome.outputs[s]["bytes"] for s in others),
            seconds=outcome.seconds,
            workers=limits.workers,
            budget=limits.budget,
            projected=self.schedule.projected,
            measured=outcome.measured,
            busy=outcome.busy,
            waited=outcome.waited,
            folds=self._told(main, outcome),
            found=outcome.found,
            intervals=outcome.intervals,
            notes=self.notes,
        )


def prepare(options: Mapping[str, Any], given: Mapping[str, Any]) -> Conversion:
    """Check options, then headers, then memory.

    Parameters
    ----------
    options
        All parameters of `hoaconv.stack_to_omezarr`, by name.
    given
        Those that are not the default, for the output's provenance.

    Raises
    ------
    SpellingError, SourceError, PlanError, BudgetError, StoreError
        As `hoaconv.stack_to_omezarr` does.
    """
    machine.share_malloc_arena()  # before any thread begins: an arena, once made, stays
    machine.begin(take_workers(options["workers"]))
    watcher = options["watcher"] or Watcher()
    report = take_report_path(options["report"])
    sample, earlier = take_sample(options["sample"]), take_earlier(options["from_report"])
    budget, workers = take_budget(options["budget"]), take_workers(options["workers"])
    load_own_ops(options["ops_module"])
    outputs = _outputs(options)
    for output in (output for output in outputs if not output.is_label):
        check_free(output.path, overwrite=output.overwrite)  # headers may take minutes to read
    stack = open_source(options)
    for output in outputs:
        check_apart(output.path, stack.files)
        check_scratch(output.scratch, output.path, stack.files)
    geometry, note = choose_geometry(options["voxel_size"], options["unit"], stack)
    stack = stack.at(geometry)
    hints = dict.fromkeys(
        text for output, ops in outputs.items() for text in advice(ops, output.method)
    )
    left = f"labels of the source aren't copied: {', '.join(stack.labels)}"
    notes = (*stack.notes, note, *hints, *([left] if stack.labels else []))
    for text in notes:
        watcher.note(text)
    common = {"version": __version__, "source": _source_name(options["src"]), "options": given}
    sinks = _sinks(outputs, stack, common)
    check_pictures(sinks, stack.files)
    found = earlier.found if earlier else None
    settled = {sink: settle(ops, found) for sink, ops in sinks.items()}
    volumes = open_others(settled.values())
    for output in outputs:
        for volume in volumes.values():  # a lone file, such as a flat field, may lie beside it
            check_apart(output.path, volume.files)
    planned = _plan(stack, settled, volumes)
    warm_up(planned, watcher)
    *_, main = sinks
    scratch = ScratchFolder.of(main.path, main.scratch)
    limits = Limits(budget, workers, machine.resident(), scratch, options["exact"], sample)
    made = schedule(planned, limits)
    made = replace(made, refusal=check_space(_scratch_needs(made)))
    src = os.fspath(options["src"])
    if earlier and (other := earlier.differs_from(src, made.spec_into(main).shape)):
        watcher.note(other)
        notes = (*notes, other)
    return Conversion(src, stack, sinks, made, notes, given, report, watcher)


def _outputs(options: Mapping[str, Any]) -> dict[Output, tuple[Step, ...]]:
    """Labels and other images, then the main one."""
    ops, main = take_ops(options["ops"]), Output.take(options)
    labels: Branches = take_branches(options["label"], "--label")
    others: Branches = take_branches(options["also"], "--also")
    images = {main.beside(path, options["src"]): branch for path, branch in others.items()}
    check_separate([main.path, *(output.path for output in images)])
    return {
        **{main.label(name): branch for name, branch in labels.items()},
        **images,
        replace(main, labels=tuple(labels)): ops,
    }


def _sinks(
    outputs: Mapping[Output, tuple[Step, ...]],
    stack: Volume,
    common: Mapping[str, Any],
) -> dict[OmeZarr, tuple[Step, ...]]:
    """The outputs' sinks and their ops; labels have as many levels as the image: NGFF's rule."""
    specs = {output: spec_behind(stack.spec, ops) for output, ops in outputs.items()}
    sinks = {
        output: output.sink(stack.image_name, {**common, "ops": spell_ops(ops)})
        for output, ops in outputs.items()
    }
    *others, main = outputs
    count = len(sinks[main].levels(specs[main]))
    for label in (output for output in others if output.is_label):
        sinks[label] = _with_levels(sinks[label], specs[label], count)
    return {sinks[output]: ops for output, ops in outputs.items()}


def _with_levels(label: OmeZarr, spec: Spec, count: int) -> OmeZarr:
    made = replace(label, level_count=count)
    try:
        made.levels(spec)
    except SpellingError:
        raise PlanError(
            f"{label} would be {spec}: too small for the {count} levels of the image, and a label "
            "has to have as many; ask for fewer with --levels"
        ) from None
    return made


def _plan(
    stack: Volume, sinks: Mapping[OmeZarr, tuple[Step, ...]], volumes: Mapping[str, Volume]
) -> Plan:
    """One sweep that feeds every sink."""
    root = Plan.read(stack)
    plans = [_branch(root, ops, sink, volumes) for sink, ops in sinks.items()]
    whole = plans[0]
    for plan in plans[1:]:
        whole &= plan
    return whole


def _branch(plan: Plan, ops: tuple[Step, ...], sink: OmeZarr, others: Mapping[str, Volume]) -> Plan:
    plan = chained(plan, ops, others)
    known = bool(ops) and isinstance(ops[-1], Histogram) and ops[-1].percentiles == SHOWN
    return plan | sink if sink.is_label or known else plan | Histogram() | sink


def _scratch_needs(made: Schedule) -> list[tuple[Path, int]]:
    """Where something will wait outside memory, and how much."""
    found: list[tuple[Path, int]] = []
    for sweep in made.sweeps:
        for stage in sweep.stages:
            if isinstance(stage.part, OmeZarr | ScratchSink):
                nbytes = stage.part.scratch_bytes(sweep.spec_in(stage), sweep.thrift)
                found.append((stage.part.scratch_place, nbytes))
    return found


def _source_name(src: str | os.PathLike[str]) -> str:
    """Return what a published store tells of its source: no folder of somebody's machine."""
    path = Path(src)
    return os.fspath(src) if not path.is_absolute() and ".." not in path.parts else path.name


def _write_report(path: Path, text: str) -> None:
    try:
        replace_text(path, text)
    except OSError as error:
        raise StoreError(
            f"the report {path} can't be written: {error.strerror}; the output is complete"
        ) from error
