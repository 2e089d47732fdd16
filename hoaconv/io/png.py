"""PNG slices: this module reads headers; libpng, through imagecodecs, decodes voxels."""

import os
from dataclasses import dataclass
from io import FileIO
from math import prod
from pathlib import Path
from struct import unpack
from typing import Any

import imagecodecs
import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError
from hoaconv.io.colour import spread
from hoaconv.io.looks import looks_like
from hoaconv.io.opened import opened, seen
from hoaconv.io.slices import StoredSlice, blame, check_plane
from hoaconv.io.voxel_size import from_metres

__all__ = ["PngSlice", "read_header"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Channels of each colour type (PNG specification, 11.2.1)."""
_MOST_RATIO = 1100  # deflate packs no more than 1032 bytes in one
_MOST_CHUNKS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PngSlice(StoredSlice):
    """One PNG file.

    Attributes
    ----------
    bits
        Bits of a stored voxel; grey ones of fewer than 8 are read as the numbers that are stored.
    """

    bits: int

    def read(self, out: Plane) -> None:
        """Decode into `out` (y, x).

        Raises
        ------
        SourceError
            If the file is damaged, can't be read, or has changed since its header was read.
        """
        with blame(self.label), opened(self.file, self.seen) as stream:
            whole: np.ndarray[Any, Any] = imagecodecs.png_decode(stream.readall())
            if whole.ndim == 2:
                whole = whole[..., np.newaxis]
            if whole.shape != (*self.shape, self.channels) or whole.dtype != self.dtype:
                raise SourceError(f"{self.label} is damaged: its header says {self}")
            spread(whole, self.channel, out)
            if self.channels == 1 and self.bits < 8:
                out //= 255 // (2**self.bits - 1)  # libpng makes the greatest value 255


def read_header(file: Path) -> tuple[PngSlice, Geometry | None]:
    """Return the slice and the voxel size of a PNG file; no voxel is decoded.

    Raises
    ------
    SourceError
        If the file is damaged, or no PNG.
    """
    with blame(str(file)), opened(file) as stream:
        status = os.fstat(stream.fileno())
        first = stream.read(33)
        if not first.startswith(_SIGNATURE):
            raise SourceError(f"{file} is no PNG file{looks_like(first)}")
        if len(first) < 33 or first[12:16] != b"IHDR":
            raise SourceError(f"{file} is cut short in its header; copy it again")
        x, y, bits, kind = unpack(">IIBB", first[16:26])
        clear, size = _before_voxels(file, stream, status.st_size)
        dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
        shape, dtype = check_plane(str(file), (y, x), dtype)
        channels = _CHANNELS.get(kind, 0) + (clear and kind in (0, 2, 3))
        if not channels or prod(shape) * bits * channels // 8 > _MOST_RATIO * status.st_size:
            raise SourceError(f"{file} is damaged: its header makes no sense; copy it again")
        made = PngSlice(
            file=file,
            shape=shape,
            dtype=dtype,
            stored_bytes=status.st_size,
            # The coded bytes, all channels, and rows that are made grey.
            scratch=status.st_size + prod(shape) * channels * dtype.itemsize + 2048 * x + (1 << 20),
            seen=seen(status),
            channels=channels,
            bits=bits,
        )
        return made, size


def _before_voxels(file: Path, stream: FileIO, end: int) -> tuple[bool, Geometry | None]:
    """Return whether a colour is transparent, and the voxel size: of the chunks before voxels."""
    clear, size, place = False, None, 33
    for _ in range(_MOST_CHUNKS):
        stream.seek(place)
        head = stream.read(17)
        if len(head) < 17 or place + 12 > end:
            raise SourceError(f"{file} is cut short: it holds no voxels; copy it again")
        length, name = unpack(">I4s", head[:8])
        if name == b"IDAT":
            return clear, size
        clear = clear or name == b"tRNS"
        if name == b"pHYs" and length == 9:
            per_x, per_y = unpack(">II", head[8:16])
            size = from_metres(per_y, per_x, "PNG pHYs chunk") if head[16] == 1 else None
        place += 12 + length
    raise SourceError(f"{file} is damaged: it holds more chunks than any image has")
