"""EDF slices of the ESRF, one or several frames a file; fabio reads the headers."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError
from hoaconv.io.opened import check_regular, opened, seen
from hoaconv.io.single_file import library
from hoaconv.io.slices import StoredSlice, blame, check_plane, read_plain
from hoaconv.io.voxel_size import from_metres

__all__ = ["EdfSlice", "read_frames", "read_header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdfSlice(StoredSlice):
    """One plane of an EDF file.

    Attributes
    ----------
    offset
        Byte of the file at which its voxels begin.
    swapped
        True if they aren't in the machine's byte order.
    """

    offset: int
    swapped: bool

    def read(self, out: Plane) -> None:
        """Read into `out` (y, x).

        Raises
        ------
        SourceError
            If the file can't be read, or has changed since its header was read.
        """
        with blame(self.label), opened(self.file, self.seen) as stream:
            read_plain(self.label, stream, self.offset, out, swapped=self.swapped)


def read_header(file: Path) -> tuple[EdfSlice, Geometry | None]:
    """Return the slice and the voxel size of an EDF file that holds one plane.

    Raises
    ------
    SourceError
        If fabio is missing, or the file is damaged, cut short or compressed, or holds more planes.
    """
    with blame(str(file)):
        made, _, (size,) = read_frames(file)
    if len(made) != 1:
        raise SourceError(f"{file} holds {len(made)} planes, and other slices one; name it alone")
    return made[0], size


def read_frames(
    file: Path,
) -> tuple[list[EdfSlice], tuple[str, ...], tuple[Geometry | None, ...]]:
    """Return the planes of an EDF file of any number of frames, notes, and voxel sizes.

    Raises
    ------
    SourceError
        As `read_header` does.
    """
    with blame(str(file)):
        frames, made = _frames(file), list[EdfSlice]()
        if not frames:
            raise SourceError(f"{file} is no EDF file, or cut short in its header; copy it again")
        for frame in frames:
            made += _planes(file, frame, len(made))
        size = _size(frames[0])
    if len(made) == 1:
        made = [replace(made[0], page=None)]
    return made, (), (size,)


def _frames(file: Path) -> list[Any]:
    """Return the frames of a file; fabio reads their headers alone."""
    check_regular(file)
    image = library("fabio.edfimage", "edf", file).EdfImage()
    try:
        image.read(str(file))
        return [image.get_frame(number) for number in range(image.nframes)]
    finally:
        image.close()


def _planes(file: Path, frame: Any, first: int) -> Iterator[EdfSlice]:
    """Yield the planes of a frame, which lie one after the other."""
    words = {key.upper(): str(value).upper() for key, value in frame.header.items()}
    if not words.get("COMPRESSION", "NONE").startswith("NO") or frame.bfname is not None:
        raise SourceError(
            f"{file} is a compressed EDF, or has its voxels in another file; save it as plain EDF "
            "or TIFF first"
        )
    *others, y, x = frame.shape
    status = os.stat(file)
    dtype = np.dtype(frame.dtype)
    shape, dtype = check_plane(str(file), (y, x), dtype)
    nbytes = prod(shape) * dtype.itemsize
    end = frame.start + prod(others) * nbytes
    if end > status.st_size:
        raise SourceError(
            f"{file} is cut short: it has {status.st_size} bytes, and its header promises {end}; "
            "copy it again"
        )
    low_first = "HIGH" not in words.get("BYTEORDER", "")
    for plane in range(prod(others)):
        yield EdfSlice(
            file=file,
            page=first + plane,
            shape=shape,
            dtype=dtype,
            stored_bytes=nbytes,
            scratch=0,
            seen=seen(status),
            offset=frame.start + plane * nbytes,
            swapped=low_first != (sys.byteorder == "little") and dtype.itemsize > 1,
        )


def _size(frame: Any) -> Geometry | None:
    """Return the voxel size by the pixel sizes of the header, in metres."""
    words = {key.upper(): str(value).split() for key, value in frame.header.items()}
    try:
        y, x = (float(words[f"PSIZE_{axis}"][0]) for axis in (2, 1))
    except (KeyError, IndexError, ValueError):
        return None
    return from_metres(1 / y, 1 / x, "EDF header") if y > 0 and x > 0 else None
