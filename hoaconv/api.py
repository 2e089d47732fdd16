"""The verbs: functions that build a job from options and run it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hoaconv.job.declared import PathLike
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.engine.contract import Step
    from hoaconv.job.report import Report
    from hoaconv.job.run_plan import RunPlan
    from hoaconv.job.statistics_report import Statistics

__all__ = ["list_ops", "plan", "stack_to_omezarr", "stats"]


def stack_to_omezarr(
    src: PathLike,
    dst: PathLike,
    *,
    ops: "str | Sequence[Step | str]" = "",
    ops_module: PathLike | None = None,
    label: Mapping[str, Any] | Sequence[str] = (),
    also: Mapping[str, Any] | Sequence[str] = (),
    range: str | slice | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    decoder: str = "openjpeg",
    voxel_size: str | float | Sequence[float] | None = None,
    unit: str | None = None,
    chunks: str | int | Sequence[int] | None = None,
    shards: str | int | Sequence[int] | None = None,
    ngff: str = "0.5",
    compressor: str = "blosc-zstd:1:shuffle",
    name: str | None = None,
    overwrite: bool = False,
    levels: int | None = None,
    downsample: str = "mean",
    factors: str | int | Sequence[int] | None = None,
    sample: int | None = None,
    from_report: PathLike | None = None,
    budget: str | int | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: Watcher | None = None,
) -> "Report":
    """Convert a stack of JP2 or TIFF slices to an OME-Zarr pyramid, in one sweep.

    Each slice is decoded once, each chunk of each level written once, within the budget.

    Parameters
    ----------
    src
        A folder of .jp2 .j2k .jpx .tif .tiff slices, a glob, or a multi-page TIFF; an OME-Zarr
        image, of which level 0 is taken, or a zarr array, as in ``brain.zarr/1``.
    dst
        The folder to make; its metadata is written last.
    ops
        Ops in the command line's spelling or as objects; see ``hoaconv ops``.
    ops_module
        A Python file that declares ops; see ``examples/your_own_op.py``. It is run.
    label, also
        More outputs of the same sweep, ops by name or path: label images under ``labels/``, and
        other images. Their ops begin at the slices, as `ops` does; what they share is done once.
    range
        Slices to take, in natural order; of a zarr array, planes.
    allow_gaps
        Whether numbers may be missing among the slices.
    allow_names
        Whether all images of the folder or glob are slices, even if their names are those of
        several stacks, or some don't fit the others.
    reduce
        JP2 slices are decoded at 1 / `reduce` of their width and height, as their wavelet holds
        them, which takes a small part of the time: a preview, with every eighth slice taken too.
    decoder
        What decodes JP2 slices: ``openjpeg`` on the CPUs, or ``nvimgcodec`` on a GPU, which has to
        be installed and to find one: nothing stands in for it.
    voxel_size, unit
        Edge of a voxel as stored, zyx. Wins over what the files say. What `range` steps over and
        `reduce` leaves out makes the voxels written larger.
    chunks, shards
        Voxels, zyx. ``shards="none"`` makes every chunk a file.
    ngff, compressor, name, overwrite
        Of the output.
    levels, downsample, factors
        Of the pyramid.
    budget, workers
        Bytes that the process may hold, interpreter included; threads.
    sample
        Values of the whole volume that ops need, such as Otsu's threshold, come from so many
        slices, drawn at random along z; the report tells the confidence intervals.
    from_report
        The report of an earlier run, which such values are taken from instead.
    scratch
        A folder where layers wait that the budget has no room for; it is left as it was. What is
        put there is packed, and removed whether the run succeeds or fails.
    report
        Where to write the report as JSON.
    watcher
        Gets told of notes and progress; by default they are shown in a notebook and on a terminal.

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
        If the output exists or can't be written, or scratch finds no place on its disk.

    Examples
    --------
    >>> import hoaconv
    >>> hoaconv.stack_to_omezarr("slices/", "brain.zarr", ops="gaussian 1.5")  # doctest: +SKIP
    """
    from hoaconv.job.conversion import conversion  # noqa: PLC0415 - numba takes longer than help

    options = locals()
    return conversion(options).run(progress=watcher)


def plan(
    src: PathLike,
    dst: PathLike | None = None,
    *,
    ops: "str | Sequence[Step | str]" = "",
    ops_module: PathLike | None = None,
    label: Mapping[str, Any] | Sequence[str] = (),
    also: Mapping[str, Any] | Sequence[str] = (),
    range: str | slice | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    decoder: str = "openjpeg",
    voxel_size: str | float | Sequence[float] | None = None,
    unit: str | None = None,
    chunks: str | int | Sequence[int] | None = None,
    shards: str | int | Sequence[int] | None = None,
    ngff: str = "0.5",
    compressor: str = "blosc-zstd:1:shuffle",
    name: str | None = None,
    overwrite: bool = False,
    levels: int | None = None,
    downsample: str = "mean",
    factors: str | int | Sequence[int] | None = None,
    sample: int | None = None,
    from_report: PathLike | None = None,
    budget: str | int | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: Watcher | None = None,
) -> "RunPlan":
    """Return how `stack_to_omezarr` would run with the same options, without running it.

    It always answers if the source can be read and the options are understood: where the run can't
    be done on this machine (memory, disk space, an output that exists), `RunPlan.refusals` says
    why. Nothing is written. A slice for each worker, or three, are decoded and a few chunks packed,
    to estimate how long the run will take.

    Parameters
    ----------
    src
        As of `stack_to_omezarr`.
    dst
        The output; by default one beside the source.
    **options
        As of `stack_to_omezarr`.

    Raises
    ------
    SpellingError
        For an option that isn't understood.
    SourceError
        If slices are missing, differ or can't be read.
    PlanError
        If an op can't take what it gets.
    """
    from hoaconv.job.conversion import conversion  # noqa: PLC0415 - as above
    from hoaconv.job.paths import planned_path  # noqa: PLC0415 - as above

    options = locals()
    dst = planned_path(src) if dst is None else dst
    return conversion({**options, "dst": dst}, planning=True).plan(progress=watcher or False)


def stats(
    src: PathLike,
    *,
    ops: "str | Sequence[Step | str]" = "",
    ops_module: PathLike | None = None,
    range: str | slice | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    decoder: str = "openjpeg",
    sample: int | None = None,
    plot: PathLike | None = None,
    budget: str | int | None = None,
    workers: int | None = None,
    watcher: Watcher | None = None,
) -> "Statistics":
    """Measure a volume in one sweep, and write nothing.

    Least, greatest, mean, standard deviation, sum, zeros and saturated voxels are exact, or exact
    results rounded once; so are percentiles, thresholds and the histogram of integers of up to 16
    bits. Of other dtypes these come from bins, 1/128 of a value wide at the most.

    Parameters
    ----------
    src, range, allow_gaps, allow_names, decoder, budget, workers, watcher
        As of `stack_to_omezarr`.
    reduce
        Measure JP2 slices at 1 / `reduce` of their width and height, which is soon done; what
        comes out is approximate, and says so.
    ops, ops_module
        What to do to the slices before they are measured. None of them may measure itself.
    sample
        Measure so many slices, one drawn at random from each of as many equal parts of the stack;
        the report tells confidence intervals of about 95 %, for which it is slices, not voxels,
        that count as drawn. An interval of no width tells only that the drawn slices agree. A few
        slices that differ much from all others are likely to be missed, and then no interval
        covers them: sample more, or measure all.
    plot
        Where to draw the histogram as a PNG file; needs matplotlib.

    Returns
    -------
    Statistics

    Raises
    ------
    SpellingError
        For an option that isn't understood; for a plot without matplotlib.
    SourceError
        If slices are missing, differ or can't be read.
    PlanError
        If an op can't take what it gets, or a sample can't be measured behind it.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the plot can't be written.

    Examples
    --------
    >>> import hoaconv
    >>> hoaconv.stats("slices/").percentiles["p50"]  # doctest: +SKIP
    """
    from hoaconv.job.measurement import measurement  # noqa: PLC0415 - as above

    return measurement(locals())


def list_ops(
    name: str | None = None, *, ops_module: PathLike | None = None
) -> Mapping[str, Mapping[str, Any]]:
    """Ops by their words: summary, explanation, usage, example, parameters.

    Raises
    ------
    SpellingError
        If there is no op of this name.
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
