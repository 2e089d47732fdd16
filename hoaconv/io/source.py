"""Volumes by their path: a stack of slices or a zarr array."""

import os
from dataclasses import replace
from pathlib import Path

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.stack import Stack, chosen, open_stack, step_of
from hoaconv.io.zarr_store import is_zarr
from hoaconv.io.zarr_volume import ZarrVolume, open_zarr

__all__ = ["Volume", "open_address", "open_volume"]

Volume = Stack | ZarrVolume
"""A volume that a path may name."""


def open_volume(
    src: str | os.PathLike[str],
    *,
    slices: slice | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    gpu: bool = False,
) -> Volume:
    """Return the volume (z, y, x) that a path names; check headers, decode no voxel.

    Parameters
    ----------
    src
        A folder of slices, a glob pattern, a multi-page TIFF; an OME-Zarr image, which means its
        level 0, or an array in it, as in ``brain.zarr/2``; any zarr array (z, y, x), v2 or v3.
    slices
        Slices, or planes of an array, to take, as Python slices a list.
    allow_gaps
        If True, missing numbers between the chosen slices cause a note instead of an error.
    allow_names
        If True, names that don't fit the others cause a note instead of an error.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height.
    gpu
        If True, nvImageCodec decodes JP2 slices instead of OpenJPEG.

    Raises
    ------
    SourceError
        If the path names nothing that can be read as one volume, or the volume can't be reduced, or
        nvImageCodec can't decode it.
    SpellingError
        If `slices` chooses nothing.
    """
    taken = (slices.start, slices.stop, slices.step) if slices else None
    path, given = os.path.abspath(src), os.fspath(src)
    address = Address(path, given, taken, allow_gaps, allow_names, reduce, gpu)
    return _open(address).addressed(address, open_address)


def open_address(address: Address) -> Volume:
    """Return the volume of an address; raise the same errors as `open_volume`."""
    return _open(replace(address, given=address.path)).addressed(address, open_address)


def _open(address: Address) -> Volume:
    src, slices = address.given, slice(*address.planes) if address.planes else None
    if not is_zarr(Path(src)):
        return open_stack(
            src,
            slices=slices,
            allow_gaps=address.allow_gaps,
            allow_names=address.allow_names,
            reduce=address.reduce,
            gpu=address.gpu,
        )
    volume = open_zarr(Path(src))
    if address.reduce > 1:
        raise SourceError(
            f"{src} can't be reduced by {address.reduce}: only JP2 slices hold lower resolutions; "
            "name a lower level of the image, as in brain.zarr/2, or shrink what is read with "
            "the op bin"
        )
    if address.gpu:
        raise SourceError(f"{src} is zarr, which nvImageCodec doesn't decode; drop `decoder`")
    if slices is None:
        return volume
    return volume.choose(chosen(slices, volume.spec.planes), step_of(slices))
