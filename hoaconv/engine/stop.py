"""Requests to stop a run: a signal makes one, and the run stops at a safe point.

A signal handler may be called within a finalizer or a callback of a library. If it raised an
exception there, Python would drop it and the signal would be lost. So the command line only records
the request in this module (see `hoaconv.terminal.signals`). The thread that runs the sweep checks
for it whenever it waits, between planes, and between bands of planes.
"""

import threading
from collections.abc import Callable
from time import monotonic

__all__ = ["ask", "asked", "forget", "is_due", "is_raised", "raise_if_asked", "wait"]

POLL_SECONDS = 0.2
"""Seconds between two checks for a request to stop, during a wait."""


class _Wish:
    number: int | None = None
    since: float = 0.0
    is_raised: bool = False


def ask(number: int) -> float | None:
    """Ask the run to stop; the thread that receives signals calls this.

    Returns
    -------
    float or None
        Seconds since the first request; None if this is the first.
    """
    if _Wish.number is not None:
        return monotonic() - _Wish.since
    _Wish.number, _Wish.since = number, monotonic()
    return None


def asked() -> int | None:
    """Return the number of the signal that asked the run to stop; None if there was none."""
    return _Wish.number


def is_raised() -> bool:
    """Return True if the run has been interrupted: it is cleaning up, or has ended."""
    return _Wish.is_raised


def forget() -> None:
    """Discard any request to stop."""
    _Wish.number, _Wish.is_raised = None, False


def is_due() -> bool:
    """Return True if `raise_if_asked` would raise in this thread now."""
    if _Wish.number is None or _Wish.is_raised:
        return False
    return threading.current_thread() is threading.main_thread()


def raise_if_asked() -> None:
    """Raise KeyboardInterrupt, once, in the main thread, if the run was asked to stop.

    It raises only once, so that nothing disturbs the cleaning up.
    """
    if is_due():
        _Wish.is_raised = True
        raise KeyboardInterrupt


def wait(is_done: Callable[[float], object]) -> None:
    """Call `is_done` until it returns true; between calls, raise as `raise_if_asked` does.

    `is_done` gets a number of seconds and waits for so long at most.
    """
    while not is_done(POLL_SECONDS):
        raise_if_asked()
