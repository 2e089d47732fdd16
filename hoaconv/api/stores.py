"""Verbs on whole stores."""

from typing import TYPE_CHECKING

from hoaconv.job.declared import PathLike, explained_by
from hoaconv.job.options import Running
from hoaconv.job.storage import Storage
from hoaconv.job.watching import Watcher

if TYPE_CHECKING:
    from hoaconv.job.rechunk_report import Rechunked

__all__ = ["rechunk"]


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
