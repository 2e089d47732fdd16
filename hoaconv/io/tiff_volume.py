"""Single TIFF files that hold a whole stack: plain pages, ImageJ, OME-TIFF, BigTIFF."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import tifffile

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.colour import Pick, check_lone
from hoaconv.io.slices import blame
from hoaconv.io.tiff import (
    TiffSlice,
    like_slice,
    open_tiff,
    page_slice,
    promised_planes,
    raw_slice,
    voxel_sizes,
)
from hoaconv.io.tiff_chain import read_directory, walk
from hoaconv.io.tiff_planes import taken_planes

__all__ = ["read_volume"]

_STRUCTURES = 256  # pages that are kept for comparison, at most
_TOLD = (
    *(
        "shaped",
        "lsm",
        "mmstack",
        "ome",
        "imagej",
        "ndtiff",
        "fluoview",
        "stk",
        "sis",
        "svs",
        "scn",
    ),
    *("qpi", "ndpi", "bif", "avs", "eer", "philips", "scanimage", "nih", "mdgel"),
)  # kinds of file whose metadata describe the pages to tifffile

Header = tuple[list[TiffSlice], tuple[str, ...], tuple[Geometry | None, ...]]


def read_volume(file: Path, pick: Pick = Pick()) -> Header:  # noqa: B008 - it never changes
    """Return slices along z, notes and voxel sizes of one file of any number of pages.

    No voxel is read.

    Raises
    ------
    SourceError
        If the file is damaged or cut short, isn't one stack of equal pages, or has several channels
        or times of which none is chosen.
    SpellingError
        If there is no such image, channel or time.
    """
    with blame(str(file)), open_tiff(file) as tif:
        places = walk(file, tif)
        if len(places) > 1 and not any(getattr(tif, f"is_{kind}", False) for kind in _TOLD):
            check_lone(pick)
            return _plain(file, tif, places, pick)
        if not tif.series:
            raise SourceError(f"{file} holds no page that can be read")
        series = _series(file, tif, pick.series)
        first = series.pages[0]
        if first is None:
            raise SourceError(f"{file} lacks its first plane, by its own metadata")
        page = first.aspage()
        lone = page_slice(file, page, None if len(tif.pages) == 1 else page.index)
        lead = _lead(file, series)
        _check_promise(file, tif, series.kind, prod(n for _, n in lead))
        taken, notes = taken_planes(file, lead, pick)
        like = _written_alone(tif) if len(taken) == 1 and pick.series is None else [series]
        slices = (
            _slices(tif, series, lone, taken, prod(n for _, n in lead))
            if len(like) == 1
            else [_numbered(tif, file, one.pages[0], z) for z, one in enumerate(like)]
        )
        of_page = replace(pick, channel=None) if any(axis == "C" for axis, _ in lead) else pick
        made = [one.taking(of_page) for one in slices]
        return made, (*notes, *_left_out(file, tif, len(like), pick)), voxel_sizes(tif, pick.series)


def _series(file: Path, tif: tifffile.TiffFile, number: int | None) -> tifffile.TiffPageSeries:
    if (number or 0) >= len(tif.series):
        raise SpellingError(
            f"{file} has no series {number}: it has {len(tif.series)}, counted from 0"
        )
    return tif.series[number or 0]


def _written_alone(tif: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """Return the series that are like the first, which has one plane: together they are one stack.

    tifffile reads each page that it wrote in a separate call as a series of its own.
    """
    first = tif.series[0]
    if first.kind != "shaped":
        return [first]
    return [one for one in tif.series if one is first or _is_like(first, one)]


def _is_like(first: tifffile.TiffPageSeries, other: tifffile.TiffPageSeries) -> bool:
    own, page = first.keyframe, other.keyframe
    alike = (other.shape, other.dtype) == (first.shape, first.dtype)
    return alike and (page.is_reduced, page.is_mask) == (own.is_reduced, own.is_mask)


def _plain(file: Path, tif: tifffile.TiffFile, places: list[int], pick: Pick) -> Header:
    """Return the header of a file without metadata: its pages are planes in their order.

    Pages may be stored in different ways. One page of each structure is parsed; for the others,
    only their directories are read.
    """
    slices, left_out = list[TiffSlice](), 0
    known = dict[Any, tuple[TiffSlice, tifffile.TiffPage]]()
    for number, place in enumerate(places):
        directory = read_directory(tif, place)
        like, made = known.get(directory.structure), None
        if like:
            first, page = replace(like[0], page=number), like[1]
            made = like_slice(first, page, directory, place, tif.filehandle.size)
        if not made:
            tif.filehandle.seek(place)
            page = tifffile.TiffPage(tif, index=number)
            if slices and (page.is_reduced or page.is_mask):
                left_out += 1
                continue
            made = page_slice(file, page, number)
            if slices:
                _check_agrees(slices[0], made)
            made = made.taking(pick)
            if len(known) < _STRUCTURES:
                known[directory.structure] = made, page
        slices.append(made)
    return slices, _others(file, left_out), voxel_sizes(tif)


def _check_agrees(first: TiffSlice, other: TiffSlice) -> None:
    kind = (first.shape, first.dtype, first.channels)
    if (other.shape, other.dtype, other.channels) != kind:
        raise SourceError(
            f"{other.label} is {other}, the first page is {first}; all pages of a stack must "
            f"agree: split the file, as in: tiffsplit {first.file.name}"
        )


def _others(file: Path, count: int) -> tuple[str, ...]:
    return (f"{count} more images in {file.name} were left out",) if count else ()


def _lead(file: Path, series: tifffile.TiffPageSeries) -> list[tuple[str, int]]:
    """Return the axes before y and x, with their lengths; those of a page's channels are none."""
    axes = list(zip(series.axes, series.shape, strict=True))
    if "S" in series.axes and (series.axes.endswith(("YXS", "SYX"))):
        axes = [pair for pair in axes if pair[0] != "S"]
    if "".join(axis for axis, _ in axes[-2:]) != "YX":
        raise SourceError(f"{file} has the axes {series.axes}; expected planes, as in ZYX")
    return axes[:-2]


