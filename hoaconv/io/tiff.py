"""TIFF pages: headers with tifffile, pixels straight from the file or through its codecs."""

import logging
import os
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from struct import unpack
from typing import Any

import numpy as np
import tifffile

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError
from hoaconv.io.slices import StoredSlice, blame, check_plane
from hoaconv.io.voxel_size import VoxelSize, from_imagej, from_ome, from_tiff_tags

__all__ = [
    "TiffSlice",
    "check_chain",
    "page_slice",
    "promised_planes",
    "raw_slice",
    "read_header",
    "voxel_sizes",
    "white_note",
]

_PASS = 1 << 20  # coded bytes read at once where a page has many strips or tiles
_GRAY = (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK)

# Without a handler, Python prints the oddities that tifffile logs. Those that matter are
# errors here; whoever sets up logging still sees them all.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffSlice(StoredSlice):
    """One page.

    Attributes
    ----------
    directory
        Byte offset of the page's tags, from which a coded page is read.
    data
        Byte offset of the voxels if they are stored in one piece, as they are; else None.
    swapped
        Whether those voxels are in the other byte order.
    """

    directory: int
    data: int | None
    swapped: bool

    def read(self, out: Plane) -> None:
        """Read into `out`, from a file handle of its own."""
        with blame(self.label):
            if self.data is not None:
                self._read_raw(out, self.data)
            else:
                self._decode(out)

    def _read_raw(self, out: Plane, offset: int) -> None:
        todo = out.reshape(-1).view(np.uint8).data
        with self.file.open("rb", buffering=0) as stream:
            stream.seek(offset)
            while todo:
                count = stream.readinto(todo)
                if not count:
                    raise SourceError(f"{self.label} is cut short: {len(todo)} bytes are missing")
                todo = todo[count:]
        if self.swapped:
            out.byteswap(inplace=True)

    def _decode(self, out: Plane) -> None:
        with tifffile.TiffFile(self.file) as tif:
            tif.filehandle.seek(self.directory)
            page = tifffile.TiffPage(tif, index=self.page or 0)
            if page.shape != self.shape or page.dtype != self.dtype:
                raise SourceError(f"{self.label} has changed since its header was checked")
            page.asarray(out=out, maxworkers=1, buffersize=_PASS)


def read_header(file: Path) -> tuple[TiffSlice, tuple[str, ...], tuple[VoxelSize | None, ...]]:
    """Slice, notes and voxel sizes of a file that holds one page, no pixels.

    Raises
    ------
    SourceError
        If the file is damaged or cut short, has more than one page or channel, or holds
        voxels of a dtype that can't flow.
    """
    with blame(str(file)), tifffile.TiffFile(file) as tif:
        check_chain(file, tif)
        planes = max(len(tif.pages), promised_planes(tif))
        if planes != 1:
            raise SourceError(
                f"{file} has {planes} planes; in a folder or pattern of several files each must "
                "hold one slice: convert the multi-page file by itself"
            )
        page = tif.pages.first
        return page_slice(file, page, None), white_note(page), voxel_sizes(tif)


def page_slice(file: Path, page: tifffile.TiffPage, number: int | None) -> TiffSlice:
    """Check one page and say how to read it.

    Raises
    ------
    SourceError
        If it isn't gray, isn't one plane of a dtype that can flow, or isn't all there.
    """
    label = str(file) if number is None else f"{file}, page {number + 1}"
    _check_gray(label, page)
    shape, dtype = check_plane(label, page.shape, page.dtype)
    raw = page.is_final
    stored = page.nbytes if raw else sum(page.databytecounts)
    spans = [(page.dataoffsets[0], stored)] if raw else _spans(label, page)
    _check_whole(label, page, max(offset + count for offset, count in spans))
    return TiffSlice(
        file=file,
        page=number,
        shape=shape,
        dtype=dtype,
        stored_bytes=stored,
        directory=page.offset,
        data=page.dataoffsets[0] if raw else None,
        swapped=_is_swapped(page),
        scratch=0 if raw else _scratch(page),
    )


def raw_slice(first: TiffSlice, offset: int, number: int) -> TiffSlice:
    """Plane `number` of voxels that lie in one piece from `offset`, all like the first."""
    nbytes = prod(first.shape) * first.dtype.itemsize
    return TiffSlice(
        file=first.file,
        page=number,
        shape=first.shape,
        dtype=first.dtype,
        stored_bytes=nbytes,
        directory=first.directory,
        data=offset + number * nbytes,
        swapped=first.swapped,
        scratch=0,
    )


