"""The boxes of a JP2 file that hoaconv uses (ISO/IEC 15444-1, annex I)."""

from dataclasses import dataclass
from pathlib import Path
from struct import unpack
from typing import IO

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.looks import looks_like
from hoaconv.io.voxel_size import from_metres

__all__ = ["Boxes", "read_boxes"]

_SIGNATURE = b"\0\0\0\x0cjP  "
_BARE = b"\xff\x4f\xff\x51"
_MOST_BOXES = 10_000
_MOST_HEADER = 64 << 20  # a colour profile is the largest thing in a header


@dataclass(frozen=True, slots=True)
class Boxes:
    """Place of the codestream in a file, its palette and its voxel size.

    Attributes
    ----------
    begin, end
        Byte offsets of the codestream.
    palette
        Number of channels of the palette, if voxels are indices of colours; else 0.
    colours
        Number of the colour space (ISO/IEC 15444-1, I.5.3.3; 15444-2, M.11.7.3.1); None if the
        file tells none.
    voxel_size
        Voxel size from the resolution box; None if there is none.
    """

    begin: int
    end: int
    palette: int = 0
    colours: int | None = None
    voxel_size: Geometry | None = None


def read_boxes(file: Path, stream: IO[bytes], size: int) -> Boxes:
    """Return the boxes of a JP2 file of `size` bytes; a bare codestream is the whole file.

    Raises
    ------
    SourceError
        If there is no codestream, or it is cut short.
    """
    stream.seek(0)
    first = stream.read(12)
    if first.startswith(_BARE):
        return Boxes(0, size)
    if not first.startswith(_SIGNATURE):
        raise SourceError(f"{file} is no JPEG 2000 file{looks_like(first)}")
    place, header = 0, b""
    for _ in range(_MOST_BOXES):
        kind, begin, end = _box(file, stream, place, size)
        if kind == b"jp2c":
            _check_end(file, end, size)
            return _understood(begin, end, header)
        if kind == b"jp2h" and not header:
            _check_end(file, end, size)
            stream.seek(begin)
            header = stream.read(min(end - begin, _MOST_HEADER))
        place = end
    raise SourceError(f"{file} is damaged: it holds more boxes than any image has")


def _box(file: Path, stream: IO[bytes], place: int, size: int) -> tuple[bytes, int, int]:
    """Return the kind of the box at `place`, and the byte offsets of its contents."""
    stream.seek(place)
    head = stream.read(16)
    if len(head) < 8:
        raise SourceError(f"{file} is cut short: it holds no codestream; copy it again")
    length, kind = unpack(">I4s", head[:8])
    extended = length == 1 and len(head) == 16
    begin = place + (16 if extended else 8)
    if extended:
        (length,) = unpack(">Q", head[8:])
    end = size if length == 0 else place + length
    if end < begin:
        raise SourceError(f"{file} is damaged: a box at byte {place} has no length; copy it again")
    return kind, begin, end


def _check_end(file: Path, end: int, size: int) -> None:
    if end > size:
        raise SourceError(
            f"{file} is cut short: {size} bytes, of which its header promises {end}; copy it again"
        )


def _understood(begin: int, end: int, header: bytes) -> Boxes:
    inner = _inner(header)
    edges = dict[bytes, bytes]()
    for kind, content in inner:
        if kind == b"res ":
            edges |= dict(_inner(content))
    found = (_resolution(edges[k]) for k in (b"resc", b"resd") if k in edges)
    boxes = dict(reversed(inner))  # the first of a kind counts
    palette, colours = boxes.get(b"pclr", b""), boxes.get(b"colr", b"")
    space = int.from_bytes(colours[3:7], "big") if colours[:1] == b"\x01" else None
    return Boxes(begin, end, palette[2] if len(palette) > 2 else 0, space, next(found, None))


def _inner(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of the boxes inside a box, up to the first that makes no sense."""
    boxes, place = [], 0
    while place + 8 <= len(content):
        length, kind = unpack(">I4s", content[place : place + 8])
        if length == 0:
            length = len(content) - place
        if length < 8:
            break
        boxes.append((kind, content[place + 8 : place + length]))
        place += length
    return boxes


def _resolution(content: bytes) -> Geometry | None:
    """Return the voxel size from points per metre, stored as two fractions with powers of ten."""
    if len(content) < 10:
        return None
    y, y_of, x, x_of, y_power, x_power = unpack(">4H2b", content[:10])
    if not (y_of and x_of):
        return None
    return from_metres(y / y_of * 10.0**y_power, x / x_of * 10.0**x_power, "JP2 resolution box")
