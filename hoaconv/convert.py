"""The verbs: what hoaconv does, as functions. The command line is made from their signatures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from hoaconv.engine.contract import Step
from hoaconv.engine.schedule import Schedule, Sweep
from hoaconv.report import Report, Statistics, Watcher
from hoaconv.words import PathLike, Word

if TYPE_CHECKING:
    from hoaconv.conversion import Conversion

__all__ = ["Schedule", "Sweep", "Word", "list_ops", "plan", "stack_to_omezarr", "stats"]

Source = Annotated[
    PathLike, Word("folder of slices, quoted glob, multi-page TIFF, OME-Zarr or zarr array")
]
Ops = Annotated[
    str | Sequence[Step],
    Word("ops to apply on the way, such as 'gaussian 1.5 | threshold 20000'", "Ops", "OPS"),
]
OpsModule = Annotated[PathLike | None, Word("Python file with ops of your own", "Ops", "FILE")]
Range = Annotated[
    str | slice | None,
    Word("slices to take, START:STOP:STEP as in Python; default all", "Input", "RANGE"),
]
AllowGaps = Annotated[bool, Word("accept missing numbers among the slices", "Input")]
AllowNames = Annotated[
    bool, Word("take all images, even if some names don't fit the others", "Input")
]
Reduce = Annotated[
    int,
    Word("decode JP2 at 1/N of its width and height: 2, 4, 8, ... for previews", "Input", "N"),
]
Decoder = Annotated[
    str, Word("what decodes JP2 slices: openjpeg, or nvimgcodec, on a GPU", "Input", "NAME")
]
FreeOutput = Annotated[PathLike | None, Word("the OME-Zarr that would be made; default beside SRC")]
Budget = Annotated[
    str | int | None,
    Word("memory that the process may hold; default 60 % of what is free", "Run", "BYTES"),
]
Workers = Annotated[int | None, Word("threads; default all CPUs of this process", "Run", "N")]


def stack_to_omezarr(
    src: Source,
    dst: Annotated[PathLike, Word("the OME-Zarr to make, such as brain.zarr")],
    *,
    ops: Ops = "",
    ops_module: OpsModule = None,
    label: Annotated[
        Mapping[str, Any] | Sequence[str],
        Word(
            'also write a label image: NAME="gaussian 1.5 | threshold 20000"; repeatable',
            "Ops",
            'NAME="OPS"',
        ),
    ] = (),
    also: Annotated[
        Mapping[str, Any] | Sequence[str],
        Word('also write another image: OTHER.zarr="OPS"; repeatable', "Ops", 'PATH="OPS"'),
    ] = (),
    range: Range = None,
    allow_gaps: AllowGaps = False,
    allow_names: AllowNames = False,
    reduce: Reduce = 1,
    decoder: Decoder = "openjpeg",
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
        Word("unit of --voxel-size; default micrometer", "Input", "UNIT"),
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
            "shard shape z,y,x, or none; default one chunk thick and 1024 wide, none for NGFF 0.4",
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
            "downsampling per level, z,y,x; default 2; axes with longer voxels are halved later",
            "Pyramid",
            "FACTORS",
        ),
    ] = None,
    budget: Budget = None,
    sample: Annotated[
        int | None,
        Word("slices that values such as Otsu's threshold come from; default all", "Ops", "N"),
    ] = None,
    from_report: Annotated[
        PathLike | None,
        Word("report of an earlier run, to take such values from", "Ops", "FILE"),
    ] = None,
    exact: Annotated[bool, Word("do not merge ops (as two gaussians into one)", "Ops")] = False,
    scratch: Annotated[
        PathLike | None,
        Word("where to keep what doesn't fit in memory; default inside the output", "Run", "DIR"),
    ] = None,
    workers: Workers = None,
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
    exact
        Whether ``gaussian 1 | gaussian 2`` stays two ops, instead of the one that differs by less
        than 3e-4 of the data's range.
    scratch
        A folder where layers wait that the budget has no room for; it is left as it was. What is
        put there is packed, and removed whether the run succeeds or fails.
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
        If the output exists or can't be written, or scratch finds no place on its disk.

    Examples
    --------
    >>> import hoaconv
    >>> hoaconv.stack_to_omezarr("slices/", "brain.zarr", ops="gaussian 1.5")  # doctest: +SKIP
    """
    return _prepared(locals()).run()


