"""TIFF pages: tifffile reads headers; voxels come directly from the file, or from its codecs."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import FileIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError
from hoaconv.io.colour import spread, with_colours
from hoaconv.io.looks import looks_like
from hoaconv.io.opened import check_regular, opened, seen
from hoaconv.io.slices import StoredSlice, blame, check_plane, read_plain
from hoaconv.io.strips import MOST_RATIO, bounded, decode_bounded, row_bytes, strip_scratch
from hoaconv.io.tiff_chain import Directory, walk
from hoaconv.io.tiff_colours import channels_of, has_palette, plane_shape, read_dtype
from hoaconv.io.voxel_size import from_imagej, from_ome, from_tiff_tags

__all__ = [
    "TiffSlice",
    "like_slice",
    "open_tiff",
    "page_slice",
    "promised_planes",
    "raw_slice",
    "read_header",
    "voxel_sizes",
]

_PASS = 1 << 20  # coded bytes read at once where a page has many strips or tiles
_MOST_RATIO = 1 << 24

# Without a handler, Python prints the warnings that tifffile logs. Those that matter are errors
# here; a program that sets up logging still gets all of them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffSlice(StoredSlice):
    """One page of a TIFF file.

    Attributes
    ----------
    directory
        Byte offset of the page's tags, by which a coded page is read.
    data
        Byte offset of the voxels if they are stored in one piece without coding; else None.
    swapped
        True if those voxels aren't in the machine's byte order.
    white
        True if the page says that 0 is white.
    bits
        True if each voxel is stored as a bit; it is read as 0 or 1.
    palette
        True if each voxel is stored as an index of a colour; it is read as RGB.
    """

    directory: int
    data: int | None
    swapped: bool
    white: bool
    bits: bool
    palette: bool = False

    def read(self, out: Plane) -> None:
        """Read or decode into `out` (y, x), with a file handle of its own.

        Raises
        ------
        SourceError
            If the page is damaged, can't be read, or has changed since its header was read.
        """
        with blame(self.label), opened(self.file, self.seen) as stream:
            if self.data is not None:
                read_plain(self.label, stream, self.data, out, swapped=self.swapped)
            else:
                self._decode(out, stream)

    def _decode(self, out: Plane, stream: FileIO) -> None:
        with tifffile.TiffFile(stream, name=str(self.file)) as tif:
            tif.filehandle.seek(self.directory)
            page = tifffile.TiffPage(tif, index=self.page or 0)
            if plane_shape(page) != self.shape or read_dtype(page) != self.dtype:
                raise SourceError(f"{self.label} has changed since its header was checked")
            if self.channels > 1 or page.dtype == np.float16:
                spread(self._colours(page), self.channel, out)
            elif bounded(page):
                decode_bounded(self.label, page, stream, out)
            else:
                page.asarray(out=out, maxworkers=1, buffersize=_PASS)

    def _colours(self, page: tifffile.TiffPage) -> np.ndarray[Any, Any]:
        """Return all channels of a page (y, x, channel)."""
        whole: np.ndarray[Any, Any] = page.asarray(maxworkers=1, buffersize=_PASS)
        if self.palette:
            return with_colours(whole.astype(np.uint16), page.colormap)  # type: ignore[arg-type]
        if self.channels == 1:
            return whole[..., np.newaxis]
        return np.moveaxis(whole, 0, -1) if page.axes.startswith("S") else whole


def read_header(
    file: Path, keep: Callable[[tifffile.TiffFile, TiffSlice], None] | None = None
) -> tuple[TiffSlice, tuple[str, ...], tuple[Geometry | None, ...]]:
    """Return the slice, notes and voxel sizes of a file with one page; read no voxel.

    Parameters
    ----------
    file
        The file to read.
    keep
        Function that is called with the open file and its slice, if given.

    Raises
    ------
    SourceError
        If the file is damaged or cut short, has more than one page, or holds voxels of a kind
        that hoaconv doesn't take.
    """
    with blame(str(file)), open_tiff(file) as tif:
        planes = max(len(walk(file, tif)), promised_planes(tif))
        if planes != 1:
            raise SourceError(
                f"{file} has {planes} planes; in a folder or pattern of several files each must "
                "hold one slice: convert the multi-page file by itself"
            )
        page = tif.pages.first
        made = page_slice(file, page, None)
        if keep:
            keep(tif, made)
        return made, (), voxel_sizes(tif)


@contextmanager
def open_tiff(file: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file with tifffile.

    Raises
    ------
    SourceError
        If it isn't a regular file, or no TIFF.
    """
    check_regular(file)
    try:
        tif = tifffile.TiffFile(file)
    except tifffile.TiffFileError as error:
        with opened(file) as stream:
            looks = looks_like(stream.read(16) or b"")
        raise SourceError(f"{file} is no TIFF file{looks}") from error
    with tif:
        yield tif