def _check_promise(file: Path, tif: tifffile.TiffFile, kind: str, depth: int) -> None:
    """Raise SourceError if the metadata promise more planes than tifffile finds in the file."""
    promised = promised_planes(tif)
    if promised > depth:
        raise SourceError(
            f"{file} is cut short or damaged: its metadata promises {promised} planes, of which "
            f"{depth} can be found; copy it again"
        )
    if tif.is_ome and kind != "ome":
        raise SourceError(f"{file} has OME-XML that can't be made sense of; write it again")


def _slices(
    tif: tifffile.TiffFile,
    series: tifffile.TiffPageSeries,
    lone: TiffSlice,
    taken: Sequence[int],
    depth: int,
) -> list[TiffSlice]:
    """Return the planes that are taken out of `depth`."""
    if depth == 1:
        return [lone]
    if len(series.pages) == depth:
        return [_numbered(tif, lone.file, series.pages[z], z) for z in taken]
    file, offset = lone.file, series.dataoffset
    if offset is None or lone.data is None:
        raise SourceError(
            f"{file} keeps {depth} planes in {len(series.pages)} pages and not in one piece; "
            "write it again with a page for each plane"
        )
    last = raw_slice(lone, offset, depth - 1)
    end, size = (last.data or 0) + last.stored_bytes, file.stat().st_size
    if end > size:
        raise SourceError(f"{file} is cut short: {size} bytes, of which its header promises {end}")
    return [raw_slice(lone, offset, z) for z in taken]


def _numbered(tif: tifffile.TiffFile, file: Path, page: Any, z: int) -> TiffSlice:
    """Return plane z, read from its own tags: a series uses those of its first page for all."""
    if page is None:
        raise SourceError(f"{file} lacks plane {z + 1}, by its own metadata")
    if page.parent is not tif:
        raise SourceError(
            f"{file} is one part of an OME-TIFF of several files; name the folder of all parts"
        )
    return page_slice(file, page.aspage(), page.index)


def _left_out(file: Path, tif: tifffile.TiffFile, taken: int, pick: Pick) -> tuple[str, ...]:
    """Return notes on other series and pyramid levels; raise SourceError for any other page."""
    if pick.series is not None:
        return ()
    first, *others = tif.series
    if first.kind == "generic":
        for page in (series.keyframe for series in others):
            if not page.is_reduced:
                shape, own = (" x ".join(map(str, p.shape)) for p in (page, first.keyframe))
                raise SourceError(
                    f"{file}, page {page.index + 1} is {shape} {page.dtype}, the first page is "
                    f"{own} {first.dtype}; all pages of a stack must agree: split the file"
                )
    notes = _others(file, len(tif.series) - taken)
    levels = len(first.levels) - 1
    return (*notes, f"{levels} lower levels in {file.name} were left out") if levels else (*notes,)
