"""Files of packed arrays, which wait there outside memory and are read back.

Packing is blosc's bitshuffle and lz4: measured on noisy 16-bit slices, 2.8 GB/s a core and
4.8 GB/s back, which few disks can follow.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any

import imagecodecs
import numpy as np

from hoaconv.errors import StoreError

__all__ = ["HEADER", "MOST", "PackedFile", "Place", "pack", "packing_bytes"]

_codecs: Any = imagecodecs  # it takes and gives arrays, of which its types don't know

Place = tuple[int, int]
"""The place of something in a file: first byte, number of bytes."""

HEADER = 16
"""Bytes that blosc adds to what it can't make smaller."""

MOST = (1 << 31) - 1 - HEADER
"""Bytes that blosc packs at once, at most."""

ELSEWHERE = "; free some space, or name a folder on another disk with --scratch"


def packing_bytes(nbytes: int) -> int:
    """Return the bytes that a thread holds while it packs or unpacks so many: copy and result."""
    return 2 * nbytes + HEADER


def pack(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bytes of an array, packed by this thread; it may be a view with gaps."""
    whole = np.ascontiguousarray(rows)
    done: np.ndarray[Any, np.dtype[np.uint8]] = _codecs.blosc_encode(
        whole,
        level=1,
        compressor="lz4",
        shuffle="bitshuffle",
        typesize=whole.itemsize,
        numthreads=1,
        out=np.empty(whole.nbytes + HEADER, np.uint8),
    )
    return done


class PackedFile:
    """Arrays packed one after the other; several threads may put and get at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.nbytes = 0
        """Bytes written and not cleared."""
        self._file: FileIO | None = None
        self._lock = Lock()

    def put(self, rows: np.ndarray[Any, Any]) -> Place:
        """Pack an array, which may be a view with gaps, and write it; returns where it lies.

        Raises
        ------
        StoreError
            If the file can't be made or written, as on a full disk.
        """
        return self.write(pack(rows))

    def get(self, place: Place, out: np.ndarray[Any, Any]) -> None:
        """Unpack what `put` has put there into `out`, C-contiguous, of the same shape and dtype.

        Raises
        ------
        StoreError
            If it can't be read back.
        """
        packed = self.read(place)
        flat = out.reshape(-1).view(np.uint8)
        with self._blame("read back"):
            if len(_codecs.blosc_decode(packed, numthreads=1, out=flat)) != len(flat):
                raise ValueError("it is not what was written")

    def write(self, data: np.ndarray[Any, Any]) -> Place:
        """Write bytes as they are, after all others. Raises StoreError as `put` does."""
        todo = data.reshape(-1).view(np.uint8).data
        with self._lock, self._blame("written", ELSEWHERE):
            start, self.nbytes = self.nbytes, self.nbytes + len(todo)
            file = self._opened()
            file.seek(start)
            while todo:
                todo = todo[file.write(todo) :]
        return start, self.nbytes - start

    def read(self, place: Place) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the bytes that lie there. Raise StoreError as `get` does."""
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
        """Forget what was put: nobody gets it any more.

        It is written over. An emptied file would have to be given pages again: measured, that
        takes as long as all the rest.
        """
        with self._lock:
            self.nbytes = 0

    def remove(self) -> None:
        """Remove the file, if there is one. Raises StoreError if that fails."""
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
        """Name the file in what goes wrong."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StoreError(f"scratch {self.path} can't be {done}: {reason}{advice}") from error
