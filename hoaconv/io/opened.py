"""Opening of files, with a check that they haven't changed since their headers were read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from hoaconv.errors import SourceError

__all__ = ["check_regular", "opened", "seen", "seen_now"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def seen(status: os.stat_result) -> int:
    """Return one number for a file's size and modification time, to be kept with its header.

    The inode is not part of it: some file systems (vfat, CIFS, sshfs, stores that fetch a file from
    tape) give another inode each time, though the file is the same. So a file that replaces another
    one isn't noticed if size and modification time, to the nanosecond, are the same.

    A number needs little memory: a stack of 100 000 slices keeps as many.
    """
    return hash((status.st_size, status.st_mtime_ns))


def seen_now(stream: FileIO) -> tuple[int, int]:
    """Return the size of an open file in bytes, and its `seen` number."""
    status = os.fstat(stream.fileno())
    return status.st_size, seen(status)


def check_regular(path: Path) -> None:
    """Raise an error if a path isn't a regular file; call this before opening: a pipe would block.

    Raises
    ------
    SourceError
        If it isn't a regular file; the message says what it is.
    """
    _check_mode(path, path.stat().st_mode)


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((word for is_kind, word in _KINDS if is_kind(mode)), "no file")
        raise SourceError(f"{path} is {kind}; hoaconv reads regular files: copy the image to one")


@contextmanager
def opened(path: Path, before: int | None = None) -> Iterator[FileIO]:
    """Open a file for reading, without Python's buffer.

    Parameters
    ----------
    path
        The file to open.
    before
        `seen` number of the file when its header was checked; None while the header is checked. It
        is compared before and after reading, since a file may also change while it is read.

    Raises
    ------
    SourceError
        If the file isn't a regular file, or has changed.
    """
    if before is None:
        check_regular(path)
    # O_NONBLOCK: a pipe that has replaced the file doesn't block; for files it has no effect.
    with open(path, "rb", buffering=0, opener=_open) as stream:
        status = os.fstat(stream.fileno())
        _check_mode(path, status.st_mode)
        _check_same(path, status, before)
        yield stream
        if before is not None:
            _check_same(path, os.fstat(stream.fileno()), before)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_same(path: Path, status: os.stat_result, before: int | None) -> None:
    if before is not None and seen(status) != before:
        raise SourceError(
            f"{path} changed while hoaconv ran: it isn't the file whose header was checked; let "
            "whatever writes the slices end, and run again"
        )
