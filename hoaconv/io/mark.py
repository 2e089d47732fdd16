"""The mark in an output folder: it names the run that writes there, and shows if the run lives.

No lock is used, since locks aren't reliable on network file systems. The mark is a small file
whose modification time a living run renews. For a run on this machine, its process shows if it
lives. Only the modification time shows it for runs on another machine or in another container, or
if processes of other users are hidden.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from threading import Event, Thread
from time import monotonic, sleep, time
from typing import Any
from uuid import uuid4

from psutil import STATUS_ZOMBIE, NoSuchProcess, Process
from psutil import Error as PsutilError

from hoaconv.errors import StoreError
from hoaconv.units import format_seconds

__all__ = [
    "MARK",
    "Heartbeat",
    "Mark",
    "bears",
    "forget",
    "may_live",
    "put_mark",
    "read_mark",
    "refuse_if_alive",
]

MARK = ".hoaconv-unfinished"
BEAT_SECONDS = 30.0
STALE_SECONDS = 600.0
"""Seconds without a heartbeat after which a run on another machine counts as dead: twenty beats,
since network file systems report a changed time late, and clocks of two machines differ."""
BEING_WRITTEN_SECONDS = 60.0
"""Age up to which an invalid mark may be one that is being written, on systems without links."""
READING_SECONDS = 5.0
"""Seconds for which a run retries to read its mark: network file systems fail for a moment."""
LARGEST = 1 << 16  # bytes of a mark that are read, at most; hoaconv writes 300
SAME_START = 0.5
"""Greatest difference between two start times of the same process: less than a clock tick, and more
than the rounding on systems that report seconds."""

_TOKEN = re.compile(r"[0-9a-z]{1,40}")
"""Form of a token, which is unique to a mark and may be part of a file's name."""

_ALIVE: set[str] = set()
"""Tokens of the marks of this process whose runs are not over."""


@lru_cache
def _here() -> tuple[str, str]:
    """Return the name of this machine, and a text that distinguishes its processes from others.

    Two containers may have the same host name, but each its own process numbers. So the text holds
    the identity of the boot and of the namespace of process numbers, if the system has them.
    """
    boot = pids = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        pids = str(os.stat("/proc/self/ns/pid").st_ino)
    return gethostname(), f"{boot}/{pids}"


def _start_of(pid: int) -> float:
    """Return the start time of a process: clock ticks since boot on Linux, else seconds since 1970.

    Seconds since 1970 would change on Linux whenever the clock is set.

    Raises
    ------
    ProcessLookupError
        If there is no such process, or it has ended and is a zombie.
    OSError
        If the start time can't be read.
    """
    if sys.platform != "linux":
        return _start_elsewhere(pid)
    try:
        told = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # the process doesn't exist, or belongs to another user and is hidden
        os.kill(pid, 0)
        raise
    state, *numbers = told.rpartition(b")")[2].split()  # the name in brackets comes first
    if state in (b"Z", b"X", b"x"):
        raise ProcessLookupError(pid)
    return float(numbers[18])


def _start_elsewhere(pid: int) -> float:
    try:
        process = Process(pid)
        if process.status() == STATUS_ZOMBIE:
            raise ProcessLookupError(pid)
        return float(process.create_time())
    except NoSuchProcess as error:
        raise ProcessLookupError(pid) from error
    except PsutilError as error:
        raise PermissionError(pid) from error


@dataclass(frozen=True)
class Mark:
    """Identity of a writing run: host, process namespace, process number, its start, a token."""

    host: str
    place: str
    pid: int
    start: float
    token: str

    @classmethod
    def new(cls) -> "Mark":
        """Return the mark of this process for one more output."""
        start = 0.0
        with suppress(OSError):  # other runs can't read the start time either
            start = _start_of(os.getpid())
        return cls(*_here(), os.getpid(), start, uuid4().hex)

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Mark | None":
        """Return the mark in a JSON object; None if the object is no valid mark."""
        try:
            made = cls(**found)
        except TypeError:
            return None
        texts = all(isinstance(text, str) for text in (made.host, made.place, made.token))
        number = isinstance(made.pid, int) and not isinstance(made.pid, bool)
        known = number and 0 < made.pid < 1 << 31 and isinstance(made.start, int | float)
        if not (known and texts and _TOKEN.fullmatch(made.token)):
            return None
        return made if 0 <= made.start < 1 << 53 else None

    @property
    def lives(self) -> bool | None:
        """True if its process lives, and not another one of that number; None if unknown."""
        if (self.host, self.place) != _here():
            return None
        if self.pid == os.getpid():
            return self.token in _ALIVE
        try:
            return abs(_start_of(self.pid) - self.start) < SAME_START
        except ProcessLookupError:
            return False
        except OSError:
            return None


def read_mark(folder: Path) -> Mark | None:
    """Return the mark of the run that claimed the folder; None if there is none or it is invalid.

    Raises
    ------
    OSError
        If the mark exists but can't be read.
    """
    return _read(folder / MARK)


def _read(file: Path) -> Mark | None:
    try:
        opened = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return None  # a pipe would block for ever
        found = json.loads(os.read(opened, LARGEST))
    except (ValueError, RecursionError):
        return None
    finally:
        os.close(opened)
    return Mark.of(found) if isinstance(found, dict) else None


