"""JPEG 2000 codestreams: what their main header says, and whether every tile is there.

ISO/IEC 15444-1, annex A. Nothing is decoded; of a tile-part only its first bytes are read.
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
    """The main header: SIZ and COD; pairs are (y, x).

    Attributes
    ----------
    start, end
        Of the image, on the reference grid.
    tile_start, tile
        Where tiles begin, and their size.
    channels
        How many.
    bits, signed, step
        Of the first channel; step is more than 1 where it is subsampled.
    halvings
        Wavelet levels.
    layers, precinct, block
        Quality layers; the smallest precinct; the code block.
    style
        Of the code blocks: bit 0 raw bits, bit 6 HTJ2K.
    begin, first
        Bytes where the codestream and its first tile-part begin.
    """

    start: Pair
    end: Pair
    tile_start: Pair
    tile: Pair
    channels: int
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
        """Of the first channel."""
        y, x = (
            -(-b // n) + -a // n for a, b, n in zip(self.start, self.end, self.step, strict=True)
        )
        return y, x

    @property
    def divides(self) -> bool:
        """Whether each tile, or the only one, begins at a voxel of the first channel."""
        grid = zip(self.tile_start, self.tile, self.step, strict=True)
        return self.tiles == 1 or not any(start % n or size % n for start, size, n in grid)

    @property
    def tiles(self) -> int:
        """How many there must be."""
        spans = zip(self.tile_start, self.end, self.tile, strict=True)
        return prod(-(-(end - start) // size) for start, end, size in spans)

    @property
    def longest_zeros(self) -> int | None:
        """Zero bytes in a row that coded data can hold; None where any number may be right.

        An empty packet is one byte 0, so a black tile is as many as it has packets. The MQ coder
        gives a long run only where the less probable symbol comes each time, as in a pattern that
        repeats every second or fourth voxel: of 20 700 codestreams of OpenJPEG, black, periodic,
        sparse and noisy, at every rate, the longest had 2041. Only patterns of the least and the
        greatest of 16 bits reach more, 6649; who asks excepts images of a few values. Raw bits may
        be anything.
        """
        if self.style & (_BYPASS | _HIGH_THROUGHPUT):
            return None
        # Precincts are counted on each resolution of a tile; a tile may cut one more each way.
        packets = 0
        for halving in range(self.halvings + 1):
            sizes = zip(self.tile, self.start, self.end, self.precinct, strict=True)
            packets += prod(ceil((min(t, b - a) >> halving) / p) + 2 for t, a, b, p in sizes)
        return packets * self.layers * self.channels + _ZEROS


def read_codestream(file: Path, stream: IO[bytes], begin: int, end: int) -> Codestream:
    """Read the main header of the codestream in bytes `begin` to `end` of a file.

    Raises
    ------
    SourceError
        If it isn't one, or its header doesn't make sense.
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
    """Marker and length of a segment, the length's own two bytes included."""
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
    """The file with the one component's own voxels as its reference grid, which codecs read.

    Of one component it is the same image: wavelets and code blocks know its own grid alone.

    Raises
    ------
    ValueError
        If tiles don't begin at its voxels (`Codestream.divides` tells), or SIZ isn't the first
        marker segment, as it must be.
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
    """Walk from tile-part to tile-part: each must be there, and EOC behind the last.

    Parameters
    ----------
    file, stream
        The file.
    header
        Of its codestream.
    end
        Of the bytes in which the codestream lies.

    Returns
    -------
    int
        Byte of EOC, where the coded data end.

    Raises
    ------
    SourceError
        If a tile or a part of one is missing, or a part ends elsewhere than it says.
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
        if length == 0:  # the last one: it goes on to EOC
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
