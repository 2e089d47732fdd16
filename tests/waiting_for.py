"""Waiting for what other threads and processes do, without a guess of how long they take."""

import time
from collections.abc import Callable

__all__ = ["wait_until"]


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    """Return as soon as it has happened; fail if it doesn't happen in so many seconds."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.01)
