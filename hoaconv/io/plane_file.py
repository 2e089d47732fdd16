"""A plane as a TIFF file of its own."""

import os
from pathlib import Path

import tifffile

from hoaconv.engine.spec import Plane
from hoaconv.errors import StoreError

__all__ = ["check_plane_file", "write_plane"]


def check_plane_file(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that can be seen not to be writable.

    Raises
    ------
    StoreError
        If there is one already and `overwrite` isn't asked for, or it is a folder.
    """
    if path.is_dir():
        raise StoreError(f"{path} can't be written: it is a folder")
    if path.exists() and not overwrite:
        raise StoreError(f"{path} exists; move it away, or replace it with --overwrite")


def write_plane(path: Path, plane: Plane) -> None:
    """Write a plane (y, x) of any dtype, whole or not at all.

    Raises
    ------
    StoreError
        If that can't be done.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        tifffile.imwrite(part, plane, photometric="minisblack", metadata={"axes": "YX"})
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(
            f"{path} can't be written: {error.strerror}; the other outputs are complete"
        ) from error
