"""stdout and stderr that drop text that can't be written, and never end a run.

Writing fails if the reader of a pipe has ended, a terminal was closed, or the disk of a log is
full. Without these streams, any print by hoaconv or a library would then raise an error in a run
that is otherwise sound.
"""

import sys
from errno import EPIPE
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import Any

__all__ = ["lost", "spare"]


class _Sparing(RawIOBase):
    """A raw stream that keeps its last error instead of raising it."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._is_terminal = bool(raw.isatty())  # asked now: a closed terminal says no
        self.error: OSError | None = None

    def write(self, data: Any) -> int | None:
        try:
            return int(self._raw.write(data) or 0) or None
        except OSError as error:
            self.error = error
            return len(data)

    @property
    def missed(self) -> OSError | None:
        """Error that made a reader miss text; None if nothing was lost or no reader is left."""
        error = self.error
        gone = error is not None and (error.errno == EPIPE or self._is_terminal)
        return None if gone else error

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def writable(self) -> bool:
        return True


def spare() -> None:
    """Replace both streams; they also replace characters that the terminal can't show, like "µ"."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            buffer = BufferedWriter(_Sparing(getattr(stream.buffer, "raw", stream.buffer)))
            encoding, line = stream.encoding, name == "stderr" or stream.line_buffering
            made = TextIOWrapper(buffer, encoding, "replace", line_buffering=line)
            setattr(sys, name, made)


def lost() -> OSError | None:
    """Return the error that kept stdout from being written; None if no reader missed text."""
    stream = sys.stdout
    if not isinstance(stream, TextIOWrapper):
        return None
    stream.flush()
    raw = getattr(stream.buffer, "raw", None)
    return raw.missed if isinstance(raw, _Sparing) else None
