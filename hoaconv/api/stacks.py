"""The verb that writes a volume as a stack of slices."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hoaconv.job.declared import PathLike, explained_by
from hoaconv.job.options import Chain, Reading, Running, Values, Voxels
from hoaconv.job.stack import Stack
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.job.report import Report
    from hoaconv.job.run_plan import RunPlan

__all__ = ["omezarr_to_stack", "plan_stack"]


@explained_by(Chain, Reading, Voxels, Stack, Values, Running)
def omezarr_to_stack(
    src: PathLike,
    dst: PathLike,
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
    voxel_size: float | tuple[float, float, float] | str | None = None,
    unit: str | None = None,
    format: str | None = None,
    pattern: str | None = None,
    compression: str | None = None,
    tile: int | tuple[int, int] | str | None = None,
    strip: int | None = None,
    ratio: float | None = None,
    resolutions: int | None = None,
    overwrite: bool = False,
    sample: int | None = None,
    from_report: PathLike | None = None,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "Report":
    """Convert an OME-Zarr image to a stack of TIFF, JP2 or PNG slices, or to one TIFF file.

    Each chunk is decoded once, and each plane is encoded whole, several at once. TIFF, PNG, and JP2
    without `ratio` hold the voxels exactly. The memory of the process stays within the budget.

    Parameters
    ----------
    src
        An OME-Zarr image, whose level 0 is read; a zarr array, such as ``brain.zarr/1``; a folder
        of slices, a glob pattern, or a multi-page TIFF.
    dst
        The folder of slices to make; or a file that ends in ``.tif`` or ``.ome.tif``.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Report
        Files, measurements, time and memory.

    Raises
    ------
    SpellingError
        If an option doesn't take its value, or the format doesn't have it.
    SourceError
        If the source can't be read.
    PlanError
        If the format doesn't hold voxels of the volume's dtype, or an op can't be applied.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the output exists or can't be written, or a disk is full.

    Examples
    --------
    >>> _ = hc.stack_to_omezarr("slices/", "brain.zarr", chunks=8, voxel_size=2)
    >>> report = hc.omezarr_to_stack("brain.zarr", "small/", level=1, format="jp2")
    >>> report.files, hc.open("small/")
    (4, Volume(4 x 8 x 8 uint16, 4 micrometer))
    >>> hc.omezarr_to_stack("brain.zarr", "brain.ome.tif", compression="deflate").files
    1
    """
    from hoaconv.job.conversion import conversion  # noqa: PLC0415 - numba takes longer than help

    options = locals()
    return conversion(options, Stack).run(progress=watcher)


def plan_stack(options: Mapping[str, Any], watcher: "Watcher | None" = None) -> "RunPlan":
    """Return the plan of `omezarr_to_stack` with its options, by their names; nothing is written.

    Raises
    ------
    SpellingError, SourceError, PlanError
        As `omezarr_to_stack` does. What this machine refuses is told in the plan.
    """
    from hoaconv.job.conversion import conversion  # noqa: PLC0415 - as above

    return conversion(options, Stack, planning=True).plan(progress=watcher or False)
