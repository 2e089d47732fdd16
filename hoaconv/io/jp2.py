"""JPEG 2000 slices: headers with glymur, pixels with OpenJPEG through imagecodecs."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import glymur
import imagecodecs
import numpy as np

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError
from hoaconv.io.jp2_gpu import BITS, GpuJp2Slice
from hoaconv.io.jp2_lower import MOST_BITS, LowerJp2Slice, lower_scratch
from hoaconv.io.slices import StoredSlice, blame, check_plane
from hoaconv.io.voxel_size import VoxelSize, from_metres

__all__ = ["Jp2Slice", "quiet", "read_header"]

_EXACT_BITS = 24  # OpenJPEG 2.5 gives back 24 bits exactly, and no longer 25


_EOC = b"\xff\xd9"
_PADDING = 64  # zeros that some programs append


@dataclass(frozen=True, slots=True, kw_only=True)
class Jp2Slice(StoredSlice):
    """One JP2 file or bare codestream.

    Attributes
    ----------
    bits
        Of a voxel.
    start
        Where the image begins on the reference grid, (y, x).
    halvings
        Wavelet levels, each half as wide and high as the one before.
    """

    bits: int
    start: tuple[int, int]
    halvings: int

    def reduced(self, factor: int) -> StoredSlice:
        """The same slice at 1 / `factor` of its width and height."""
        halvings = factor.bit_length() - 1
        if halvings > self.halvings:
            raise SourceError(
                f"{self.label} can't be reduced by {factor}: it has {self.halvings} wavelet "
                f"levels, so by {2**self.halvings} at the most"
            )
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
            halvings=halvings,
            bits=self.bits,
        )

    def on_gpu(self) -> StoredSlice:
        """The same slice, decoded by nvImageCodec; voxels of 8 or 16 bits, unsigned."""
        if self.bits not in BITS or self.dtype.kind == "i":
            raise SourceError(
                f"{self.label} holds {self.bits}-bit {self.dtype.name} voxels, whose values "
                "nvImageCodec may change; drop --decoder"
            )
        return GpuJp2Slice(
            file=self.file,
            shape=self.shape,
            dtype=self.dtype,
            stored_bytes=self.stored_bytes,
            scratch=self.scratch + prod(self.shape) * self.dtype.itemsize,
        )

    def read(self, out: Plane) -> None:
        """Decode with one thread, without the GIL."""
        with blame(self.label):
            imagecodecs.jpeg2k_decode(self.file.read_bytes(), out=out, numthreads=1)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence glymur, which warns of every oddity that doesn't matter here.

    Python keeps one list of warning filters for all threads: enter this once around the
    reading of many headers, not in each thread.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(file: Path) -> tuple[Jp2Slice, VoxelSize | None]:
    """Shape, dtype and voxel size of a JP2 file or codestream, no pixels.

    Raises
    ------
    SourceError
        If the file is damaged, has more than one channel, or can't be decoded exactly.
    """
    with blame(str(file)):
        size = file.stat().st_size
        if size == 0:
            raise SourceError(f"{file} is empty (0 bytes); copy it again")
        image = glymur.Jp2k(str(file))
        segments = image.get_codestream(header_only=True).segment
        found = {segment.marker_id: segment for segment in segments}
        _check_whole(file, image.box, size)
        _check_gray(file, image.box, found["SIZ"])
        return _slice(file, size, found["SIZ"], found["COD"]), _resolution(image.box)


def _slice(file: Path, size: int, siz: Any, cod: Any) -> Jp2Slice:
    promised = _dtype(file, siz.bitdepth[0], siz.signed[0])
    shape, dtype = check_plane(str(file), (siz.ysiz - siz.yosiz, siz.xsiz - siz.xosiz), promised)
    return Jp2Slice(
        file=file,
        shape=shape,
        dtype=dtype,
        stored_bytes=size,
        scratch=_scratch(prod(shape), siz.ytsiz * siz.xtsiz, prod(cod.code_block_size), size),
        bits=siz.bitdepth[0],
        start=(siz.yosiz, siz.xosiz),
        halvings=cod.num_res,
    )


def _scratch(voxels: int, tile: int, block: int, stored: int) -> int:
    """Bytes that OpenJPEG and the coded file take while one plane is decoded.

    An int32 plane, one more int32 tile if there are several, 540 bytes a code block, and the
    coded bytes twice. Fresh processes at 2048 and 7621 squared, lossless, 9:1 and 12:1, in one
    and in many tiles, peaked at 0.92 to 0.99 times this (OpenJPEG 2.5.4).
    """
    tiles = 4 * tile if tile < voxels else 0
    return 4 * voxels + tiles + 540 * voxels // block + int(2.05 * stored) + (1 << 20)


def _dtype(file: Path, bits: int, signed: bool) -> np.dtype[Any]:
    if bits > _EXACT_BITS:
        raise SourceError(
            f"{file} holds {bits}-bit voxels, of which OpenJPEG decodes {_EXACT_BITS} bits "
            "exactly; convert the slices to TIFF with another decoder"
        )
    width = 8 if bits <= 8 else 16 if bits <= 16 else 32
    return np.dtype(f"{'int' if signed else 'uint'}{width}")


def _check_whole(file: Path, boxes: list[Any], size: int) -> None:
    """Find a file cut short before anything is decoded.

    Its codestream box says how long it is, and a codestream ends in the marker EOC (ISO/IEC
    15444-1, A.4.4). A copy that was stopped may have the length, but ends in zeros.
    """
    end = max((b.offset + b.length for b in boxes if b.box_id == "jp2c"), default=size)
    if end > size:
        raise SourceError(
            f"{file} is cut short: {size} bytes, of which its header promises {end}; copy it again"
        )
    with file.open("rb") as stored:
        stored.seek(max(0, end - len(_EOC) - _PADDING))
        tail = stored.read(min(end, len(_EOC) + _PADDING))
    if not tail.rstrip(b"\0").endswith(_EOC):
        raise SourceError(
            f"{file} is damaged: its codestream doesn't end as it should, so something is missing "
            "or overwritten; copy it again"
        )


def _check_gray(file: Path, boxes: list[Any], siz: Any) -> None:
    channels = len(siz.bitdepth)
    if channels != 1:
        raise SourceError(
            f"{file} has {channels} channels; hoaconv converts 1-channel (gray) slices: "
            "split the channels first"
        )
    if any(part.box_id == "pclr" for part in _header_boxes(boxes)):
        raise SourceError(f"{file} has a colour palette; hoaconv converts 1-channel (gray) slices")
    if (siz.xrsiz[0], siz.yrsiz[0]) != (1, 1):
        raise SourceError(
            f"{file} is subsampled ({siz.xrsiz[0]} x {siz.yrsiz[0]}), which OpenJPEG can't decode "
            "whole; convert the slices with another decoder"
        )


def _header_boxes(boxes: list[Any]) -> list[Any]:
    return [part for box in boxes if box.box_id == "jp2h" for part in box.box]


def _resolution(boxes: list[Any]) -> VoxelSize | None:
    """Voxel size from the resolution box, in which points per metre are kept."""
    parts = [p for box in _header_boxes(boxes) if box.box_id == "res " for p in box.box]
    for kind in ("resc", "resd"):  # as captured, else as it should be shown
        for part in parts:
            if part.box_id == kind:
                return from_metres(
                    part.vertical_resolution, part.horizontal_resolution, "JP2 resolution box"
                )
    return None
