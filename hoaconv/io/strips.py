"""Coded strips and tiles of a TIFF page: inflated to what they should hold, and no further."""

import zlib
from collections.abc import Callable
from io import FileIO
from typing import Any

import imagecodecs
import tifffile

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError

__all__ = ["MOST_RATIO", "bounded", "decode_bounded"]

_SLACK = 64 << 10
_FILLED = 7
_codecs: Any = imagecodecs


def _inflate(coded: bytes, room: memoryview) -> int:
    try:
        return len(_codecs.deflate_decode(coded, out=room))
    except _codecs.DeflateError:
        return _inflate_more(coded, room)


def _inflate_more(coded: bytes, room: memoryview) -> int:
    """Of what inflates to somewhat more, fill the room; 0 where it doesn't end soon, or right."""
    inflater, found = zlib.decompressobj(), 0
    while coded and not inflater.eof and found <= len(room) + _SLACK:
        part = inflater.decompress(coded, _SLACK)
        taken = max(0, min(len(part), len(room) - found))
        room[found : found + taken] = part[:taken]
        found += len(part)
        coded = inflater.unconsumed_tail
    return found if inflater.eof else 0


def _loosely(decode: Callable[..., Any]) -> Callable[[bytes, memoryview], int]:
    """A codec that refuses a room which is too small gets a somewhat larger one."""

    def into(coded: bytes, room: memoryview) -> int:
        try:
            return len(decode(coded, out=room))
        except RuntimeError:
            larger = bytearray(len(room) + _SLACK)
            found = len(decode(coded, out=larger))
            room[:] = memoryview(larger)[: len(room)]
            return found

    return into


_CODECS: dict[int, Callable[[bytes, memoryview], int]] = {
    5: lambda coded, room: len(_codecs.lzw_decode(coded, out=room)),
    8: _inflate,
    32946: _inflate,
    32773: _loosely(_codecs.packbits_decode),
    34925: lambda coded, room: len(_codecs.lzma_decode(coded, out=room)),
    34926: _loosely(_codecs.zstd_decode),
    50000: _loosely(_codecs.zstd_decode),
}

MOST_RATIO = {1: 8, 5: 4096, 8: 1032, 32946: 1032, 32773: 128}
"""Bytes that one coded byte can hold, by TIFF's number of the compression, where that is known.

Of no compression 8: bits may be packed.
"""


def bounded(page: tifffile.TiffPage) -> bool:
    """Whether `decode_bounded` can decode this page; else tifffile does."""
    return (
        page.compression in _CODECS
        and page.fillorder == 1
        and page.dtype is not None
        and page.bitspersample == 8 * page.dtype.itemsize
    )


def decode_bounded(label: str, page: tifffile.TiffPage, stream: FileIO, out: Plane) -> None:
    """Decode a page, which is changed by it, strip by strip or tile by tile.

    Raises
    ------
    SourceError
        If a strip holds less than it should, or far more.
    """
    if page.dtype is None:
        raise SourceError(f"{label} holds voxels of no dtype that is known")
    inflate = _CODECS[int(page.compression)]
    page.compression = tifffile.COMPRESSION.NONE  # then tifffile only undoes the predictor
    tall, wide = page.chunks[-2:] if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    row = wide * page.dtype.itemsize
    room = memoryview(bytearray(tall * row))
    for index, (offset, count) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=True)
    ):
        rows = tall if page.is_tiled else min(tall, out.shape[0] - index * tall)
        wanted = room[: rows * row]
        stream.seek(offset)
        coded = stream.read(count)
        found = inflate(coded, wanted) if len(coded) == count else 0
        # Of more than is wanted, libtiff drops the rest: whole rows, or a filled last word.
        if found < len(wanted) or (found - len(wanted)) % row > _FILLED:
            raise SourceError(
                f"{label} is damaged: strip or tile {index + 1} holds {found} bytes of "
                f"{len(wanted)}; copy it again"
            )
        data, (_, _, y, x, _), _ = page.decode(wanted, index)
        part = out[y : y + tall, x : x + wide]
        if data is None:
            raise SourceError(f"{label} is damaged: strip or tile {index + 1} is empty")
        part[...] = data[0, : part.shape[0], : part.shape[1], 0]
