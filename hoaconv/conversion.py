"""A conversion from options to report: all that can be refused is refused before it runs."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from threading import Timer
from time import perf_counter
from typing import Any, cast

from hoaconv import __version__
from hoaconv.engine import machine
from hoaconv.engine.contract import Fold, Sink, Step
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import Outcome, fold_names, run, warm
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.errors import StoreError
from hoaconv.io.plane_file import check_plane_file, write_plane
from hoaconv.io.stack import Stack, open_stack
from hoaconv.ops.measure import SHOWN, Histogram
from hoaconv.ops.spelling import spell_ops
from hoaconv.ops.statistics import Volume
from hoaconv.options import (
    Branches,
    Output,
    check_apart,
    check_separate,
    choose_voxel_size,
    take_branches,
    take_budget,
    take_ops,
    take_report_path,
    take_workers,
)
from hoaconv.pyramid.sink import OmeZarr
from hoaconv.report import Progress, Report, Watcher
from hoaconv.units import parse_range

__all__ = ["Conversion", "prepare"]


@dataclass(frozen=True)
class Conversion:
    """A stack and what is to be made of it, scheduled and ready to run.

    `sinks` are the outputs with their ops; the main image comes last, and is closed last.
    """

    stack: Stack
    sinks: Mapping[OmeZarr, tuple[Step, ...]]
    schedule: Schedule
    notes: tuple[str, ...]
    options: Mapping[str, Any]
    report: Path | None
    watcher: Watcher

    def run(self) -> Report:
        """Convert; write the report where one was asked for, and what folds have drawn."""
        self.watcher.planned(self.schedule)
        outcome = run(self.schedule, self._on_plane())
        made = self._report(outcome)
        if self.report:
            _write_text(self.report, made.to_json())
        for sink, pictures in outcome.pictures.items():
            for name, plane in pictures.items():
                write_plane(self._picture(sink, name), plane)
        return made

    def _on_plane(self) -> Callable[[], None]:
        spec, start = self.stack.spec, perf_counter()
        voxels = spec.plane_shape[0] * spec.plane_shape[1]
        done = 0

        def tell() -> None:
            nonlocal done
            done += 1
            seconds, memory = perf_counter() - start, machine.resident()
            progress = Progress(done, spec.planes, spec.plane_bytes, voxels, seconds, memory)
            self.watcher.progress(progress)

        return tell

    def _picture(self, sink: Sink, name: str) -> Path:
        """Where the picture that a fold of an output has drawn is written."""
        return _picture_path(tuple(self.sinks)[-1].path, cast(OmeZarr, sink), name)

    def _folds(self, sink: OmeZarr, outcome: Outcome) -> Mapping[str, Any]:
        """What was measured on the way to an output, with what the folds themselves don't know."""
        told: dict[str, Any] = {}
        for name, value in outcome.outputs[sink]["folds"].items():
            told[name] = dict(value)
            if name in outcome.pictures[sink]:
                told[name]["file"] = str(self._picture(sink, name))
            if name.startswith(Volume.word):
                told[name] |= _physical(value["voxels"], sink)
        return told

    def _report(self, outcome: Outcome) -> Report:
        *others, main = self.sinks
        made, limits = outcome.outputs[main], self.schedule.limits
        outside = [sink for sink in others if not sink.is_label]  # labels lie in the main image
        spec = self.schedule.spec_of(self.schedule.stages[-1])
        return Report(
            source=main.provenance["source"],
            output=str(main.path),
            version=__version__,
            ops=main.provenance["ops"],
            options=self.options,
            shape=spec.shape,
            dtype=str(spec.dtype),
            voxel_size=main.image.voxel_size,
            unit=main.image.unit,
            levels=tuple(made["levels"]),
            others=tuple(
                {
                    **outcome.outputs[sink],
                    "folds": self._folds(sink, outcome),
                    "ops": spell_ops(self.sinks[sink]),
                }
                for sink in others
            ),
            files=made["files"] + sum(outcome.outputs[sink]["files"] for sink in outside),
            bytes_read=self.stack.stored_bytes,
            bytes_raw=self.stack.spec.nbytes,
            bytes_written=made["bytes"] + sum(outcome.outputs[s]["bytes"] for s in outside),
            seconds=outcome.seconds,
            workers=limits.workers,
            budget=limits.budget,
            projected=self.schedule.projected,
            measured=outcome.measured,
            busy=outcome.busy,
            folds=self._folds(main, outcome),
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
    machine.share_malloc_arenas()  # before any thread begins: an arena, once made, stays
    watcher = options["watcher"] or Watcher()
    report = take_report_path(options["report"])
    budget, workers = take_budget(options["budget"]), take_workers(options["workers"])
    outputs = _outputs(options)
    slices = parse_range(options["range"]) if options["range"] else None
    stack = open_stack(options["src"], slices=slices, allow_gaps=options["allow_gaps"])
    for output in outputs:
        check_apart(output.path, stack.files)
    size, note = choose_voxel_size(options["voxel_size"], options["unit"], stack.voxel_size)
    notes = (*stack.notes, note)
    for text in notes:
        watcher.note(text)
    common = {"version": __version__, "source": os.fspath(options["src"]), "options": given}
    sinks = {
        output.sink(stack.name, size, {**common, "ops": spell_ops(ops)}): ops
        for output, ops in outputs.items()
    }
    _check_pictures(sinks, stack.files)
    planned = _plan(stack, sinks)
    _warm(planned, watcher)
    made = schedule(planned, Limits(budget, workers, machine.resident()))
    return Conversion(stack, sinks, made, notes, given, report, watcher)


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


def _plan(stack: Stack, sinks: Mapping[OmeZarr, tuple[Step, ...]]) -> Plan:
    """One sweep that feeds every sink."""
    root = Plan.read(stack)
    plans = [_chain(root, ops, sink) for sink, ops in sinks.items()]
    whole = plans[0]
    for plan in plans[1:]:
        whole &= plan
    return whole


def _chain(plan: Plan, ops: tuple[Step, ...], sink: OmeZarr) -> Plan:
    for op in ops:
        plan |= op
    known = bool(ops) and isinstance(ops[-1], Histogram) and ops[-1].percentiles == SHOWN
    return plan | sink if sink.is_label or known else plan | Histogram() | sink


def _check_pictures(sinks: Mapping[OmeZarr, tuple[Step, ...]], files: Sequence[Path]) -> None:
    """Refuse pictures that can't be written, or would replace each other or the source."""
    main, taken = tuple(sinks)[-1].path, {file.resolve() for file in files}
    for sink, ops in sinks.items():
        folds = [op for op in ops if isinstance(op, Fold)]
        for fold, name in zip(folds, fold_names(folds), strict=True):
            path = _picture_path(main, sink, name)
            if not fold.draws:
                continue
            if path.resolve() in taken:
                raise StoreError(f"{path} is the source's or another output's; name one otherwise")
            check_plane_file(path, overwrite=sink.overwrite)
            taken.add(path.resolve())


def _picture_path(main: Path, sink: OmeZarr, name: str) -> Path:
    """Beside the output: ``brain-projection-max.tif``; of a label, beside the main one."""
    beside = main if sink.is_label else sink.path
    words = [beside.name.removesuffix(".zarr").removesuffix(".ome")]
    words += [sink.path.name] if sink.is_label else []
    words += re.findall(r"\w+", name)
    return beside.with_name(f"{'-'.join(words)}.tif")


def _physical(voxels: int, sink: OmeZarr) -> Mapping[str, Any]:
    """The volume of voxels of an output; None where their size isn't known."""
    size, unit = sink.image.voxel_size, sink.image.unit
    return {
        "volume": voxels * prod(size) if size else None,
        "unit": f"{unit}^3" if unit else None,
    }


def _warm(planned: Plan, watcher: Watcher) -> None:
    slow = Timer(1.0, watcher.note, ["compiling kernels; they are kept on disk for the next run"])
    slow.start()
    try:
        warm(planned)
    finally:
        slow.cancel()


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the report {path} can't be written: {error.strerror}; the output is complete"
        ) from error
