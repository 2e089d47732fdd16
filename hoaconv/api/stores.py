"""Verbs on whole stores."""

from typing import TYPE_CHECKING

from hoaconv.job.declared import PathLike, explained_by
from hoaconv.job.options import Running
from hoaconv.job.storage import Replacing, Storage
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.job.pack import Packed
    from hoaconv.job.rechunk_report import Rechunked

__all__ = ["pack", "rechunk"]


@explained_by(Storage, Running)
def rechunk(
    src: PathLike,
    dst: PathLike,
    *,
    chunks: int | tuple[int, ...] | str | None = None,
    shards: int | tuple[int, ...] | str | None = None,
    ngff: str | None = None,
    compressor: str | None = None,
    overwrite: bool = False,
    budget: int | str | None = None,
    scratch: PathLike | None = None,
    workers: int | None = None,
    report: PathLike | None = None,
    watcher: "Watcher | None" = None,
) -> "Rechunked":
    """Write a zarr store anew with other chunks, shards, codecs or zarr format, bit for bit.

    All arrays of the store are written: the levels of an OME-Zarr image, each for itself, its
    labels, and plain arrays of any number of axes. Voxels of any dtype of 1, 2, 4 or 8 bytes,
    attributes, names of axes and fill values are kept. Each chunk is decoded once and each new one
    encoded once; where chunks, codecs and dtype stay as they are, they are copied without being
    decoded. The memory of the process stays within the budget.

    Parameters
    ----------
    src
        A zarr array, an OME-Zarr image, or any other zarr store.
    dst
        The folder to make; its metadata is written last.
    watcher
        Receives notes and progress. By default they are shown in a notebook and on a terminal.

    Returns
    -------
    Rechunked
        Arrays, time and memory.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.
    SourceError
        If the source is no zarr store, or can't be read.
    BudgetError
        If the run doesn't fit the budget.
    StoreError
        If the output exists or can't be written, or a disk is full.

    Examples
    --------
    >>> source = (hc.open("slices/") | hc.OmeZarr("brain.zarr", chunks=8)).run()["brain.zarr"]
    >>> report = hc.rechunk(source, "small-chunks.zarr", chunks=4, shards=(4, 16, 16))
    >>> [(array["path"], array["chunks"], array["shards"]) for array in report.arrays]
    [('0', (4, 4, 4), (4, 16, 16)), ('1', (4, 4, 4), (4, 8, 8))]
    """
    from hoaconv.job.rechunk import rechunked  # noqa: PLC0415 - numba takes longer than help

    return rechunked(locals())


@explained_by(Replacing)
def pack(
    store: PathLike,
    dst: PathLike,
    *,
    overwrite: bool = False,
    watcher: "Watcher | None" = None,
) -> "Packed":
    """Pack an OME-Zarr image into one file, which is read as it is.

    The file is a zip file as RFC-9 of OME-NGFF has it: ZIP64, nothing compressed once more, all
    ``zarr.json`` first. `open` reads it, and so does zarr-python's ``ZipStore``. It gets its name
    when it is whole. Take large shards for stores that are to be packed: each file needs about
    100 bytes of the directory at the end.

    Parameters
    ----------
    store
        An OME-Zarr of version 0.5, which is zarr v3; `rechunk` makes one of others.
    dst
        The file to make, ending in ``.ozx``.
    watcher
        Receives progress, in files. By default it is shown in a notebook and on a terminal.

    Returns
    -------
    Packed
        Number of files, bytes and time.

    Raises
    ------
    SpellingError
        If `store` or `dst` is a URL.
    SourceError
        If the store is no OME-Zarr of zarr v3, is unfinished, or can't be read.
    StoreError
        If the output exists or can't be written, or a disk is full.

    Examples
    --------
    >>> report = hc.convert("slices/", "brain.zarr", chunks=8)
    >>> packed = hc.pack("brain.zarr", "brain.ozx")
    >>> bool((hc.open("brain.ozx").compute() == hc.open("slices/").compute()).all())
    True
    """
    from hoaconv.job.pack import pack as run  # noqa: PLC0415 - as above

    return run(locals())
