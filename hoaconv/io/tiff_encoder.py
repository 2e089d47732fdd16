"""Planes as TIFF: whole files, or the strips and tiles of a page of a larger file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any, ClassVar, cast

import imagecodecs
import numpy as np
import tifffile

from hoaconv.engine.geometry import Lengths
from hoaconv.engine.spec import WIDE, Plane, Spec
from hoaconv.io.plane_encoder import PlaneEncoder
from hoaconv.io.voxel_size import in_micrometer

__all__ = ["TiffEncoder"]

_codecs: Any = imagecodecs  # it takes arrays, which its type hints don't say

STRIP_BYTES = 1 << 18
"""Bytes of a strip that is compressed, at most, unless a row has more."""

_STATE = 1 << 20
"""Bytes that a compressor holds, besides what grows with its input."""

_ZSTD_STATE = ((3, 4 << 20), (9, 12 << 20), (19, 90 << 20), (22, 800 << 20))
"""Levels of zstd, and the most bytes of tables that it holds up to each; of small inputs up to 24
times their bytes. Measured with inputs of 0.25 to 30 MB."""

_LZW_GROWTH = 1.4
"""LZW makes noise larger: measured, 1.37 times."""

_LEVELS = {"deflate": 6, "zstd": 3}
_NAMES = {"deflate": "adobe_deflate"}
"""tifffile's names of compressions, where they are others."""

_NANOSECONDS = {"none": 0.5, "deflate": 20.0, "zstd": 8.0, "lzw": 12.0}
"""One thread, for a byte of a plane."""

_MOST = (1 << 32) - 1
"""The largest integer in a TIFF fraction."""

_MICROMETERS = 10_000
"""Micrometers of a centimetre."""

_LEAST_RATE = 1e-6
"""Voxels per centimetre that a TIFF fraction holds to six digits, at least."""


