"""stdout and stderr that lose what can't be written, and never end a run.

The reader of a pipe has gone, a terminal was closed, a log's disk is full: whoever prints something
by then, this program or a library, would get an error amid a run that has done all it should.
"""

import sys
from errno import EPIPE
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import Any

__all__ = ["lost", "spare"]


class _Sparing(RawIOBase):
    """A raw stream whose errors are kept instead of raised."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._is_terminal = bool(raw.isatty())  # one that was closed says no
        self.error: OSError | None = None

    def write(self, data: Any) -> int | None:
        try:
            return int(self._raw.write(data) or 0) or None
        except OSError as error:
            self.error = error
            return len(data)

    @property
    def missed(self) -> OSError | None:
        """Why something was lost that somebody would have read."""
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
    """Replace both streams; a micrometer's sign in a plain ASCII terminal is no error either."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            buffer = BufferedWriter(_Sparing(getattr(stream.buffer, "raw", stream.buffer)))
            encoding, line = stream.encoding, name == "stderr" or stream.line_buffering
            made = TextIOWrapper(buffer, encoding, "replace", line_buffering=line)
            setattr(sys, name, made)


def lost() -> OSError | None:
    """Return why what was printed couldn't be written; a reader who has gone misses nothing."""
    stream = sys.stdout
    if not isinstance(stream, TextIOWrapper):
        return None
    stream.flush()
    raw = getattr(stream.buffer, "raw", None)
    return raw.missed if isinstance(raw, _Sparing) else None
