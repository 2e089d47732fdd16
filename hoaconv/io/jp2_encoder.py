"""Planes as JP2 (ISO/IEC 15444-1), encoded by OpenJPEG through imagecodecs or Pillow."""

from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import IO, Any, ClassVar

import imagecodecs
import numpy as np
from PIL import Image

from hoaconv.engine.spec import Plane, Spec
from hoaconv.io.plane_encoder import PlaneEncoder
from hoaconv.io.slice_files import with_resolution
from hoaconv.io.voxel_size import in_micrometer

__all__ = ["Jp2Encoder"]

_codecs: Any = imagecodecs  # it takes arrays, which its type hints don't say

RESOLUTIONS = 6
"""OpenJPEG's own choice, and that of the Human Organ Atlas."""

HELD = ("uint8", "int8", "uint16", "int16")


@dataclass(frozen=True)
class Jp2Encoder(PlaneEncoder):
    """JP2 slices in one tile.

    Attributes
    ----------
    ratio
        Bytes of a plane for each coded byte; None for lossless coding.
    resolutions
        Number of resolutions, the full one included. Planes of few rows or columns have fewer.
    """

    what: ClassVar[str] = "JP2"
    suffix: ClassVar[str] = ".jp2"

    ratio: float | None = None
    resolutions: int = RESOLUTIONS

    def refusal(self, spec: Spec) -> str | None:
        """Return the reason why voxels that aren't integers of 8 or 16 bits aren't held."""
        if spec.dtype.name in HELD:
            return None
        return (
            f"JP2 slices hold {', '.join(HELD)}, and the volume is {spec.dtype}: end its ops with "
            "a cast, or write TIFF, which holds all dtypes"
        )

    def encode(self, plane: Plane, spec: Spec, out: IO[bytes]) -> None:
        """Write a plane as a JP2 file, with a resolution box if the size of a voxel is known."""
        coded = self._lossless(plane) if self.ratio is None else self._lossy(plane, self.ratio)
        edges = in_micrometer(spec.geometry)
        out.write(with_resolution(coded, *edges[1:]) if edges else coded)

    def work(self, spec: Spec) -> int:
        """Return the bytes that OpenJPEG and the coded plane take.

        Fresh processes peaked at 0.5 to 0.99 times this, with planes of 1000 and 3000 squared, of 8
        and 16 bits, smooth and noise (OpenJPEG 2.5.4): it holds int32, and code blocks.
        """
        each = (6.8, 3.5) if self.ratio is None else (10.5, 2.4)
        return int((each[0] + each[1] * spec.dtype.itemsize) * prod(spec.plane_shape)) + (1 << 20)

    @property
    def encoding(self) -> float:
        """Nominal nanoseconds in which a thread encodes a byte of a plane."""
        return 85.0 if self.ratio is None else 110.0

    def _lossless(self, plane: Plane) -> bytes:
        coded: bytes = _codecs.jpeg2k_encode(
            plane,
            level=0,
            codecformat="JP2",
            colorspace="GRAY",
            reversible=True,
            resolutions=self._resolutions(plane.shape),
            numthreads=1,
        )
        return coded

    def _lossy(self, plane: Plane, ratio: float) -> bytes:
        """Encode by Pillow, which takes a ratio, and signed voxels as unsigned ones."""
        bits = plane.dtype.itemsize * 8
        image = Image.fromarray(plane.view(np.dtype(f"uint{bits}")))
        coded = BytesIO()
        image.save(
            coded,
            "JPEG2000",
            irreversible=True,
            quality_mode="rates",
            quality_layers=[ratio],
            num_resolutions=self._resolutions(plane.shape),
            signed=plane.dtype.kind == "i",
        )
        return coded.getvalue()

    def _resolutions(self, shape: tuple[int, ...]) -> int:
        """Return the resolutions of a plane, the smallest of which has a voxel or more."""
        return min(self.resolutions, min(shape).bit_length())
