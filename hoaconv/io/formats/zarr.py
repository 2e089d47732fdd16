"""Zarr v2 and v3, OME-Zarr, in folders and zip files: see `hoaconv.io.zarr_store`."""

from pathlib import Path

from hoaconv.io.address import Address
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.zarr_array import open_zarr
from hoaconv.io.zarr_store import find_array, is_zarr

__all__ = ["holds", "open_array"]


def holds(path: str) -> bool:
    """Return whether a path is that of a store, or lies in one."""
    return is_zarr(Path(path))


def open_array(address: Address) -> StoredArray:
    """Open an array, or level 0 of an OME-Zarr image; no chunk is read.

    Raises
    ------
    SourceError
        If there is none, or it can't be opened.
    """
    return open_zarr(find_array(address.place, address.credentials))
