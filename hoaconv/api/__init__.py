"""Functions that build a job from options and run it; they are the verbs of the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hoaconv.api.layouts import convert, transpose
from hoaconv.api.parts import cutout, info
from hoaconv.api.stacks import omezarr_to_stack, plan_stack
from hoaconv.api.stores import rechunk
from hoaconv.job.declared import PathLike, explained_by
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import (
    Chain,
    Labels,
    Measuring,
    Reading,
    Running,
    Values,
    Voxels,
)
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.job.report import Report
    from hoaconv.job.run_plan import RunPlan
    from hoaconv.job.statistics_report import Statistics

__all__ = [
    "convert",
    "cutout",
    "info",
    "list_ops",
    "omezarr_to_stack",
    "plan",
    "plan_stack",
    "rechunk",
    "stack_to_omezarr",
    "stats",
    "transpose",
]


@explained_by(Chain, Labels, Reading, Voxels, OmeZarr, Values, Running)
def stack_to_omezarr(
    src: PathLike,
    dst: PathLike,
    *,
    ops: "str | Sequence[Any]" = "",
    ops_module: PathLike | None = None,
    label: "Mapping[str, Any] | Sequence[str]" = (),
    also: "Mapping[str, Any] | Sequence[str]" = (),
    range: slice | str | None = None,
    level: int | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    series: int | None = None,
    rgb: str | None = None,
    shape: tuple[int, int, int] | str | None = None,
    dtype: str | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    append: "PathLike | Sequence[PathLike]" = (),
    missing: str = "fill",
    reduce: int = 1,
    decoder: str = "openjpeg",
    credentials: str | None = None,
    voxel_size: float | tuple[float, float, float] | str | None = None,
    unit: str | None = None,
    orientation: str | tuple[str, str, str] | None = None,
    chunks: int | tuple[int, int, int] | str | None = None,
    shards: int | tuple[int, int, int] | str | None = None,
    ngff: str = "0.5",
    compressor: str = "blosc-zstd:1:shuffle",
    name: str | None = None,
    overwrite: bool = False,
    levels: int | None = None,
    from_level: int = 0,
    downsample: str = "mean",
    factors: int | tuple[int, int, int] | str | None = None,
    sample: int | None = None,
    from_report: PathLike | None = None,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "Report":
    """Convert a stack of JP2 or TIFF slices to an OME-Zarr pyramid, in one sweep.

    Each slice is decoded once, and each chunk of each level is written once. The memory of the
    process stays within the budget.

    Parameters
    ----------
    src
        A folder of .jp2 .j2k .jpx .jph .tif .tiff slices, a glob pattern, or a multi-page TIFF; an
        OME-Zarr image, whose level 0 is read; or a zarr array, such as ``brain.zarr/1``.
    dst
        The folder to make; its metadata is written last.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Report
        Levels, measurements, time and memory.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.
    SourceError
        If slices are missing, differ or can't be read.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the output exists or can't be written, or a disk is full.

    Examples
    --------
    >>> report = hc.stack_to_omezarr("slices/", "brain.zarr", ops="gaussian 1.5", chunks=8)
    >>> report.shape, len(report.levels), report.measured <= report.budget
    ((8, 16, 16), 2, True)
    """
    from hoaconv.job.conversion import conversion  # noqa: PLC0415 - numba takes longer than help

    options = locals()
    return conversion(options).run(progress=watcher)


@explained_by(Chain, Labels, Reading, Voxels, OmeZarr, Values, Running)
def plan(
    src: PathLike,
    dst: PathLike | None = None,
    *,
    ops: "str | Sequence[Any]" = "",
    ops_module: PathLike | None = None,
    label: "Mapping[str, Any] | Sequence[str]" = (),
    also: "Mapping[str, Any] | Sequence[str]" = (),
    range: slice | str | None = None,
    level: int | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    series: int | None = None,
    rgb: str | None = None,
    shape: tuple[int, int, int] | str | None = None,
    dtype: str | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    append: "PathLike | Sequence[PathLike]" = (),
    missing: str = "fill",
    reduce: int = 1,
    decoder: str = "openjpeg",
    credentials: str | None = None,
    voxel_size: float | tuple[float, float, float] | str | None = None,
    unit: str | None = None,
    orientation: str | tuple[str, str, str] | None = None,
    chunks: int | tuple[int, int, int] | str | None = None,
    shards: int | tuple[int, int, int] | str | None = None,
    ngff: str = "0.5",
    compressor: str = "blosc-zstd:1:shuffle",
    name: str | None = None,
    overwrite: bool = False,
    levels: int | None = None,
    from_level: int = 0,
    downsample: str = "mean",
    factors: int | tuple[int, int, int] | str | None = None,
    sample: int | None = None,
    from_report: PathLike | None = None,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "RunPlan":
    """Return the plan of `stack_to_omezarr` with the same options; nothing is written.

    There is a plan if the source can be read and the options are understood. If this machine can't
    run it (memory, disk space, an output that exists), `RunPlan.refusals` say why. To estimate the
    time, a slice for each worker, at least three, is decoded, and a few chunks are compressed.

    Parameters
    ----------
    src
        A folder of slices, a glob pattern, a multi-page TIFF, an OME-Zarr image or a zarr array, as
        for `stack_to_omezarr`.
    dst
        The folder that would be made; by default one beside the source.
    watcher
        Receives notes; by default they aren't shown.

    Returns
    -------
    RunPlan
        Sweeps, memory in bytes, and time in seconds.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.
    SourceError
        If slices are missing, differ or can't be read.
    PlanError
        If an op can't be applied to its input.

    Examples
    --------
    >>> plan = hc.plan("slices/", ops="median 3", budget="2GiB")
    >>> plan.can_run, len(plan.sweeps), plan.projected <= 2 * 1024**3
    (True, 1, True)
    """
    from hoaconv.job.conversion import conversion  # noqa: PLC0415 - as above
    from hoaconv.job.paths import planned_path  # noqa: PLC0415 - as above

    options = locals()
    dst = planned_path(src) if dst is None else dst
    return conversion({**options, "dst": dst}, planning=True).plan(progress=watcher or False)


@explained_by(Chain, Reading, Running, Measuring)
def stats(
    src: PathLike,
    *,
    ops: "str | Sequence[Any]" = "",
    ops_module: PathLike | None = None,
    range: slice | str | None = None,
    level: int | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    series: int | None = None,
    rgb: str | None = None,
    shape: tuple[int, int, int] | str | None = None,
    dtype: str | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    append: "PathLike | Sequence[PathLike]" = (),
    missing: str = "fill",
    reduce: int = 1,
    decoder: str = "openjpeg",
    credentials: str | None = None,
    sample: int | None = None,
    plot: PathLike | None = None,
    budget: int | str | None = None,
    workers: int | None = None,
    watcher: "Watcher | None" = None,
) -> "Statistics":
    """Measure a volume in one sweep, and write nothing.

    Number, minimum, maximum, mean, standard deviation, sum, zeros and saturated voxels are exact,
    or exact results rounded once. For integers of up to 16 bits, percentiles, thresholds and the
    histogram are exact too. For other dtypes they come from bins whose width is at most 1/128 of
    the value.

    Parameters
    ----------
    src
        A folder of slices, a glob pattern, a multi-page TIFF, an OME-Zarr image or a zarr array, as
        for `stack_to_omezarr`.
    ops
        Ops to apply before the voxels are measured, as text, such as ``"gaussian 1.5"``, or as a
        list of ops or texts. None of them may be a measurement.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Statistics
        The numbers of the voxels behind the ops.

    Raises
    ------
    SpellingError
        If an option doesn't take its value, or matplotlib is missing for a plot.
    SourceError
        If slices are missing, differ or can't be read.
    PlanError
        If an op can't be applied to its input, or a sample can't be measured behind it.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the plot can't be written.

    Examples
    --------
    >>> found = hc.stats("slices/")
    >>> found.min, found.max, found.percentiles["p50"]
    (0, 715, 315)
    >>> hc.stats("slices/", ops="crop :,:,8:", sample=4).slices_measured
    4
    """
    from hoaconv.job.measurement import measurement  # noqa: PLC0415 - as above

    return measurement(locals())


def list_ops(
    name: str | None = None, *, ops_module: PathLike | None = None
) -> Mapping[str, Mapping[str, Any]]:
    """Return ops by their words: summary, explanation, usage, example, parameters.

    Parameters
    ----------
    name
        Word of one op; by default all ops are returned.
    ops_module
        A Python file that declares ops of your own. It is run.

    Raises
    ------
    SpellingError
        If there is no op of this name.

    Examples
    --------
    >>> list_ops("threshold")["threshold"]["usage"]
    'threshold VALUE'
    """
    from hoaconv.job.paths import take_module  # noqa: PLC0415 - as above
    from hoaconv.ops import catalogue, own  # noqa: PLC0415 - as above

    if ops_module is not None:
        own.load_ops(take_module(ops_module))
    words = catalogue.catalogue() if name is None else [catalogue.lookup(name).word]
    return {
        word: {
            "summary": catalogue.summary(word),
            "explanation": catalogue.explanation(word),
            "usage": catalogue.usage(word),
            "example": catalogue.example(word),
            "parameters": [asdict(parameter) for parameter in catalogue.describe(word)],
        }
        for word in words
    }
