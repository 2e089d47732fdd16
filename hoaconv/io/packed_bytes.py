"""Voxels in one compressed stream, such as .nii.gz: decoded from the first to the last.

Nobody can enter such a stream in the middle. While it is decoded, the state of the decoder is kept
at a few places, so that going back costs no more than the way from one of these to the next. The
decoder of bzip2 can't be kept: there, going back begins anew.
"""

import bz2
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from io import FileIO
from pathlib import Path
from threading import Condition
from typing import Any

from hoaconv.errors import SourceError
from hoaconv.io.opened import opened, seen_now
from hoaconv.io.slices import blame
from hoaconv.io.voxel_bytes import Run, VoxelBytes

__all__ = ["PackedBytes"]

DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "zlib": zlib.decompressobj,
    "bzip2": bz2.BZ2Decompressor,
}
MOST_RATIO = 1032
"""Decoded bytes for each stored byte, at most, by the format of deflate."""

INPUT, OUTPUT = 1 << 16, 1 << 18
"""Bytes that are read from the file at once, and that are decoded at once."""

PLACES, APART = 64, 1 << 24
"""Places where the decoder's state is kept, at most, and the least bytes from one to the next."""

STATE = INPUT + (1 << 16)
"""Bytes of a decoder's state: what it was given last, deflate's window of 32 KiB, its tables."""

PATIENCE = 0.01
"""Seconds that a thread waits for one that may be about to ask for the bytes before its own."""


