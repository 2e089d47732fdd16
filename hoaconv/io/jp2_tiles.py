"""Tiles of a JP2 file (ISO/IEC 15444-1, annex A): each is encoded alone, then all are put together.

imagecodecs writes no tiles, and Pillow 13 writes wrong ones of 16 bits. Tiles don't depend on each
other. If a tile's origin is a multiple of its size, and that is a power of two which can be halved
for all resolutions, its wavelet bands and code blocks are those of an image of its own.
"""

from collections.abc import Callable, Iterator
from struct import pack, unpack_from

from hoaconv.engine.spec import Plane

__all__ = ["MOST_TILES", "in_tiles"]

_SOT, _SOD, _EOC, _SIZ = b"\xff\x90", b"\xff\x93", b"\xff\xd9", 0xFF51
_OF_TILE = (0xFF52, 0xFF53, 0xFF5C, 0xFF5D)
"""Markers of what a tile may have of its own: COD, COC, QCD, QCC."""

MOST_TILES = 65535

Segments = dict[int, bytes]
"""Marker segments of a header, in their order, with their markers."""


def in_tiles(encode: Callable[[Plane], bytes], plane: Plane, tile: tuple[int, int]) -> bytes:
    """Return a JP2 file of a plane (y, x), each of whose tiles `encode` makes a JP2 file of.

    Parameters
    ----------
    encode
        Returns a JP2 file of one tile and one channel.
    tile
        Rows and columns of a tile, powers of two.
    """
    files = (encode(part) for part in _parts(plane, tile))
    first = next(files)
    start = first.index(b"jp2c") + 4
    main, coded = _split(first[start:])
    streams = [_tile_part(0, {}, coded)]
    for number, file in enumerate(files, 1):
        own, coded = _split(file[file.index(b"jp2c") + 4 :])
        differing = {m: own[m] for m in _OF_TILE if m in own and own[m] != main.get(m)}
        streams.append(_tile_part(number, differing, coded))
    main[_SIZ] = _sized(main[_SIZ], plane.shape, tile)
    head = [b"\xff\x4f", *main.values()]
    nbytes = 8 + sum(map(len, (*head, *streams, _EOC)))
    box = pack(">I4s", nbytes if nbytes < 1 << 32 else 0, b"jp2c")  # 0: up to the file's end
    return b"".join([_boxes(first[: start - 8], plane.shape), box, *head, *streams, _EOC])


def _parts(plane: Plane, tile: tuple[int, int]) -> Iterator[Plane]:
    """Return the tiles row by row, as arrays of their own; those at the ends are smaller."""
    rows, columns = tile
    for y in range(0, plane.shape[0], rows):
        for x in range(0, plane.shape[1], columns):
            yield plane[y : y + rows, x : x + columns].copy()


def _split(codestream: bytes) -> tuple[Segments, bytes]:
    """Return the segments of the main header, and the coded data of the only tile-part."""
    segments: Segments = {}
    place = 2
    while codestream[place : place + 2] != _SOT:
        marker, length = unpack_from(">HH", codestream, place)
        segments[marker] = codestream[place : place + 2 + length]
        place += 2 + length
    (nbytes,) = unpack_from(">I", codestream, place + 6)
    end = place + nbytes if nbytes else len(codestream) - 2
    data = codestream.index(_SOD, place + 12) + 2
    if data != place + 14 or codestream[end : end + 2] != _EOC:
        raise ValueError("OpenJPEG has written a tile in several parts, or with a header")
    return segments, codestream[data:end]


def _tile_part(number: int, own: Segments, coded: bytes) -> bytes:
    """Return a tile-part: its number, what it has of its own, and its data (A.4.2)."""
    header = b"".join(own.values())
    nbytes = 14 + len(header) + len(coded)
    return _SOT + pack(">HHIBB", 10, number, nbytes, 0, 1) + header + _SOD + coded


def _sized(siz: bytes, shape: tuple[int, int], tile: tuple[int, int]) -> bytes:
    """Return the SIZ segment of the whole image (A.5.1)."""
    (y, x), (rows, columns) = shape, tile
    return siz[:6] + pack(">8I", x, y, 0, 0, columns, rows, 0, 0) + siz[38:]


def _boxes(head: bytes, shape: tuple[int, int]) -> bytes:
    """Return the boxes before the codestream, with the height and width of the whole image."""
    place = head.index(b"ihdr") + 4
    return head[:place] + pack(">II", *shape) + head[place + 8 :]
