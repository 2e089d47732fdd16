"""Chunks and shards of an array as they lie on disk: how many there are, and how many are missing.

Large stores are looked at for a bounded time: what is then told of them is an estimate.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from time import monotonic

__all__ = ["Objects", "count_files", "count_objects", "place_of", "size_at"]

_METADATA = ("zarr.json", "attributes.json")
"""Files in an array's folder that hold no voxel, besides those whose names begin with a dot."""

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Objects:
    """Files of an array: shards, or chunks where there are no shards.

    Attributes
    ----------
    total
        Files that there are if none is missing.
    present
        Files that there are.
    nbytes
        Their bytes.
    is_estimated
        Whether `present` and `nbytes` are estimates, from some of the files.
    first_missing
        The number of a missing one, counted in C order; None if none was found missing.
    """

    total: int
    present: int
    nbytes: int
    is_estimated: bool = False
    first_missing: int | None = None

    @property
    def missing(self) -> int:
        """Files that are missing."""
        return max(0, self.total - self.present)


def count_files(folder: Path, total: int, seconds: float) -> Objects | None:
    """Count the files in a folder and below, except metadata; None if that takes too long.

    Parameters
    ----------
    folder
        The array's folder.
    total
        Files that there are if none is missing.
    seconds
        Time after which counting is given up.
    """
    end, files, nbytes = monotonic() + seconds, 0, 0
    for entry in _below(folder):
        if files % 256 == 0 and monotonic() > end:
            return None
        files += 1
        nbytes += _size(entry)
    return Objects(total, min(files, total), nbytes)


def _below(folder: Path) -> Iterator["os.DirEntry[str]"]:
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                listed = list(entries)
        except OSError:
            continue  # it is gone, or was never made
        for entry in listed:
            if entry.name.startswith(".") or entry.name in _METADATA:
                continue
            if entry.is_dir():
                waiting.append(entry.path)
            else:
                yield entry


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def count_objects(total: int, size_of: Callable[[int], int | None], seconds: float) -> Objects:
    """Look at files one by one, all over the array; estimate from those seen in the given time.

    Parameters
    ----------
    total
        Files that there are if none is missing.
    size_of
        Returns the bytes of a file by its number, from 0; None if it is missing.
    seconds
        Time after which no more files are looked at.
    """
    end, step = monotonic() + seconds, _step(total)
    seen = present = nbytes = 0
    first: int | None = None
    for i in range(total):
        if seen % 64 == 63 and monotonic() > end:
            break
        number = i * step % total
        size = size_of(number)
        seen += 1
        if size is None:
            first = number if first is None else min(first, number)
        else:
            present, nbytes = present + 1, nbytes + size
    if seen == total:
        return Objects(total, present, nbytes, first_missing=first)
    share = total / seen
    return Objects(total, round(present * share), round(nbytes * share), True, first)


def place_of(number: int, grid: Sequence[int]) -> list[int]:
    """Return the place in a grid that a number stands for, counted in C order.

    Examples
    --------
    >>> place_of(7, (2, 3, 2))
    [1, 0, 1]
    """
    found = []
    for n in reversed(grid):
        number, i = divmod(number, n)
        found.append(i)
    return found[::-1]


def size_at(path: str) -> int | None:
    """Return the bytes of a file; None if it is missing, 0 if it can't be looked at."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None
    except OSError:
        return 0  # it is there, and raises when it is read


def _step(total: int) -> int:
    """Return a step by which all numbers below `total` are visited, each next one far away."""
    step = max(1, int(total * _GOLDEN))
    while gcd(step, total) != 1:
        step += 1
    return step