def check_chain(file: Path, tif: tifffile.TiffFile) -> None:
    """Hold that the last page found says that it is the last.

    Each page tells where the next one is. tifffile drops what it can't find there, as in a
    file cut short, and logs a line: the stack would be shorter, and nobody would know.

    Raises
    ------
    SourceError
        If a page is announced that isn't there.
    """
    layout, handle = tif.tiff, tif.filehandle
    handle.seek(tif.pages[-1].offset)
    (tags,) = unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(tags * layout.tagsize, os.SEEK_CUR)
    following = handle.read(layout.offsetsize)
    if any(following):
        raise SourceError(
            f"{file} is cut short or damaged: after page {len(tif.pages)} comes another, which "
            f"isn't where the file says, at byte {unpack(layout.offsetformat, following)[0]}; "
            "copy it again"
        )


def promised_planes(tif: tifffile.TiffFile) -> int:
    """How many planes the metadata of ImageJ or tifffile promises; both may keep one page for all.

    tifffile takes such a file for a single plane where it was cut short, without an error.
    """
    if tif.imagej_metadata is not None:
        return int(tif.imagej_metadata.get("images", 1))
    shapes = [data.get("shape", ()) for data in tif.shaped_metadata or ()]
    page = tif.pages.first
    return prod(shapes[0]) // max(1, prod(page.shape)) if len(shapes) == 1 else 1


def white_note(page: tifffile.TiffPage) -> tuple[str, ...]:
    """Tell that a page says 0 is white, where it says so."""
    if page.tags.valueof(262) != tifffile.PHOTOMETRIC.MINISWHITE:
        return ()
    return ("the slices say that 0 is white; their values were kept as they are stored",)


def voxel_sizes(tif: tifffile.TiffFile) -> tuple[VoxelSize | None, ...]:
    """Every voxel size that a TIFF states, the most trusted first."""
    tags = tif.pages.first.tags
    y, x = (_ratio(tags.valueof(code)) for code in (283, 282))
    imagej = tif.imagej_metadata
    if imagej is not None and "unit" in imagej:  # then the tags are in ImageJ's unit
        return (from_imagej(imagej, y, x),)
    ome = from_ome(tif.ome_metadata) if tif.ome_metadata else None
    return ome, from_tiff_tags(y, x, int(tags.valueof(296, default=2)))


def _ratio(value: Any) -> float:
    """A TIFF rational; 0 where the tag is absent or makes no sense."""
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return float(value[0]) / float(value[1])


def _check_gray(label: str, page: tifffile.TiffPage) -> None:
    channels = page.samplesperpixel
    if channels != 1:
        raise SourceError(
            f"{label} has {channels} channels; hoaconv converts 1-channel (gray) slices: "
            "split the channels first"
        )
    if page.photometric not in _GRAY:
        kind = getattr(page.photometric, "name", page.photometric)
        raise SourceError(f"{label} is a {kind} image; hoaconv converts 1-channel (gray) slices")


def _spans(label: str, page: tifffile.TiffPage) -> list[tuple[int, int]]:
    """(offset, count) of every strip or tile; each must be there."""
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    there = sum(1 for offset, count in spans if offset and count)
    expected = prod(page.chunked)
    if there < expected:
        raise SourceError(
            f"{label} lacks {expected - there} of its {expected} strips or tiles; was it "
            "written to the end? Write or copy it again"
        )
    return spans


def _check_whole(label: str, page: tifffile.TiffPage, end: int) -> None:
    size = page.parent.filehandle.size
    if end > size:
        raise SourceError(
            f"{label} is cut short: the file has {size} bytes, its header promises {end}; "
            "copy it again"
        )


def _is_swapped(page: tifffile.TiffPage) -> bool:
    native = "<" if sys.byteorder == "little" else ">"
    return page.parent.byteorder != native and page.bitspersample > 8


def _scratch(page: tifffile.TiffPage) -> int:
    """Bytes that tifffile holds while it decodes a page into a given plane.

    Some strips' coded bytes (read in passes of `_PASS`: the pass, its parts, the pass before)
    and one decoded strip, twice where bytes are swapped or floats unpredicted. Measured with
    tifffile 2026.3 on strips, tiles, whole-page strips; LZW, deflate, zstd, packbits, PNG.
    """
    coded, largest = sum(page.databytecounts), max(page.databytecounts)
    passes = largest if largest == coded else 2 * min(coded, largest + _PASS) + _PASS
    strip = prod(page.chunks) * np.dtype(page.dtype).itemsize
    copies = 2 if _is_swapped(page) or page.predictor not in (1, 2) else 1
    return passes + copies * strip + (3 << 20)
