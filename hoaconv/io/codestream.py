"""Main header of JPEG 2000 codestreams, and a check that every tile is present.

See ISO/IEC 15444-1, annex A. Nothing is decoded; only the first bytes of a tile-part are read.
"""

from collections import Counter
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from struct import pack, unpack
from typing import IO

from hoaconv.errors import SourceError

__all__ = ["Codestream", "check_tiles", "on_own_grid", "read_codestream"]

_SOC, _CAP, _SIZ, _COD = 0xFF4F, 0xFF50, 0xFF51, 0xFF52
_SOT, _SOD, _EOC = 0xFF90, 0xFF93, 0xFFD9
_PART = 12  # bytes of a tile-part's SOT
_PADDING = 64  # zeros that some programs append
_MARKERS = 4096  # marker segments of a main header, at most; real ones have a dozen
_ZEROS = 2048
_BYPASS, _HIGH_THROUGHPUT = 0x01, 0x40

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Codestream:
    """Main header of a codestream: SIZ and COD; pairs are (y, x).

    Attributes
    ----------
    start, end
        Start and end of the image on the reference grid.
    tile_start, tile
        Start of the first tile on the reference grid, and size of a tile.
    channels, alike
        Number of channels, and True if all have the bits, the sign and the step of the first.
    bits, signed, step
        Bits, sign and sampling step of the first channel; the step is more than 1 if the channel
        is subsampled.
    halvings
        Number of wavelet levels.
    layers, precinct, block
        Number of quality layers; size of the smallest precinct; size of a code block.
    style
        Style of the code blocks: bit 0 means raw bits, bit 6 HTJ2K.
    begin, first
        Byte offsets of the codestream and of its first tile-part.
    """

    start: Pair
    end: Pair
    tile_start: Pair
    tile: Pair
    channels: int
    alike: bool
    bits: int
    signed: bool
    step: Pair
    halvings: int
    layers: int
    precinct: Pair
    block: Pair
    style: int
    begin: int
    first: int

    @property
    def shape(self) -> Pair:
        """Shape (y, x) of the first channel, in voxels."""
        y, x = (
            -(-b // n) + -a // n for a, b, n in zip(self.start, self.end, self.step, strict=True)
        )
        return y, x

    @property
    def divides(self) -> bool:
        """True if each tile begins at a voxel of the first channel, or there is only one tile."""
        grid = zip(self.tile_start, self.tile, self.step, strict=True)
        return self.tiles == 1 or not any(start % n or size % n for start, size, n in grid)

    @property
    def tiles(self) -> int:
        """Number of tiles that the codestream must have."""
        spans = zip(self.tile_start, self.end, self.tile, strict=True)
        return prod(-(-(end - start) // size) for start, end, size in spans)

    @property
    def longest_zeros(self) -> int | None:
        """Longest run of zero bytes that coded data can hold; None if any run may be valid.

        An empty packet is one byte 0, so a black tile has one zero byte for each packet. The MQ
        coder gives a long run only if the less probable symbol comes each time, as in a pattern
        that repeats every second or fourth voxel. Among 20 700 codestreams of OpenJPEG (black,
        periodic, sparse and noisy, at every rate) the longest run was 2041. Only patterns of the
        least and the greatest 16-bit value have longer runs, up to 6649; the caller must make an
        exception for images of a few values. Raw bits may hold runs of any length.
        """
        if self.style & (_BYPASS | _HIGH_THROUGHPUT):
            return None
        # Precincts are counted on each resolution of a tile; a tile may cut one more at each side.
        packets = 0
        for halving in range(self.halvings + 1):
            sizes = zip(self.tile, self.start, self.end, self.precinct, strict=True)
            packets += prod(ceil((min(t, b - a) >> halving) / p) + 2 for t, a, b, p in sizes)
        return packets * self.layers * self.channels + _ZEROS


def read_codestream(file: Path, stream: IO[bytes], begin: int, end: int) -> Codestream:
    """Return the main header of the codestream in bytes `begin` to `end` of a file.

    Raises
    ------
    SourceError
        If no codestream begins there, or its header is cut short or makes no sense.
    """
    if _at(stream, begin, 2) != _SOC.to_bytes(2, "big"):
        raise SourceError(f"{file} is damaged: no JPEG 2000 codestream begins at byte {begin}")
    place, found = begin + 2, dict[int, bytes]()
    for _ in range(_MARKERS):
        marker, length = _segment(file, stream, place, end)
        if marker == _SOT:
            return _understood(file, found, begin, place)
        if marker in (_SIZ, _COD):
            found.setdefault(marker, _at(stream, place + 4, length - 2))
        place += 2 + length
    raise SourceError(f"{file} is damaged: its JPEG 2000 header doesn't end; copy it again")


def _segment(file: Path, stream: IO[bytes], place: int, end: int) -> Pair:
    """Return the marker and the length of a segment; the length includes its own two bytes."""
    head = _at(stream, place, 4)
    if len(head) < 4 or place + 4 > end:
        raise SourceError(f"{file} is cut short in its JPEG 2000 header; copy it again")
    marker, length = unpack(">HH", head)
    if marker < 0xFF00 or length < 2:
        raise SourceError(
            f"{file} is damaged: its JPEG 2000 header makes no sense at byte {place}; copy it again"
        )
    return marker, length


def _understood(file: Path, found: dict[int, bytes], begin: int, first: int) -> Codestream:
    siz, cod = found.get(_SIZ, b""), found.get(_COD, b"")
    if len(siz) < 39 or len(cod) < 10:
        missing = "its size (SIZ)" if len(siz) < 39 else "how it is coded (COD)"
        raise SourceError(f"{file} is damaged: its JPEG 2000 header doesn't say {missing}")
    _, x1, y1, x0, y0, tx, ty, tx0, ty0, channels = unpack(">H8IH", siz[:36])
    depth, step_x, step_y = siz[36:39]
    scod, _, layers, _, halvings, log_x, log_y, style = unpack(">BBHBBBBB", cod[:9])
    precincts = cod[10 : 11 + halvings] if scod & 1 else b"\xff"
    sensible = (
        all((step_x, step_y, tx, ty, channels, layers, precincts)),
        x0 < x1 and y0 < y1 and tx0 <= x0 < tx0 + tx and ty0 <= y0 < ty0 + ty,
        halvings <= 32 and log_x + log_y <= 8,
    )
    if not all(sensible):
        raise SourceError(f"{file} is damaged: its JPEG 2000 header contradicts itself")
    return Codestream(
        start=(y0, x0),
        end=(y1, x1),
        tile_start=(ty0, tx0),
        tile=(ty, tx),
        channels=channels,
        alike=siz[36:] == siz[36:39] * channels,
        bits=(depth & 0x7F) + 1,
        signed=depth > 0x7F,
        step=(step_y, step_x),
        halvings=halvings,
        layers=layers,
        precinct=(1 << min(p >> 4 for p in precincts), 1 << min(p & 15 for p in precincts)),
        block=(1 << (log_y + 2), 1 << (log_x + 2)),
        style=style,
        begin=begin,
        first=first,
    )


def on_own_grid(coded: bytes, header: Codestream) -> bytes:
    """Return the file with the voxels of its one component as reference grid; codecs can read it.

    The image stays the same: the wavelets and code blocks of one component use only its own grid.

    Raises
    ------
    ValueError
        If tiles don't begin at voxels (see `Codestream.divides`), or SIZ isn't the first marker
        segment, which the standard requires.
    """
    if not header.divides:
        raise ValueError("tiles don't divide")
    if not coded.startswith(b"\xff\x4f\xff\x51", header.begin):
        raise ValueError("no size (SIZ) where the codestream begins")
    spans = (header.end, header.start, header.tile, header.tile_start)
    step_y, step_x = header.step
    own = [-(-edge // n) for y, x in spans for edge, n in ((x, step_x), (y, step_y))]
    place = header.begin + 8
    depth = coded[place + 34 : place + 35]
    siz = pack(">8IH", *own, 1) + depth + b"\1\1"
    return coded[:place] + siz + coded[place + len(siz) :]


def check_tiles(file: Path, stream: IO[bytes], header: Codestream, end: int) -> int:
    """Check that every tile-part is present and that EOC follows the last one.

    Parameters
    ----------
    file, stream
        The path of the file, for messages, and the open file.
    header
        Main header of its codestream.
    end
        Byte offset of the end of the codestream.

    Returns
    -------
    int
        Byte offset of EOC, where the coded data end.

    Raises
    ------
    SourceError
        If a tile or a tile-part is missing, or a tile-part doesn't end where its length says.
    """
    tiles = header.tiles
    if tiles * _PART > end - header.first:
        raise SourceError(
            f"{file} is damaged: its header promises {tiles} tiles, which {end} bytes can't hold"
        )
    parts, promised, place = Counter[int](), dict[int, int](), header.first
    while True:
        head = _at(stream, place, _PART)[: max(0, end - place)]
        if head[:2] == _EOC.to_bytes(2, "big"):
            break
        if len(head) < _PART or head[:4] != b"\xff\x90\x00\x0a":
            raise SourceError(_broken(file, place, end))
        tile, length, _, count = unpack(">HIBB", head[4:])
        parts[tile] += 1
        promised[tile] = max(count, promised.get(tile, 0))
        if length == 0:  # the last tile-part, which extends to EOC
            place = _find_eoc(file, stream, place, end)
            break
        if length < _PART + 2 or place + length > end:
            raise SourceError(_broken(file, place, end))
        place += length
    _check_all(file, tiles, parts, promised)
    return place


def _check_all(file: Path, tiles: int, parts: Counter[int], promised: dict[int, int]) -> None:
    strange = sum(1 for tile in parts if tile >= tiles)
    missing = tiles - len(parts) + strange
    short = sum(1 for tile, count in promised.items() if parts[tile] < count)
    if missing or strange or short:
        what = (
            f"it lacks {missing} of its {tiles} tiles"
            if missing
            else f"{short} of its {tiles} tiles lack a part"
            if short
            else f"it holds tiles beyond its {tiles}"
        )
        raise SourceError(f"{file} is damaged: {what}; was it written to the end? Copy it again")


def _find_eoc(file: Path, stream: IO[bytes], place: int, end: int) -> int:
    begin = max(place + _PART, end - 2 - _PADDING)
    behind = _at(stream, begin, end - begin).rstrip(b"\0")
    if not behind.endswith(_EOC.to_bytes(2, "big")):
        raise SourceError(_broken(file, end, end))
    return begin + len(behind) - 2


def _broken(file: Path, place: int, end: int) -> str:
    return (
        f"{file} is damaged or cut short: its codestream doesn't go on as it should at byte "
        f"{min(place, end)}, so something is missing or overwritten; copy it again"
    )


def _at(stream: IO[bytes], place: int, count: int) -> bytes:
    stream.seek(place)
    return stream.read(count)
