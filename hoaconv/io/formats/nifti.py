"""NIfTI-1 and NIfTI-2 in one file, .nii and .nii.gz; nibabel reads the header."""

from collections.abc import Sequence
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.directions import grid_of, unknown_unit
from hoaconv.io.file_array import FileArray, Grid
from hoaconv.io.packed_bytes import PackedBytes
from hoaconv.io.single_file import has_suffix, library, of_one_volume
from hoaconv.io.slices import blame
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_bytes import PlainBytes, VoxelBytes
from hoaconv.io.voxel_size import unit_name

__all__ = ["holds", "open_array"]

_AXES = ("x", "y", "z", "t", "c")
_GZIP = b"\x1f\x8b"


def holds(path: str) -> bool:
    """Return whether the name is that of a NIfTI file."""
    return has_suffix(path, (".nii", ".nii.gz"))


def open_array(address: Address) -> StoredArray:
    """Open the voxels of a NIfTI file; none is read.

    Raises
    ------
    SourceError
        If nibabel is missing, or the file is damaged, cut short or of another kind.
    """
    path = of_one_volume(address, "NIfTI")
    nibabel = library("nibabel", "nifti", path)
    with blame(str(path)):
        image = nibabel.load(path)
        stored = image.dataobj
        shape, dtype = tuple(map(int, stored.shape)), np.dtype(stored.dtype)
        if not shape or len(shape) > len(_AXES) or min(shape) < 1:
            raise SourceError(f"{path} holds no volume: its header tells the sizes {shape}")
        if dtype.fields:
            raise SourceError(
                f"{path} has voxels of {len(dtype.fields)} values (colours); hoaconv takes one "
                "value: save the channels as files of their own"
            )
        grid, notes = _grid(path, image)
        nbytes = prod(shape) * dtype.itemsize
        voxels = _voxels(path, int(stored.offset), nbytes)
        notes += _scaled(path, stored)
    axes = tuple(reversed(_AXES[: len(shape)]))
    return FileArray(
        "nifti", path, path.name, shape[::-1], dtype, voxels, axes=axes, grid=grid, notes=notes
    )


def _voxels(path: Path, offset: int, nbytes: int) -> VoxelBytes:
    with path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
    if packed:
        return PackedBytes(path, "gzip", nbytes, skip=offset)
    return PlainBytes(path, offset, nbytes)


def _grid(path: Path, image: Any) -> tuple[Grid | None, tuple[str, ...]]:
    """Return sizes by pixdim and places by the affine, where the file states one."""
    header = image.header
    edges = [float(abs(edge)) for edge in header.get_zooms()[:3]]
    unit = unit_name(word := header.get_xyzt_units()[0])
    if unit is None:
        told = "" if word == "unknown" else word
        return None, (unknown_unit(path.name, edges, told),)
    placed = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    affine = image.affine
    vectors: list[Sequence[float] | None] = [None] * len(image.shape)
    for axis, edge in enumerate(edges):
        column = [float(v) for v in affine[:3, axis]]
        length = float(np.hypot.reduce(column)) if placed else 0.0
        unturned = [edge if i == axis else 0.0 for i in range(3)]
        scaled = [v * edge / length for v in column] if length > 0 else unturned
        vectors[axis] = scaled
    origin = [float(v) for v in affine[:3, 3]] if placed else None
    return grid_of(path.name, vectors, origin, unit, "NIfTI header")


def _scaled(path: Path, stored: Any) -> tuple[str, ...]:
    """Return a note if the header scales the voxels: hoaconv reads them as they are stored."""
    slope, shift = float(stored.slope), float(stored.inter)
    if not (isfinite(slope) and isfinite(shift)) or slope == 0 or (slope, shift) == (1, 0):
        return ()
    return (
        f"the header of {path.name} scales its voxels by {slope:g} and adds {shift:g}; they are "
        f"read as they are stored: cast them to float32, and apply multiply {slope:g} | add "
        f"{shift:g}, to have what it means",
    )
