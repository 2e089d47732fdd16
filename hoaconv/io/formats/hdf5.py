"""HDF5 and NeXus files, through h5py: ``scan.h5::/entry/data``, or the volume that is found."""

import os
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.file_array import FileArray
from hoaconv.io.files import kind_of
from hoaconv.io.hdf5_array import CACHE_BYTES, Hdf5Array, check_filters, sources_of
from hoaconv.io.nexus import attribute, find_dataset
from hoaconv.io.nexus_grid import axes_of, doubts, grid_of_dataset
from hoaconv.io.single_file import file_of, has_suffix, library
from hoaconv.io.slices import blame
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.url import is_remote
from hoaconv.io.voxel_bytes import PlainBytes

__all__ = ["holds", "open_array"]

SUFFIXES = (".h5", ".hdf5", ".hdf", ".nx", ".nxs", ".nexus")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_PLACES = (0, 512, 1024, 2048)
"""Bytes at which the signature may lie; a user's block may precede it."""


def holds(path: str) -> bool:
    """Return whether a path is that of an HDF5 file, by its name or its content."""
    if has_suffix(path, SUFFIXES):
        return True
    if is_remote(path) or kind_of(Path(path)) or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as stream:
            start = stream.read(_PLACES[-1] + len(_SIGNATURE))
    except OSError:
        return False
    return any(start[place:].startswith(_SIGNATURE) for place in _PLACES)


def open_array(address: Address) -> StoredArray:
    """Open a dataset; no voxel is read.

    Raises
    ------
    SourceError
        If h5py is missing, the file can't be opened, the dataset isn't there or isn't clear, or a
        filter is missing.
    """
    path = file_of(address)
    h5py = library("h5py", "hdf5", path)
    file = _opened(h5py, path)
    with blame(str(path)):
        dataset, inside = find_dataset(path, file, address.inside)
        has_plugins = _plugins()
        check_filters(h5py, dataset, path, has_plugins=has_plugins)
        for part in sources_of(dataset) if dataset.is_virtual else ():
            check_filters(h5py, part, path, has_plugins=has_plugins)
        axes = axes_of(dataset)
        grid = grid_of_dataset(dataset, axes)
        notes = (*doubts(grid), *_projections(path, dataset))
        if _is_plain(h5py, dataset):
            own = Path(os.fsdecode(dataset.file.filename))
            dtype = np.dtype(dataset.dtype.str)
            nbytes = prod(dataset.shape) * dtype.itemsize
            voxels = PlainBytes(own, dataset.id.get_offset(), nbytes)
            name = f"{path.name}::{inside}"
            shape = dataset.shape
            file.close()
            return FileArray(
                "hdf5", path, name, shape, dtype, voxels, axes=axes, grid=grid, notes=notes
            )
        plain = _is_as_in_numpy(h5py, dataset)
        return Hdf5Array(path, dataset, inside, axes, grid, notes, plain=plain)


def _opened(h5py: Any, path: Path) -> Any:
    try:
        return h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES, locking="best-effort")
    except OSError as error:
        text = str(error)
        if "truncated" in text:
            raise SourceError(
                f"{path} is cut short, as its own header says; copy it again"
            ) from error
        if "lock" in text:
            raise SourceError(
                f"{path} is being written by another program, which has locked it; let it end"
            ) from error
        if "signature" in text:
            raise SourceError(
                f"{path} is no HDF5 file, or damaged: it lacks the signature; copy it again"
            ) from error
        with blame(str(path)):
            raise
        raise


def _plugins() -> bool:
    """Register the filters of hdf5plugin with HDF5; return whether it is installed."""
    try:
        import_module("hdf5plugin")
    except ImportError:
        return False
    return True


def _is_plain(h5py: Any, dataset: Any) -> bool:
    """Return whether the voxels lie in one piece of the file, as NumPy would write them.

    They are then read without h5py and its lock.
    """
    if dataset.chunks is not None or dataset.is_virtual or dataset.external:
        return False
    if dataset.id.get_offset() is None or dataset.file.driver not in ("sec2", "stdio", "windows"):
        return False
    return _is_as_in_numpy(h5py, dataset)


def _is_as_in_numpy(h5py: Any, dataset: Any) -> bool:
    """Return whether voxels are stored as NumPy holds those of their dtype."""
    stored, taken = dataset.id.get_type(), h5py.h5t.py_create(dataset.dtype, logical=True)
    return bool(stored.equal(taken))


def _projections(path: Path, dataset: Any) -> tuple[str, ...]:
    """Return a note if the dataset holds the projections of a scan and no volume."""
    group = dataset.parent
    if getattr(group.get("image_key"), "size", None) == dataset.shape[0]:
        return (
            f"{path.name}::{dataset.name} has an image_key: it holds projections of a scan, dark "
            "and flat fields included, and no reconstructed volume",
        )
    if attribute(group, "NX_class") == "NXdetector":
        return (f"{path.name}::{dataset.name} is of a detector: are these projections?",)
    return ()
