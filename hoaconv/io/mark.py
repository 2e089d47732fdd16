"""The mark in an output folder: which run is at work there, and whether it still is.

No lock is used, since locks aren't reliable on network file systems. The mark is a small file
whose modification time a living run renews. On this machine the process tells whether it lives;
of another machine, or of another container, only that time can tell.
"""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from threading import Event, Thread
from time import time
from typing import Any
from uuid import uuid4

from psutil import Error as PsutilError
from psutil import Process

from hoaconv.errors import StoreError
from hoaconv.units import format_seconds

__all__ = [
    "MARK",
    "Heartbeat",
    "Mark",
    "forget",
    "is_marked",
    "put_mark",
    "read_mark",
    "refuse_if_alive",
]

MARK = ".hoaconv-unfinished"
BEAT_SECONDS = 30.0
STALE_SECONDS = 600.0
"""After so long without a heartbeat a run on another machine counts as dead: twenty beats, since
network file systems tell of a changed time late, and clocks of two machines differ."""
BEING_WRITTEN_SECONDS = 60.0
"""A mark that can't be read may be one that is being written, where links can't be made."""
LARGEST = 1 << 16  # bytes of a mark; ours has 300

_ALIVE: set[str] = set()
"""Tokens of this process's marks that are neither finished nor given up."""


@lru_cache
def _here() -> tuple[str, str]:
    """Name of this machine, and what tells its processes from those of others.

    Two containers may have one host name, and process numbers of their own: hence the boot's
    identity and the namespace of process numbers, where the system has them.
    """
    boot = pids = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        pids = str(os.stat("/proc/self/ns/pid").st_ino)
    return gethostname(), f"{boot}/{pids}"


@dataclass(frozen=True)
class Mark:
    """Who writes: host, what its processes are told apart by, process, its start, and a token."""

    host: str
    place: str
    pid: int
    began: float
    token: str

    @classmethod
    def new(cls) -> "Mark":
        """Return the mark of this process for one more output."""
        host, place = _here()
        return cls(host, place, os.getpid(), Process().create_time(), uuid4().hex)

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Mark | None":
        """Return the mark that a JSON object stands for; None if it is none."""
        try:
            made = cls(**found)
        except TypeError:
            return None
        texts = (made.host, made.place, made.token)
        number = isinstance(made.pid, int) and not isinstance(made.pid, bool)
        known = number and 0 < made.pid < 1 << 31 and isinstance(made.began, int | float)
        return made if known and all(isinstance(text, str) for text in texts) else None

    @property
    def is_local(self) -> bool:
        """Whether its process number means anything here."""
        return (self.host, self.place) == _here()

    @property
    def process_lives(self) -> bool:
        """Whether the process goes on, not another one with the same number."""
        if self.pid == os.getpid():
            return self.token in _ALIVE
        try:
            return bool(Process(self.pid).create_time() == self.began)
        except PsutilError:
            return False


def is_marked(folder: Path) -> bool:
    """Whether something with the mark's name is there."""
    return os.path.lexists(folder / MARK)


def read_mark(folder: Path) -> Mark | None:
    """Read who claimed the folder; None where nobody did, or the mark can't be made sense of."""
    return _read(folder / MARK)


def _read(path: Path) -> Mark | None:
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None  # a pipe would let us wait for ever
            found = json.loads(opened.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return Mark.of(found) if isinstance(found, dict) else None


def refuse_if_alive(folder: Path, now: float | None = None) -> None:
    """Refuse a folder in which another run may be at work.

    Parameters
    ----------
    now
        The present time by the clock that files there get; by default this machine's.

    Raises
    ------
    StoreError
        If the marked run is alive, or may be.
    """
    mark, age = read_mark(folder), _age(folder, time() if now is None else now)
    if mark is None:
        if 0 <= age < BEING_WRITTEN_SECONDS:
            raise StoreError(
                f"{folder} has just been marked by another run, perhaps; try again in a minute"
            )
    elif mark.is_local:
        if mark.process_lives:
            raise StoreError(
                f"{folder} is being written by another run (process {mark.pid}); let it finish"
            )
    elif age < STALE_SECONDS:
        raise StoreError(
            f"{folder} is being written by another run (process {mark.pid} on {mark.host}, last "
            f"sign of life {format_seconds(max(0.0, age))} ago); let it finish. If that run is "
            f"dead, try again {format_seconds(STALE_SECONDS)} after its last sign of life"
        )


def _age(folder: Path, now: float) -> float:
    """Seconds since the mark was last renewed."""
    try:
        return now - os.lstat(folder / MARK).st_mtime
    except OSError:
        return STALE_SECONDS


def put_mark(folder: Path, mark: Mark) -> None:
    """Put the mark into a folder, whole; replace that of a dead run.

    Of two runs that begin at the same moment one wins, the other is told.

    Raises
    ------
    StoreError
        If another run is, or may be, at work there.
    OSError
        If the file system refuses.
    """
    beside = folder / f"{MARK}.{mark.token}"
    try:
        beside.write_text(json.dumps(asdict(mark)), encoding="utf-8")
        now = beside.stat().st_mtime  # by the clock of the machine that the disk belongs to
        if is_marked(folder):
            refuse_if_alive(folder, now)
            _set_aside(folder, mark.token)
        _link(beside, folder / MARK)
    except FileExistsError:
        refuse_if_alive(folder, now)
        raise StoreError(f"{folder} was taken by another run at the same moment") from None
    finally:
        beside.unlink(missing_ok=True)
    _ALIVE.add(mark.token)


def _set_aside(folder: Path, token: str) -> None:
    """Remove a dead run's mark; what was put in its place meanwhile is put back."""
    dead, aside = read_mark(folder), folder / f"{MARK}.{token}.dead"
    try:
        (folder / MARK).rename(aside)
    except FileNotFoundError:
        return  # another run has set it aside
    seen = _read(aside)
    if seen != dead:
        with suppress(OSError):
            _link(aside, folder / MARK)
        aside.unlink(missing_ok=True)
        raise StoreError(f"{folder} was taken by another run at the same moment")
    if aside.is_dir() and not aside.is_symlink():
        aside.rename(folder / MARK)
        raise StoreError(f"{folder / MARK} is a folder; remove it")
    aside.unlink()


def _link(source: Path, target: Path) -> None:
    """Give a file a second name that nobody has; whole at once where links can be made."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network file systems have no links
        with target.open("xb") as file:
            file.write(source.read_bytes())


def forget(mark: Mark) -> None:
    """Let this process's later runs know that the run of the mark is over."""
    _ALIVE.discard(mark.token)


class Heartbeat:
    """Renews the mark's modification time every half minute, until it is stopped.

    A thread of its own does so: a slice may take minutes to come, and planning too.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._end = folder / MARK, Event()
        self._thread = Thread(target=self._beat, name="hoaconv-heartbeat", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            with suppress(OSError):  # the run finds out at its next layer
                os.utime(self._file)

    def stop(self) -> None:
        """Stop; the mark's time stays as it is."""
        self._end.set()
        self._thread.join(timeout=BEAT_SECONDS)
