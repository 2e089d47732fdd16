"""JPEG 2000 slices at a lower resolution of the wavelet, decoded by OpenJPEG through Pillow.

imagecodecs, which decodes whole slices, has no option for this. Pillow holds the GIL, so slices
are decoded one after the other; this is still fast, see `docs/performance.md`.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import ImageFile

from hoaconv.engine.spec import Plane
from hoaconv.io.jp2_holes import check_holes
from hoaconv.io.opened import opened
from hoaconv.io.slices import StoredSlice, blame

__all__ = ["MOST_BITS", "LowerJp2Slice", "lower_scratch"]

MOST_BITS = 16
"""Bits of a voxel that Pillow decodes, at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerJp2Slice(StoredSlice):
    """One JP2 file or bare codestream, without its finest wavelet levels.

    A voxel lies at the place of the first voxel that it stands for: the wavelets of JPEG 2000 are
    symmetric about every second voxel (ISO/IEC 15444-1, annex F).

    Attributes
    ----------
    halvings
        Number of wavelet levels that are left out.
    bits
        Bits of a voxel.
    span, zeros
        See `hoaconv.io.jp2.Jp2Slice`.
    """

    halvings: int
    bits: int
    span: tuple[int, int]
    zeros: int | None

    @property
    def decodes_slowly(self) -> bool:
        """True, as for a whole slice."""
        return True

    def read(self, out: Plane) -> None:
        """Decode into `out` (y, x) with one thread, which holds the GIL.

        Raises
        ------
        SourceError
            If the slice is damaged, can't be read, or has changed since its header was read.
        """
        with blame(self.label), opened(self.file, self.seen) as stream:
            coded = stream.readall()
            values = np.asarray(_Lower(coded, self.shape, self.halvings, self.bits))
            unsigned = out.view(values.dtype)
            np.right_shift(values, 8 * values.itemsize - self.bits, out=unsigned)
            if self.dtype.kind == "i":
                unsigned -= 1 << (self.bits - 1)
            check_holes(self.label, coded, self.span, self.zeros, out)


def lower_scratch(voxels: int, itemsize: int, stored: int) -> int:
    """Return the bytes held while a lower resolution is decoded, besides the plane.

    `voxels` and `itemsize` describe the plane of lower resolution, `stored` is bytes of the file.
    """
    return (4 + 2 * itemsize + 1) * voxels + 4 * stored + (1 << 20)


class _Lower(ImageFile.ImageFile):
    """A Pillow image; Pillow scales values to 8 or 16 bits and shifts signed ones to start at 0.

    Pillow's own opener rounds the reduced size to the nearest integer, but the standard rounds it
    up (equation B-15). If the two differ, Pillow can't decode the image.
    """

    format = "JPEG2000"

    def __init__(self, coded: bytes, shape: tuple[int, int], halvings: int, bits: int) -> None:
        self._wanted = shape, halvings, bits
        super().__init__(BytesIO(coded))

    def _open(self) -> None:
        (ny, nx), halvings, bits = self._wanted
        self._size, self._mode = (nx, ny), "L" if bits <= 8 else "I;16"
        fp: Any = self.fp
        kind = "j2k" if fp.getbuffer()[:2] == b"\xff\x4f" else "jp2"
        every, no_file = 0, -1
        arguments = (kind, halvings, every, no_file, fp.getbuffer().nbytes)
        tile: Any = ("jpeg2k", (0, 0, nx, ny), 0, arguments)
        self.tile = [tile]
