"""Single TIFF files that hold a whole stack: plain pages, ImageJ, OME-TIFF, BigTIFF."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import tifffile

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
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


def read_volume(file: Path) -> Header:
    """Return slices along z, notes and voxel sizes of one file of any number of pages.

    No voxel is read.

    Raises
    ------
    SourceError
        If the file is damaged or cut short, or isn't one gray stack of equal pages.
    """
    with blame(str(file)), open_tiff(file) as tif:
        places = walk(file, tif)
        if len(places) > 1 and not any(getattr(tif, f"is_{kind}", False) for kind in _TOLD):
            return _plain(file, tif, places)
        if not tif.series:
            raise SourceError(f"{file} holds no page that can be read")
        series = tif.series[0]
        first = series.pages[0]
        if first is None:
            raise SourceError(f"{file} lacks its first plane, by its own metadata")
        page = first.aspage()
        lone = page_slice(file, page, None if len(tif.pages) == 1 else page.index)
        depth, notes = _depth(file, series)
        _check_promise(file, tif, series.kind, depth)
        like = _written_alone(tif) if depth == 1 else [series]
        slices = (
            _slices(tif, series, lone, depth)
            if len(like) == 1
            else [_numbered(tif, file, one.pages[0], z) for z, one in enumerate(like)]
        )
        return slices, (*notes, *_left_out(file, tif, len(like))), voxel_sizes(tif)


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


def _plain(file: Path, tif: tifffile.TiffFile, places: list[int]) -> Header:
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
            if len(known) < _STRUCTURES:
                known[directory.structure] = made, page
        slices.append(made)
        _check_agrees(slices[0], made)
    return slices, _others(file, left_out), voxel_sizes(tif)


def _check_agrees(first: TiffSlice, other: TiffSlice) -> None:
    if (other.shape, other.dtype) != (first.shape, first.dtype):
        (y, x), (own_y, own_x) = other.shape, first.shape
        raise SourceError(
            f"{other.label} is {y} x {x} {other.dtype}, the first page is {own_y} x {own_x} "
            f"{first.dtype}; all pages of a stack must agree: split the file, as in: "
            f"tiffsplit {first.file.name}"
        )


def _others(file: Path, count: int) -> tuple[str, ...]:
    return (f"{count} more images in {file.name} were left out",) if count else ()


def _depth(file: Path, series: tifffile.TiffPageSeries) -> tuple[int, tuple[str, ...]]:
    """Return the number of planes, from the one axis longer than 1 besides y and x, and notes."""
    sizes = dict(zip(series.axes, series.shape, strict=True))
    if not series.axes.endswith("YX"):
        raise SourceError(f"{file} has the axes {series.axes}; expected planes, as in ZYX")
    stack = {axis: size for axis, size in sizes.items() if axis not in "YX" and size > 1}
    for axis in stack.keys() & {"C", "S"}:
        raise SourceError(
            f"{file} has {stack[axis]} channels (axes {series.axes}); hoaconv converts 1-channel "
            "stacks: split them, or if they are planes, write the file again with axes ZYX"
        )
    if len(stack) > 1:
        found = " and ".join(f"{size} along {axis}" for axis, size in stack.items())
        raise SourceError(f"{file} has {found}; hoaconv converts one 3-D stack: split it first")
    time = stack.get("T")
    note = f"{file.name} counts {time} points in time; they were taken as planes along z"
    return next(iter(stack.values()), 1), (note,) if time else ()


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
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, lone: TiffSlice, depth: int
) -> list[TiffSlice]:
    if depth == 1:
        return [lone]
    if len(series.pages) == depth:
        return [_numbered(tif, lone.file, page, z) for z, page in enumerate(series.pages)]
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
    return [raw_slice(lone, offset, z) for z in range(depth)]


def _numbered(tif: tifffile.TiffFile, file: Path, page: Any, z: int) -> TiffSlice:
    """Return plane z, read from its own tags: a series uses those of its first page for all."""
    if page is None:
        raise SourceError(f"{file} lacks plane {z + 1}, by its own metadata")
    if page.parent is not tif:
        raise SourceError(
            f"{file} is one part of an OME-TIFF of several files; name the folder of all parts"
        )
    return page_slice(file, page.aspage(), page.index)


def _left_out(file: Path, tif: tifffile.TiffFile, taken: int) -> tuple[str, ...]:
    """Return notes on other series and pyramid levels; raise SourceError for any other page."""
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
