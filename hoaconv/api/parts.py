"""The verbs that look at a volume, or take a part of it."""

from typing import TYPE_CHECKING

from hoaconv.job.declared import PathLike

if TYPE_CHECKING:
    from hoaconv.job.info import Info, Infos

__all__ = ["info"]


def info(path: PathLike) -> "Info | Infos":
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

    return info_of(path)
