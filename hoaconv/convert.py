"""The verbs: what hoaconv does, as functions. The command line is made from their signatures."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from inspect import signature
from pathlib import Path
from threading import Timer
from time import perf_counter
from typing import Annotated, Any, ParamSpec, TypeVar

from hoaconv import __version__
from hoaconv.engine import machine
from hoaconv.engine.contract import Op
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import Outcome, run, warm
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.errors import StoreError
from hoaconv.io.stack import Stack, open_stack
from hoaconv.ops.catalogue import catalogue, describe, example, lookup, summary, usage
from hoaconv.ops.measure import Histogram
from hoaconv.ops.spelling import spell_ops
from hoaconv.options import (
    Output,
    PathLike,
    Word,
    choose_voxel_size,
    take_budget,
    take_ops,
    take_report_path,
    take_workers,
)
from hoaconv.pyramid.sink import OmeZarr
from hoaconv.report import Progress, Report, Watcher
from hoaconv.units import parse_range

__all__ = ["Schedule", "Word", "list_ops", "plan", "stack_to_omezarr"]

P = ParamSpec("P")


def stack_to_omezarr(
    src: Annotated[PathLike, Word("folder of slices, quoted glob, or multi-page TIFF")],
    dst: Annotated[PathLike, Word("the OME-Zarr to make, such as brain.zarr")],
    *,
    ops: Annotated[
        str | Sequence[Op],
        Word("ops to apply on the way, such as 'gaussian 1.5 | threshold 20000'", "Ops", "OPS"),
    ] = "",
    range: Annotated[
        str | slice | None,
        Word("slices to take, START:STOP:STEP as in Python; default all", "Input", "RANGE"),
    ] = None,
    allow_gaps: Annotated[bool, Word("accept missing numbers among the slices", "Input")] = False,
    voxel_size: Annotated[
        str | float | Sequence[float] | None,
        Word(
            "edge of a voxel, one number or z,y,x; default from the files or the folder's name",
            "Input",
            "SIZE",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        Word("unit of the voxel size; default micrometer, or the files'", "Input", "UNIT"),
    ] = None,
    chunks: Annotated[
        str | int | Sequence[int] | None,
        Word(
            "chunk shape, one number or z,y,x; default 64, or 128 without shards", "Output", "SHAPE"
        ),
    ] = None,
    shards: Annotated[
        str | int | Sequence[int] | None,
        Word(
            "shard shape z,y,x, or none; default 64,1024,1024, and none for NGFF 0.4",
            "Output",
            "SHAPE",
        ),
    ] = None,
    ngff: Annotated[
        str, Word("version of OME-NGFF: 0.5 (zarr v3) or 0.4 (zarr v2)", "Output", "VERSION")
    ] = "0.5",
    compressor: Annotated[
        str, Word("zstd:3, blosc-zstd:1:shuffle, lz4, gzip:5 or none", "Output", "NAME")
    ] = "blosc-zstd:1:shuffle",
    name: Annotated[
        str | None, Word("name of the image; default that of the source", "Output", "NAME")
    ] = None,
    overwrite: Annotated[bool, Word("replace DST if it is a zarr store", "Output")] = False,
    levels: Annotated[
        int | None,
        Word("pyramid levels, level 0 included; default until one fits a chunk", "Pyramid", "N"),
    ] = None,
    downsample: Annotated[
        str,
        Word("how voxels become one: mean, mode (labels), max, min, nearest", "Pyramid", "METHOD"),
    ] = "mean",
    factors: Annotated[
        str | int | Sequence[int] | None,
        Word(
            "downsampling per level, z,y,x; default 2, long voxel edges wait", "Pyramid", "FACTORS"
        ),
    ] = None,
    budget: Annotated[
        str | int | None,
        Word("memory that the process may hold; default 60 % of what is free", "Run", "BYTES"),
    ] = None,
    workers: Annotated[
        int | None, Word("threads; default all CPUs of this process", "Run", "N")
    ] = None,
    report: Annotated[
        PathLike | None, Word("write the report here, as JSON", "Run", "FILE")
    ] = None,
    watcher: Watcher | None = None,
) -> Report:
    """Convert a stack of JP2 or TIFF slices to an OME-Zarr pyramid, in one sweep.

    Each slice is decoded once, each chunk of each level written once, within the budget.

    Parameters
    ----------
    src
        A folder of .jp2 .j2k .jpx .tif .tiff slices, a glob, or a multi-page TIFF.
    dst
        The folder to make; its metadata is written last.
    ops
        Ops in the command line's spelling or as objects; see ``hoaconv ops``.
    range
        Slices to take, in natural order.
    allow_gaps
        Whether numbers may be missing among the slices.
    voxel_size, unit
        Edge of a voxel, zyx. Wins over what the files say.
    chunks, shards
        Voxels, zyx. ``shards="none"`` makes every chunk a file.
    ngff, compressor, name, overwrite
        Of the output.
    levels, downsample, factors
        Of the pyramid.
    budget, workers
        Bytes that the process may hold, interpreter included; threads.
    report
        Where to write the report as JSON.
    watcher
        Gets told of notes and progress.

    Returns
    -------
    Report

    Raises
    ------
    SpellingError
        For an option that isn't understood.
    SourceError
        If slices are missing, differ or can't be read.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the output exists or can't be written.

    Examples
    --------
    >>> import hoaconv
    >>> hoaconv.stack_to_omezarr("slices/", "brain.zarr", ops="gaussian 1.5")  # doctest: +SKIP
    """
    return _prepare(locals()).run()


R = TypeVar("R")


def _options_of(verb: Callable[P, Any]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Give a function the parameters of `verb`, which are declared there alone."""

    def take(function: Callable[..., R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature(verb).bind(*args, **kwargs)
            bound.apply_defaults()
            return function(bound.arguments)

        call.__signature__ = signature(verb)  # type: ignore[attr-defined]
        return call

    return take


@_options_of(stack_to_omezarr)
def plan(options: Mapping[str, Any]) -> Schedule:
    """Return the schedule of `stack_to_omezarr` with the same options, without running it.

    Headers are read, no pixels; nothing is written. Raises what the run would raise by then.
    """
    return _prepare(options).schedule


def list_ops(
    name: Annotated[str | None, Word("op to explain; default all, a line each", "", "NAME")] = None,
) -> Mapping[str, Mapping[str, Any]]:
    """Ops by their words: summary, usage, example, parameters.

    Raises
    ------
    SpellingError
        If there is no op of this name.
    """
    words = catalogue() if name is None else [lookup(name).word]
    return {
        word: {
            "summary": summary(word),
            "usage": usage(word),
            "example": example(word),
            "parameters": [asdict(parameter) for parameter in describe(word)],
        }
        for word in words
    }


@dataclass(frozen=True)
class _Conversion:
    """A conversion ready to run."""

    stack: Stack
    sink: OmeZarr
    schedule: Schedule
    notes: tuple[str, ...]
    report: Path | None
    watcher: Watcher

    def run(self) -> Report:
        self.watcher.planned(self.schedule)
        outcome = run(self.schedule, self._on_plane())
        made = self._report(outcome)
        if self.report:
            _write_text(self.report, made.to_json())
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

    def _report(self, outcome: Outcome) -> Report:
        (made,), sink, limits = outcome.made, self.sink, self.schedule.limits
        spec = self.schedule.spec_of(self.schedule.stages[-1])
        provenance = sink.provenance
        return Report(
            source=provenance["source"],
            output=str(sink.path),
            version=__version__,
            ops=provenance["ops"],
            options=provenance["options"],
            shape=spec.shape,
            dtype=str(spec.dtype),
            voxel_size=sink.image.voxel_size,
            unit=sink.image.unit,
            levels=tuple(made["levels"]),
            files=made["files"],
            bytes_read=self.stack.stored_bytes,
            bytes_raw=self.stack.spec.nbytes,
            bytes_written=made["bytes"],
            seconds=outcome.seconds,
            workers=limits.workers,
            budget=limits.budget,
            projected=self.schedule.projected,
            measured=outcome.measured,
            busy=outcome.busy,
            folds=outcome.folds,
            notes=self.notes,
        )


def _prepare(options: Mapping[str, Any]) -> _Conversion:
    """All that can be known before the first slice is decoded, and all that can be refused."""
    watcher = options["watcher"] or Watcher()
    report = take_report_path(options["report"])
    budget, workers = take_budget(options["budget"]), take_workers(options["workers"])
    ops, output = take_ops(options["ops"]), Output.take(options)
    slices = parse_range(options["range"]) if options["range"] else None
    stack = open_stack(options["src"], slices=slices, allow_gaps=options["allow_gaps"])
    size, note = choose_voxel_size(options["voxel_size"], options["unit"], stack.voxel_size)
    sink = output.sink(stack.name, size, _provenance(options, spell_ops(ops)))
    notes = (*stack.notes, note)
    for text in notes:
        watcher.note(text)
    planned = Plan.read(stack)
    for op in ops:
        planned |= op
    planned = planned | Histogram() | sink
    machine.share_malloc_arenas()
    _warm(planned, watcher)
    made = schedule(planned, Limits(budget, workers, machine.resident()))
    return _Conversion(stack, sink, made, notes, report, watcher)


def _provenance(options: Mapping[str, Any], ops: str) -> dict[str, Any]:
    """What the output tells of how it was made: the options that were given, as given."""
    left_out = {"src", "dst", "ops", "watcher", "report"}
    defaults = {name: p.default for name, p in signature(stack_to_omezarr).parameters.items()}
    given = {
        name: value if isinstance(value, str | int | float) else str(value)
        for name, value in options.items()
        if name not in left_out and value != defaults[name]
    }
    return {
        "version": __version__,
        "source": os.fspath(options["src"]),
        "ops": ops,
        "options": given,
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
        raise StoreError(f"the report {path} can't be written: {error.strerror}") from error
