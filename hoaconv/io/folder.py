"""An output folder, claimed for one run: never half-made without saying so, never lost unasked."""

import json
import os
import re
import shutil
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path
from socket import gethostname
from typing import Any
from uuid import uuid4

from psutil import Error as PsutilError
from psutil import Process

from hoaconv.errors import StoreError

__all__ = ["Claim", "check_free", "sizes"]

MARK = ".hoaconv-unfinished"
SCRATCH = ".hoaconv-scratch"
"""What waits outside memory while the output is made, unless another place is named."""

_OF_STORES = re.compile(r"\..*|\d+(\.\d+)*|README.*|LICENSE.*", re.IGNORECASE)
"""Other files at a store's root: hidden ones, chunks of an array, what it is and whose."""

_ALIVE: set[str] = set()
"""Tokens of this process's claims that are neither finished nor given up."""

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that stands in the way; changes nothing.

    Raises
    ------
    StoreError
        If `path` is a file, is being written by a run that is alive, or holds something and
        either `overwrite` is false or it isn't a zarr store alone.
    """
    try:
        names = set(os.listdir(path)) if path.exists() else set()
    except NotADirectoryError:
        raise StoreError(f"{path} is a file; the output is a folder, such as brain.zarr") from None
    except OSError as error:
        raise StoreError(f"{path} can't be used: {error.strerror}") from error
    if MARK in names:
        _check_mark(path, overwrite=overwrite)
    elif names and not overwrite:
        raise StoreError(f"{path} exists; name another output, or replace it with --overwrite")
    elif names:
        _check_store(path, names)


def _check_mark(path: Path, *, overwrite: bool) -> None:
    mark = _read_mark(path)
    if _is_alive(mark):
        raise StoreError(
            f"{path} is being written by another run (process {mark['pid']}); let it finish"
        )
    if not overwrite:
        raise StoreError(f"{path} was left by a run that did not finish; --overwrite replaces it")


def _is_alive(mark: Mapping[str, Any]) -> bool:
    """Whether the run that left the mark goes on: its process, not one with the same number."""
    pid = mark.get("pid")
    if not isinstance(pid, int) or mark.get("host") != gethostname():
        return False
    if pid == os.getpid():
        return mark.get("token") in _ALIVE
    try:
        return bool(Process(pid).create_time() == mark.get("began"))
    except PsutilError:
        return False


def _check_store(path: Path, names: set[str]) -> None:
    """What is overwritten is a zarr store and holds nothing else."""
    if not names & set(ZARR_FILES):
        raise StoreError(f"{path} is not a zarr store, so it is not overwritten; name another")
    files = {entry.name for entry in os.scandir(path) if not entry.is_dir()}
    strange = sorted(name for name in files - set(ZARR_FILES) if not _OF_STORES.fullmatch(name))
    if strange:
        raise StoreError(
            f"{path} holds {strange[0]}, which is no part of a zarr store, so it is not "
            "overwritten; move that away, or name another output"
        )


class Claim:
    """A folder with a mark in it that says which run is at work there, or died.

    Raises
    ------
    StoreError
        If the folder stands in the way (see `check_free`) or can't be made.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        check_free(path, overwrite=overwrite)
        self.path = path
        self._mark = {
            "host": gethostname(),
            "pid": os.getpid(),
            "began": Process().create_time(),
            "token": uuid4().hex,
        }
        self._made = _missing(path)
        self._taken = False
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._take()
            _erase(path, but=MARK)
        except BaseException as error:
            with suppress(OSError):  # the first error is the one to tell
                if self._taken:
                    self._release()
                self._leave()
            if isinstance(error, OSError) and not isinstance(error, StoreError):
                raise StoreError(f"{path} can't be made: {error.strerror or error}") from error
            raise

    def _take(self) -> None:
        """Put the mark there before anything is erased: a half-erased store stays ours.

        A run that began at the same moment may have been faster: its mark is never replaced.
        """
        mark = self.path / MARK
        if mark.exists():
            _check_mark(self.path, overwrite=True)
            mark.unlink()
        with mark.open("x", encoding="utf-8") as file:
            self._taken = True
            json.dump(self._mark, file)
        _ALIVE.add(self._mark["token"])

    def check(self) -> None:
        """Raise StoreError if the folder isn't this run's any more."""
        if not self._is_ours():
            raise StoreError(
                f"{self.path} was taken or changed by somebody else while it was being written; "
                "what is there now is a mixture: remove it"
            )

    def finish(self) -> None:
        """The output is whole. Raises StoreError if the folder isn't this run's any more."""
        self.check()
        (self.path / MARK).unlink()
        _ALIVE.discard(self._mark["token"])

    def abandon(self) -> None:
        """Remove what was made; the mark goes last, so that a second failure still shows it."""
        if not self._is_ours():
            return
        try:
            _erase(self.path, but=MARK)
        finally:
            self._release()
        self._leave(unmarked=True)

    def _release(self) -> None:
        """Leave the mark, as that of a run that is over."""
        _ALIVE.discard(self._mark["token"])
        if (self.path / MARK).exists():
            (self.path / MARK).write_bytes(b"")

    def _leave(self, *, unmarked: bool = False) -> None:
        """Remove the mark from a folder that is empty but for it, and the folders made."""
        if unmarked or (self._made and self._taken):
            (self.path / MARK).unlink(missing_ok=True)
        for folder in self._made:
            if folder.exists() and any(folder.iterdir()):
                return  # another output's, which will remove it
            with suppress(FileNotFoundError):
                folder.rmdir()

    def _is_ours(self) -> bool:
        return _read_mark(self.path) == self._mark


def _read_mark(path: Path) -> dict[str, Any]:
    """Who claimed the folder; empty where nobody did, or the mark was never finished."""
    try:
        mark = json.loads((path / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


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


def sizes(folder: Path, but: Container[str] = ()) -> tuple[int, int]:
    """Files in a folder and below, and their bytes; files and folders called `but` aside."""
    count = total = 0
    pending = [os.fspath(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name in but:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    count += 1
                    total += entry.stat().st_size
    return count, total
