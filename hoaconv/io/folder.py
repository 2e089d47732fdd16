"""An output folder, claimed for one run: never half-made without saying so, never lost unasked."""

import ctypes
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from hoaconv.errors import StoreError
from hoaconv.io.mark import (
    MARK,
    Heartbeat,
    Mark,
    bears,
    forget,
    may_live,
    put_mark,
    refuse_if_alive,
)

__all__ = ["Claim", "check_free"]

SCRATCH = ".hoaconv-scratch"
"""What waits outside memory while the output is made, unless another place is named."""

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")

_FILES = re.compile(
    rf"({'|'.join(map(re.escape, ZARR_FILES))})(\.tmp|\.__lock)?"
    r"|(c\.)?\d+(\.\d+)*(\.__lock)?"
    r"|(?i:(README|LICENSE)(\.(md|txt|rst))?)|METADATA\.ome\.xml|\.DS_Store"
    r"|hoaconv-report\.json|\.hoaconv-report\.json\.\d+\.tmp"
    rf"|{re.escape(MARK)}(\..*)?"
)
"""Files at the root of a store, group or array: metadata, chunks, what it is and whose, a mark."""

_CHUNKS = re.compile(r"\d+|c")
"""Folders of chunks, or of levels not finished yet: they need no metadata."""

_GROUPS = ("labels", "OME")
"""Other folders that need none."""


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
    _check_own(path)


def _check_own(path: Path) -> None:
    """Refuse to erase what is no part of a zarr store."""
    try:
        strange = min(_strange(path), default=None)
    except OSError as error:
        raise StoreError(f"{error.filename} can't be read: {error.strerror}") from error
    if strange:
        raise StoreError(
            f"{path} holds {strange.relative_to(path)}, which is no part of a zarr store, so it is "
            "not overwritten; move that away, or name another output"
        )


def _strange(folder: Path) -> Iterator[Path]:
    """What zarr stores don't have at their root, or at those of the groups and arrays in them."""
    for entry in _entries(folder):
        path, name = Path(entry.path), entry.name
        if not entry.is_dir() or entry.is_symlink():  # of a link nothing but itself is erased
            if not _FILES.fullmatch(name) and not (entry.is_dir() and _may_be(path)):
                yield path
        elif name in ("c", SCRATCH):
            continue
        elif not _may_be(path):
            yield path
        elif _CHUNKS.fullmatch(name) and not _has_metadata(path):
            names = (inner.name for inner in _entries(path))
            yield from (path / n for n in names if not (_FILES.fullmatch(n) or n == "c"))
        else:
            yield from _strange(path)


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    """What is in a folder; nothing if somebody has just removed it."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return list(entries)
    return []


def _may_be(folder: Path) -> bool:
    """Whether a folder may be part of a store by its name, its place or its metadata."""
    known = _CHUNKS.fullmatch(folder.name) or folder.name in _GROUPS
    return bool(known) or folder.parent.name == "labels" or _has_metadata(folder)


def _has_metadata(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ZARR_FILES)


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
            old = [name for name in os.listdir(path) if not _is_mark_in_use(path / name)]
            erasing = bool(old)
            self._erase(old)
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
        try:
            if self.is_ours and all(name.startswith(MARK) for name in os.listdir(self.path)):
                (self.path / MARK).unlink(missing_ok=True)
                self._remove_made()
        finally:
            self._release()

    @property
    def is_ours(self) -> bool:
        """Whether the folder is still this run's. Raises StoreError if that can't be told."""
        return bears(self.path, self._mark)

    def check(self) -> None:
        """Raise StoreError if the folder isn't this run's any more, or that can't be told."""
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
            What was written stays, and a mark with it; the run is over all the same.
        """
        try:
            self.check()
            _sync(self.path)
            (self.path / MARK).unlink()
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(
                f"{self.path} is complete, but its mark can't be removed ({error.strerror}); "
                f"remove {MARK} in it"
            ) from error
        finally:
            self._release()

    def abandon(self, made: Iterable[str]) -> bool:
        """Remove what the run made; the mark goes last, so that a second failure still shows it.

        Parameters
        ----------
        made
            Names in the folder that are the run's. What somebody else has put there stays.

        Returns
        -------
        bool
            False where the folder isn't this run's any more, and was left alone.

        Raises
        ------
        OSError
            If something can't be removed, or it can't be told whose the folder is.
        """
        try:
            if not self.is_ours:
                return False
            self._erase(made)
            (self.path / MARK).unlink(missing_ok=True)
        finally:
            self._release()
        self._remove_made()
        return True

    def _erase(self, names: Iterable[str]) -> None:
        """Remove files and folders, metadata first: what is half erased doesn't look whole."""
        for name in sorted(names, key=lambda name: name not in ZARR_FILES):
            if os.path.lexists(self.path / name):
                self.check()
                _remove(self.path / name)

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


def _is_mark_in_use(entry: Path) -> bool:
    """Whether an entry is this run's mark, or one of a run that is just trying to put its own."""
    return entry.name == MARK or (entry.name.startswith(MARK) and may_live(entry))


def _remove(entry: Path) -> None:
    """Remove a file or folder, even if somebody else removes parts of it at the same time."""
    for is_last in (False, True):
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            if is_last:
                raise


def _sync(folder: Path) -> None:
    """Write to disk all that the system still holds of this file system.

    One call for all files: to flush each of 100 000 would take longer than the conversion. On
    systems without such a call the kernel flushes in its own time.

    Raises
    ------
    StoreError
        If the disk reports an error, for files written earlier too, and for those of others.
    """
    if sys.platform != "linux":
        getattr(os, "sync", lambda: None)()
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(
            f"{folder} is written, but its disk reports an error ({error.strerror}), perhaps of "
            f"other files: what was written may not all be on disk. So {MARK} stays in it; convert "
            f"again with --overwrite, or remove {MARK} if you know the output to be whole"
        ) from error