def page_slice(file: Path, page: tifffile.TiffPage, number: int | None) -> TiffSlice:
    """Check one page; return the slice that reads it.

    Raises
    ------
    SourceError
        If it is neither grey nor RGB, isn't one plane of a dtype that hoaconv takes, or isn't
        complete.
    """
    label = str(file) if number is None else f"{file}, page {number + 1}"
    _check_tags(label, page)
    channels = channels_of(label, page)
    shape, dtype = check_plane(label, plane_shape(page), read_dtype(page))
    raw = page.is_final and channels == 1 and page.dtype != np.float16
    counts = (page.nbytes,) if raw else page.databytecounts
    stored = sum(counts)
    spans = [(page.dataoffsets[0], stored)] if raw else _spans(label, page)
    size = page.parent.filehandle.size
    _check_whole(label, size, max(offset + count for offset, count in spans))
    _check_claim(label, page, counts, size)
    return TiffSlice(
        file=file,
        page=number,
        shape=shape,
        dtype=dtype,
        stored_bytes=stored,
        directory=page.offset,
        data=page.dataoffsets[0] if raw else None,
        swapped=_is_swapped(page),
        scratch=0 if raw else _scratch(page, stored, max(counts)),
        white=page.tags.valueof(262) == tifffile.PHOTOMETRIC.MINISWHITE,
        bits=page.bitspersample == 1 and not has_palette(page),
        palette=has_palette(page),
        channels=channels,
        seen=seen(os.fstat(page.parent.filehandle.fileno())),
    )


def like_slice(
    first: TiffSlice, page: tifffile.TiffPage, directory: Directory, offset: int, size: int
) -> TiffSlice | None:
    """Return the slice of a page like another one, whose strips lie elsewhere.

    Parameters
    ----------
    first, page
        The checked slice of a page of the same structure, and the tags of that page.
    directory, offset
        The directory of this page, and its byte offset.
    size
        Bytes of the file of this page.

    Returns
    -------
    TiffSlice or None
        None if the pages differ in more than the place of their strips or tiles.

    Raises
    ------
    SourceError
        If the page isn't complete.
    """
    offsets, counts = directory.offsets, directory.counts
    expected, stored = prod(page.chunked), sum(counts)
    if len(offsets) != expected or len(counts) != expected or not (all(offsets) and all(counts)):
        return None
    ends = [start + count for start, count in zip(offsets, counts, strict=True)]
    raw = first.data is not None
    if raw and (stored != first.stored_bytes or ends[:-1] != list(offsets[1:])):
        return None
    _check_whole(first.label, size, max(ends))
    if not raw:
        _check_claim(first.label, page, counts, size)
    return replace(
        first,
        stored_bytes=stored,
        directory=offset,
        data=offsets[0] if raw else None,
        scratch=0 if raw else _scratch(page, stored, max(counts)),
    )


def raw_slice(first: TiffSlice, offset: int, number: int) -> TiffSlice:
    """Return plane `number`, like the first, of planes in one piece from byte `offset` on."""
    nbytes = prod(first.shape) * first.dtype.itemsize
    return replace(
        first, page=number, stored_bytes=nbytes, data=offset + number * nbytes, scratch=0
    )


def promised_planes(tif: tifffile.TiffFile) -> int:
    """Return the number of planes in the metadata of ImageJ or tifffile.

    Both may write one page for all planes. If such a file was cut short, tifffile takes it for a
    single plane, without an error.
    """
    if tif.imagej_metadata is not None:
        images = tif.imagej_metadata.get("images", 1)
        return images if isinstance(images, int) else 1
    shapes = [data.get("shape", ()) for data in tif.shaped_metadata or ()]
    page = tif.pages.first
    if len(shapes) != 1 or not all(isinstance(n, int) for n in (*shapes[0], *page.shape)):
        return 1
    promised: int = prod(shapes[0]) // max(1, prod(page.shape))
    return promised


def voxel_sizes(tif: tifffile.TiffFile, series: int | None = None) -> tuple[Geometry | None, ...]:
    """Return every voxel size that a TIFF states, the most trusted first.

    Parameters
    ----------
    series
        Index of the image of an OME-TIFF; None for the first one.
    """
    tags = tif.pages.first.tags
    y, x = (_ratio(tags.valueof(code)) for code in (283, 282))
    imagej = tif.imagej_metadata
    if imagej is not None and "unit" in imagej:  # the resolution tags are then in ImageJ's unit
        return (from_imagej(imagej, y, x),)
    ome = from_ome(tif.ome_metadata, series or 0) if tif.ome_metadata else None
    unit = tags.valueof(296, default=2)
    return ome, from_tiff_tags(y, x, unit if isinstance(unit, int) else 1)


