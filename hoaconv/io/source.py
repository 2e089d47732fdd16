"""Volumes as people name them: a stack of slices or a zarr array."""

from pathlib import Path

from hoaconv.io.stack import Stack, chosen, open_stack
from hoaconv.io.zarr_store import is_zarr
from hoaconv.io.zarr_volume import ZarrVolume, open_zarr
from hoaconv.words import PathLike

__all__ = ["Volume", "open_volume"]

Volume = Stack | ZarrVolume
"""What a path may name."""


def open_volume(src: PathLike, *, slices: slice | None = None, allow_gaps: bool = False) -> Volume:
    """Open what a path names; headers are checked, no voxel is decoded.

    Parameters
    ----------
    src
        A folder of slices, a glob pattern, a multi-page TIFF; an OME-Zarr image, whose level 0 is
        taken, or an array in it, as in ``brain.zarr/2``; any zarr array (z, y, x), v2 or v3.
    slices
        Which slices, or planes of an array, to take, as Python slices a list.
    allow_gaps
        Whether missing numbers between the chosen slices are a note instead of an error.

    Raises
    ------
    SourceError
        If there is nothing that can be read as one volume.
    SpellingError
        If `slices` chooses nothing.
    """
    if not is_zarr(Path(src)):
        return open_stack(src, slices=slices, allow_gaps=allow_gaps)
    volume = open_zarr(Path(src))
    return volume if slices is None else volume.choose(chosen(slices, volume.spec.planes))
