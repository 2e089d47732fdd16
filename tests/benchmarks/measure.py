"""One program, started afresh and measured from outside."""

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import psutil

__all__ = ["Usage", "measure"]

SHARE = 0.9  # of the machine's memory: a job that holds more is killed before the machine swaps

EVERY = 0.02  # seconds; all the looking takes about 2 % of one CPU
FAMILY = 10  # looks between two searches for child processes, which cost more than a look
RSS_UNIT = 1024  # of ru_maxrss on Linux
NOT_COMPILED = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True)
class Usage:
    """What one process and its children took.

    Attributes
    ----------
    exit
        Its exit status; negative for a signal.
    wall, cpu
        Seconds, from before it is started until it has ended; of all its threads and children.
    peak
        Most bytes that it and its children held at once, shared pages counted for each.
    peak_one
        Most bytes that one of these processes held, by the kernel's own mark.
    read, written
        Bytes through system calls, page cache or not; None where the system doesn't tell.
    starved
        Whether it was killed because it held nearly all memory of the machine.
    """

    exit: int
    wall: float
    cpu: float
    peak: int
    peak_one: int
    read: int | None
    written: int | None
    starved: bool = False


def measure(command: Sequence[str], cwd: Path, log: Path) -> Usage:
    """Run `command` to its end; what it prints goes to the file `log`.

    Modules are loaded as they are once installed, compiled, whatever the caller's setting.
    """
    own = {name: value for name, value in os.environ.items() if name != NOT_COMPILED}
    with log.open("wb") as out:
        start = perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=own, stdout=out, stderr=subprocess.STDOUT)
        watch = _Watch(process.pid)
        try:
            # Not waited for yet, it still tells its bytes, its children's among them.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            wall = perf_counter() - start
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            watch.stop()
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    one = used.ru_maxrss * RSS_UNIT
    cpu = max(watch.cpu, used.ru_utime + used.ru_stime)
    peak = max(watch.peak, one)
    return Usage(process.returncode, wall, cpu, peak, one, watch.read, watch.written, watch.starved)


class _Watch(Thread):
    """Looks at a process and its children until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="benchmark-watch", daemon=True)
        self.cpu, self.peak, self.starved = 0.0, 0, False
        self.read: int | None = None
        self.written: int | None = None
        self._family = [psutil.Process(pid)]
        self._most = SHARE * psutil.virtual_memory().total
        self._over = Event()
        self.start()

    def run(self) -> None:
        looks = 0
        while not self._over.wait(EVERY):
            looks += 1
            if looks % FAMILY == 0:
                self._find_children()
            self._look()
            if self.peak > self._most and not self.starved:
                self.starved = True
                self._kill()

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._look()

    def _kill(self) -> None:
        for process in self._family:
            with suppress(psutil.Error):
                process.kill()

    def _find_children(self) -> None:
        root = self._family[0]
        try:
            self._family = [root, *root.children(recursive=True)]
        except psutil.Error:
            self._family = [root]

    def _look(self) -> None:
        """Sums over those alive. A process's CPU and bytes hold those of children it waited for."""
        looks = [look for process in self._family if (look := _look_at(process))]
        self.peak = max(self.peak, sum(look.rss for look in looks))
        self.cpu = max(self.cpu, sum(look.cpu for look in looks))
        counted = [look.io for look in looks if look.io]
        if counted:
            self.read = max(self.read or 0, sum(read for read, _ in counted))
            self.written = max(self.written or 0, sum(written for _, written in counted))


@dataclass(frozen=True)
class _Look:
    rss: int
    cpu: float
    io: tuple[int, int] | None


def _look_at(process: psutil.Process) -> _Look | None:
    """What a process holds and has used, or None if it is gone."""
    try:
        rss, times = process.memory_info().rss, process.cpu_times()
        return _Look(rss, sum(times[:4]), _io(process))
    except psutil.Error:
        return None


def _io(process: psutil.Process) -> tuple[int, int] | None:
    if not hasattr(process, "io_counters"):
        return None
    counters = process.io_counters()
    return counters.read_chars, counters.write_chars
