"""Coded strips and tiles of a TIFF page, decoded to the size that they should have and no more."""

from collections.abc import Callable
from io import FileIO
from math import prod
from typing import Any

import imagecodecs
import tifffile

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError

__all__ = ["MOST_RATIO", "bounded", "decode_bounded", "row_bytes", "strip_scratch"]

_SLACK = 64 << 10
_LZMA_MOST = 66 << 20  # dictionary of the highest preset, and the decoder itself
_codecs: Any = imagecodecs
_NONE, _LZMA, _PACKBITS = 1, 34925, 32773
_FILLED = 7  # bytes that fill the last word of a row

_FILL: dict[int, Callable[..., Any]] = {5: _codecs.lzw_decode, _LZMA: _codecs.lzma_decode}
"""Codecs that fill the given buffer and stop there."""

_FIT: dict[int, Callable[..., Any]] = {
    8: _codecs.deflate_decode,
    32946: _codecs.deflate_decode,
    _PACKBITS: _codecs.packbits_decode,
    34926: _codecs.zstd_decode,
    50000: _codecs.zstd_decode,
}
"""Codecs that reject a buffer that is too small; they get somewhat more than is needed."""

_CODECS = _FILL | _FIT
_TOO_SMALL = ("INSUFFICIENT_SPACE", "TOO_SMALL", "TOO SMALL")

MOST_RATIO = {1: 8, 5: 4096, 8: 1032, 32946: 1032, 32773: 128}
"""Most bytes that one coded byte can hold, by TIFF's number of the compression, if known.

Without compression it is 8, since bits may be packed.
"""


def bounded(page: tifffile.TiffPage) -> bool:
    """Return True if `decode_bounded` can decode this page; otherwise tifffile decodes it."""
    if page.dtype is None or page.fillorder != 1:
        return False
    if page.bitspersample == 1:
        return page.compression == _NONE or page.compression in _CODECS
    return page.compression in _CODECS and page.bitspersample == 8 * page.dtype.itemsize


def row_bytes(page: tifffile.TiffPage, voxels: int) -> int:
    """Return the bytes of a row of so many voxels; bits are packed, and a row fills its bytes."""
    bits = 1 if page.bitspersample == 1 or page.dtype is None else 8 * page.dtype.itemsize
    return -(-voxels * bits // 8)


def decode_bounded(label: str, page: tifffile.TiffPage, stream: FileIO, out: Plane) -> None:
    """Decode a page into `out` (y, x), strip by strip or tile by tile; `page` is changed.

    Raises
    ------
    SourceError
        If a strip or tile is cut short, holds less than it should, or far more. If it holds
        slightly more, the rest is dropped, as libtiff does.
    """
    if page.dtype is None:
        raise SourceError(f"{label} holds voxels of no dtype that is known")
    compression = int(page.compression)
    page.compression = tifffile.COMPRESSION.NONE  # then tifffile only undoes the predictor
    tall, wide = page.chunks[-2:] if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    row = row_bytes(page, wide)
    room = memoryview(bytearray(tall * row + _SLACK))
    places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    for index, (offset, count) in enumerate(places[: prod(page.chunked)]):
        rows = tall if page.is_tiled else min(tall, out.shape[0] - index * tall)
        wanted = room[: rows * row]
        stream.seek(offset)
        coded = stream.read(count)
        if len(coded) < count:
            raise SourceError(f"{label} is cut short in strip or tile {index + 1}; copy it again")
        found = _decode(compression, coded, wanted, room)
        if found is None or found < len(wanted) or _is_torn(compression, found - len(wanted), row):
            holds = "far more than its" if found is None else f"{found} bytes of"
            raise SourceError(
                f"{label} is damaged: strip or tile {index + 1} holds {holds} {len(wanted)} bytes; "
                "copy it again"
            )
        data, (_, _, y, x, _), _ = page.decode(wanted, index)
        part = out[y : y + tall, x : x + wide]
        if data is None:
            raise SourceError(f"{label} is damaged: strip or tile {index + 1} is empty")
        part[...] = data[0, : part.shape[0], : part.shape[1], 0]


def _is_torn(compression: int, more: int, row: int) -> bool:
    """Return True if `more` bytes than wanted can only come from damage.

    PackBits has no checksum and decodes any bytes, so only the length can show that some are
    wrong. Writers add nothing but whole rows, or bytes that fill the last word.
    """
    return compression == _PACKBITS and more % row > _FILLED


def _decode(compression: int, coded: bytes, wanted: memoryview, room: memoryview) -> int | None:
    """Return the number of decoded bytes; None if they don't fit in `room`.

    `wanted` is the beginning of `room`.
    """
    if compression == _NONE:
        taken = coded[: len(room)]
        room[: len(taken)] = taken
        return len(taken) if taken == coded else None
    if compression in _FILL:
        return len(_FILL[compression](coded, out=wanted))
    try:
        return len(_FIT[compression](coded, out=room))
    except RuntimeError as error:
        if any(word in str(error).upper() for word in _TOO_SMALL):
            return None
        raise


def strip_scratch(compression: int, nbytes: int) -> int:
    """Return the bytes held for one decoded strip or tile of `nbytes`, and by its decoder."""
    return nbytes + _SLACK + (min(nbytes, _LZMA_MOST) if compression == _LZMA else 0)
