"""An output folder, claimed for one run: never half-made without saying so, never lost unasked."""

import ctypes
import os
import re
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hoaconv.errors import StoreError
from hoaconv.io.mark import (
    MARK,
    Heartbeat,
    Mark,
    forget,
    put_mark,
    read_mark,
    refuse_if_alive,
)

__all__ = ["Claim", "check_free"]

SCRATCH = ".hoaconv-scratch"
"""What waits outside memory while the output is made, unless another place is named."""

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")

_FILES = re.compile(r"\..*|\d+(\.\d+)*|README.*|LICENSE.*|hoaconv-report\.json", re.IGNORECASE)
"""Other files at a store's root: hidden ones, chunks of an array, what it is and whose."""

_FOLDERS = re.compile(r"\..*|\d+|c|labels|OME|__lock")
"""Folders at a store's root that need no metadata: chunks, levels not finished yet, labels."""


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that stands in the way; changes nothing.

    Raises
    ------
    StoreError
        If `path` is a file, is being written by a run that is alive, or holds something and
        either `overwrite` is false or it isn't a zarr store alone.
    """
    if path.is_symlink() and not os.path.exists(path):
        raise StoreError(f"{path} is a link that leads nowhere; remove it, or name another output")
    try:
        names = set(os.listdir(path)) if os.path.exists(path) else set()
    except NotADirectoryError:
        raise StoreError(f"{path} is a file; the output is a folder, such as brain.zarr") from None
    except OSError as error:
        raise StoreError(f"{path} can't be used: {error.strerror}") from error
    if MARK in names:
        refuse_if_alive(path)
        if not overwrite:
            raise StoreError(
                f"{path} was left by a run that did not finish; --overwrite replaces it"
            )
    elif names and not overwrite:
        raise StoreError(f"{path} exists; name another output, or replace it with --overwrite")
    elif names and not names & set(ZARR_FILES):
        raise StoreError(f"{path} is not a zarr store, so it is not overwritten; name another")
    _check_own(path, names)


def _check_own(path: Path, names: Iterable[str]) -> None:
    """Refuse to erase what is no part of a zarr store."""
    strange = sorted(name for name in names if not _is_part(path / name))
    if strange:
        raise StoreError(
            f"{path} holds {strange[0]}, which is no part of a zarr store, so it is not "
            "overwritten; move that away, or name another output"
        )


def _is_part(entry: Path) -> bool:
    """Whether an entry of a store's root is one that zarr stores have."""
    if not entry.is_dir():
        return entry.name in ZARR_FILES or bool(_FILES.fullmatch(entry.name))
    return bool(_FOLDERS.fullmatch(entry.name)) or any(
        (entry / name).is_file() for name in ZARR_FILES
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
        self._mark = Mark.new()
        self._made = _missing(path)
        self._heartbeat: Heartbeat | None = None
        erasing = False
        try:
            path.mkdir(parents=True, exist_ok=True)
            put_mark(path, self._mark)
            self._heartbeat = Heartbeat(path)
            erasing = any(entry.name != MARK for entry in path.iterdir())
            _erase(entry for entry in path.iterdir() if entry.name != MARK)
        except BaseException as error:
            with suppress(OSError):  # the first error is the one to tell
                self._let_go()
            if erasing:
                error.add_note(f"part of what was in {path} is removed; --overwrite goes on")
            if isinstance(error, OSError) and not isinstance(error, StoreError):
                raise StoreError(f"{path} can't be made: {error.strerror or error}") from error
            raise

    def _let_go(self) -> None:
        """Leave a mark only in a folder that holds something else."""
        if self._heartbeat is None:  # never ours
            self._remove_made()
            return
        self._release()
        if all(entry.name == MARK for entry in self.path.iterdir()):
            (self.path / MARK).unlink(missing_ok=True)
            self._remove_made()

    @property
    def is_ours(self) -> bool:
        """Whether the folder is still this run's."""
        return read_mark(self.path) == self._mark

    def check(self) -> None:
        """Raise StoreError if the folder isn't this run's any more."""
        if not self.is_ours:
            gone = "" if os.path.isdir(self.path) else ": it is gone"
            raise StoreError(
                f"{self.path} was taken, changed or moved by somebody else while it was being "
                f"written{gone}; this run leaves alone what is there now"
            )

    def finish(self) -> None:
        """Put everything on disk, then take the mark away: the output is whole.

        Raises
        ------
        StoreError
            If the folder isn't this run's any more, the disk fails, or the mark can't be removed.
        """
        self.check()
        _sync(self.path)
        self._release()
        try:
            (self.path / MARK).unlink()
        except OSError as error:
            raise StoreError(
                f"{self.path} is complete, but its mark can't be removed ({error.strerror}); "
                f"remove {MARK} in it"
            ) from error

    def abandon(self, made: Iterable[str]) -> bool:
        """Remove what the run made; the mark goes last, so that a second failure still shows it.

        Parameters
        ----------
        made
            Paths in the folder that are the run's. What somebody else has put there stays.

        Returns
        -------
        bool
            False where the folder isn't this run's any more, and was left alone.
        """
        if not self.is_ours:
            self._release()
            return False
        try:
            _erase(self.path / name for name in made if os.path.lexists(self.path / name))
        finally:
            self._release()
        (self.path / MARK).unlink(missing_ok=True)
        self._remove_made()
        return True

    def _release(self) -> None:
        if self._heartbeat:
            self._heartbeat.stop()
        forget(self._mark)

    def _remove_made(self) -> None:
        """Remove the folders that were made, as far as they are empty."""
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                if os.path.lexists(folder):
                    return  # another output's, which will remove it, or somebody else's


def _missing(path: Path) -> list[Path]:
    """Return the folders that making `path` makes, innermost first."""
    folders = (folder for folder in (path, *path.parents) if folder.name != "..")
    return [folder for folder in folders if not os.path.exists(folder)]


def _erase(entries: Iterable[Path]) -> None:
    """Remove files and folders, metadata first: what is half erased doesn't look whole."""
    for entry in sorted(entries, key=lambda entry: entry.name not in ZARR_FILES):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _sync(folder: Path) -> None:
    """Write to disk all that the system still holds of this file system.

    One call for all files: to flush each of 100 000 would take longer than the conversion. On
    systems without such a call the kernel flushes in its own time.

    Raises
    ------
    StoreError
        If the disk reports an error, for files written earlier too.
    """
    if sys.platform != "linux":
        getattr(os, "sync", lambda: None)()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise StoreError(f"{folder} can't be put on disk: {reason}")
    finally:
        os.close(descriptor)
