"""JPEG 2000 slices: this module reads headers; OpenJPEG, through imagecodecs, decodes voxels."""

import os
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import IO, Any

import imagecodecs
import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError
from hoaconv.io.codestream import Codestream, check_tiles, on_own_grid, read_codestream
from hoaconv.io.colour import spread
from hoaconv.io.jp2_boxes import Boxes, read_boxes
from hoaconv.io.jp2_gpu import BITS, GpuJp2Slice
from hoaconv.io.jp2_holes import check_holes
from hoaconv.io.jp2_lower import MOST_BITS, LowerJp2Slice, lower_scratch
from hoaconv.io.opened import opened, seen
from hoaconv.io.slices import StoredSlice, blame, check_plane

__all__ = ["Jp2Slice", "read_header"]

_EXACT_BITS = 24  # OpenJPEG 2.5 decodes 24 bits exactly, but not 25

_VOXELS_A_BYTE = 1 << 24  # black planes of 7621 x 7621 hold 300 000 voxels a coded byte
_BUFFER = 1024  # holds most headers
_TILE = 10 << 10  # bytes that OpenJPEG keeps for each tile; measured: 8 to 10 KB


@dataclass(frozen=True, slots=True, kw_only=True)
class Jp2Slice(StoredSlice):
    """One JP2 file or bare codestream.

    Attributes
    ----------
    bits
        Bits of a voxel.
    start
        Start (y, x) of the image on the reference grid.
    halvings
        Number of wavelet levels, each half as wide and high as the one before.
    span
        Byte offsets of the start and the end of the coded data.
    zeros
        Longest run of zero bytes that the coded data may hold; None if any run is valid.
    subsampled
        The main header, if voxels lie further apart than the points of the reference grid.
    """

    bits: int
    start: tuple[int, int]
    halvings: int
    span: tuple[int, int]
    zeros: int | None
    subsampled: Codestream | None

    @property
    def decodes_slowly(self) -> bool:
        """True; measured: 18 ns for a byte of the plane."""
        return True

    def reduced(self, factor: int) -> StoredSlice:
        """Return the slice at 1 / `factor` of its width and height; `factor` is a power of 2.

        Raises
        ------
        SourceError
            If the slice has too few wavelet levels, is subsampled, or has too many bits.
        """
        halvings = factor.bit_length() - 1
        if self.channels > 1:
            raise SourceError(f"{self.label} can't be reduced: it has {self.channels} channels")
        if halvings > self.halvings:
            raise SourceError(
                f"{self.label} can't be reduced by {factor}: it has {self.halvings} wavelet "
                f"levels, so by {2**self.halvings} at the most"
            )
        if self.subsampled:
            raise SourceError(f"{self.label} can't be reduced: it is subsampled")
        if self.bits > MOST_BITS:
            raise SourceError(
                f"{self.label} can't be reduced: it holds {self.bits}-bit voxels, and Pillow "
                f"decodes {MOST_BITS} bits"
            )
        ends = zip(self.start, self.shape, strict=True)
        y, x = (-(-(start + n) // factor) + -start // factor for start, n in ends)
        return LowerJp2Slice(
            file=self.file,
            shape=(y, x),
            dtype=self.dtype,
            stored_bytes=self.stored_bytes,
            scratch=lower_scratch(y * x, self.dtype.itemsize, self.stored_bytes),
            seen=self.seen,
            span=self.span,
            zeros=self.zeros,
            halvings=halvings,
            bits=self.bits,
        )

    def on_gpu(self) -> StoredSlice:
        """Return the slice for decoding by nvImageCodec.

        Raises
        ------
        SourceError
            If its voxels aren't unsigned integers of 8 or 16 bits, or it is subsampled.
        """
        if self.channels > 1:
            raise SourceError(
                f"{self.label} has {self.channels} channels, of which nvImageCodec decodes one "
                "alone in hoaconv; drop `decoder`"
            )
        if self.bits not in BITS or self.dtype.kind == "i" or self.subsampled:
            raise SourceError(
                f"{self.label} holds {self.bits}-bit {self.dtype.name} voxels, whose values "
                "nvImageCodec may change; drop `decoder`"
            )
        return GpuJp2Slice(
            file=self.file,
            shape=self.shape,
            dtype=self.dtype,
            stored_bytes=self.stored_bytes,
            scratch=self.scratch + prod(self.shape) * self.dtype.itemsize,
            seen=self.seen,
            span=self.span,
            zeros=self.zeros,
        )

    def read(self, out: Plane) -> None:
        """Decode into `out` (y, x) with one thread, without the GIL.

        Raises
        ------
        SourceError
            If the slice is damaged, can't be read, or has changed since its header was read.
        """
        with blame(self.label), opened(self.file, self.seen) as stream:
            coded = stream.readall()
            if self.subsampled:
                coded = on_own_grid(coded, self.subsampled)
            if self.channels == 1:
                imagecodecs.jpeg2k_decode(coded, out=out, numthreads=1)
            else:
                spread(self._colours(coded), self.channel, out)
            check_holes(self.label, coded, self.span, self.zeros, out)

    def _colours(self, coded: bytes) -> np.ndarray[Any, Any]:
        """Return all channels (y, x, channel); OpenJPEG looks colours of a palette up."""
        whole: np.ndarray[Any, Any] = imagecodecs.jpeg2k_decode(coded, numthreads=1)
        if whole.shape != (*self.shape, self.channels) or whole.dtype != self.dtype:
            raise SourceError(
                f"{self.label} holds {' x '.join(map(str, whole.shape))} {whole.dtype}, and its "
                f"header says {self}; it may be damaged"
            )
        return whole


def read_header(file: Path) -> tuple[Jp2Slice, Geometry | None]:
    """Return the slice and the voxel size of a JP2 file or codestream; no voxel is decoded.

    Raises
    ------
    SourceError
        If the file is damaged, lacks a tile, is neither grey nor RGB, or can't be decoded exactly.
    """
    with blame(str(file)), opened(file) as stream:
        status = os.fstat(stream.fileno())
        if status.st_size == 0:
            raise SourceError(f"{file} is empty (0 bytes); copy it again")
        buffered = BufferedReader(stream, _BUFFER)
        try:
            return _header(file, buffered, status)
        finally:
            buffered.detach()


def _header(
    file: Path, stream: IO[bytes], status: os.stat_result
) -> tuple[Jp2Slice, Geometry | None]:
    boxes = read_boxes(file, stream, status.st_size)
    header = read_codestream(file, stream, boxes.begin, boxes.end)
    channels = _channels(file, boxes, header)
    size = status.st_size
    shape, dtype = _claimed(file, header, size)
    span = header.first, check_tiles(file, stream, header, boxes.end)
    made = Jp2Slice(
        file=file,
        shape=shape,
        dtype=dtype,
        stored_bytes=size,
        scratch=_scratch(prod(shape), header, size) + _colour_bytes(channels, shape, dtype),
        seen=seen(status),
        channels=channels,
        bits=header.bits,
        start=header.start,
        halvings=header.halvings,
        span=span,
        zeros=header.longest_zeros,
        subsampled=None if header.step == (1, 1) else header,
    )
    return made, boxes.voxel_size


def _claimed(file: Path, header: Codestream, size: int) -> tuple[tuple[int, int], np.dtype[Any]]:
    """Return shape (y, x) and dtype, if hoaconv takes them and `size` bytes can hold the plane."""
    promised = _dtype(file, header.bits, header.signed)
    shape, dtype = check_plane(str(file), header.shape, promised)
    if prod(shape) > _VOXELS_A_BYTE * size:
        raise SourceError(
            f"{file} is damaged: its header claims {shape[0]} x {shape[1]} voxels, which a file of "
            f"{size} bytes can't hold"
        )
    return shape, dtype


def _scratch(voxels: int, header: Codestream, stored: int) -> int:
    """Return the bytes that OpenJPEG and the coded file take while one plane is decoded.

    These are an int32 plane, one more int32 tile if there are several, `_TILE` bytes a tile,
    540 bytes a code block, and the coded bytes twice. Fresh processes peaked at 0.92 to 0.99 times
    this, with planes of 2048 and 7621 squared, lossless, 9:1 and 12:1, in one tile and in many
    (OpenJPEG 2.5.4).
    """
    voxels *= header.channels
    tile = prod(header.tile) * header.channels
    tiles = 4 * tile + _TILE * header.tiles if tile < voxels else 0
    blocks = 540 * voxels // prod(header.block)
    return 4 * voxels + tiles + blocks + int(2.05 * stored) + (1 << 20)


def _dtype(file: Path, bits: int, signed: bool) -> np.dtype[Any]:
    if bits > _EXACT_BITS:
        raise SourceError(
            f"{file} holds {bits}-bit voxels, of which OpenJPEG decodes {_EXACT_BITS} bits "
            "exactly; convert the slices to TIFF with another decoder"
        )
    width = 8 if bits <= 8 else 16 if bits <= 16 else 32
    return np.dtype(f"{'int' if signed else 'uint'}{width}")


def _channels(file: Path, boxes: Boxes, header: Codestream) -> int:
    """Return the number of channels. Raise SourceError if they aren't grey or RGB of one size."""
    if not header.alike:
        raise SourceError(
            f"{file} has {header.channels} channels of different size or depth; split them first, "
            f"as in: opj_decompress -i {file.name} -o channel.raw -split-pnm"
        )
    if not header.divides:
        raise SourceError(
            f"{file} is subsampled in tiles that cut its voxels; convert it first, as in: "
            f"opj_decompress -i {file.name} -o gray.tif"
        )
    if header.channels > 1 and header.step != (1, 1):
        raise SourceError(
            f"{file} is subsampled; convert it first, as in: "
            f"opj_decompress -i {file.name} -o rgb.tif"
        )
    if boxes.colours in _OTHER_COLOURS:
        raise SourceError(
            f"{file} is a {_OTHER_COLOURS[boxes.colours]} image; hoaconv takes grey, RGB and "
            f"palettes: convert it first, as in: vips colourspace {file.name} rgb.tif srgb"
        )
    return boxes.palette if header.channels == 1 and boxes.palette else header.channels


_OTHER_COLOURS = {12: "CMYK", 13: "YCCK", 14: "CIELab", 18: "sYCC (YCbCr)", 24: "e-sYCC"}
"""Colour spaces that aren't RGB, by their numbers in the colour specification box."""


def _colour_bytes(channels: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> int:
    """Return the bytes of the decoded channels, and of rows that are made grey."""
    if channels == 1:
        return 0
    rows = 2 * 8 * 64 * shape[1] * channels
    return channels * prod(shape) * dtype.itemsize + rows
