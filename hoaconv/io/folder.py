"""An output folder, claimed for one run: never half-made without saying so, never lost unasked."""

import json
import os
import shutil
from pathlib import Path

from hoaconv.errors import StoreError

__all__ = ["Claim", "check_free", "sizes"]

MARK = ".hoaconv-unfinished"
ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that stands in the way; changes nothing.

    Raises
    ------
    StoreError
        If `path` is a file, or holds something and `overwrite` is false, or holds something
        that isn't a zarr store.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise StoreError(f"{path} is a file; the output is a folder, such as brain.zarr")
    names = set(os.listdir(path))
    if not names:
        return
    if overwrite and not names & {MARK, *ZARR_FILES}:
        raise StoreError(f"{path} is not a zarr store, so it is not overwritten; name another")
    if not overwrite and MARK in names:
        raise StoreError(f"{path} was left by a run that did not finish; --overwrite replaces it")
    if not overwrite:
        raise StoreError(f"{path} exists; name another output, or replace it with --overwrite")


class Claim:
    """A folder with a mark in it that says that a run is at work, or died.

    Raises
    ------
    StoreError
        If the folder stands in the way (see `check_free`) or can't be made.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        check_free(path, overwrite=overwrite)
        self.path = path
        self._made = _missing(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            _erase(path)
            with (path / MARK).open("x", encoding="utf-8") as mark:
                json.dump({"pid": os.getpid()}, mark)
        except OSError as error:
            raise StoreError(f"{path} can't be made: {error.strerror or error}") from error

    def finish(self) -> None:
        """The output is whole."""
        (self.path / MARK).unlink(missing_ok=True)

    def abandon(self) -> None:
        """Remove what was made; the mark goes last, so that a second failure still shows it."""
        _erase(self.path, but=MARK)
        self.finish()
        for folder in self._made:
            folder.rmdir()


def _missing(path: Path) -> list[Path]:
    """The folders that making `path` makes, innermost first."""
    return [folder for folder in (path, *path.parents) if not folder.exists()]


def _erase(folder: Path, but: str = "") -> None:
    """Empty a folder, its metadata first: what is half erased doesn't look whole."""
    order = sorted(folder.iterdir(), key=lambda entry: entry.name not in ZARR_FILES)
    for entry in order:
        if entry.name == but:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def sizes(folder: Path) -> tuple[int, int]:
    """Files in a folder and below, and their bytes."""
    count = total = 0
    pending = [os.fspath(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    count += 1
                    total += entry.stat().st_size
    return count, total
