"""CPUs and memory that this process may use, and those that it uses."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import psutil

from hoaconv.errors import BudgetError, PlanError

if sys.platform == "linux":
    import resource  # Windows has none

__all__ = [
    "LARGEST_KEPT",
    "Peak",
    "begin",
    "begin_libraries",
    "check_room",
    "cpus",
    "memory_limit",
    "resident",
    "reuse_freed",
    "trim_malloc",
    "tune_malloc",
]

LARGEST_KEPT = 32 << 20
"""Bytes of a block that glibc's malloc may keep when it is freed; larger ones go back at once."""

_CGROUPS = Path("/sys/fs/cgroup")
_M_ARENA_MAX, _M_MMAP_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -4, -3, -1  # malloc.h
_MEMORY_FILES = (  # limit, use, and the key in memory.stat of what can be dropped: v2, v1
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
_INT_MAX = (1 << 31) - 1
_NO_LIMIT = 1 << 60  # cgroup v1 writes "no limit" as a number about this large


def cpus() -> int:
    """Return the CPUs that this process may run on, by affinity and cgroup quota; at least 1."""
    if sys.platform == "linux":
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *_cgroup_cpus()]))


def memory_limit() -> int:
    """Return the bytes that this process may use: free ones and its own.

    It is the least of what the machine, the cgroup, ``ulimit -v`` and ``ulimit -d`` leave.
    """
    free = int(psutil.virtual_memory().available)
    left = [room - LEAST_FREE for room in _rlimit_free()]
    return max(0, min([free, *_cgroup_free(), *left])) + resident()


def _rlimit_free() -> list[int]:
    """Return the bytes of address space, and of data, that this process may still take."""
    if sys.platform != "linux":
        return []
    info = psutil.Process().memory_info()
    used = {resource.RLIMIT_AS: info.vms, resource.RLIMIT_DATA: info.data}
    soft = {kind: resource.getrlimit(kind)[0] for kind in used}
    return [soft[kind] - used[kind] for kind in used if soft[kind] != resource.RLIM_INFINITY]


LIBRARY_THREADS = 24
"""Threads that libraries start at the most, besides the workers; measured: 16 of tensorstore."""
LEAST_FREE = 300 << 20
"""Bytes that libraries need to start in; below, they end the process instead of raising."""

_began = _is_orphan = _tuned = False


def begin(workers: int) -> None:
    """Refuse work where threads of libraries would hang or abort.

    Raises
    ------
    PlanError
        In a process that was forked from one which had called `begin_libraries`, whose threads are
        missing here; where so many threads can't be started; where too little memory may be used.
    """
    if _is_orphan:
        raise PlanError(
            "this process was forked from one in which hoaconv had opened a zarr store, and "
            "threads of tensorstore are missing; start processes by 'spawn' or 'forkserver': "
            "multiprocessing.set_start_method('spawn')"
        )
    free = _rlimit_free()
    if free and min(free) < LEAST_FREE:
        raise PlanError(
            f"this process may take {max(0, min(free)) >> 20} MiB more memory (ulimit -v, ulimit "
            f"-d), and libraries need {LEAST_FREE >> 20} MiB to start; raise the limit"
        )
    _try_threads(workers + LIBRARY_THREADS)


def begin_libraries() -> None:
    """Note that from here on there are threads of tensorstore, which no forked process has."""
    global _began  # noqa: PLW0603 - a fact of the process
    _began = True


def check_room(nbytes: int) -> None:
    """Refuse a run that would hold more than ``ulimit -v`` or ``ulimit -d`` leave.

    Libraries end the process where an allocation of theirs fails, and nobody cleans up.

    Raises
    ------
    BudgetError
        If there is such a limit and `nbytes`, of the whole process, don't fit below it.
    """
    room = min([free - LEAST_FREE for free in _rlimit_free()], default=nbytes) + resident()
    if nbytes > room:
        raise BudgetError(
            f"the run takes {nbytes >> 20} MiB, and the limits of this process (ulimit -v, ulimit "
            f"-d) leave {max(0, room) >> 20} MiB; raise the limit, or lower `budget`"
        )


def _try_threads(count: int) -> None:
    """Start so many threads, and end them. Raises PlanError if that can't be done."""
    end, threads = Event(), list[Thread]()
    try:
        for _ in range(count):
            thread = Thread(target=end.wait, daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError:
        raise PlanError(
            f"this process can start {len(threads)} more threads, and needs {count} (workers and "
            f"{LIBRARY_THREADS} of libraries); raise the limit (ulimit -u, or the container's "
            "pids), or lower `workers`"
        ) from None
    finally:
        end.set()
        for thread in threads:
            thread.join()


def _mark_orphan() -> None:
    global _is_orphan  # noqa: PLW0603 - as above
    _is_orphan = _began


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_orphan)


def resident() -> int:
    """Return the bytes of this process that are in memory now."""
    return int(psutil.Process().memory_info().rss)


