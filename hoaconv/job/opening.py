"""Opening of volumes: files by their headers, arrays as they are."""

import os
from collections.abc import Sequence
from typing import Any

from hoaconv.engine.appended import Appended
from hoaconv.engine.contract import Source
from hoaconv.engine.plan import Plan
from hoaconv.errors import SpellingError
from hoaconv.io.jp2_gpu import check_gpu
from hoaconv.job.arrays import ArraySource
from hoaconv.job.chain import open_source
from hoaconv.job.declared import explained_by, options_of
from hoaconv.job.options import Reading, Voxels
from hoaconv.job.paths import take_source
from hoaconv.job.volume import Volume
from hoaconv.job.voxel_size import choose_geometry

__all__ = ["open"]


@explained_by(Reading, Voxels)
def open(
    source: Any,
    *,
    voxel_size: float | tuple[float, float, float] | str | None = None,
    unit: str | None = None,
    orientation: str | tuple[str, str, str] | None = None,
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
    missing: str = "fill",
    reduce: int = 1,
    decoder: str = "openjpeg",
    credentials: str | None = None,
) -> Volume:
    """Open a volume: headers are read, no voxel is decoded.

    Parameters
    ----------
    source
        A folder of slices, a glob pattern, a multi-page TIFF, an OME-Zarr image (its level 0) or
        one of its levels, a zarr array, or a file of HDF5, NRRD, MetaImage or NIfTI, a .vol or raw
        file, by its path, such as ``scan.h5::/entry/data``; or an array (z, y, x) with
        ``shape``, ``dtype`` and slicing, such as those of NumPy, Dask, h5py and zarr; or a source
        of the engine; or a list of these, whose planes follow each other along z. The dtypes are
        uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32 and float64; booleans
        become uint8.

    Returns
    -------
    Volume
        The volume, with axes z, y, x.

    Raises
    ------
    SourceError
        If the source can't be read as one volume.
    SpellingError
        If an option doesn't take its value, or the source is neither a path nor an array.

    Examples
    --------
    >>> hc.open(np.zeros((4, 5, 6), "uint8"), voxel_size=(2, 1, 1))
    Volume(4 x 5 x 6 uint8, 2 x 1 x 1 micrometer)
    >>> hc.open("slices/", range="::2", voxel_size=0.5, unit="millimeter")
    Volume(4 x 16 x 16 uint16, 1 x 0.5 x 0.5 millimeter)
    """
    reading = Reading(
        range=range,
        level=level,
        source_axes=source_axes,
        channel=channel,
        time=time,
        series=series,
        rgb=rgb,
        shape=shape,
        dtype=dtype,
        allow_gaps=allow_gaps,
        allow_names=allow_names,
        missing=missing,
        reduce=reduce,
        decoder=decoder,
        credentials=credentials,
    )
    ways = Voxels(orientation=orientation).orientation
    if isinstance(source, list | tuple):
        voxels = Voxels(voxel_size=voxel_size, unit=unit, orientation=orientation)
        return _open_row(source, reading, voxels)
    if isinstance(source, str | os.PathLike):
        gpu = decoder == "nvimgcodec"
        if gpu:
            check_gpu()
        stack = open_source(take_source(source), reading, gpu=gpu)
        geometry, note = choose_geometry(voxel_size, unit, stack, ways)
        placed = stack.at(geometry)
        return Volume(Plan.read(placed), placed.spec, (*stack.notes, note))
    if reading != Reading():
        raise SpellingError(
            f"{', '.join(options_of(Reading))} are for files, and the source is a "
            f"{type(source).__name__}; slice the array, or drop them"
        )
    if not isinstance(source, Volume | Source):
        return _open_array(source, voxel_size, unit, ways)
    if (voxel_size, unit, ways) != (None, None, None):
        raise SpellingError(
            f"a {type(source).__name__} has its voxel size and orientation already; drop "
            "`voxel_size`, `unit` and `orientation`"
        )
    if isinstance(source, Volume):
        return source
    return Volume(Plan.read(source), source.spec, tuple(getattr(source, "notes", ())))


def _open_row(sources: Sequence[Any], reading: Reading, voxels: Voxels) -> Volume:
    """Open several sources in a row, each a path, an array or a volume without ops."""
    if not sources:
        raise SpellingError("an empty list can't be opened; give sources whose planes follow")
    if reading.range is not None:
        raise SpellingError("`range` is for one source; crop what several make, by volume.crop")
    row = Appended([_one_of_row(one, reading) for one in sources])
    geometry, note = choose_geometry(voxels.voxel_size, voxels.unit, row, voxels.orientation)
    placed = row.at(geometry)
    return Volume(Plan.read(placed), placed.spec, (*placed.notes, note))


def _one_of_row(source: Any, reading: Reading) -> Source:
    """Return one of the sources of a row."""
    if isinstance(source, str | os.PathLike):
        return open_source(take_source(source), reading, gpu=reading.decoder == "nvimgcodec")
    (end,) = open(source).plan.ends
    if not isinstance(end.part, Source):
        raise SpellingError(f"{source!r} has ops; append the sources, and apply ops to the whole")
    return end.part


def _open_array(
    array: Any, voxel_size: Any, unit: str | None, ways: tuple[str, str, str] | None
) -> Volume:
    missing = [name for name in ("shape", "dtype", "__getitem__") if not hasattr(array, name)]
    if missing:
        raise SpellingError(
            f"a {type(array).__name__} can't be opened: give a path, or an array with shape, dtype "
            "and slicing (numpy, dask, h5py, zarr)"
        )
    source = ArraySource(array)
    geometry, note = choose_geometry(voxel_size, unit, source, ways)
    placed = source.at(geometry)
    return Volume(Plan.read(placed), placed.spec, (*placed.notes, note))
