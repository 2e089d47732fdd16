"""Directories of a TIFF file, read without parsing each one: a file may hold 100 000."""

import os
from collections.abc import Sequence
from pathlib import Path
from struct import unpack, unpack_from
from typing import Any

import numpy as np
import tifffile

from hoaconv.errors import SourceError

__all__ = ["Directory", "read_directory", "walk"]

_CODES = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_OFFSETS, _COUNTS = (273, 324), (279, 325)
_DESCRIPTION = 270
_STRUCTURE = {254, 255, 256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 322, 323, 338, 339, 32997}


class Directory:
    """Tags of one directory that describe how its page is stored.

    Attributes
    ----------
    structure
        Tags that are equal for pages that differ only in `offsets`, `counts` and `words`.
    offsets, counts
        Byte offsets of the strips or tiles, and their bytes.
    words
        Description tag, in which ImageJ and others state the number of planes.
    """

    def __init__(
        self,
        structure: tuple[Any, ...],
        offsets: Sequence[int],
        counts: Sequence[int],
        words: bytes,
    ) -> None:
        self.structure = structure
        self.offsets = offsets
        self.counts = counts
        self.words = words


def walk(file: Path, tif: tifffile.TiffFile) -> list[int]:
    """Return the byte offsets of all directories, from the first to the last of the chain.

    tifffile can't be used: it silently drops directories that it can't find, as in a file cut
    short, and never ends if the chain is a loop.

    Raises
    ------
    SourceError
        If the chain is a loop, is empty, or leads to a place without a directory.
    """
    layout, handle = tif.tiff, tif.filehandle
    handle.seek(8 if layout.is_bigtiff else 4)
    (place,) = unpack(layout.offsetformat, handle.read(layout.offsetsize))
    offsets, met = list[int](), set[int]()
    while place:
        if place in met:
            raise SourceError(
                f"{file} is damaged: after page {len(offsets)} its directories lead back to one "
                "before; write or copy it again"
            )
        following = _next(tif, place)
        if following is None:
            raise SourceError(
                f"{file} is cut short or damaged: after page {len(offsets)} comes another, which "
                f"isn't where the file says, at byte {place}; copy it again"
            )
        met.add(place)
        offsets.append(place)
        place = following
    if not offsets:
        raise SourceError(f"{file} is damaged: it holds no page; write or copy it again")
    return offsets


def _next(tif: tifffile.TiffFile, place: int) -> int | None:
    """Return the offset of the directory after that at `place`; None if `place` holds none."""
    layout, handle = tif.tiff, tif.filehandle
    if place + layout.tagnosize > handle.size:
        return None
    handle.seek(place)
    (tags,) = unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    if not 0 < tags <= 4096:  # tifffile's own limit
        return None
    handle.seek(tags * layout.tagsize, os.SEEK_CUR)
    stored = handle.read(layout.offsetsize)
    return unpack(layout.offsetformat, stored)[0] if len(stored) == layout.offsetsize else None


def read_directory(tif: tifffile.TiffFile, place: int) -> Directory:
    """Return the tags of the directory at `place`, an offset from `walk`."""
    layout, handle = tif.tiff, tif.filehandle
    handle.seek(place)
    (tags,) = unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    content = handle.read(tags * layout.tagsize)
    head, count_format = layout.byteorder + "HH", layout.byteorder + layout.offsetformat[1:]
    structure, arrays, words = list[Any](), dict[int, Sequence[int]](), b""
    for start in range(0, len(content) - layout.tagsize + 1, layout.tagsize):
        code, kind = unpack_from(head, content, start)
        (count,) = unpack_from(count_format, content, start + 4)
        value = content[start + layout.tagsize - layout.offsetsize : start + layout.tagsize]
        if code in _STRUCTURE:
            structure.append((code, kind, count, value))
        elif code in _OFFSETS or code in _COUNTS:
            structure.append((code, kind, count))
            arrays[code] = _array(tif, kind, count, value)
        elif code == _DESCRIPTION:
            words = _content(tif, count, value)
    offsets, counts = (
        next((arrays[code] for code in codes if code in arrays), ())
        for codes in (_OFFSETS, _COUNTS)
    )
    return Directory(tuple(structure), offsets, counts, words)


def _array(tif: tifffile.TiffFile, kind: int, count: int, value: bytes) -> Sequence[int]:
    """Return the integers of a tag; none if they can't be read."""
    if kind not in _CODES:
        return ()
    dtype = np.dtype(tif.tiff.byteorder + _CODES[kind])
    value = _content(tif, count * dtype.itemsize, value)
    numbers: list[int] = np.frombuffer(value, dtype, count).tolist() if value else []
    return numbers


def _content(tif: tifffile.TiffFile, nbytes: int, value: bytes) -> bytes:
    """Return the content of a tag, from its entry or elsewhere; empty if beyond the file's end."""
    if nbytes <= len(value):
        return value
    handle = tif.filehandle
    (place,) = unpack(tif.tiff.offsetformat, value)
    if place + nbytes > handle.size:
        return b""
    handle.seek(place)
    return handle.read(nbytes)
