"""Packed arrays that wait until they are read back: in a file, or in memory and then in a file.

Arrays are packed with blosc's bitshuffle and lz4. On noisy 16-bit slices a core packs 2.8 GB/s and
unpacks 4.8 GB/s, which is faster than most disks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import imagecodecs
import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.errors import StoreError

__all__ = ["HEADER", "MOST", "PackedFile", "PackedMemory", "Place", "pack", "packing_bytes"]

_codecs: Any = imagecodecs  # it takes and returns arrays, which its type hints don't say

Place = tuple[int, int]
"""Place of packed data: first byte, number of bytes."""

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
"""Packed data, as an array (bytes,)."""

HEADER = 16
"""Bytes that blosc adds to data that it can't compress."""

MOST = (1 << 31) - 1 - HEADER
"""Bytes that blosc packs in one call, at most."""

ELSEWHERE = "; free some space, or name a folder on another disk with `scratch`"


def packing_bytes(nbytes: int) -> int:
    """Return the bytes that a thread holds while it packs or unpacks `nbytes`: copy and result."""
    return 2 * nbytes + HEADER


def pack(rows: np.ndarray[Any, Any]) -> Bytes:
    """Return an array of any shape and dtype as packed uint8; it may be a view with gaps."""
    whole = np.ascontiguousarray(rows)
    done: Bytes = _codecs.blosc_encode(
        whole,
        level=1,
        compressor="lz4",
        shuffle="bitshuffle",
        typesize=whole.itemsize,
        numthreads=1,
        out=np.empty(whole.nbytes + HEADER, np.uint8),
    )
    return done


def _unpack(packed: Bytes, out: np.ndarray[Any, Any]) -> None:
    """Unpack an array into `out`, C-contiguous; raise ValueError if it has another size."""
    flat = out.reshape(-1).view(np.uint8)
    if len(_codecs.blosc_decode(packed, numthreads=1, out=flat)) != len(flat):
        raise ValueError("it is not what was written")


class PackedFile:
    """A file of packed arrays, one after the other; several threads may put and get at once."""

    label: ClassVar[str] = "scratch"
    """Name of the time that it takes, in reports."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.nbytes = 0
        """Bytes written since the last `clear`."""
        self._file: FileIO | None = None
        self._lock = Lock()

    def put(self, rows: np.ndarray[Any, Any]) -> Place:
        """Pack an array, which may be a view with gaps, and write it; return its place.

        Raises
        ------
        StoreError
            If the file can't be made or written, as on a full disk.
        """
        return self.write(pack(rows))

    def get(self, place: Place, out: np.ndarray[Any, Any]) -> None:
        """Unpack the array that `put` wrote at `place` into `out`.

        `out` is C-contiguous and has the shape and dtype of the array.

        Raises
        ------
        StoreError
            If the array can't be read back.
        """
        packed = self.read(place)
        with self._blame("read back"):
            _unpack(packed, out)

    def write(self, data: np.ndarray[Any, Any]) -> Place:
        """Append bytes without packing; return their place. Raise StoreError as `put` does."""
        todo = data.reshape(-1).view(np.uint8).data
        with self._lock, self._blame("written", ELSEWHERE):
            start, self.nbytes = self.nbytes, self.nbytes + len(todo)
            file = self._opened()
            file.seek(start)
            while todo:
                todo = todo[file.write(todo) :]
        return start, self.nbytes - start

    def read(self, place: Place) -> Bytes:
        """Return the bytes at `place` as uint8. Raise StoreError as `get` does."""
        start, nbytes = place
        data = np.empty(nbytes, np.uint8)
        with self._blame("read back"), self.path.open("rb", buffering=0) as file:
            file.seek(start)
            todo = data.data
            while todo:
                count = file.readinto(todo)
                if not count:
                    raise OSError("it is shorter than what was written")
                todo = todo[count:]
        return data

    def clear(self) -> None:
        """Discard all arrays; none of them can be read any more.

        Later writes overwrite them. The file isn't truncated, since the system would have to
        allocate its pages again, which was measured to take as long as all other work.
        """
        with self._lock:
            self.nbytes = 0

    def remove(self) -> None:
        """Remove the file, if there is one. Raise StoreError if that fails."""
        with self._lock, self._blame("removed"):
            if self._file:
                self._file.close()
                self.path.unlink(missing_ok=True)
            self._file, self.nbytes = None, 0

    def _opened(self) -> FileIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb", buffering=0)
        return self._file

    @contextmanager
    def _blame(self, done: str, advice: str = "") -> Iterator[None]:
        """Turn errors into a StoreError that names the file."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StoreError(f"scratch {self.path} can't be {done}: {reason}{advice}") from error


class PackedMemory:
    """Packed arrays in memory, one after the other; arrays that find no room there go to a file.

    Several threads may put and get at once. The memory is taken with the first array and returned
    with this object. The system provides it page by page, so what is never used isn't held.

    Parameters
    ----------
    nbytes
        Bytes of the memory.
    beyond
        The file.
    """

    label: ClassVar[str] = "pack"

    def __init__(self, nbytes: int, beyond: PackedFile, buffers: Buffers) -> None:
        self.nbytes = nbytes
        self._beyond, self._buffers = beyond, buffers
        self._memory: Bytes | None = None
        self._used = 0
        self._lock = Lock()

    def put(self, rows: np.ndarray[Any, Any]) -> Place:
        """Pack an array, which may be a view with gaps, and keep it; return its place.

        Places from `nbytes` on lie in the file. Raise StoreError as `PackedFile.put` does.
        """
        packed = pack(rows)
        room = self._claim(len(packed))
        if room is None:
            start, nbytes = self._beyond.write(packed)
            return self.nbytes + start, nbytes
        start, memory = room
        memory[start : start + len(packed)] = packed
        return start, len(packed)

    def get(self, place: Place, out: np.ndarray[Any, Any]) -> None:
        """Unpack the array at `place` into `out`, as `PackedFile.get` does."""
        start, nbytes = place
        if start >= self.nbytes or self._memory is None:
            self._beyond.get((start - self.nbytes, nbytes), out)
        else:
            _unpack(self._memory[start : start + nbytes], out)

    def clear(self) -> None:
        """Discard all arrays; none of them can be read any more. Later ones overwrite them."""
        with self._lock:
            self._used = 0
        self._beyond.clear()

    def _claim(self, nbytes: int) -> tuple[int, Bytes] | None:
        """Return the first byte of so many free bytes of the memory, and the memory; else None."""
        with self._lock:
            start, end = self._used, self._used + nbytes
            if end > self.nbytes:
                return None
            if self._memory is None:
                self._memory = self._buffers.take((self.nbytes,), np.uint8)
            self._used = end
            return start, self._memory
