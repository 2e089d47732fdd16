"""An output folder that one run claims.

A mark in the folder shows that the output is unfinished. Existing data is replaced only on demand.
"""

import ctypes
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from hoaconv.errors import StoreError
from hoaconv.io.contents import SCRATCH, ZARR, Contents
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

__all__ = ["Claim", "check_free", "remove", "sync"]


def check_free(path: Path, *, overwrite: bool, holds: Contents = ZARR) -> None:
    """Raise an error if an existing output prevents writing; change nothing.

    Raises
    ------
    StoreError
        If `path` is a file, or a living run writes to it, or it holds something and `overwrite`
        is false, or it holds something that is no part of what is written there: of a zarr store,
        or of another kind of output by `holds`.
    """
    if os.path.islink(path) and not os.path.exists(path):
        raise StoreError(f"{path} is a link that leads nowhere; remove it, or name another output")
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(path)  # raises if the name is too long
        names = set(os.listdir(path)) if os.path.exists(path) else set()
    except NotADirectoryError:
        raise StoreError(
            f"{path} is a file; the output is a folder, such as {holds.example}"
        ) from None
    except OSError as error:
        raise StoreError(f"{path} can't be used: {error.strerror}") from error
    if MARK in names:
        refuse_if_alive(path)
        if not overwrite:
            raise StoreError(
                f"{path} was left by a run that did not finish; `overwrite=True` replaces it"
            )
    elif names and not overwrite:
        raise StoreError(f"{path} exists; name another output, or replace it with `overwrite=True`")
    elif names and not holds.is_one(names):
        raise StoreError(f"{path} is not {holds.what}, so it is not overwritten; name another")
    _check_own(path, holds)


def _check_own(path: Path, holds: Contents) -> None:
    """Raise StoreError if the folder holds something that is no part of what it should."""
    try:
        strange = min(holds.strange(path), default=None)
    except OSError as error:
        raise StoreError(f"{error.filename} can't be read: {error.strerror}") from error
    if strange:
        raise StoreError(
            f"{path} holds {strange.relative_to(path)}, which is no part of {holds.what}, so it is "
            "not overwritten; move that away, or name another output"
        )


