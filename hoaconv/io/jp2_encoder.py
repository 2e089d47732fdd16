"""Planes as JP2 (ISO/IEC 15444-1), encoded by OpenJPEG through imagecodecs or Pillow."""

from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import IO, Any, ClassVar

import imagecodecs
import numpy as np
from PIL import Image

from hoaconv.engine.spec import Plane, Spec
from hoaconv.io.jp2_tiles import MOST_TILES, in_tiles
from hoaconv.io.plane_encoder import PlaneEncoder
from hoaconv.io.slice_files import with_resolution
from hoaconv.io.voxel_size import in_micrometer

__all__ = ["Jp2Encoder"]

_codecs: Any = imagecodecs  # it takes arrays, which its type hints don't say

HELD = ("uint8", "int8", "uint16", "int16")


@dataclass(frozen=True)
class Jp2Encoder(PlaneEncoder):
    """JP2 slices.

    Attributes
    ----------
    ratio
        Bytes of a plane for each coded byte; None for lossless coding.
    resolutions
        Number of resolutions, the full one included. Planes of few rows or columns have fewer.
    tile
        Rows and columns of a tile, powers of two; None for one tile.
    """

    what: ClassVar[str] = "JP2"
    suffix: ClassVar[str] = ".jp2"

    ratio: float | None = None
    resolutions: int = 6  # OpenJPEG's own choice
    tile: tuple[int, int] | None = None

    def refusal(self, spec: Spec) -> str | None:
        """Return the reason why voxels that aren't integers of 8 or 16 bits aren't held."""
        if spec.dtype.name in HELD:
            return self._too_many(spec)
        return (
            f"JP2 slices hold {', '.join(HELD)}, and the volume is {spec.dtype}: end its ops with "
            "a cast, or write TIFF, which holds all dtypes"
        )

    def encode(self, plane: Plane, spec: Spec, out: IO[bytes]) -> None:
        """Write a plane as a JP2 file, with a resolution box if the size of a voxel is known."""
        coded = self._coded(plane) if self.tile is None else in_tiles(self._coded, plane, self.tile)
        edges = in_micrometer(spec.geometry)
        out.write(with_resolution(coded, *edges[1:]) if edges else coded)

    def work(self, spec: Spec) -> int:
        """Return the bytes that OpenJPEG and the coded plane take.

        Fresh processes peaked at 0.5 to 0.99 times this, with planes of 1000 and 3000 squared, of 8
        and 16 bits, smooth and noise (OpenJPEG 2.5.4): it holds int32, and code blocks.
        """
        each = (6.8, 3.5) if self.ratio is None else (10.5, 2.4)
        voxels, together = prod(spec.plane_shape), 0
        if self.tile is not None:  # the coded tiles, twice, and a copy of one
            voxels = min(voxels, prod(self.tile))
            share = 1.1 if self.ratio is None else 1.1 / self.ratio
            together = int(2 * share * spec.plane_bytes) + voxels * spec.dtype.itemsize
        return int((each[0] + each[1] * spec.dtype.itemsize) * voxels) + together + (1 << 20)

    @property
    def encoding(self) -> float:
        """Nominal nanoseconds in which a thread encodes a byte of a plane."""
        return 85.0 if self.ratio is None else 110.0

    def _too_many(self, spec: Spec) -> str | None:
        """Return the reason why a plane can't have so many tiles; None if it can."""
        if self.tile is None:
            return None
        count = prod(-(-n // edge) for n, edge in zip(spec.plane_shape, self.tile, strict=True))
        if count <= MOST_TILES:
            return None
        return f"JP2 slices have up to {MOST_TILES} tiles, not {count}; make `tile` larger"

    def _coded(self, plane: Plane) -> bytes:
        """Return a plane, or a tile, as a JP2 file of one tile."""
        return self._lossless(plane) if self.ratio is None else self._lossy(plane, self.ratio)

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
