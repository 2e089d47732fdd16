"""The meaning of a TIFF page's values: grey, RGB, colours of a palette, channels."""

from typing import Any

import numpy as np
import tifffile

from hoaconv.errors import SourceError

__all__ = ["channels_of", "has_palette", "plane_shape", "read_dtype"]

_GRAY = (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK)
_IS_RGB = (tifffile.COMPRESSION.JPEG,)  # codecs that give RGB for YCbCr


def has_palette(page: tifffile.TiffPage) -> bool:
    """Return whether voxels are indices of colours."""
    return page.photometric == tifffile.PHOTOMETRIC.PALETTE


def plane_shape(page: tifffile.TiffPage) -> tuple[int, ...]:
    """Return the shape of a page without its channels, which come first or last."""
    if page.samplesperpixel == 1:
        return page.shape
    return page.shape[1:] if page.axes.startswith("S") else page.shape[:-1]


def read_dtype(page: tifffile.TiffPage) -> np.dtype[Any] | None:
    """Return the dtype in which a page is read.

    Bits and colours of a palette become uint8, float16 becomes float32.
    """
    if page.dtype == np.float16:
        return np.dtype(np.float32)
    return np.dtype(np.uint8) if page.dtype == np.bool_ or has_palette(page) else page.dtype


def channels_of(label: str, page: tifffile.TiffPage) -> int:
    """Return the number of channels of a page.

    Of a palette they are 3; channels of grey pages may have any meaning.

    Raises
    ------
    SourceError
        If the channels are neither grey nor RGB.
    """
    channels, name, kind = page.samplesperpixel, page.parent.filehandle.name, page.photometric
    if kind in _GRAY or (kind == tifffile.PHOTOMETRIC.RGB and channels > 2):
        return channels
    if has_palette(page) and channels == 1 and page.colormap is not None:
        return 3
    if kind == tifffile.PHOTOMETRIC.YCBCR and channels == 3 and page.compression in _IS_RGB:
        return channels
    raise SourceError(
        f"{label} is a {getattr(kind, 'name', kind)} image; hoaconv takes grey, RGB and palettes: "
        f"convert it first, as in: vips colourspace {name} rgb.tif srgb"
    )
