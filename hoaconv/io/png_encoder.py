"""Planes as PNG (ISO/IEC 15948), encoded by libpng through imagecodecs."""

from dataclasses import dataclass
from struct import pack
from typing import IO, Any, ClassVar
from zlib import crc32

import imagecodecs

from hoaconv.engine.spec import Plane, Spec
from hoaconv.io.plane_encoder import PlaneEncoder
from hoaconv.io.voxel_size import in_micrometer

__all__ = ["PngEncoder"]

_codecs: Any = imagecodecs  # it takes arrays, which its type hints don't say

HELD = ("uint8", "uint16")
MOST = 1_000_000
"""Rows and columns that libpng writes, at most."""

_HEADER = 33
"""Bytes of the signature and the IHDR chunk, which are the same in every PNG."""

_RUNS, _SUB = 3, 16
"""Strategy and filter that libpng encodes fastest: measured, 3 times as fast as its defaults, and
voxels of 16 bits take no more bytes."""


@dataclass(frozen=True)
class PngEncoder(PlaneEncoder):
    """PNG slices, gray.

    Attributes
    ----------
    level
        Level of the compression, 0 to 9; None for fast coding of runs of differences.
    """

    what: ClassVar[str] = "PNG"
    suffix: ClassVar[str] = ".png"

    level: int | None = None

    def refusal(self, spec: Spec) -> str | None:
        """Return why voxels that aren't uint8 or uint16, or large planes, aren't held."""
        if spec.dtype.name not in HELD:
            return (
                f"PNG slices hold {' and '.join(HELD)}, and the volume is {spec.dtype}: end its "
                "ops with a cast, or write TIFF, which holds all dtypes"
            )
        if max(spec.plane_shape) > MOST:
            y, x = spec.plane_shape
            return f"PNG slices have up to {MOST} rows and columns, not {y} x {x}; write TIFF"
        return None

    def encode(self, plane: Plane, spec: Spec, out: IO[bytes]) -> None:
        """Write a plane as a PNG file, with a pHYs chunk if the size of a voxel is known."""
        fast = {"level": 1, "strategy": _RUNS, "filter": _SUB}
        how = fast if self.level is None else {"level": self.level}
        coded = memoryview(_codecs.png_encode(plane, **how))
        out.write(coded[:_HEADER])
        out.write(_size(spec))
        out.write(coded[_HEADER:])

    def work(self, spec: Spec) -> int:
        """Return the bytes of the coded plane, twice: measured with noise, 2.01 times a plane."""
        return 2 * spec.plane_bytes + spec.plane_bytes // 16 + (1 << 20)

    @property
    def encoding(self) -> float:
        """Nominal nanoseconds in which a thread encodes a byte of a plane."""
        return 10.0 if self.level is None else 40.0


def _size(spec: Spec) -> bytes:
    """Return voxels per metre along x and y as a pHYs chunk (section 11.3.4.3)."""
    edges = in_micrometer(spec.geometry)
    rates = [round(1e6 / edge) for edge in edges[:0:-1]] if edges else []
    if not rates or not all(0 < rate < 1 << 31 for rate in rates):
        return b""
    content = b"pHYs" + pack(">IIB", *rates, 1)
    return pack(">I", 9) + content + pack(">I", crc32(content))
