"""Volumes by their path: a stack of slices, or an array in a file or store of some format."""

import os
from dataclasses import replace

from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.address import Address
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.colour import Pick
from hoaconv.io.formats.registry import format_of
from hoaconv.io.stack import Stack, chosen, open_stack, step_of
from hoaconv.io.stored_array import StoredArray, view_of
from hoaconv.io.url import is_remote

__all__ = ["Volume", "open_address", "open_volume"]

Volume = Stack | ArrayVolume
"""A volume that a path may name."""


def open_volume(
    src: str | os.PathLike[str],
    *,
    slices: slice | None = None,
    level: int | None = None,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    series: int | None = None,
    rgb: str | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    missing: str = "fill",
    reduce: int = 1,
    gpu: bool = False,
    several: bool = False,
    shape: tuple[int, int, int] | None = None,
    dtype: str | None = None,
    credentials: str | None = None,
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
    level
        Level to read of an image with several, in place of the one that the path names.
    source_axes
        A letter out of t, c, z, y, x for each stored axis of an array, such as ``"xyz"``; by
        default as its metadata names them. The planes lie along z.
    channel, time
        Index of the channel and of the time to take, where there are several.
    series
        Index of the image to take of an OME-TIFF with several.
    rgb
        ``"luminance"`` makes slices in RGB grey.
    allow_gaps
        If True, missing numbers between the chosen slices cause a note instead of an error.
    allow_names
        If True, names that don't fit the others cause a note instead of an error.
    missing
        ``fill`` or ``error``: whether chunks that a store lacks have its fill value, or are errors.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height.
    gpu
        If True, nvImageCodec decodes JP2 slices instead of OpenJPEG.
    several
        If True, all channels and times are wanted that `channel` and `time` don't choose: the
        volume is that of the first ones, and knows the others (`ArrayVolume.leading`).
    shape, dtype
        Of a raw file: numbers of voxels (z, y, x), and a dtype of NumPy's spelling.
    credentials
        Of a URL: ``anonymous``, ``environment`` or ``profile:NAME``.

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
        level=level,
        source_axes=source_axes,
        channel=channel,
        time=time,
        series=series,
        rgb=rgb,
        allow_gaps=allow_gaps,
        allow_names=allow_names,
        missing=missing,
        reduce=reduce,
        gpu=gpu,
        shape=shape,
        dtype=dtype,
        credentials=credentials,
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
    if address.credentials is not None and not is_remote(address.path):
        raise SpellingError(f"`credentials` are for URLs, and {address.given} is none; drop it")
    format = format_of(address)
    if format is None:
        return _open_slices(address, slices)
    src = address.given
    for name in ("series", "rgb"):
        if getattr(address, name) is not None:
            raise SpellingError(f"`{name}` is for slices, and {src} is {format.name}; drop it")
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
    if address.level is not None:
        array = format.opens(address.beside(_level(array, address.level), format.scheme))
    if address.missing == "error":
        array.refuse_missing()
    view = view_of(array, address.source_axes, address.channel, address.time, several=several)
    volume = ArrayVolume(array, view)
    if slices is None:
        return volume
    return volume.choose(chosen(slices, volume.spec.planes), step_of(slices))


def _level(array: StoredArray, level: int) -> str:
    """Return the path of a level of the image that an array belongs to."""
    if not array.levels:
        raise SpellingError(f"{array} belongs to no image with levels; drop `level`")
    if level >= len(array.levels):
        raise SpellingError(f"{array} has the levels 0 to {len(array.levels) - 1}, not {level}")
    return array.levels[level]


def _open_slices(address: Address, slices: slice | None) -> Stack:
    if address.source_axes is not None:
        raise SourceError(
            f"{address.given} is a stack of slices, whose planes lie along z; drop `source_axes`"
        )
    if address.level is not None:
        raise SpellingError(
            f"`level` chooses a level of an image, and {address.given} is a stack of slices: drop "
            "it; the op bin makes voxels larger, and `reduce` decodes JP2 slices at a lower "
            "resolution"
        )
    stack = open_stack(
        address.given,
        slices=slices,
        allow_gaps=address.allow_gaps,
        allow_names=address.allow_names,
        reduce=address.reduce,
        gpu=address.gpu,
        pick=Pick(address.series, address.channel, address.time, address.rgb),
    )
    if address.inside:
        raise SourceError(
            f"{address.given} is a stack of slices, which holds no datasets; drop "
            f"::{address.inside}"
        )
    return stack