class Claim:
    """A folder with a mark that names the run that is at work there, or was when it died.

    A complete store that is to be replaced stays until `begin`, so that a run that fails before it
    has written anything leaves it as it was. What a dead run left is removed at once.

    Parameters
    ----------
    holds
        The kind of output that the folder is made for.

    Raises
    ------
    StoreError
        If the folder can't be used (see `check_free`) or can't be made.
    """

    def __init__(self, path: Path, *, overwrite: bool, holds: Contents = ZARR) -> None:
        check_free(path, overwrite=overwrite, holds=holds)
        self.path, self._holds = path, holds
        self._mark = Mark.new()
        self._made = _missing(path)
        self._heartbeat: Heartbeat | None = None
        self._old: list[str] = []
        self._erasing = Lock()
        self._is_torn, self._place = False, ""
        try:
            with _refusing(path):
                self._take()
        except BaseException:
            with suppress(OSError):  # the first error is the one to report
                self._let_go()
            raise
        self._place = os.path.realpath(path)
        _CLAIMS[self._place] = self

    def _take(self) -> None:
        """Make the folder, put the mark into it, and remove what a dead run left there."""
        self.path.mkdir(parents=True, exist_ok=True)
        was_unfinished = os.path.lexists(self.path / MARK)
        put_mark(self.path, self._mark)
        self._heartbeat = Heartbeat(self.path)
        self._erase([SCRATCH])  # which this run may need for itself
        names = os.listdir(self.path)
        self._old = [name for name in names if not _is_mark_in_use(self.path / name)]
        if was_unfinished or not self._holds.is_one(set(self._old)):
            self.begin()

    @staticmethod
    def on(path: Path) -> "Claim | None":
        """Return the claim of this process on a folder; None if there is none."""
        return _CLAIMS.get(os.path.realpath(path))

    def begin(self) -> None:
        """Remove what was in the folder, before the first part of the new output is written.

        Later calls do nothing. Several threads may call it.

        Raises
        ------
        StoreError
            If something can't be removed, or the folder no longer belongs to this run.
        """
        with self._erasing:
            if not self._old:
                return
            self._is_torn = True
            try:
                with _refusing(self.path):
                    self._erase(self._old)
            except BaseException as error:
                note = f"part of what was in {self.path} is removed; `overwrite=True` goes on"
                error.add_note(note)
                raise
            self._is_torn, self._old = False, []
            self._made = self._made or [self.path]

    def _let_go(self) -> None:
        """Give the folder up; leave the mark there only if the folder holds something else."""
        if self._heartbeat is None:  # the folder was never this run's
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
        """True if the folder still belongs to this run. Raises StoreError if that is unknown."""
        return bears(self.path, self._mark)

    def check(self) -> None:
        """Raise StoreError if the folder no longer belongs to this run, or that is unknown."""
        if not self.is_ours:
            gone = "" if os.path.isdir(self.path) else ": it is gone"
            raise StoreError(
                f"{self.path} was taken, changed or moved by somebody else while it was being "
                f"written{gone}; this run leaves alone what is there now"
            )

    def finish(self) -> None:
        """Flush everything to disk, then remove the mark: the output is complete.

        Raises
        ------
        StoreError
            If the folder no longer belongs to this run, the disk fails, or the mark can't be
            removed. The written data and the mark then stay; the claim ends in any case.
        """
        try:
            self.check()
            self.begin()
            sync(self.path)
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

    def leave(self) -> None:
        """End the claim; everything stays as it is, with the mark."""
        self._release()

    def abandon(self, made: Iterable[str]) -> bool:
        """Remove all that the run made; remove the mark last, so that it stays if this fails.

        What was in the folder stays as it was if `begin` was not called, and if `begin` has failed,
        the rest of it stays, with the mark.

        Parameters
        ----------
        made
            Names in the folder that the run made. Files of others stay.

        Returns
        -------
        bool
            False if nothing was removed: the run has made nothing, or the folder no longer belongs
            to it.

        Raises
        ------
        OSError
            If something can't be removed, or the owner of the folder is unknown.
        """
        try:
            if not self.is_ours or self._is_torn:
                return False
            if not self._old:
                self._erase(made)
            (self.path / MARK).unlink(missing_ok=True)
            if self._old:
                return False
        finally:
            self._release()
        self._remove_made()
        return True

    def _erase(self, names: Iterable[str]) -> None:
        """Remove files and folders, metadata first: a store half erased must not look complete."""
        for name in sorted(names, key=lambda name: name not in self._holds.heads):
            if os.path.lexists(self.path / name):
                self.check()
                remove(self.path / name)

    def _release(self) -> None:
        if _CLAIMS.get(self._place) is self:
            del _CLAIMS[self._place]
        if self._heartbeat:
            self._heartbeat.stop()
        forget(self._mark)

    def _remove_made(self) -> None:
        """Remove the folders that this claim made or emptied, innermost first, while empty."""
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                if os.path.lexists(folder):
                    return  # it holds another output, whose run removes it, or files of others


_CLAIMS: dict[str, Claim] = {}
"""The claims of this process by their folders: a label lies in a folder that its image claims."""


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Raise StoreError instead of an error of the file system."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{path} can't be made: {error.strerror or error}") from error


def _missing(path: Path) -> list[Path]:
    """Return the folders that must be made for `path` to exist, innermost first."""
    folders = (folder for folder in (path, *path.parents) if folder.name != "..")
    return [folder for folder in folders if not os.path.exists(folder)]


def _is_mark_in_use(entry: Path) -> bool:
    """Return True for this run's mark, and for the mark of a run that is about to put its own."""
    return entry.name == MARK or (entry.name.startswith(MARK) and may_live(entry))


def remove(entry: Path) -> None:
    """Remove a file or folder, even if another process removes parts of it at the same time."""
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


def sync(folder: Path) -> None:
    """Flush to disk all data of this file system that the kernel still holds.

    One call flushes all files: to flush 100 000 files one by one would take longer than the
    conversion. On systems without such a call the kernel flushes in its own time.

    Raises
    ------
    StoreError
        If the disk reports an error, which may concern older files or files of others.
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
            f"again with `overwrite=True`, or remove {MARK} if you know the output to be whole"
        ) from error
