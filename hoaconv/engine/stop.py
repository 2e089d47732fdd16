"""A signal asks a run to stop; the run stops where nothing is lost.

A signal handler that raises may be called within a finalizer or a callback of a library, where
Python drops the exception and the signal is lost. So the command line only takes a note, here (see
`hoaconv.signals`), and the thread that runs the sweep asks for it wherever it waits, between planes
and between their bands.
"""

import threading
from collections.abc import Callable
from time import monotonic

__all__ = ["ask", "asked", "forget", "is_due", "is_raised", "raise_if_asked", "wait"]

POLL_SECONDS = 0.2
"""A wait asks as often whether to go on."""


class _Wish:
    number: int | None = None
    since: float = 0.0
    is_raised: bool = False


def ask(number: int) -> float | None:
    """Ask the run to stop, from the thread that hears signals.

    Returns
    -------
    float or None
        Seconds since the first time it was asked; None if this is the first.
    """
    if _Wish.number is not None:
        return monotonic() - _Wish.since
    _Wish.number, _Wish.since = number, monotonic()
    return None


def asked() -> int | None:
    """Return the number of the signal that asked the run to stop; None if none did."""
    return _Wish.number


def is_raised() -> bool:
    """Return whether the run has been told: it is cleaning up, or has ended."""
    return _Wish.is_raised


def forget() -> None:
    """Begin anew, as if nobody had asked."""
    _Wish.number, _Wish.is_raised = None, False


def is_due() -> bool:
    """Return whether `raise_if_asked` would raise, here and now."""
    if _Wish.number is None or _Wish.is_raised:
        return False
    return threading.current_thread() is threading.main_thread()


def raise_if_asked() -> None:
    """Raise KeyboardInterrupt, once, in the main thread, if the run was asked to stop.

    Once, so that nothing disturbs the cleaning up.
    """
    if is_due():
        _Wish.is_raised = True
        raise KeyboardInterrupt


def wait(is_done: Callable[[float], object]) -> None:
    """Wait until `is_done`, which itself waits for the seconds it is given at the most."""
    while not is_done(POLL_SECONDS):
        raise_if_asked()