def _cgroup_folders() -> list[Path]:
    """Return the folders of this process's cgroups and of their ancestors, v2 before v1."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        roots = [controllers, ""] if controllers else [""]
        for root in roots:
            leaf = _CGROUPS / root / path.lstrip("/")
            folders += [p for p in (leaf, *leaf.parents) if p.is_relative_to(_CGROUPS)]
    return folders


def _numbers(name: str) -> list[list[int]]:
    """Return the numbers in each readable file of this name, of this cgroup and its ancestors."""
    found = []
    for folder in _cgroup_folders():
        try:
            words = (folder / name).read_text().split()
        except OSError:
            continue
        if words and all(word.lstrip("-").isdigit() for word in words):
            found.append([int(word) for word in words])
    return found


def _cgroup_free() -> list[int]:
    """Return the free bytes below each limit on this process; the page cache counts as free."""
    return [free for folder in _cgroup_folders() for free in _free_below(folder)]


def _free_below(folder: Path) -> list[int]:
    for limit_name, used_name, cache_name in _MEMORY_FILES:
        limit, used = (_number(folder / name) for name in (limit_name, used_name))
        if limit is not None and limit < _NO_LIMIT:
            return [max(0, limit - max(0, (used or 0) - _cached(folder, cache_name)))]
    return []


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _cached(folder: Path, name: str) -> int:
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)


def _cgroup_cpus() -> list[int]:
    quotas = [pair for pair in _numbers("cpu.max") if len(pair) == 2]
    v1 = zip(_numbers("cpu.cfs_quota_us"), _numbers("cpu.cfs_period_us"), strict=False)
    quotas += [[quota, period] for (quota,), (period,) in v1 if quota > 0]
    return [max(1, -(-quota // period)) for quota, period in quotas]


def tune_malloc() -> None:
    """Set glibc's malloc for the whole process, as the command line does; call it before threads.

    Runs then hold up to 8 % less memory, and uncompressed slices take some 4 % less time. Nothing
    is set unless a program calls this. Threads share one malloc arena; while a sweep runs, what is
    freed is kept for the next block. Elsewhere than on Linux with glibc this does nothing.

    By default every thread gets an arena of its own, each of which keeps what decoders and encoders
    have freed: a shard's chunks that one thread has packed, say, where the next shard's are packed
    by another. No sum over stages could tell how much. With one arena, what one thread frees the
    next one uses: runs that differ in nothing held 694 to 713 MB, with two arenas 717 to 802. Its
    lock is hardly ever taken: OpenJPEG spends 0.4 % of its time in malloc.
    """
    global _tuned  # noqa: PLW0603 - a fact of the process
    _tuned = True
    _mallopt(_M_ARENA_MAX, 1)


def is_tuned() -> bool:
    """Return whether this process is hoaconv's own, so that malloc may be set for it."""
    return _tuned


@contextmanager
def reuse_freed(*, large: bool) -> Iterator[None]:
    """Have glibc's malloc keep what is freed for the next block; `large`: of any size.

    It would give back the end of its heap whenever that is free, and map a block of more than
    `LARGEST_KEPT` anew whenever one is asked for, and the system clear page by page what it hands
    out again. Measured on virtual machines: 150 000 page faults for the chunks of 2 GB, some 4 % of
    the time that converting uncompressed slices takes, and a tenth of the time that decoding
    7621 x 7621 pixels takes. Kept large blocks fall into pieces, which `hoaconv.engine.memory`
    counts.
    """
    if not _tuned:
        yield
        return
    _mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT)
    _mallopt(_M_TRIM_THRESHOLD, _INT_MAX)
    if large:
        _mallopt(_M_MMAP_MAX, 0)
    try:
        yield
    finally:  # as in a process that has freed a block of `LARGEST_KEPT` before
        _mallopt(_M_MMAP_MAX, 1 << 16)
        _mallopt(_M_TRIM_THRESHOLD, 2 * LARGEST_KEPT)


def trim_malloc() -> None:
    """Give back to the system what glibc's malloc keeps for later; elsewhere this does nothing."""
    _call_glibc("malloc_trim", 0)


def _mallopt(option: int, value: int) -> None:
    _call_glibc("mallopt", option, value)


def _call_glibc(name: str, *values: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library, whose malloc has no such call
            getattr(ctypes.CDLL("libc.so.6"), name)(*values)


class Peak:
    """The most memory that this process held while the ``with`` block ran.

    Linux keeps a high-water mark, which is set back at the start. Elsewhere, or where that is
    not allowed, a thread looks every 20 ms.
    """

    def __init__(self) -> None:
        self._most = 0
        self._exact = False
        self._how = ""
        self._watcher: Thread | None = None
        self._over = Event()

    def __enter__(self) -> "Peak":
        self._exact = _tuned and _reset_high_water()  # others may read the mark of their process
        self._how = "high-water mark" if self._exact else "looked at every 20 ms"
        self._most = resident()
        if not self._exact:
            self._watcher = Thread(target=self._watch, name="hoaconv-peak", daemon=True)
            self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._most = self.nbytes
        self._exact = False
        self._over.set()
        if self._watcher is not None:
            self._watcher.join()

    @property
    def how(self) -> str:
        """Name of the method: the system's own high-water mark, or samples of a thread."""
        return self._how

    @property
    def nbytes(self) -> int:
        """Bytes, so far."""
        if self._exact:
            return max(self._most, _high_water())
        self._most = max(self._most, resident())
        return self._most

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._most = max(self._most, resident())


def _reset_high_water() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return _high_water() <= 1.05 * resident() + 2**24


def _high_water() -> int:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
