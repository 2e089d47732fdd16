"""Signals ask a run to stop, and end the process where it doesn't.

Python calls a handler in the main thread, between two steps of the interpreter: while that thread
computes in a kernel, waits for a disk, or writes to a pipe that nobody reads, nothing is called.
But the signal's number is written to a socket at once (`signal.set_wakeup_fd`), and a thread reads
it there. So a second signal, and the watch that the first one starts, are obeyed at any time.
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
"""What a signal is called that ends a run; its exit code is 128 and its number."""
ENDS = tuple(number for number in WORDS if number > 0)
NOW_SECONDS = 1.0
"""A second signal so many seconds after the first ends the process at once."""
STUCK_SECONDS = 15.0
"""A run that hasn't noticed a signal for so long is ended."""


class _Output:
    fate = ""
    """What is known of the output, for the last words."""


def writes() -> None:
    """From here on an output may be there that isn't finished."""
    _Output.fate = "; an unfinished output keeps its mark"


def written() -> None:
    """Note that the output is complete, whatever happens now."""
    _Output.fate = "; the output is complete"


def fate() -> str:
    """Return what is known of the output, behind a semicolon; nothing if there is none."""
    return _Output.fate


def listen() -> None:
    """Hear the signals that end a run, until `ignore`.

    A SIGHUP that whoever started us has had ignored, as ``nohup`` does, stays ignored.
    """
    there, here = socket.socketpair()
    there.setblocking(False)
    handler: Any = _leave_to_listener
    listener = threading.Thread(target=_listen, args=(here,), name="signals", daemon=True)
    try:
        listener.start()
    except RuntimeError:  # no more threads may be started: better late than never
        handler = _hear
    else:
        signal.set_wakeup_fd(there.detach(), warn_on_full_buffer=False)
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def ignore() -> None:
    """Let signals change nothing any more: all is done and told."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


def leave(number: int, _: object) -> None:
    """End the process at once, as a handler while nothing is open yet."""
    _end(number, "")


def _leave_to_listener(number: int, _: object) -> None:
    """Handle a signal by nothing: without a handler, Python would not write its number."""


def _listen(here: socket.socket) -> None:
    while numbers := here.recv(16):
        for number in numbers:
            if number in ENDS:
                _hear(number)


def _hear(number: int, _: object = None) -> None:
    """Take a note of a signal; a second one, a second later, ends the process at once.

    It raises nothing: within a finalizer or a library's callback that would be lost.
    """
    since = stop.ask(number)
    if since is None:
        watch = threading.Timer(STUCK_SECONDS, _end_if_stuck, [number])
        watch.daemon = True
        with suppress(RuntimeError):  # no more threads: a second signal still ends the process
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