class PackedBytes(VoxelBytes):
    """Bytes of voxels in one compressed stream; threads are served in the order of the bytes.

    Parameters
    ----------
    codec
        ``gzip``, ``zlib`` or ``bzip2``.
    nbytes
        Bytes of all voxels.
    offset, end
        Bytes of the file where the stream begins and ends; None for the file's end.
    skip
        Decoded bytes before the first voxel.

    Attributes
    ----------
    decoded
        Bytes that were decoded up to now, for tests.

    Raises
    ------
    SourceError
        If the file is clearly cut short.
    """

    in_order = True

    def __init__(
        self,
        path: Path,
        codec: str,
        nbytes: int,
        *,
        offset: int = 0,
        end: int | None = None,
        skip: int = 0,
    ) -> None:
        self.path, self._codec, self._skip, self._nbytes = path, codec, skip, nbytes
        with blame(str(path)), opened(path) as stream:
            size, self._seen = seen_now(stream)
            self._offset, self._end = offset, size if end is None else end
            self._check_whole(stream, size)
        self._apart = max(APART, (skip + nbytes) // PLACES)
        self._places: list[_Decoder] = []
        self._decoder = _Decoder(codec, offset)
        self._turn, self._waiting, self._is_busy = Condition(), list[int](), False
        self.decoded = 0

    def _check_whole(self, stream: FileIO, size: int) -> None:
        """Raise SourceError if the file is too short, or gzip's count at its end is another."""
        whole = self._skip + self._nbytes
        stored = self._end - self._offset
        short = self._end > size or stored <= 0
        if short or (self._codec != "bzip2" and stored * MOST_RATIO < whole):
            raise SourceError(
                f"{self.path} is cut short: {max(0, min(self._end, size) - self._offset)} bytes "
                f"can't hold {whole} bytes of voxels; copy it again"
            )
        if self._codec != "gzip" or self._end < size:
            return
        stream.seek(self._offset)
        flags = stream.read(4)[3:]
        stream.seek(size - 4)
        counted = int.from_bytes(stream.read(4), "little")
        in_blocks = bool(flags) and bool(flags[0] & _EXTRA)  # bgzip and others write many members
        if not in_blocks and (counted - whole) % (1 << 32) > _AFTER:
            raise SourceError(
                f"{self.path} is cut short, or made of several gzip files: its last bytes count "
                f"{counted} bytes, and its header promises {whole}; copy it again, or unpack it "
                "first with gunzip, which tells whether it is whole"
            )

    @property
    def stored_bytes(self) -> int:
        """Bytes of the stream."""
        return self._end - self._offset

    @property
    def held_bytes(self) -> int:
        """Bytes of the decoder's states, and of what is read and decoded at once."""
        return (PLACES + 1) * STATE + INPUT + 2 * OUTPUT

    def read(self, runs: Sequence[Run]) -> None:
        """Fill the places of runs, when it is this thread's turn."""
        turn, path = self._served(runs[0][0]), self.path
        with turn, blame(str(path)), opened(path, self._seen) as stream:
            for start, out in runs:
                self._read_run(stream, self._skip + start, out)

    @contextmanager
    def _served(self, start: int) -> Iterator[None]:
        """Wait until no thread is served, and none waits for bytes before these."""
        with self._turn:
            heappush(self._waiting, start)
            try:
                if self._skip + start > self._decoder.done and not self._is_busy:
                    self._turn.wait(PATIENCE)
                while self._is_busy or self._waiting[0] != start:
                    self._turn.wait()
            except BaseException:  # an interrupt must not keep the others waiting
                self._waiting.remove(start)
                heapify(self._waiting)
                self._turn.notify_all()
                raise
            heappop(self._waiting)
            self._is_busy = True
        try:
            yield
        except BaseException:
            self._decoder = _Decoder(self._codec, self._offset)  # where it stands isn't known
            raise
        finally:
            with self._turn:
                self._is_busy = False
                self._turn.notify_all()

    def _read_run(self, stream: FileIO, start: int, out: memoryview) -> None:
        self._go_near(start)
        stream.seek(self._decoder.at)
        while self._decoder.done < start:
            self._give(stream, min(OUTPUT, start - self._decoder.done))
        filled = 0
        while filled < len(out):
            part = self._give(stream, min(OUTPUT, len(out) - filled))
            out[filled : filled + len(part)] = part
            filled += len(part)

    def _go_near(self, start: int) -> None:
        """Take the decoder that stands last before these bytes: this one, or one that was kept."""
        known = [self._decoder] if self._decoder.done <= start else []
        before = [place for place in self._places if place.done <= start]
        nearest = max((*before, *known), key=lambda one: one.done, default=None)
        if nearest is None:
            self._decoder = _Decoder(self._codec, self._offset)
        elif nearest is not self._decoder:
            self._decoder = nearest.copied()

    def _give(self, stream: FileIO, most: int) -> bytes:
        """Decode up to so many bytes, at least one; keep the decoder's state now and then."""
        part = self._decoder.give(stream, most, self._end)
        if not part:
            raise SourceError(
                f"{self.path} is cut short: its compressed voxels end after {self._decoder.done} "
                f"bytes of {self._skip + self._nbytes}; copy it again"
            )
        self.decoded += len(part)
        last = self._places[-1].done if self._places else 0
        if self._codec != "bzip2" and self._decoder.done >= last + self._apart:
            self._places.append(self._decoder.copied())
        return part


_EXTRA = 4
"""Flag of gzip (RFC 1952) that a field follows, in which blocks tell their size."""

_AFTER = 1 << 20
"""Bytes that may follow the voxels, at most, in a file whose end is believed."""


class _Decoder:
    """A decoder on its way through a stream of one or more members.

    Attributes
    ----------
    done
        Bytes that it has given.
    at
        The byte of the file that it takes next.
    """

    def __init__(self, codec: str, at: int, done: int = 0) -> None:
        self._codec, self.at, self.done = codec, at, done
        self._decoder, self._pending = DECODERS[codec](), b""

    def copied(self) -> "_Decoder":
        """Return the same in its present state; what it has read ahead is read again."""
        same = _Decoder(self._codec, self.at - len(self._pending), self.done)
        same._decoder = self._decoder.copy()
        return same

    def give(self, stream: FileIO, most: int, end: int) -> bytes:
        """Return the next bytes, `most` at the most; none if the stream is over."""
        while True:
            given, was_fed = self._step(stream, most, end)
            self.done += len(given)
            if given or not was_fed:
                return given

    def _step(self, stream: FileIO, most: int, end: int) -> tuple[bytes, bool]:
        """Return what comes of one call, and whether the decoder got something for it."""
        if self._decoder.eof:
            self._pending = self._decoder.unused_data
            self._decoder = DECODERS[self._codec]()
        if not self._pending and getattr(self._decoder, "needs_input", True):
            self._pending = stream.read(min(INPUT, end - self.at)) or b""
            self.at += len(self._pending)
        was_fed = bool(self._pending)
        given: bytes = self._decoder.decompress(self._pending, most)
        self._pending = getattr(self._decoder, "unconsumed_tail", b"")
        return given, was_fed
