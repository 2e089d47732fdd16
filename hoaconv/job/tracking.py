"""Progress of a run, told to a watcher slice by slice."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from threading import Event, Thread
from time import perf_counter
from typing import NamedTuple

from hoaconv.engine import machine
from hoaconv.errors import Cancelled
from hoaconv.job.watching import Place, Progress, Watcher
from hoaconv.units import format_seconds

__all__ = ["PlaneSize", "tracked"]

STILL_SECONDS = 60.0
"""After so long without a slice, a run tells that it waits."""


class PlaneSize(NamedTuple):
    """Bytes and voxels of a decoded slice, or of the mean one."""

    nbytes: int
    voxels: int


@contextmanager
def tracked(
    watcher: Watcher, plane: PlaneSize, totals: Sequence[int], cancelled: Event
) -> Iterator[Callable[[], None]]:
    """Yield the function that a run calls for each slice; its clock starts now.

    If no slice comes for a minute, another thread says so.

    Parameters
    ----------
    plane
        Size of a slice that is read.
    totals
        Number of slices of each sweep.
    cancelled
        When this is set, the run ends with `Cancelled` at the next slice.
    """
    start = perf_counter()
    ends = list(accumulate(totals))
    done, over = 0, Event()

    def tell() -> None:
        nonlocal done
        if cancelled.is_set():
            raise Cancelled("the run was cancelled")
        sweep = bisect_right(ends, done)
        done += 1
        within = done - (ends[sweep] - totals[sweep])
        seconds, memory = perf_counter() - start, machine.resident()
        at = Place(sweep + 1, len(totals), within, totals[sweep])
        watcher.progress(Progress(done, ends[-1], *plane, seconds, memory, at))

    def watch() -> None:
        before = done
        while not over.wait(STILL_SECONDS):
            if done == before and done < ends[-1]:
                watcher.note(
                    f"no slice has come for {format_seconds(STILL_SECONDS)}, after {done} of "
                    f"{ends[-1]}: a disk may not answer, or the ops take long; Ctrl-C ends the run"
                )
            before = done

    thread = Thread(target=watch, name="hoaconv-watch", daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()