def bears(folder: Path, mark: Mark) -> bool:
    """Return True if a folder bears this mark; a failed read is repeated for `READING_SECONDS`.

    Raises
    ------
    StoreError
        If the mark can't be read.
    """
    end = monotonic() + READING_SECONDS
    while True:
        try:
            return read_mark(folder) == mark
        except OSError as error:
            if monotonic() >= end:
                raise StoreError(
                    f"{folder / MARK} can't be read ({error.strerror or error}), so it isn't known "
                    f"whether another run has taken {folder}"
                ) from error
        sleep(READING_SECONDS / 50)


def refuse_if_alive(folder: Path) -> None:
    """Raise an error if another run may be at work in a folder.

    Raises
    ------
    StoreError
        If the run that put the mark is alive, or may be.
    """
    _dead(folder / MARK, time())


def may_live(file: Path) -> bool:
    """Return True if the run that wrote the mark in this file is alive or may be."""
    try:
        _dead(file, time())
    except StoreError:
        return True
    return False


def _dead(file: Path, now: float) -> Mark | None:
    """Return the mark of a dead run; None if the mark is invalid or missing.

    Parameters
    ----------
    now
        Present time of the clock that gives files there their times.

    Raises
    ------
    StoreError
        If the run is alive, or may be.
    """
    folder, age = file.parent, _age(file, now)
    ago = format_seconds(max(0.0, age))
    try:
        mark = _read(file)
    except OSError as error:
        if age < STALE_SECONDS:
            raise StoreError(
                f"{file} can't be read ({error.strerror or error}), and another run may be at work "
                f"there: it was renewed {ago} ago. If no run is, remove it"
            ) from error
        return None
    if mark is None:
        if 0 <= age < BEING_WRITTEN_SECONDS:
            raise StoreError(
                f"{file} can't be read as a mark; if no other run is at work there, remove it, or "
                "wait a minute"
            )
        return None
    lives = mark.lives
    if lives:
        raise StoreError(
            f"{folder} is being written by another run (process {mark.pid}); let it finish"
        )
    if lives is None and age < STALE_SECONDS:
        raise StoreError(
            f"{folder} is being written by another run (process {mark.pid} on {mark.host}, last "
            f"sign of life {ago} ago); let it finish. If that run is dead, try again "
            f"{format_seconds(STALE_SECONDS)} after its last sign of life"
        )
    return mark


def _age(file: Path, now: float) -> float:
    """Return the seconds since a mark was last renewed."""
    try:
        return now - os.lstat(file).st_mtime
    except OSError:
        return STALE_SECONDS


def put_mark(folder: Path, mark: Mark) -> None:
    """Put the mark into a folder, in one step; replace the mark of a dead run.

    If several runs begin at the same moment, one succeeds and the others get a StoreError.

    Raises
    ------
    StoreError
        If another run is at work there, or may be.
    OSError
        If the file system refuses.
    """
    beside = folder / f"{MARK}.{mark.token}"
    _ALIVE.add(mark.token)
    try:
        beside.write_text(json.dumps(asdict(mark)), encoding="utf-8")
        # The modification time comes from the clock of the machine that holds the disk.
        _take(folder / MARK, beside, beside.stat().st_mtime)
    except BaseException:
        forget(mark)
        raise
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _take(file: Path, beside: Path, now: float) -> None:
    """Move the mark in `beside` to `file`, unless a run may be alive there.

    A run may replace the mark of a dead run only while it owns a file named after that mark. Only
    one run at a time can own this file, and it then reads the mark once more. So the mark of a
    living run is never changed.
    """
    try:
        _link(beside, file)
    except FileExistsError:
        dead = _dead(file, now)
        if os.path.lexists(file):
            _replace(file, dead, beside, now)
        else:  # the other run has just ended
            _take(file, beside, now)


def _replace(file: Path, dead: Mark | None, beside: Path, now: float) -> None:
    heir = file.with_name(f"{file.name}.after-{dead.token if dead else 'none'}")
    _take(heir, beside, now)
    try:
        if _dead(file, now) != dead:
            raise StoreError(f"{file.parent} was taken by another run at the same moment")
        heir.replace(file)
    except BaseException:
        heir.unlink(missing_ok=True)
        raise


def _link(source: Path, target: Path) -> None:
    """Give a file a second name that is still free; in one step if links can be made."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network file systems have no links
        with target.open("xb") as file:
            file.write(source.read_bytes())


def forget(mark: Mark) -> None:
    """Note that the run of the mark is over, so that later runs of this process can tell."""
    _ALIVE.discard(mark.token)


class Heartbeat:
    """A thread that renews the mark's modification time every half minute, until it is stopped.

    The run's own thread can't do this: reading a slice may take minutes, and so may planning.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._end = folder / MARK, Event()
        self._thread = Thread(target=self._beat, name="hoaconv-heartbeat", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            with suppress(OSError):  # the run notices the failure at its next layer
                os.utime(self._file)

    def stop(self) -> None:
        """Stop renewing; the mark keeps its last modification time."""
        self._end.set()
        self._thread.join(timeout=BEAT_SECONDS)