@dataclass(frozen=True)
class TiffEncoder(PlaneEncoder):
    """TIFF pages: gray, of any dtype that hoaconv takes.

    Attributes
    ----------
    compression
        ``none``, ``deflate``, ``zstd`` or ``lzw``.
    level
        Level of the compression; None for its default.
    tile
        Rows and columns of a tile, multiples of 16; None for strips.
    strip
        Rows of a strip; None for strips of about 256 KiB, or of the whole plane if it isn't
        compressed.
    """

    what: ClassVar[str] = "TIFF"
    suffix: ClassVar[str] = ".tif"

    compression: str = "none"
    level: int | None = None
    tile: tuple[int, int] | None = None
    strip: int | None = None

    def refusal(self, spec: Spec) -> str | None:  # noqa: ARG002 - the contract
        """Return None: TIFF holds all dtypes."""
        return None

    def notes(self, spec: Spec) -> Iterator[str]:  # noqa: ARG002 - the contract
        """Give none: the size of a voxel is told along all axes."""
        yield from ()

    def encode(self, plane: Plane, spec: Spec, out: IO[bytes]) -> None:
        """Write a plane as a file of one page."""
        with tifffile.TiffWriter(out, shaped=False) as writer:
            segments = self.segments(plane)
            self.write_page(writer, plane if segments is None else segments, spec, first=True)

    def write_page(
        self,
        writer: tifffile.TiffWriter,
        data: Plane | Iterator[bytes],
        spec: Spec,
        *,
        first: bool,
        description: str | None = None,
    ) -> None:
        """Add a page to an open file.

        Parameters
        ----------
        data
            The plane, if it isn't compressed, else its encoded strips or tiles.
        first
            Whether it is the first page, whose description tells the size of the voxels.
        description
            Text of the first page; by default the size of the voxels, as ImageJ reads it.
        """
        told = _imagej(spec) if description is None else description
        writer.write(
            cast(Any, data),
            shape=spec.plane_shape,
            dtype=spec.dtype,
            photometric="minisblack",
            metadata=None,
            software="hoaconv",
            description=told.encode() if first and told else None,
            maxworkers=1,
            **self._layout(spec),
            **_resolution(spec),
        )

    def segments(self, plane: Plane) -> Iterator[bytes] | None:
        """Return the strips or tiles of a plane, each encoded when it is taken.

        None if the plane isn't compressed: then it is written as it is.
        """
        if self.compression == "none":
            return None
        cut = self._tiles(plane) if self.tile else self._strips(plane)
        return map(self._encoded, cut)

    def segment_count(self, spec: Spec) -> int:
        """Return the number of strips or tiles of a plane."""
        ny, nx = spec.plane_shape
        if self.tile:
            return -(-ny // self.tile[0]) * -(-nx // self.tile[1])
        return -(-ny // self._rows(spec))

    def work(self, spec: Spec) -> int:
        """Return the bytes of one strip or tile: copied, its differences, and twice encoded."""
        rows, columns = self.tile or (self._rows(spec), spec.plane_shape[1])
        segment, copies = rows * columns * spec.dtype.itemsize, 1 if self.tile else 0
        if self.compression == "none":
            return copies * segment
        encoded = int(segment * (_LZW_GROWTH if self.compression == "lzw" else 1.05))
        return (copies + 1) * segment + 2 * encoded + self._state(segment)

    def _state(self, segment: int) -> int:
        """Return the bytes of the compressor's tables for so many bytes of input."""
        if self.compression != "zstd":
            return _STATE
        most = next(nbytes for level, nbytes in _ZSTD_STATE if self._level <= level)
        return _STATE + min(most, 24 * segment)

    def most_bytes(self, spec: Spec) -> int:
        """Return the bytes of a plane's strips or tiles, at most."""
        rows, columns = self.tile or (1, 1)
        ny, nx = spec.plane_shape
        voxels = -(-ny // rows) * rows * -(-nx // columns) * columns
        growth = {"none": 1.0, "lzw": _LZW_GROWTH}.get(self.compression, 1.01)
        return int(voxels * spec.dtype.itemsize * growth) + 64 * self.segment_count(spec)

    @property
    def encoding(self) -> float:
        """Nominal nanoseconds in which a thread encodes a byte of a plane."""
        return _NANOSECONDS[self.compression]

    def _rows(self, spec: Spec) -> int:
        """Return the rows of a strip."""
        ny, nx = spec.plane_shape
        if self.strip:
            return min(self.strip, ny)
        if self.compression == "none":
            return ny
        return min(ny, max(1, STRIP_BYTES // (nx * spec.dtype.itemsize)))

    def _layout(self, spec: Spec) -> dict[str, Any]:
        """Return how a page is cut and coded, as tifffile takes it."""
        cut: dict[str, Any] = {"tile": self.tile} if self.tile else {}
        if not self.tile and (self.strip or self.compression != "none"):
            cut = {"rowsperstrip": self._rows(spec)}
        if self.compression == "none":
            return cut
        name = _NAMES.get(self.compression, self.compression)
        return {**cut, "compression": name, "predictor": spec.dtype not in WIDE}

    def _strips(self, plane: Plane) -> Iterator[Plane]:
        rows = self._rows(Spec((1, *plane.shape), plane.dtype))
        return (plane[row : row + rows] for row in range(0, len(plane), rows))

    def _tiles(self, plane: Plane) -> Iterator[Plane]:
        """Return the tiles; those at the ends are filled up with zeros."""
        tile = self.tile or plane.shape
        (rows, columns), (ny, nx) = tile, plane.shape
        for y in range(0, ny, rows):
            for x in range(0, nx, columns):
                part = plane[y : y + rows, x : x + columns]
                if part.shape != tile:
                    whole = np.zeros(tile, plane.dtype)
                    whole[: part.shape[0], : part.shape[1]] = part
                    part = whole
                yield part

    def _encoded(self, part: Plane) -> bytes:
        """Return a strip or tile as differences along rows (TIFF 6.0, section 14), compressed.

        Few programs read differences of 64-bit integers, so these are compressed as they are.
        """
        if part.dtype.kind == "f":
            part = _codecs.floatpred_encode(part, axis=-1)
        elif part.dtype not in WIDE:
            part = _codecs.delta_encode(part, axis=-1)
        coded: bytes = _COMPRESS[self.compression](np.ascontiguousarray(part), self._level)
        return coded

    @property
    def _level(self) -> int:
        return _LEVELS.get(self.compression, 0) if self.level is None else self.level


_COMPRESS: Mapping[str, Callable[[Any, int], bytes]] = {
    "deflate": lambda data, level: _codecs.deflate_encode(data, level, raw=False),
    "zstd": _codecs.zstd_encode,
    "lzw": lambda data, _: _codecs.lzw_encode(data),
}


def _resolution(spec: Spec) -> dict[str, Any]:
    """Return voxels per centimetre along x and y, as tags."""
    edges = _edges(spec)
    if edges is None:
        return {}
    rates = (_rational(_MICROMETERS / Fraction(edge)) for edge in (edges[2], edges[1]))
    return {"resolution": tuple(rates), "resolutionunit": "CENTIMETER"}


def _edges(spec: Spec) -> Lengths | None:
    """Return the edges of a voxel in micrometer; None if they are unknown, or no tag holds them."""
    edges = in_micrometer(spec.geometry)
    if edges is None or not all(_LEAST_RATE < _MICROMETERS / edge < _MOST for edge in edges[1:]):
        return None
    return edges


def _rational(rate: Fraction) -> tuple[int, int]:
    """Return a rate as a fraction of two 32-bit integers."""
    near = rate.limit_denominator(min(_MOST, int(_MOST / rate)))
    return near.numerator, near.denominator


def _imagej(spec: Spec) -> str:
    """Return the size of the voxels as ImageJ reads it; an empty text if it is unknown.

    The unit is that of the resolution tags, so that all programs read the same size: TIFF has no
    tag for the edge along z.
    """
    edges = _edges(spec)
    if edges is None:
        return ""
    return f"ImageJ=1.54f\nunit=cm\nspacing={edges[0] / _MICROMETERS!r}\n"
