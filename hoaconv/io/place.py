"""Places for the files of a store: a folder of a file system, or a place behind the network."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import tensorstore as ts

from hoaconv.errors import PlanError, StoreError
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.kvstore import kvstore
from hoaconv.io.listing import count_files, sizes_of
from hoaconv.io.remote import ANSWER_SECONDS, place_of, reason, writing_spec_of
from hoaconv.io.url import Url
from hoaconv.units import format_bytes

__all__ = ["LocalPlace", "Place", "RemotePlace", "check_objects", "place_at"]

MOST_BYTES = 1 << 32
"""Bytes of an object, less than: it is sent in one request, and servers take 5 GB at most."""


class Place(ABC):
    """A folder in which the files of a store are written."""

    @abstractmethod
    def kvstore(self) -> dict[str, Any]:
        """Return its specification for tensorstore."""

    @abstractmethod
    def sizes(self, first: int, count: int) -> list[int | None]:
        """Return the bytes of `count` files named `first`, `first` + 1, ...; None for missing ones.

        Raises
        ------
        OSError
            If the files can't be listed.
        """

    @abstractmethod
    def count(self) -> int:
        """Return the number of files in it and below it.

        Raises
        ------
        OSError
            If the files can't be listed.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the content of a file. Raise OSError if it can't be read."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file completely or not at all. Raise OSError if it can't be written."""


class LocalPlace(Place):
    """A folder of a file system, which is made when something is written.

    Parameters
    ----------
    folder
        Where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def kvstore(self) -> dict[str, Any]:
        """Return its specification for tensorstore."""
        return kvstore(self.folder)

    def sizes(self, first: int, count: int) -> list[int | None]:
        """Return the bytes of `count` files; None for missing ones."""
        return sizes_of(self.folder, first, count)

    def count(self) -> int:
        """Return the number of files in it and below it."""
        return count_files(self.folder)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its place, and move it there."""
        beside = self.folder / f"{name}.tmp"
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(content)
            beside.replace(self.folder / name)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise


class RemotePlace(Place):
    """A place of a bucket. Each file is sent in one request, and is there whole or not at all.

    Parameters
    ----------
    url
        Where it is.

    Raises
    ------
    SpellingError
        If the URL names no bucket, or nothing can be written there, or there are no credentials.
    """

    def __init__(self, url: Url) -> None:
        self.url = url
        root, inside = place_of(str(url))
        self._spec, self._prefix = writing_spec_of(root), f"{inside}/" if inside else ""

    def kvstore(self) -> dict[str, Any]:
        """Return its specification for tensorstore."""
        return {**self._spec, "path": self._prefix}

    def keys(self) -> list[str]:
        """Return the names of all files in it and below it. Raise StoreError if that fails."""
        ends = ts.KvStore.KeyRange(self._prefix, self._prefix[:-1] + "0")  # which follows the slash
        listed = self._result(lambda store: store.list(ends), "listed")
        return [key.decode(errors="replace")[len(self._prefix) :] for key in listed]

    def sizes(self, first: int, count: int) -> list[int | None]:
        """Return the bytes of `count` files; None for missing ones.

        A listing of tensorstore tells no sizes: what was sent since the last call is shared among
        the files evenly, so that the sum is right.
        """
        there = set(self.keys())
        found = [str(first + i) in there for i in range(count)]
        share = iter(_shares(_Sent.since(), sum(found)))
        return [max(1, next(share)) if is_there else None for is_there in found]

    def count(self) -> int:
        """Return the number of files in it and below it."""
        return len(self.keys())

    def holds(self, name: str) -> bool:
        """Return whether there is such a file. Raise StoreError if that isn't known."""
        found = self._result(lambda store: store.read(self._prefix + name), "read")
        return bool(found.state == "value")

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        found = self._result(lambda store: store.read(self._prefix + name), "read")
        if found.state != "value":
            raise StoreError(f"{self.url / name} is missing")
        return bytes(found.value)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, or replace it."""
        self._result(lambda store: store.write(self._prefix + name, content), "written")
        _Sent.since(skipped=len(content))

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        self._result(lambda store: store.write(self._prefix + name, None), "deleted")

    def delete_below(self, name: str = "") -> None:
        """Delete all files below a name, or of the whole place."""
        prefix = self._prefix + (f"{name}/" if name else "")
        ends = ts.KvStore.KeyRange(prefix, prefix[:-1] + "0")
        self._result(lambda store: store.delete_range(ends), "deleted")

    def _result(self, asked: Any, done: str) -> Any:
        try:
            store = ts.KvStore.open(self._spec).result(timeout=ANSWER_SECONDS)
            return asked(store).result(timeout=ANSWER_SECONDS)
        except Exception as error:  # of any kind, as tensorstore raises them
            raise StoreError(f"{self.url} can't be {done}: {reason(error, self._spec)}") from error


class _Sent:
    """Counter of bytes that this process has sent to buckets, as tensorstore counts them."""

    known = 0
    lock = Lock()

    @classmethod
    def since(cls, skipped: int = 0) -> int:
        """Return the bytes since the last call, or pass over bytes that are counted elsewhere."""
        with cls.lock:
            if skipped:
                cls.known += skipped
                return 0
            now = sum(_sent())
            new, cls.known = max(0, now - cls.known), now
            return new


def _sent() -> Iterator[int]:
    for driver in ("s3", "gcs"):
        name = f"/tensorstore/kvstore/{driver}/bytes_written"
        for metric in ts.experimental_collect_matching_metrics(name):
            yield sum(int(value.get("value", 0)) for value in metric["values"])


def _shares(whole: int, count: int) -> list[int]:
    """Return so many whole numbers that are nearly equal, of this sum."""
    return [whole * (i + 1) // count - whole * i // count for i in range(count)]


def place_at(folder: Path) -> Place:
    """Return the place that a path or URL names, which need not exist.

    Raises
    ------
    SpellingError
        If it is a URL, and nothing can be written there.
    """
    return RemotePlace(folder) if isinstance(folder, Url) else LocalPlace(folder)


def check_objects(path: Path, arrays: tuple[ArraySpec, ...]) -> None:
    """Raise PlanError if a shard or chunk is too large to be sent to a bucket in one request."""
    largest = max((prod(array.unit) * array.dtype.itemsize for array in arrays), default=0)
    if isinstance(path, Url) and largest >= MOST_BYTES:
        raise PlanError(
            f"a shard would be {format_bytes(largest)}, and an object of a bucket is sent in one "
            f"request of less than {format_bytes(MOST_BYTES)}; take smaller `shards`"
        )
