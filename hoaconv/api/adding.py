"""Verbs that add something to a store that is there: levels, or a label image."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hoaconv.job.adding import AddedLabel, AddedLevels, Adding
from hoaconv.job.declared import PathLike, explained_by
from hoaconv.job.options import Chain, Reading, Running, Values
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.job.report import Report
    from hoaconv.job.run_plan import RunPlan

__all__ = ["add_labels", "add_pyramid", "plan_addition"]


@explained_by(Adding, AddedLevels, Running)
def add_pyramid(
    store: PathLike,
    *,
    chunks: int | tuple[int, int, int] | str | None = None,
    shards: int | tuple[int, int, int] | str | None = None,
    compressor: str | None = None,
    overwrite: bool = False,
    levels: int | None = None,
    downsample: str | None = None,
    factors: int | tuple[int, int, int] | str | None = None,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "Report":
    """Add the smaller levels to an OME-Zarr image, or to an array, in one sweep over level 0.

    Level 0 isn't touched. The new levels are the same, bit by bit, as those that
    `stack_to_omezarr` makes. Until all is written, the store stays as it is; a run that fails
    leaves nothing.

    Parameters
    ----------
    store
        An OME-Zarr image (0.4 or 0.5) with too few levels, or a zarr array (z, y, x) in a group,
        which becomes level 0 of an image there.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Report
        The levels that were added, time and memory.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.
    SourceError
        If there is no such array, or it can't be read.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If nothing can be added to the store, another run is at work there, or a disk is full.

    Examples
    --------
    >>> hc.stack_to_omezarr("slices/", "brain.zarr", chunks=8, levels=1).levels[0]["level"]
    0
    >>> [level["shape"] for level in hc.add_pyramid("brain.zarr").levels]
    [(4, 8, 8)]
    """
    from hoaconv.job.additions import adding_levels  # noqa: PLC0415 - numba takes longer

    return adding_levels(locals()).run(progress=watcher)


@explained_by(Chain, Reading, Adding, AddedLabel, Values, Running)
def add_labels(
    store: PathLike,
    src: PathLike,
    *,
    name: str | None = None,
    ops: "str | Sequence[Any]" = "",
    ops_module: PathLike | None = None,
    range: slice | str | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    append: "PathLike | Sequence[PathLike]" = (),
    missing: str = "fill",
    reduce: int = 1,
    decoder: str = "openjpeg",
    credentials: str | None = None,
    chunks: int | tuple[int, int, int] | str | None = None,
    shards: int | tuple[int, int, int] | str | None = None,
    compressor: str | None = None,
    overwrite: bool = False,
    sample: int | None = None,
    from_report: PathLike | None = None,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "Report":
    """Add a segmentation to an OME-Zarr image, as a label image under ``labels/``.

    It has as many levels as the image, made by ``mode``, and lies where the image lies. Its colors
    are those of the labels that occur, of the 1024 smallest of them. Until all is written, the
    store and its list of labels stay as they are; a run that fails leaves nothing.

    Parameters
    ----------
    store
        An OME-Zarr image (0.4 or 0.5) with the axes z, y, x.
    src
        The segmentation: any volume that `stack_to_omezarr` reads, of whole numbers once `ops` are
        applied. It has the shape of the image, or of one of its levels.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Report
        Levels of the label image, time and memory.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.
    SourceError
        If the segmentation can't be read.
    PlanError
        If its shape is that of no level, or its voxels aren't whole numbers.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If there is a label image of this name, another run is at work there, or a disk is full.

    Examples
    --------
    >>> hc.stack_to_omezarr("slices/", "brain.zarr", chunks=8).output
    'brain.zarr'
    >>> report = hc.add_labels("brain.zarr", "slices/", name="bright", ops="threshold 400")
    >>> report.output, len(report.levels)
    ('brain.zarr/labels/bright', 2)
    """
    from hoaconv.job.additions import adding_label  # noqa: PLC0415 - as above

    return adding_label(locals()).run(progress=watcher)


def plan_addition(
    verb: "Callable[..., Report]", options: "Mapping[str, Any]", watcher: "Watcher | None" = None
) -> "RunPlan":
    """Return the plan of a verb of this module with its options; nothing is written.

    Parameters
    ----------
    verb
        `add_pyramid` or `add_labels`.
    options
        Its parameters by name.
    watcher
        Receives notes; by default they aren't shown.

    Raises
    ------
    SpellingError, SourceError, PlanError, StoreError
        As the verb does; what only this machine refuses is told by the plan.

    Examples
    --------
    >>> from hoaconv.api.adding import plan_addition
    >>> hc.stack_to_omezarr("slices/", "brain.zarr", chunks=8, levels=1).output
    'brain.zarr'
    >>> plan_addition(hc.add_pyramid, {"store": "brain.zarr"}).can_run
    True
    """
    from hoaconv.job.additions import adding_label, adding_levels  # noqa: PLC0415 - as above

    job = adding_levels(options) if verb is add_pyramid else adding_label(options)
    return job.plan(progress=watcher or False)
