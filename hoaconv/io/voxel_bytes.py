"""The bytes of all voxels of a file, one after the other: read by their place."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from hoaconv.errors import SourceError
from hoaconv.io.opened import opened, seen_now
from hoaconv.io.slices import blame

__all__ = ["PlainBytes", "Run", "VoxelBytes"]

Run = tuple[int, memoryview]
"""First byte, counted from the first voxel, and the place for the bytes from there on."""


class VoxelBytes(ABC):
    """Bytes of voxels in a file; several threads may read them.

    Attributes
    ----------
    path
        The file that holds them.
    """

    path: Path

    @property
    @abstractmethod
    def stored_bytes(self) -> int:
        """Bytes that they take on disk."""

    @property
    @abstractmethod
    def held_bytes(self) -> int:
        """Bytes that are held while some are read, besides these."""

    @property
    @abstractmethod
    def in_order(self) -> bool:
        """True if none can be had without those before it."""

    @abstractmethod
    def read(self, runs: Sequence[Run]) -> None:
        """Fill the places of runs, which are in ascending order.

        Raises
        ------
        SourceError
            If they can't be read whole, or the file has changed since its header was read.
        """


class PlainBytes(VoxelBytes):
    """Bytes that lie in a file as they are, from an offset on.

    They are read, and not mapped into memory: the pages of a map would count as memory that the
    process holds, and a file that is cut short meanwhile would end the process.

    Parameters
    ----------
    offset
        Bytes of the file before the first voxel.
    nbytes
        Bytes of all voxels.
    told_by
        What tells their number, for an error message.

    Raises
    ------
    SourceError
        If the file holds fewer bytes.
    """

    in_order = False

    def __init__(self, path: Path, offset: int, nbytes: int, told_by: str = "its header") -> None:
        self.path, self._offset, self._nbytes = path, offset, nbytes
        with blame(str(path)), opened(path) as stream:
            size, self._seen = seen_now(stream)
        if size < offset + nbytes:
            raise SourceError(
                f"{path} is cut short: it has {size} bytes, and {told_by} promises "
                f"{offset + nbytes}; copy it again"
            )

    @property
    def stored_bytes(self) -> int:
        """Bytes of all voxels."""
        return self._nbytes

    @property
    def held_bytes(self) -> int:
        """0: they are read where they are wanted."""
        return 0

    def read(self, runs: Sequence[Run]) -> None:
        """Fill the places of runs; the file is opened once."""
        with blame(str(self.path)), opened(self.path, self._seen) as stream:
            for start, out in runs:
                stream.seek(self._offset + start)
                if _fill(stream.readinto, out) < len(out):
                    raise SourceError(f"{self.path} ends before its last voxel; copy it again")


def _fill(readinto: Callable[[memoryview], int | None], out: memoryview) -> int:
    """Call a stream until it has filled a place, or ends; return the number of bytes."""
    filled = 0
    while filled < len(out):
        count = readinto(out[filled:])
        if not count:
            break
        filled += count
    return filled
