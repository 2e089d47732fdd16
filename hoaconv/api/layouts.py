"""The verbs that write a volume in another layout, whatever it lies in."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hoaconv.job.declared import PathLike, explained_by
from hoaconv.job.hdf5 import Hdf5
from hoaconv.job.n5 import N5
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import Chain, Labels, Reading, Running, Turning, Values, Voxels
from hoaconv.job.precomputed import Precomputed
from hoaconv.job.stack import Stack
from hoaconv.job.watching import Watcher
from hoaconv.job.zarr_output import Zarr

if TYPE_CHECKING:
    from hoaconv.job.pack import Packed
    from hoaconv.job.rechunk_report import Rechunked
    from hoaconv.job.report import Report

__all__ = ["convert", "transpose"]


@explained_by(Turning, Reading, Voxels, OmeZarr, Running)
def transpose(
    src: PathLike,
    dst: PathLike,
    *,
    order: str | None = None,
    range: slice | str | None = None,
    level: int | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    series: int | None = None,
    rgb: str | None = None,
    shape: int | tuple[int, int, int] | str | None = None,
    dtype: str | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    append: "PathLike | Sequence[PathLike]" = (),
    missing: str = "fill",
    credentials: str | None = None,
    reduce: int = 1,
    decoder: str = "openjpeg",
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
    """Write a volume with its axes in another order.

    A chunked array is swept once along another of its axes; each chunk is read once. Slices are
    first written to chunks in scratch, uncompressed or nearly so, which takes two sweeps and the
    space on disk. Voxel size and origin go with their axes.

    Parameters
    ----------
    src
        A store, an array, a file or a stack of slices, as for `stack_to_omezarr`.
    dst
        An OME-Zarr image to make, ending in ``.zarr``; a file ending in ``.tif``; a folder of TIFF
        slices; or another output that `convert` knows.
    compressor
        As of `convert`.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Report
        Size of the output, time and memory, of the last sweep.

    Raises
    ------
    SpellingError
        If the order or an option isn't understood.
    SourceError
        If the source can't be read.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the output exists or can't be written, or a disk is full.

    Examples
    --------
    >>> hc.transpose("slices/", "turned.zarr", order="yxz", chunks=8).shape
    (16, 16, 8)
    >>> hc.transpose("turned.zarr", "back.zarr", order="xzy", chunks=8).shape
    (8, 16, 16)
    >>> bool((hc.open("back.zarr").compute() == hc.open("slices/").compute()).all())
    True
    """
    from hoaconv.job.transposing import transpose as turn  # noqa: PLC0415 - numba takes long

    options = locals()
    return turn(options, watcher)


@explained_by(
    Chain, Labels, Reading, Voxels, Hdf5, Zarr, Precomputed, N5, Stack, OmeZarr, Values, Running
)
def convert(
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
    shape: int | tuple[int, int, int] | str | None = None,
    dtype: str | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    append: "PathLike | Sequence[PathLike]" = (),
    missing: str = "fill",
    credentials: str | None = None,
    reduce: int = 1,
    decoder: str = "openjpeg",
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
    format: str | None = None,
    pattern: str | None = None,
    compression: str | None = None,
    tile: int | tuple[int, int] | str | None = None,
    strip: int | None = None,
    ratio: float | None = None,
    resolutions: int | None = None,
    zarr_format: str | int = "3",
    dataset: str = "/entry/data/data",
    encoding: str = "raw",
    sample: int | None = None,
    from_report: PathLike | None = None,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "Report | Rechunked | Packed":
    """Convert a volume: what `src` is and what `dst` is called say how.

    A `dst` that ends in ``.zarr`` is made as by `stack_to_omezarr`; if `src` is an OME-Zarr image
    with several levels, and only options of storage are given, as by `rechunk`. A `dst` that ends
    in ``.tif``, and a folder without a suffix, are made as by `omezarr_to_stack`. One that ends in
    ``.h5`` is a `Hdf5` file, one that ends in ``.n5`` a `N5` image, ``zarr://PATH`` a plain `Zarr`
    array, and ``precomputed://PATH`` a `Precomputed` volume. One that ends in ``.ozx`` is an
    OME-Zarr image that is written in scratch and then packed as by `pack`. Options of other kinds
    are refused.

    Parameters
    ----------
    src
        A store, an array, a file or a stack of slices, as for `stack_to_omezarr`.
    dst
        The output to make; its suffix says what it is, or a scheme, as in ``zarr://brain``.
    compressor
        ``zstd:3``, ``blosc-zstd:1:shuffle``, ``lz4``, ``gzip:5`` or ``none``; by default that of
        the kind of output.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Report, Rechunked or Packed
        Size of the output, measurements, time and memory.

    Raises
    ------
    SpellingError
        If an option doesn't take its value, or the suffix of `dst` is that of no output.
    SourceError
        If the source can't be read.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the output exists or can't be written, or a disk is full.

    Examples
    --------
    >>> hc.convert("slices/", "brain.zarr", chunks=8).shape
    (8, 16, 16)
    >>> hc.convert("brain.zarr", "again", format="jp2").files
    8
    >>> report = hc.convert("brain.zarr", "brain.h5", chunks=8)
    >>> hc.open("brain.h5").shape
    (8, 16, 16)
    """
    from hoaconv.job.converting import convert as run  # noqa: PLC0415 - as above

    options = locals()
    return run(options, watcher)