def _prepared(options: Mapping[str, Any]) -> "Conversion":
    """Prepare a conversion; numpy's arrays and numbers count as Python's."""
    from hoaconv.conversion import prepare  # noqa: PLC0415 - numba takes longer than all help

    plain = _plain(options)
    return prepare(plain, _given(plain))


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: o if name in ("src", "dst") else getattr(o, "tolist", lambda o=o: o)()
        for name, o in options.items()
    }


R = TypeVar("R")


def _as_stack_to_omezarr(function: Callable[..., R]) -> Callable[..., R]:
    """Give a function the parameters of `stack_to_omezarr`; the output may be left out."""
    verb, made = signature(stack_to_omezarr), function.__annotations__["return"]
    dst = verb.parameters["dst"].replace(default=None, annotation=FreeOutput)
    taken = {**verb.parameters, "dst": dst}
    own = verb.replace(parameters=list(taken.values()), return_annotation=made)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> R:
        bound = own.bind(*args, **kwargs)
        bound.apply_defaults()
        return function(bound.arguments)

    call.__annotations__ = {n: p.annotation for n, p in taken.items()} | {"return": made}
    call.__signature__ = own  # type: ignore[attr-defined]
    return call


@_as_stack_to_omezarr
def plan(options: Mapping[str, Any]) -> Schedule:
    """Return the schedule of `stack_to_omezarr` with the same options, without running it.

    `dst` may be left out: the plan is then that of an output beside the source. Nothing
    is written. A slice for each worker, or three, are decoded and a few chunks packed, for an
    estimate of how long the run will take. Raises what the run would raise by then.
    """
    from hoaconv.engine import machine  # noqa: PLC0415 - as above
    from hoaconv.engine.estimate import estimate  # noqa: PLC0415 - as above
    from hoaconv.paths import planned_path  # noqa: PLC0415 - as above

    dst = options["dst"]
    made = _prepared({**options, "dst": planned_path(options["src"]) if dst is None else dst})
    machine.begin_libraries()  # a few chunks are packed
    return replace(made.schedule, estimate=estimate(made.schedule))


def stats(
    src: Source,
    *,
    ops: Ops = "",
    ops_module: OpsModule = None,
    range: Range = None,
    allow_gaps: AllowGaps = False,
    allow_names: AllowNames = False,
    reduce: Reduce = 1,
    decoder: Decoder = "openjpeg",
    sample: Annotated[
        int | None, Word("slices to measure, drawn at random along z; default all", "Input", "N")
    ] = None,
    plot: Annotated[
        PathLike | None, Word("draw the histogram here, as PNG", "Output", "FILE")
    ] = None,
    budget: Budget = None,
    workers: Workers = None,
    watcher: Watcher | None = None,
) -> Statistics:
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
    from hoaconv.measurement import measure  # noqa: PLC0415 - numba takes longer than all help

    return measure(_plain(locals()))


def list_ops(
    name: Annotated[str | None, Word("op to explain; default all, a line each", "", "NAME")] = None,
    *,
    ops_module: OpsModule = None,
) -> Mapping[str, Mapping[str, Any]]:
    """Ops by their words: summary, explanation, usage, example, parameters.

    Raises
    ------
    SpellingError
        If there is no op of this name.
    """
    from hoaconv.ops import catalogue, own  # noqa: PLC0415 - as above
    from hoaconv.paths import take_module  # noqa: PLC0415 - as above

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


def _as_json(value: Any) -> Any:
    """Return an option's value as JSON takes it; lists and mappings stay what they are."""
    if isinstance(value, Mapping):
        return {str(name): _as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    return value if isinstance(value, str | int | float) else str(value)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as JSON takes them: what the output tells of how it was made."""
    left_out = {"src", "dst", "ops", "watcher", "report", "scratch"}
    defaults = {name: p.default for name, p in signature(stack_to_omezarr).parameters.items()}
    return {
        name: _as_json(value)
        for name, value in options.items()
        if name not in left_out and value != defaults[name] and (value or defaults[name])
    }
