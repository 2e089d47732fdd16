"""Kernels that a plan needs: loaded from disk, or compiled, before its run begins."""

from threading import Timer

from hoaconv.engine.plan import Plan
from hoaconv.engine.run import warm
from hoaconv.errors import HoaconvError
from hoaconv.job.watching import Watcher
from hoaconv.kernels import TEMPORARY, cache

__all__ = ["load_kernels"]


def load_kernels(plan: Plan, watcher: Watcher) -> None:
    """Load the kernels of a plan, or compile them; tell it where that takes long.

    Kernels on disk that can't be read are compiled anew; where the disk is full they aren't kept.
    """
    if TEMPORARY:
        watcher.note(
            "no folder can be written to keep compiled kernels in; this run compiles them for "
            "itself. Name a folder in NUMBA_CACHE_DIR to keep them"
        )
    before = cache.compiled()
    slow = Timer(1.0, _tell_if_compiling, [watcher, before])
    slow.daemon = True
    slow.start()
    try:
        _load_in_spite_of_disk(plan, watcher)
    finally:
        slow.cancel()


def _tell_if_compiling(watcher: Watcher, before: int) -> None:
    if cache.compiled() > before:
        kept = "" if TEMPORARY else "; the next run finds them on disk"
        watcher.note(f"compiling kernels{kept}")


def _load_in_spite_of_disk(plan: Plan, watcher: Watcher) -> None:
    try:
        warm(plan)
    except (HoaconvError, MemoryError):
        raise
    except OSError as error:
        folder = cache.stop_keeping()
        watcher.note(f"compiled kernels can't be kept in {folder}: {error.strerror or error}")
        warm(plan)
    except Exception:  # unpickling damage raises errors of every kind; a fault of ours comes again
        try:
            folder = cache.reset()
        except OSError:
            folder = cache.stop_keeping()
        watcher.note(f"kernels are compiled anew: those in {folder} can't be read")
        warm(plan)
