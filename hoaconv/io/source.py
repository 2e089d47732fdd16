"""Volumes as people name them: a stack of slices or a zarr array."""

from pathlib import Path

from hoaconv.io.stack import Stack, open_stack
from hoaconv.io.zarr_store import is_zarr
from hoaconv.io.zarr_volume import ZarrVolume, open_zarr
from hoaconv.words import PathLike

__all__ = ["Volume", "open_volume"]

Volume = Stack | ZarrVolume
"""What a path may name."""


def open_volume(path: PathLike) -> Volume:
    """Open what a path names; headers are checked, no voxel is decoded.

    Parameters
    ----------
    path
        A folder of slices, a glob pattern, a multi-page TIFF; an OME-Zarr image, whose level 0 is
        taken, or an array in it, as in ``brain.zarr/2``; any zarr array (z, y, x), v2 or v3.

    Raises
    ------
    SourceError
        If there is nothing that can be read as one volume.
    """
    return open_zarr(Path(path)) if is_zarr(Path(path)) else open_stack(path)
