"""An OME-Zarr image in one zip file, as RFC-9 of OME-NGFF has it: https://ngff.openmicroscopy.org/rfc/9.

Files are stored as they are, since chunks are compressed already. All metadata stand first, those
of the root before all, so that a reader finds them at once, also in the directory at the end.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from natsort import natsorted

from hoaconv.engine import stop
from hoaconv.errors import SourceError
from hoaconv.io.contents import SCRATCH
from hoaconv.io.mark import MARK

__all__ = ["StoredFile", "files_of_store", "ngff_version", "write_zip"]

METADATA = "zarr.json"
BLOCK = 1 << 20
"""Bytes that are copied at once."""


@dataclass(frozen=True)
class StoredFile:
    """A file of a store: its path, its name in the store, its bytes."""

    path: Path
    name: str
    nbytes: int


def ngff_version(store: Path) -> str:
    """Return the version of OME-NGFF that the root of a store tells.

    Raises
    ------
    SourceError
        If it is no OME-Zarr of zarr v3.
    """
    if not os.path.isdir(store):
        raise SourceError(f"{store} is no folder; name an OME-Zarr, such as brain.zarr")
    try:
        told = json.loads((store / METADATA).read_bytes())
        return str(told["attributes"]["ome"]["version"])
    except FileNotFoundError:
        raise _other(store) from None
    except OSError as error:
        raise SourceError(f"{store / METADATA} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise SourceError(f"{store / METADATA} is damaged: it is no JSON") from None
    except (KeyError, TypeError):
        raise SourceError(
            f"{store} is a zarr v3 store, but no OME-Zarr: its metadata tell no version of "
            f"OME-NGFF; make an image of it: hoaconv stack-to-omezarr {store} {_new(store)}"
        ) from None


def _other(store: Path) -> SourceError:
    if any((store / name).is_file() for name in (".zgroup", ".zarray", ".zattrs")):
        return SourceError(
            f"{store} has zarr format 2, and an .ozx file holds format 3; write it anew, and pack "
            f'that: hoaconv rechunk {store} {_new(store)} `ngff="0.5"`'
        )
    return SourceError(f"{store} is no OME-Zarr: there is no {METADATA} in it")


def _new(store: Path) -> str:
    return f"{store.stem}-v3.zarr"


def files_of_store(store: Path) -> list[StoredFile]:
    """Return all files of a store in the order in which they are packed.

    The metadata of the root are the first, then those of groups and arrays, the outer ones first,
    then all other files.

    Raises
    ------
    SourceError
        If it is unfinished, holds a link to a folder, or a folder can't be listed.
    """
    found = list(_files(store))
    heads = [file for file in found if file.path.name == METADATA]
    return heads + [file for file in found if file.path.name != METADATA]


def _files(store: Path) -> Iterator[StoredFile]:
    """Yield the files of folders, the outer folders first."""
    folders = [(store, "")]
    while folders:
        inner: list[tuple[Path, str]] = []
        for folder, prefix in folders:
            for entry in _listed(folder):
                path, name = Path(entry.path), prefix + entry.name
                if entry.name.startswith(MARK):
                    raise SourceError(
                        f"{folder} is unfinished: a run is at work there, or has died; let it "
                        "finish, or write it anew"
                    )
                if entry.is_symlink() and entry.is_dir():
                    raise SourceError(f"{path} is a link to a folder; put the folder itself there")
                if entry.is_dir():
                    inner += [(path, f"{name}/")] if name != SCRATCH else []
                else:
                    yield StoredFile(path, name, _size(entry))
        folders = inner


def _listed(folder: Path) -> list["os.DirEntry[str]"]:
    stop.raise_if_asked()
    try:
        with os.scandir(folder) as entries:
            return natsorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{folder} can't be read: {error.strerror}") from error


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except OSError as error:
        raise SourceError(f"{entry.path} can't be read: {error.strerror}") from error


def write_zip(
    path: Path, files: list[StoredFile], version: str, tell: Callable[[int], None]
) -> None:
    """Write files of a store into a new zip file, one after the other.

    Parameters
    ----------
    version
        The version of OME-NGFF, for the comment of the file.
    tell
        Is called with the number of files that are written.

    Raises
    ------
    SourceError
        If a file of the store can't be read, or has changed.
    OSError
        If the zip file can't be written.
    """
    with ZipFile(path, "w", ZIP_STORED, allowZip64=True) as packed:
        packed.comment = _comment(version)
        for count, file in enumerate(files):
            _put(packed, file)
            tell(count + 1)


def _comment(version: str) -> bytes:
    ordered = {"centralDirectory": {"jsonFirst": True}}
    return json.dumps({"ome": {"version": version, "zipFile": ordered}}).encode()


def _put(packed: ZipFile, file: StoredFile) -> None:
    try:
        info = ZipInfo.from_file(file.path, file.name, strict_timestamps=False)
        source = file.path.open("rb")
    except OSError as error:
        raise _unread(file, error) from error
    left = file.nbytes
    with source, packed.open(info, "w", force_zip64=True) as target:
        while block := _block(source, file):
            left -= len(block)
            target.write(block)
            stop.raise_if_asked()
    if left:
        raise SourceError(f"{file.path} has changed while it was packed; pack again")


def _block(source: Any, file: StoredFile) -> bytes:
    try:
        block: bytes = source.read(BLOCK)
    except OSError as error:
        raise _unread(file, error) from error
    return block


def _unread(file: StoredFile, error: OSError) -> SourceError:
    return SourceError(f"{file.path} can't be read: {error.strerror}")
