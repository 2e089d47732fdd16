"""Volumes as people name them: a stack of slices or a zarr array."""

from pathlib import Path

from hoaconv.errors import SourceError
from hoaconv.io.stack import Stack, chosen, open_stack, step_of
from hoaconv.io.zarr_store import is_zarr
from hoaconv.io.zarr_volume import ZarrVolume, open_zarr
from hoaconv.words import PathLike

__all__ = ["Volume", "open_volume"]

Volume = Stack | ZarrVolume
"""What a path may name."""


def open_volume(
    src: PathLike,
    *,
    slices: slice | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    gpu: bool = False,
) -> Volume:
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
    allow_names
        Whether files whose names don't fit the others' are a note instead of an error.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height.
    gpu
        Whether nvImageCodec is to decode JP2 slices, instead of OpenJPEG.

    Raises
    ------
    SourceError
        If there is nothing that can be read as one volume, or it can't be reduced, or decoded by
        nvImageCodec.
    SpellingError
        If `slices` chooses nothing.
    """
    if not is_zarr(Path(src)):
        return open_stack(
            src,
            slices=slices,
            allow_gaps=allow_gaps,
            allow_names=allow_names,
            reduce=reduce,
            gpu=gpu,
        )
    volume = open_zarr(Path(src))
    if reduce > 1:
        raise SourceError(
            f"{src} can't be reduced by {reduce}: only JP2 slices hold lower resolutions; name a "
            "lower level of the image, as in brain.zarr/2, or shrink what is read with --ops bin"
        )
    if gpu:
        raise SourceError(f"{src} is zarr, which nvImageCodec doesn't decode; drop --decoder")
    if slices is None:
        return volume
    return volume.choose(chosen(slices, volume.spec.planes), step_of(slices))
