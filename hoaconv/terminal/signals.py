"""Signals ask a run to stop, and end the process if the run doesn't stop.

Python calls a signal handler in the main thread, between two steps of the interpreter. It calls no
handler while that thread computes in a kernel, waits for a disk, or writes to a pipe that nobody
reads. But the signal's number is written to a socket at once (`signal.set_wakeup_fd`), where a
thread of this module reads it. So a second signal always takes effect, and so does the timer that
the first one starts.
"""

import os
import signal
import socket
import threading
from contextlib import suppress
from typing import Any

from hoaconv.engine import stop

__all__ = ["ENDS", "WORDS", "fate", "ignore", "leave", "listen", "writes", "written"]

WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    getattr(signal, "SIGHUP", -1): "the terminal was closed",
}
"""Words for each signal that ends a run; the exit code is 128 plus the signal's number."""
ENDS = tuple(number for number in WORDS if number > 0)
NOW_SECONDS = 1.0
"""Seconds after the first signal from which another one ends the process at once."""
STUCK_SECONDS = 15.0
"""Seconds after which the process ends if the run hasn't reacted to a signal."""


class _Output:
    fate = ""
    """State of the output in words, for the last message."""


def writes() -> None:
    """Note that an unfinished output may exist from now on."""
    _Output.fate = "; an unfinished output keeps its mark"


def written() -> None:
    """Note that the output is complete and stays so if a signal comes."""
    _Output.fate = "; the output is complete"


def fate() -> str:
    """Return the state of the output after a semicolon; empty if there is no output."""
    return _Output.fate


def listen() -> None:
    """React to the signals that end a run, until `ignore` is called.

    A signal that the parent process has set to be ignored, as ``nohup`` does with SIGHUP, stays
    ignored.
    """
    there, here = socket.socketpair()
    there.setblocking(False)
    handler: Any = _leave_to_listener
    listener = threading.Thread(target=_listen, args=(here,), name="signals", daemon=True)
    try:
        listener.start()
    except RuntimeError:  # no more threads can be started; a handler reacts, though later
        handler = _hear
    else:
        signal.set_wakeup_fd(there.detach(), warn_on_full_buffer=False)
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def ignore() -> None:
    """Ignore signals from now on: the work is done and reported."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


def leave(number: int, _: object) -> None:
    """End the process at once; this is the signal handler while no file is open yet."""
    _end(number, "")


def _leave_to_listener(number: int, _: object) -> None:
    """Do nothing; without a handler, Python would not write the signal's number to the socket."""


def _listen(here: socket.socket) -> None:
    while numbers := here.recv(16):
        for number in numbers:
            if number in ENDS:
                _hear(number)


def _hear(number: int, _: object = None) -> None:
    """Record a signal; end the process if the first one came `NOW_SECONDS` ago or earlier.

    Raise nothing: an exception in a finalizer or a library's callback would be lost.
    """
    since = stop.ask(number)
    if since is None:
        watch = threading.Timer(STUCK_SECONDS, _end_if_stuck, [number])
        watch.daemon = True
        with suppress(RuntimeError):  # without a thread, a second signal still ends the process
            watch.start()
    elif since >= NOW_SECONDS:
        _end(number, f" again: ended at once{fate()}")


def _end_if_stuck(number: int) -> None:
    if not stop.is_raised():
        words = f"did not stop within {STUCK_SECONDS:.0f} s, so the process was ended"
        _end(number, f": {words}{fate()}")


def _end(number: int, words: str) -> None:
    with suppress(OSError):
        os.write(2, f"hoaconv: {WORDS[signal.Signals(number)]}{words}\n".encode())
    os._exit(128 + number)
