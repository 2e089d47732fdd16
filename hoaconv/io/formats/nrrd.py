"""NRRD, .nrrd and .nhdr with a data file beside it; pynrrd parses the header.

The format is that of https://teem.sourceforge.net/nrrd/format.html.
"""

from collections.abc import Iterable, Mapping, Sequence
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
from hoaconv.io.single_file import has_suffix, library, of_one_volume
from hoaconv.io.slices import blame
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_bytes import PlainBytes, VoxelBytes
from hoaconv.io.voxel_size import unit_name

__all__ = ["holds", "open_array"]

Header = Mapping[str, Any]

_MOST = 1 << 20
"""Bytes of a header, at most."""

_TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_CODECS = {"gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_SPATIAL = ("domain", "space", "???", "none", "")


def holds(path: str) -> bool:
    """Return whether the name is that of an NRRD file or header."""
    return has_suffix(path, (".nrrd", ".nhdr"))


def open_array(address: Address) -> StoredArray:
    """Open the voxels of an NRRD file; none is read.

    Raises
    ------
    SourceError
        If pynrrd is missing, or the file is damaged, cut short, or encoded as text.
    """
    path = of_one_volume(address, "NRRD")
    nrrd = library("nrrd", "nrrd", path)
    with blame(str(path)):
        with opened(path) as stream:
            lines, offset = _header_of(stream.read(_MOST) or b"")
        header = nrrd.read_header(lines)
        missing = {"type", "dimension", "sizes", "encoding"} - header.keys()
        if missing or len(header["sizes"]) != header["dimension"] or min(header["sizes"]) < 1:
            what = f"lacks {', '.join(sorted(missing))}" if missing else "tells no sizes"
            raise SourceError(f"{path} is damaged: its header {what}")
        dtype, sizes = _dtype(path, header), [int(n) for n in header["sizes"]]
        nbytes = prod(sizes) * dtype.itemsize
        voxels = _voxels(path, header, offset, nbytes)
        axes = _axes(header)
        grid, notes = _grid(path, header, axes)
    return FileArray(
        "nrrd",
        path,
        path.name,
        sizes[::-1],
        dtype,
        voxels,
        axes=axes[::-1],
        grid=grid,
        notes=notes,
    )


def _header_of(start: bytes) -> tuple[list[bytes], int]:
    """Return the lines of the header and its bytes; an empty line ends it."""
    lines, offset = list[bytes](), 0
    for line in BytesIO(start):
        offset += len(line)
        lines.append(line)
        if not line.strip():
            break
    return lines, offset


def _field(header: Header, name: str, default: Any = None) -> Any:
    """Return a field whose name may be written with or without a space."""
    return header.get(name, header.get(name.replace(" ", ""), default))


def _dtype(path: Path, header: Header) -> np.dtype[Any]:
    word = str(header["type"]).lower()
    code = next((code for code, names in _TYPES.items() if word in names.split(", ")), None)
    if code is None:
        raise SourceError(f"{path} holds {word} voxels; hoaconv takes integers and floats")
    order = {"big": ">", "little": "<"}.get(str(header.get("endian", "little")).lower())
    if order is None:
        raise SourceError(f"{path} has the endian {header['endian']}; expected little or big")
    return np.dtype(order + code)


def _voxels(path: Path, header: Header, offset: int, nbytes: int) -> VoxelBytes:
    """Return the bytes of the voxels, behind the header or in a file beside it."""
    named = _field(header, "data file")
    encoding = str(header["encoding"]).lower()
    if encoding != "raw" and encoding not in _CODECS:
        raise SourceError(
            f"{path} has the encoding {encoding}; hoaconv reads raw, gzip and bzip2: save it so"
        )
    data = path
    if named is not None:
        if str(named).upper().startswith("LIST") or "%" in str(named):
            raise SourceError(
                f"{path} has its voxels in several files ({named}); save it as one file, as in: "
                f"unu save -f nrrd -i {path.name} -o whole.nrrd"
            )
        data, offset = path.parent / str(named), 0
        check_regular(data)
    skipped = int(_field(header, "byte skip", 0))
    offset = _after_lines(data, offset, int(_field(header, "line skip", 0)))
    if encoding in _CODECS:
        return PackedBytes(data, _CODECS[encoding], nbytes, offset=offset, skip=max(0, skipped))
    if skipped < 0:
        offset, skipped = max(0, data.stat().st_size - nbytes), 0
    return PlainBytes(data, offset + skipped, nbytes, f"the header {path.name}")


def _after_lines(data: Path, offset: int, lines: int) -> int:
    """Return the byte behind so many lines."""
    if lines <= 0:
        return offset
    with data.open("rb") as stream:
        stream.seek(offset)
        for _ in range(lines):
            stream.readline(_MOST)
        return stream.tell()


def _axes(header: Header) -> list[str | None]:
    """Return the name of each axis, the fastest first, by its kind, or by its space direction."""
    n = int(header["dimension"])
    kinds = [str(kind).lower() for kind in header.get("kinds", [""] * n)]
    vectors = _vectors(header)
    if vectors and not any(kinds):
        kinds = ["" if vector is not None else "list" for vector in vectors]
    spatial = [axis for axis, kind in enumerate(kinds) if kind in _SPATIAL]
    if len(kinds) != n or len(spatial) > len(SPACE_AXES):
        return [None] * n
    names: list[str | None] = ["t" if kind == "time" else "c" for kind in kinds]
    for axis, letter in zip(spatial, SPACE_AXES, strict=False):
        names[axis] = letter
    return names if len(set(names)) == n else [None] * n


def _vectors(header: Header) -> list[Sequence[float] | None]:
    """Return the space direction of each axis; an empty list if the header tells none."""
    rows: Iterable[Any] = header.get("space directions", ())
    found: list[Sequence[float] | None] = []
    for row in rows:
        values = [] if row is None else [float(v) for v in row]
        found.append(values if values and all(np.isfinite(values)) else None)
    return found


def _grid(
    path: Path, header: Header, axes: Sequence[str | None]
) -> tuple[Grid | None, tuple[str, ...]]:
    vectors, origin = _vectors(header), header.get("space origin")
    if not vectors:
        told = [float(edge) for edge in header.get("spacings", ())]
        vectors = [
            [edge if i == axis else 0.0 for i in range(len(told))] if edge > 0 else None
            for axis, edge in enumerate(told)
        ]
        origin = None
    if len(vectors) != len(axes) or not any(vectors):
        return None, ()
    unit = unit_name(word := _unit(header))
    if unit is None:
        edges = [float(np.hypot.reduce(v)) for v in vectors if v is not None]
        return None, (unknown_unit(path.name, edges, word),)
    spatial = [vector for vector in vectors if vector is not None]
    place = None if origin is None else [float(v) for v in origin]
    grid, notes = grid_of(path.name, spatial, place, unit, "NRRD header")
    return _spread(grid, vectors), notes


def _spread(grid: Grid, vectors: Sequence[Sequence[float] | None]) -> Grid:
    """Return the grid of the spatial axes with the other axes between them."""
    edges, origin = iter(grid.edges), iter(grid.origin)
    stored = list(reversed(vectors))
    return Grid(
        tuple(float("nan") if v is None else next(edges) for v in stored),
        tuple(0.0 if v is None else next(origin) for v in stored),
        grid.unit,
        grid.told_by,
    )


def _unit(header: Header) -> str:
    """Return the unit of the space or of the axes; millimeter where the space is a patient's."""
    listed = [str(word) for word in (header.get("space units") or header.get("units") or ())]
    words = {word.strip('"') for word in listed if word.strip('" ') not in ("", "???", "none")}
    if len(words) == 1:
        return words.pop()
    space = str(header.get("space", "")).lower()
    return "millimeter" if not words and _is_anatomical(space) else " ".join(sorted(words))


def _is_anatomical(space: str) -> bool:
    """Return whether a space is one of patients or scanners, in which lengths are millimetres."""
    return space[:3] in ("ras", "las", "lps", "sca") or space.startswith(("right-", "left-"))
