""".vol files with an .info file beside them, as PyHST and nabu of the ESRF write them.

The .info file has lines such as ``NUM_X = 2048``; those that begin with ``!`` are comments. The
voxel size is in micrometer, the voxels are float32, x is the fastest axis.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.file_array import FileArray, Grid
from hoaconv.io.opened import opened
from hoaconv.io.single_file import has_suffix, of_one_volume
from hoaconv.io.slices import blame
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_bytes import PlainBytes

__all__ = ["holds", "open_array"]

_MOST = 1 << 16
"""Bytes of an .info file that are read, at most."""

_DTYPES = {4: "f4", 2: "u2", 1: "u1"}
_ORDERS = {"LOWBYTEFIRST": "<", "HIGHBYTEFIRST": ">"}


def holds(path: str) -> bool:
    """Return whether the name is that of a .vol file, or of its .info file."""
    return has_suffix(path, (".vol", ".vol.info"))


def open_array(address: Address) -> StoredArray:
    """Open the voxels of a .vol file; none is read.

    Raises
    ------
    SourceError
        If there is no .info file, or the file hasn't the size that it tells.
    """
    named = of_one_volume(address, "a .vol file")
    path = named.with_suffix("") if named.suffix.lower() == ".info" else named
    info = _info_of(path)
    told = _read(info)
    shape = tuple(_whole(info, told, f"NUM_{axis}") for axis in "ZYX")
    order = _ORDERS.get(told.get("BYTEORDER", "LOWBYTEFIRST").upper())
    if order is None:
        raise SourceError(
            f"{info} has the BYTEORDER {told['BYTEORDER']}; expected {' or '.join(_ORDERS)}"
        )
    with blame(str(path)):
        size, count = path.stat().st_size, prod(shape)
    itemsize = next((n for n in _DTYPES if n * count == size), 4)
    dtype = np.dtype(order + _DTYPES[itemsize])
    if size > count * itemsize:
        raise SourceError(
            f"{path} has {size} bytes, and {info.name} tells of {' x '.join(map(str, shape))} "
            f"voxels, which take {count * itemsize} as float32; is it the .info file of another "
            "volume?"
        )
    voxels = PlainBytes(path, 0, count * itemsize, info.name)
    notes = _scaled(path, told) if itemsize < 4 else ()
    return FileArray(
        "vol", path, path.name, shape, dtype, voxels, axes="zyx", grid=_grid(told), notes=notes
    )


def _info_of(path: Path) -> Path:
    places = (path.with_name(f"{path.name}.info"), path.with_suffix(".info"))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise SourceError(
            f"{path} needs {places[0].name} beside it, which tells its shape; without that file, "
            'give `shape="1000,2048,2048"` (z, y, x) and `dtype="float32"`'
        )
    return found


def _read(info: Path) -> Mapping[str, str]:
    with blame(str(info)), opened(info) as stream:
        text = (stream.read(_MOST) or b"").decode("utf-8", "replace")
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("!"))
    return {key.strip().upper(): value.strip() for key, equals, value in lines if equals}


def _whole(info: Path, told: Mapping[str, str], key: str) -> int:
    try:
        number = int(told[key])
    except (KeyError, ValueError):
        number = 0
    if number < 1:
        raise SourceError(f"{info} has no line such as {key} = 2048; is it the .info of a volume?")
    return number


def _grid(told: Mapping[str, str]) -> Grid | None:
    try:
        edge = float(told["VOXELSIZE"])
    except (KeyError, ValueError):
        return None
    return Grid((edge,) * 3, (0.0,) * 3, "micrometer", ".info file")


def _scaled(path: Path, told: Mapping[str, str]) -> tuple[str, ...]:
    """Return a note on voxels of fewer bits, which stand for values between two ends."""
    low, high = told.get("VALMIN"), told.get("VALMAX")
    of = f"; its .info file tells values from {low} to {high}" if low and high else ""
    return (f"{path.name} has voxels of fewer bytes than float32: they are read as they are{of}",)
