"""The verbs that look at a volume, or take a part of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hoaconv.job.declared import PathLike, explained_by
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import Cutting, Reading, Running, Voxels
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.job.info import Info, Infos
    from hoaconv.job.report import Report

__all__ = ["cutout", "info"]


@explained_by(Reading)
def info(
    path: PathLike,
    *,
    shape: int | tuple[int, int, int] | str | None = None,
    dtype: str | None = None,
    credentials: str | None = None,
) -> "Info | Infos":
    """Tell how a volume is stored: format, shape, chunks, levels, voxel size, files, advice.

    Headers and sizes of files are read, no voxel is decoded. Files of large stores are looked at
    for two seconds a level; what is then estimated is told to be.

    Parameters
    ----------
    path
        A store, an array, a file or a stack of slices, as for `stack_to_omezarr`; or a folder of
        stores.

    Returns
    -------
    Info or Infos
        The facts of one volume; or, of a folder of stores, those of all of them.

    Raises
    ------
    SourceError
        If there is nothing that can be read.

    Examples
    --------
    >>> report = hc.stack_to_omezarr("slices/", "brain.zarr", chunks=8, voxel_size=20)
    >>> found = hc.info("brain.zarr")
    >>> found["format"], found["shape"], found["voxel_size"], found["missing"]
    ('OME-Zarr 0.5, zarr v3', [8, 16, 16], [20.0, 20.0, 20.0], 0)
    """
    from hoaconv.job.info import info_of  # noqa: PLC0415 - numba takes longer than help

    return info_of(path, Reading(shape=shape, dtype=dtype, credentials=credentials))


@explained_by(Cutting, Reading, Voxels, OmeZarr, Running)
def cutout(
    src: PathLike,
    box: "str | Sequence[Any]",
    dst: PathLike,
    *,
    fill: float | None = None,
    level: int | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    series: int | None = None,
    rgb: str | None = None,
    shape: int | tuple[int, int, int] | str | None = None,
    dtype: str | None = None,
    append: "PathLike | Sequence[PathLike]" = (),
    missing: str = "fill",
    credentials: str | None = None,
    voxel_size: float | tuple[float, float, float] | str | None = None,
    unit: str | None = None,
    orientation: str | tuple[str, str, str] | None = None,
    chunks: int | tuple[int, int, int] | str | None = None,
    shards: int | tuple[int, int, int] | str | None = None,
    ngff: str = "0.5",
    compressor: str | None = None,
    name: str | None = None,
    overwrite: bool = False,
    levels: int | None = None,
    downsample: str = "mean",
    factors: int | tuple[int, int, int] | str | None = None,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "Report":
    """Write a box of a volume; of a chunked store only the chunks that it touches are read.

    The origin of what is written says where the box lay.

    Parameters
    ----------
    src
        A store, an array, a file or a stack of slices, as for `stack_to_omezarr`.
    box
        Where it begins and ends along z, y and x, as ``"100:356,0:256,:"``, or three slices. A
        number counts voxels from the first one; one below 0 lies before it. An end with a unit, as
        in ``"2mm:3mm,:,:"``, is a place in the coordinate system of the volume: voxels whose centre
        lies there, or behind, and before the other end are taken.
    dst
        An OME-Zarr image to make, ending in ``.zarr``; a file ending in ``.tif`` or ``.npy``; a
        folder of TIFF slices; or another output that `convert` knows.
    compressor
        As of `convert`.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Report
        Size of the output, time and memory.

    Raises
    ------
    SpellingError
        If the box or an option isn't understood.
    SourceError
        If the source can't be read.
    PlanError
        If the box goes beyond the volume, and `fill` isn't given.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the output exists or can't be written.

    Examples
    --------
    >>> report = hc.cutout("slices/", "2:6,:,4:12", "part.zarr", chunks=4, voxel_size=2)
    >>> report.shape, hc.open("part.zarr").origin
    ((4, 16, 8), (4.0, 0.0, 8.0))
    >>> hc.cutout("part.zarr", "6um:20um,0um:4um,:", "small.npy", fill=0).shape
    (7, 2, 8)
    """
    from hoaconv.job.cutout import cutout as cut  # noqa: PLC0415 - as above

    options = locals()
    return cut(options, watcher)
