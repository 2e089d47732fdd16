"""Files opened so that they are what they were when their headers were checked."""

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
    """One number for a file's size and time of change, which is kept with a header.

    Not of its inode: some file systems (vfat, CIFS, sshfs, stores that fetch a file from tape) give
    another one each time, though the file is the same. So a file that takes another's place with
    the same size and the same time of change, to the nanosecond, isn't noticed.

    A number, since a stack of 100 000 slices keeps as many.
    """
    return hash((status.st_size, status.st_mtime_ns))


def seen_now(stream: FileIO) -> tuple[int, int]:
    """Size of an open file, and `seen` of it."""
    status = os.fstat(stream.fileno())
    return status.st_size, seen(status)


def check_regular(path: Path) -> None:
    """Refuse what isn't a regular file, before it is opened: a pipe blocks who opens it.

    Raises
    ------
    SourceError
        If it is anything else; the message says what.
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
        What to open.
    before
        `seen` of it when its header was checked; None where this is the check. It is held
        against the open file twice, since a file may also change while it is read.

    Raises
    ------
    SourceError
        If it isn't a regular file, or has changed.
    """
    if before is None:
        check_regular(path)
    # O_NONBLOCK: a pipe that took the file's place doesn't block; it means nothing for files.
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
