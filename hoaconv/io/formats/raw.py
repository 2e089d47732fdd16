"""Raw files: voxels one after the other and nothing else, whose shape and dtype the user gives."""

from math import prod

import numpy as np

from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.address import Address
from hoaconv.io.file_array import FileArray
from hoaconv.io.single_file import has_suffix, of_one_volume
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_bytes import PlainBytes

__all__ = ["holds", "open_array"]

SUFFIXES = (".raw", ".bin", ".dat")
_HEADERS = (".mhd", ".nhdr")


def holds(path: str) -> bool:
    """Return whether the name is that of a raw file."""
    return has_suffix(path, SUFFIXES)


def open_array(address: Address) -> StoredArray:
    """Open the voxels of a raw file; none is read.

    Raises
    ------
    SpellingError
        If `shape` or `dtype` isn't given.
    SourceError
        If the file has another size than these say.
    """
    path = of_one_volume(address, "a raw file")
    if address.shape is None or address.dtype is None:
        beside = (path.with_suffix(suffix) for suffix in _HEADERS)
        header = next((f"name its header, {file}, or " for file in beside if file.is_file()), "")
        raise SpellingError(
            f"{path} is a raw file, which tells neither its shape nor the kind of its voxels: "
            f'{header}give both, as in `shape="1000,2048,2048"` (z, y, x) and `dtype="uint16"`'
        )
    dtype = np.dtype(address.dtype)
    nbytes, size = prod(address.shape) * dtype.itemsize, path.stat().st_size
    if nbytes != size:
        z, y, x = address.shape
        raise SourceError(
            f"{path} has {size} bytes, and {z} x {y} x {x} voxels of {address.dtype} take "
            f"{nbytes}; check `shape` (z, y, x) and `dtype`{_fitting(size, address.shape, dtype)}"
        )
    voxels = PlainBytes(path, 0, nbytes, "its shape")
    return FileArray("raw", path, path.name, address.shape, dtype, voxels, axes="zyx")


def _fitting(size: int, shape: tuple[int, int, int], dtype: np.dtype[np.generic]) -> str:
    """Return words on the number of planes of this size that the file holds, if it is whole."""
    plane = shape[1] * shape[2] * dtype.itemsize
    return f": {size // plane} such planes would fit" if size and size % plane == 0 else ""