def _ratio(value: Any) -> float:
    """Return a TIFF rational as a float; 0 if the tag is missing or invalid."""
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return float(value[0]) / float(value[1]) if isinstance(value[0], int) else 0.0


_NUMBERS = (
    *("compression", "predictor", "photometric", "samplesperpixel", "planarconfig", "fillorder"),
    *("imagewidth", "imagelength", "rowsperstrip", "tilewidth", "tilelength"),
)


def _check_tags(label: str, page: tifffile.TiffPage) -> None:
    """Raise SourceError if a tag that must be a number is a list or a text, as after damage."""
    odd = [name for name in _NUMBERS if not isinstance(getattr(page, name), int)]
    places = (*page.dataoffsets, *page.databytecounts)
    if odd or not all(isinstance(place, int) for place in places):
        what = odd[0] if odd else "place of the strips or tiles"
        raise SourceError(f"{label} is damaged: its {what} is no number; copy it again")


def _spans(label: str, page: tifffile.TiffPage) -> list[tuple[int, int]]:
    """Return (offset, count) of every strip or tile; raise SourceError if one is missing."""
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    there = sum(1 for offset, count in spans if offset and count)
    expected = prod(page.chunked)
    if there < expected:
        raise SourceError(
            f"{label} lacks {expected - there} of its {expected} strips or tiles; was it "
            "written to the end? Write or copy it again"
        )
    return spans


def _check_whole(label: str, size: int, end: int) -> None:
    if end > size:
        raise SourceError(
            f"{label} is cut short: the file has {size} bytes, its header promises {end}; "
            "copy it again"
        )


def _check_claim(label: str, page: tifffile.TiffPage, counts: Sequence[int], size: int) -> None:
    """Raise SourceError, before a run is planned, if so few bytes can't hold the claimed size."""
    claimed, stored = page.nbytes, sum(counts)
    most = MOST_RATIO.get(int(page.compression), _MOST_RATIO)
    if page.bitspersample == 1 and page.compression != tifffile.COMPRESSION.NONE:
        most *= 8
    if claimed > most * stored:
        raise SourceError(
            f"{label} is damaged: its header claims {' x '.join(map(str, page.shape))} voxels, "
            f"{claimed} bytes, of which the {stored} coded bytes in a file of {size} can't tell"
        )
    part = prod(page.chunks) * np.dtype(page.dtype).itemsize
    if part > most * max(counts):
        raise SourceError(
            f"{label} is damaged: its header claims strips or tiles of {part} bytes, of which the "
            f"{max(counts)} coded bytes of the largest can't tell"
        )


def _is_swapped(page: tifffile.TiffPage) -> bool:
    native = "<" if sys.byteorder == "little" else ">"
    return page.parent.byteorder != native and page.bitspersample > 8


def _scratch(page: tifffile.TiffPage, coded: int, largest: int) -> int:
    """Return the bytes held while a page is decoded: of all channels, if there are several."""
    colours = prod(plane_shape(page)) * 5 if has_palette(page) else 0  # and 2 for an index
    is_whole = page.samplesperpixel > 1 or colours or page.dtype == np.float16
    whole = page.nbytes if is_whole else 0
    grey = 0 if page.samplesperpixel == 1 else 2 * 8 * 64 * page.imagewidth * page.samplesperpixel
    # A page in one piece without coding is read straight into an array.
    decoding = 3 << 20 if page.is_final else _decoding_bytes(page, coded, largest)
    return decoding + whole + colours + grey


def _decoding_bytes(page: tifffile.TiffPage, coded: int, largest: int) -> int:
    """Return the bytes that tifffile holds while it decodes a page into a given plane.

    These are the coded bytes of some strips (read in passes of `_PASS`: a pass, its parts and the
    pass before) and one decoded strip, counted twice if bytes are swapped or a predictor of floats
    is undone. Bits are unpacked to a byte each. Measured with tifffile 2026.3 on strips, tiles and
    whole-page strips, with LZW, deflate, zstd, packbits, PNG and CCITT.
    """
    at_once = bounded(page) or largest == coded  # strips are read one by one, or there is one
    passes = largest if at_once else 2 * min(coded, largest + _PASS) + _PASS
    strip = row_bytes(page, page.chunks[-1]) * prod(page.chunks[:-1])
    changed = strip if _is_swapped(page) or page.predictor not in (1, 2) else 0
    unpacked = prod(page.chunks) if page.bitspersample == 1 else 0
    coding = strip_scratch(int(page.compression), strip)
    return passes + coding + changed + unpacked + (3 << 20)
