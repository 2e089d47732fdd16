"""Volumes by their path: a stack of slices, or an array in a file or store of some format."""

import os
from dataclasses import replace

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.formats.registry import format_of
from hoaconv.io.stack import Stack, chosen, open_stack, step_of
from hoaconv.io.stored_array import view_of

__all__ = ["Volume", "open_address", "open_volume"]

Volume = Stack | ArrayVolume
"""A volume that a path may name."""


def open_volume(
    src: str | os.PathLike[str],
    *,
    slices: slice | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    gpu: bool = False,
    several: bool = False,
) -> Volume:
    """Return the volume (z, y, x) that a path names; check headers, decode no voxel.

    Parameters
    ----------
    src
        A folder of slices, a glob pattern, a multi-page TIFF; an OME-Zarr image, which means its
        level 0, or an array in it, as in ``brain.zarr/2``; an array in a file or store of any of
        `hoaconv.io.formats.registry.FORMATS`, such as ``scan.h5::/entry/data``; where neither
        suffix nor content tells the format, with a scheme, as in ``n5://PATH``.
    slices
        Slices, or planes of an array, to take, as Python slices a list.
    source_axes
        A letter out of t, c, z, y, x for each stored axis of an array, such as ``"xyz"``; by
        default as its metadata names them. The planes lie along z.
    channel, time
        Index of the channel and of the time to take, where an array has several.
    allow_gaps
        If True, missing numbers between the chosen slices cause a note instead of an error.
    allow_names
        If True, names that don't fit the others cause a note instead of an error.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height.
    gpu
        If True, nvImageCodec decodes JP2 slices instead of OpenJPEG.
    several
        If True, all channels and times are wanted that `channel` and `time` don't choose: the
        volume is that of the first ones, and knows the others (`ArrayVolume.leading`).

    Raises
    ------
    SourceError
        If the path names nothing that can be read as one volume, or the volume can't be reduced, or
        nvImageCodec can't decode it.
    SpellingError
        If `slices` chooses nothing.
    """
    address = Address.of(
        src,
        planes=(slices.start, slices.stop, slices.step) if slices else None,
        source_axes=source_axes,
        channel=channel,
        time=time,
        allow_gaps=allow_gaps,
        allow_names=allow_names,
        reduce=reduce,
        gpu=gpu,
    )
    volume = _open(address, several=several)
    known = volume.addressed(address, open_address)
    if isinstance(known, ArrayVolume) and known.leading.axes:
        return known.volume(known.leading)
    return known


def open_address(address: Address) -> Volume:
    """Return the volume of an address; raise the same errors as `open_volume`."""
    return _open(replace(address, given=address.path)).addressed(address, open_address)


def _open(address: Address, *, several: bool = False) -> Volume:
    slices = slice(*address.planes) if address.planes else None
    format = format_of(address)
    if format is None:
        return _open_slices(address, slices)
    src = address.given
    if address.reduce > 1:
        raise SourceError(
            f"{src} can't be reduced by {address.reduce}: only JP2 slices hold lower resolutions; "
            "name a lower level of the image, as in brain.zarr/2, or shrink what is read with "
            "the op bin"
        )
    if address.gpu:
        raise SourceError(
            f"{src} is {format.name}, which nvImageCodec doesn't decode; drop `decoder`"
        )
    array = format.opens(address)
    view = view_of(array, address.source_axes, address.channel, address.time, several=several)
    volume = ArrayVolume(array, view)
    if slices is None:
        return volume
    return volume.choose(chosen(slices, volume.spec.planes), step_of(slices))


def _open_slices(address: Address, slices: slice | None) -> Stack:
    if address.source_axes is not None:
        raise SourceError(
            f"{address.given} is a stack of slices, whose planes lie along z; drop `source_axes`"
        )
    return open_stack(
        address.given,
        slices=slices,
        allow_gaps=address.allow_gaps,
        allow_names=address.allow_names,
        reduce=address.reduce,
        gpu=address.gpu,
    )
