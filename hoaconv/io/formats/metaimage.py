"""MetaImage, .mha and .mhd with a data file beside it, as ITK and its programs write them.

The header is lines such as ``DimSize = 512 512 200``, the last of which is ``ElementDataFile``:
https://itk.org/Wiki/ITK/MetaIO/Documentation. It is parsed here: the libraries that know the format
(SimpleITK, itk, metaimageio) don't tell where the voxels lie, and would read all of them at once.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.directions import SPACE_AXES, grid_of, unknown_unit
from hoaconv.io.file_array import FileArray, Grid
from hoaconv.io.opened import check_regular, opened
from hoaconv.io.packed_bytes import PackedBytes
from hoaconv.io.single_file import has_suffix, of_one_volume
from hoaconv.io.slices import blame
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_bytes import PlainBytes, VoxelBytes
from hoaconv.io.voxel_size import unit_name

__all__ = ["holds", "open_array"]

Header = Mapping[str, str]

_MOST = 1 << 16
"""Bytes of a header, at most."""

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
"""Dtypes of MetaIO, where a long has 4 bytes on every system."""

_OTHER_NAMES = {
    "POSITION": "OFFSET",
    "ORIGIN": "OFFSET",
    "ROTATION": "TRANSFORMMATRIX",
    "ORIENTATION": "TRANSFORMMATRIX",
    "ELEMENTBYTEORDERMSB": "BINARYDATABYTEORDERMSB",
}


def holds(path: str) -> bool:
    """Return whether the name is that of a MetaImage."""
    return has_suffix(path, (".mha", ".mhd"))


def open_array(address: Address) -> StoredArray:
    """Open the voxels of a MetaImage; none is read.

    Raises
    ------
    SourceError
        If the file is damaged or cut short, or keeps its voxels in another way than in one piece.
    """
    path = of_one_volume(address, "MetaImage")
    with blame(str(path)):
        with opened(path) as stream:
            header, offset = _header_of(stream.read(_MOST) or b"")
        sizes = _numbers(path, header, "DIMSIZE", int)
        word = header.get("ELEMENTTYPE", "")
        if min(sizes, default=0) < 1 or "ELEMENTDATAFILE" not in header:
            raise SourceError(f"{path} is damaged: its header tells no DimSize or ElementDataFile")
        if word not in _TYPES:
            raise SourceError(f"{path} holds {word or 'unknown'} voxels, which hoaconv can't take")
        channels = int(header.get("ELEMENTNUMBEROFCHANNELS", "1"))
        msb = _is_true(header, "BINARYDATABYTEORDERMSB")
        dtype = np.dtype((">" if msb else "<") + _TYPES[word])
        shape = [*reversed(sizes), *([channels] if channels > 1 else [])]
        if word in _LONG and _is_long(path, header, offset, prod(shape)):
            dtype = np.dtype((">" if msb else "<") + _LONG[word])
        voxels = _voxels(path, header, offset, prod(shape) * dtype.itemsize)
        grid, notes = _grid(path, header, len(sizes))
    axes = _axes(len(sizes))
    if channels > 1:
        axes, grid = (*axes, "c"), _with_channels(grid)
    return FileArray(
        "metaimage", path, path.name, shape, dtype, voxels, axes=axes, grid=grid, notes=notes
    )


def _header_of(start: bytes) -> tuple[dict[str, str], int]:
    """Return the fields of the header, names in capitals, and its bytes."""
    header, offset = dict[str, str](), 0
    for line in BytesIO(start):
        offset += len(line)
        key, equals, value = line.decode("utf-8", "replace").partition("=")
        name = key.strip().upper()
        if equals:
            header[_OTHER_NAMES.get(name, name)] = value.strip()
        if name == "ELEMENTDATAFILE":
            break
    return header, offset


def _numbers(path: Path, header: Header, key: str, kind: Any) -> list[Any]:
    try:
        return [kind(word) for word in header.get(key, "").split()]
    except ValueError:
        raise SourceError(f"{path} is damaged: its {key} is no list of numbers") from None


def _is_true(header: Header, key: str) -> bool:
    return header.get(key, "").upper() in ("TRUE", "T", "1", "YES", "Y")


def _axes(n: int) -> tuple[str | None, ...]:
    letters: list[str | None] = [*SPACE_AXES, "t"][:n]
    return tuple(reversed(letters if n <= len(SPACE_AXES) + 1 else [None] * n))


_LONG = {"MET_LONG": "i8", "MET_ULONG": "u8"}
"""Words that some programs write for 64 bits, though they stand for 32 bits."""


def _is_long(path: Path, header: Header, offset: int, count: int) -> bool:
    """Return whether the file has just the size of so many voxels of 64 bits."""
    named = header["ELEMENTDATAFILE"]
    if _is_true(header, "COMPRESSEDDATA") or int(header.get("HEADERSIZE", "0")):
        return False
    inside = named.upper() == "LOCAL"
    data, before = (path, offset) if inside else (path.parent / named, 0)
    return data.is_file() and data.stat().st_size - before == 8 * count


def _voxels(path: Path, header: Header, offset: int, nbytes: int) -> VoxelBytes:
    named = header["ELEMENTDATAFILE"]
    if header.get("BINARYDATA", "True").upper() in ("FALSE", "F", "0"):
        raise SourceError(f"{path} holds its voxels as text; save it as binary first")
    if named.upper().startswith("LIST") or "%" in named:
        raise SourceError(
            f"{path} has its voxels in several files ({named}); save it as one .mha file first"
        )
    data = path
    if named.upper() != "LOCAL":
        data, offset = path.parent / named, 0
        check_regular(data)
    if _is_true(header, "COMPRESSEDDATA"):
        size = int(header.get("COMPRESSEDDATASIZE", "0"))
        return PackedBytes(
            data, "zlib", nbytes, offset=offset, end=offset + size if size > 0 else None
        )
    before = int(header.get("HEADERSIZE", "0"))
    offset = max(0, data.stat().st_size - nbytes) if before < 0 else offset + before
    return PlainBytes(data, offset, nbytes, f"the header {path.name}")


def _grid(path: Path, header: Header, n: int) -> tuple[Grid | None, tuple[str, ...]]:
    """Return sizes and places of the voxels; lengths are millimetres unless the header says so."""
    key = "ELEMENTSPACING" if "ELEMENTSPACING" in header else "ELEMENTSIZE"
    edges = _numbers(path, header, key, float)
    if len(edges) != n:
        return None, ()
    unit = unit_name(word := header.get("DISTANCEUNITS", "mm"))
    if unit is None:
        return None, (unknown_unit(path.name, edges, word),)
    matrix = _numbers(path, header, "TRANSFORMMATRIX", float)
    if len(matrix) != n * n:
        matrix = [float(i == j) for i in range(n) for j in range(n)]
    origin = _numbers(path, header, "OFFSET", float)
    vectors: Sequence[Sequence[float]] = [
        [edge * v for v in matrix[axis * n : (axis + 1) * n]] for axis, edge in enumerate(edges)
    ]
    place = origin if len(origin) == n else None
    return grid_of(path.name, vectors, place, unit, "MetaImage header")


def _with_channels(grid: Grid | None) -> Grid | None:
    if grid is None:
        return None
    return Grid((*grid.edges, float("nan")), (*grid.origin, 0.0), grid.unit, grid.told_by)
