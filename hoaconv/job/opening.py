"""Volumes opened: of files by their headers, of arrays as they are."""

import os
from typing import Any

from hoaconv.engine.contract import Source
from hoaconv.engine.plan import Plan
from hoaconv.errors import SpellingError
from hoaconv.io.jp2_gpu import check_gpu
from hoaconv.job.arrays import ArraySource
from hoaconv.job.chain import open_source
from hoaconv.job.declared import options_of
from hoaconv.job.options import Reading
from hoaconv.job.paths import take_source
from hoaconv.job.volume import Volume
from hoaconv.job.voxel_size import choose_geometry

__all__ = ["open"]


def open(
    source: Any,
    *,
    voxel_size: Any = None,
    unit: str | None = None,
    range: str | slice | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    decoder: str = "openjpeg",
) -> Volume:
    """Open a volume: headers are read, no voxel is decoded.

    Parameters
    ----------
    source
        A folder of JP2 or TIFF slices, a glob pattern, a multi-page TIFF, an OME-Zarr image (its
        level 0) or one of its levels, a zarr array; or an array (z, y, x) with shape, dtype and
        slicing, of NumPy, Dask, h5py or zarr; or a source of the engine.
    voxel_size, unit
        Edge of a voxel, one number or (z, y, x), and its unit, by default micrometer. By default
        as the source tells it.
    range, allow_gaps, allow_names, reduce, decoder
        As of `hoaconv.stack_to_omezarr`.

    Returns
    -------
    Volume

    Raises
    ------
    SourceError
        If the source can't be read as one volume.
    SpellingError
        If something isn't understood.

    Examples
    --------
    >>> import numpy as np
    >>> import hoaconv
    >>> hoaconv.open(np.zeros((4, 5, 6), "uint8"), voxel_size=(2, 1, 1))
    Volume(4 x 5 x 6 uint8, 2 x 1 x 1 micrometer)
    """
    reading = Reading(
        range=range,
        allow_gaps=allow_gaps,
        allow_names=allow_names,
        reduce=reduce,
        decoder=decoder,
    )
    if isinstance(source, str | os.PathLike):
        gpu = decoder == "nvimgcodec"
        if gpu:
            check_gpu()
        stack = open_source(take_source(source), reading, gpu=gpu)
        geometry, note = choose_geometry(voxel_size, unit, stack)
        placed = stack.at(geometry)
        return Volume(Plan.read(placed), placed.spec, (*stack.notes, note))
    if reading != Reading():
        raise SpellingError(
            f"{', '.join(options_of(Reading))} are for files, and the source is a "
            f"{type(source).__name__}; slice the array, or drop them"
        )
    if not isinstance(source, Volume | Source):
        return _open_array(source, voxel_size, unit)
    if voxel_size is not None or unit is not None:
        raise SpellingError(
            f"a {type(source).__name__} has its voxel size already; drop `voxel_size` and `unit`"
        )
    if isinstance(source, Volume):
        return source
    return Volume(Plan.read(source), source.spec, tuple(getattr(source, "notes", ())))


def _open_array(array: Any, voxel_size: Any, unit: str | None) -> Volume:
    missing = [name for name in ("shape", "dtype", "__getitem__") if not hasattr(array, name)]
    if missing:
        raise SpellingError(
            f"a {type(array).__name__} can't be opened: give a path, or an array with shape, dtype "
            "and slicing (numpy, dask, h5py, zarr)"
        )
    source = ArraySource(array)
    geometry, note = choose_geometry(voxel_size, unit, source)
    placed = source.at(geometry)
    return Volume(Plan.read(placed), placed.spec, (*placed.notes, note))
