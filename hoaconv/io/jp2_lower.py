"""JPEG 2000 slices at a lower resolution, the wavelet's own: OpenJPEG through Pillow.

imagecodecs, which decodes whole slices, has no option for it. Pillow holds the GIL, so slices are
decoded one after the other; still that is soon done, see `docs/performance.md`.
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
"""Bits of a voxel that Pillow decodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerJp2Slice(StoredSlice):
    """One JP2 file or bare codestream, without its finest wavelet levels.

    A voxel lies where the first of those lies that it stands for: the wavelets of JPEG 2000 are
    symmetric about every second voxel (ISO/IEC 15444-1, annex F).

    Attributes
    ----------
    halvings
        Levels that are left out.
    bits
        Of a voxel.
    span, zeros
        As of `hoaconv.io.jp2.Jp2Slice`.
    """

    halvings: int
    bits: int
    span: tuple[int, int]
    zeros: int | None

    def read(self, out: Plane) -> None:
        """Decode with one thread, which holds the GIL."""
        with blame(self.label), opened(self.file, self.seen) as stream:
            coded = stream.readall()
            values = np.asarray(_Lower(coded, self.shape, self.halvings, self.bits))
            unsigned = out.view(values.dtype)
            np.right_shift(values, 8 * values.itemsize - self.bits, out=unsigned)
            if self.dtype.kind == "i":
                unsigned -= 1 << (self.bits - 1)
            check_holes(self.label, coded, self.span, self.zeros, out)


def lower_scratch(voxels: int, itemsize: int, stored: int) -> int:
    """Bytes held while a lower resolution of so many voxels is decoded, besides the plane."""
    return (4 + 2 * itemsize + 1) * voxels + 4 * stored + (1 << 20)


class _Lower(ImageFile.ImageFile):
    """An image of Pillow, which spreads the bits over 8 or 16 and counts from 0.

    Pillow's own opener rounds the smaller size; the standard rounds it up (equation B-15), and
    where the two differ nothing can be decoded.
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
        self.tile = [ImageFile._Tile("jpeg2k", (0, 0, nx, ny), 0, arguments)]
