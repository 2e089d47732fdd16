"""Single planes as TIFF files."""

import os
from pathlib import Path

import tifffile

from hoaconv.engine.spec import Plane
from hoaconv.errors import StoreError

__all__ = ["check_plane_file", "write_plane"]


def check_plane_file(path: Path, *, overwrite: bool) -> None:
    """Raise an error if it is clear before the run that a file can't be written.

    Raises
    ------
    StoreError
        If `path` is a folder, or exists and `overwrite` is False.
    """
    if path.is_dir():
        raise StoreError(f"{path} can't be written: it is a folder")
    if path.exists() and not overwrite:
        raise StoreError(f"{path} exists; move it away, or replace it with `overwrite=True`")


def write_plane(path: Path, plane: Plane) -> None:
    """Write a plane (y, x) of any dtype as a TIFF file, completely or not at all.

    Raises
    ------
    StoreError
        If the file can't be written.
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
