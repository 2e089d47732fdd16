"""Folders of stores, wherever they lie: on a file system, in a zip file, behind another kvstore.

Who reads the metadata of a store asks a folder for its files, and so reads all of these alike.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from natsort import natsorted

from hoaconv.errors import SourceError
from hoaconv.io.kvstore import kvstore, refused_name

__all__ = ["LocalFolder", "StoreFolder", "read_json", "words_of"]

MOST_METADATA = 1 << 28
"""Bytes of a file of metadata, at most."""


class StoreFolder(ABC):
    """A folder of a store, which need not exist.

    Attributes
    ----------
    path
        Absolute; within a zip file it goes on after the file's name, as in ``a.ozx/scale0``.
    """

    path: Path
    is_fetched: ClassVar[bool] = False
    """Whether files must be read singly: see `hoaconv.io.fetched`."""
    patience: float | None = None
    """Seconds for which one read may take; None for any time."""
    at_once = 1
    """Chunks that are worth asking for in one call, so that they come at the same time."""
    advice = "a chunk may be damaged or cut short: copy it again"
    """What to do where a chunk can't be decoded."""

    @abstractmethod
    def exists(self) -> bool:
        """Return whether there is such a folder."""

    @abstractmethod
    def has(self, key: str) -> bool:
        """Return whether there is such a file."""

    @abstractmethod
    def read(self, key: str, part: slice | None = None) -> bytes | None:
        """Return the content of a file, or a part of it; None if there is none.

        Raises
        ------
        SourceError
            If it can't be read.
        """

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the files and folders in it, in natural order; none if it can't."""

    @abstractmethod
    def inner(self, key: str) -> "StoreFolder":
        """Return a folder in it."""

    @property
    @abstractmethod
    def around(self) -> Iterator["StoreFolder"]:
        """The folders that it lies in, the nearest first, up to the end of the store."""

    @abstractmethod
    def kvstore(self) -> dict[str, Any]:
        """Return its specification for tensorstore.

        Raises
        ------
        SourceError
            If tensorstore can't use its name.
        """

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Return the bytes of a file, 0 if there is none; None if that can't be told at once."""

    def told(self, error: Exception) -> str:
        """Return in a few words why tensorstore couldn't read something in it."""
        return words_of(error)

    def total(self) -> int | None:
        """Return the bytes of all files in it; None if they aren't listed in one place."""
        return None

    def files(self, key: str) -> tuple[Path, ...]:
        """Return the file, on a file system, that holds the content of `key`; () if none does."""
        return (self.path / key,)

    @property
    def location(self) -> str:
        """The path or URL that opens it again; paths are absolute."""
        return str(self.path)

    def __str__(self) -> str:
        return self.location


class LocalFolder(StoreFolder):
    """A folder of a file system.

    Parameters
    ----------
    path
        Where it is; messages name it so.
    """

    def __init__(self, path: Path) -> None:
        self.given, self.path = path, path.absolute()

    def exists(self) -> bool:
        """Return whether there is such a folder."""
        return os.path.isdir(self.path)

    def has(self, key: str) -> bool:
        """Return whether there is such a file."""
        return os.path.isfile(self.path / key)  # False for names that can't be

    def read(self, key: str, part: slice | None = None) -> bytes | None:
        """Return the content of a file, or a part of it; None if there is none."""
        if not self.has(key):
            return None
        try:
            content = (self.path / key).read_bytes()
            return content if part is None else content[part]
        except OSError as error:
            raise SourceError(f"{self.path / key} can't be read: {error.strerror}") from error

    def names(self) -> list[str]:
        """Return the names of the files and folders in it, in natural order."""
        try:
            return natsorted(os.listdir(self.path))
        except OSError:
            return []

    def inner(self, key: str) -> "LocalFolder":
        """Return a folder in it."""
        return LocalFolder(self.given / key)

    @property
    def around(self) -> Iterator["LocalFolder"]:
        """The folders that it lies in, the nearest first."""
        return (LocalFolder(path) for path in self.path.parents)

    def kvstore(self) -> dict[str, Any]:
        """Return its specification for tensorstore."""
        if refused := refused_name(self.path):
            raise SourceError(refused)
        return kvstore(self.path)

    def size(self, key: str) -> int | None:
        """Return the bytes of a file; 0 if there is none, or it can't be looked at."""
        try:
            return (self.path / key).stat().st_size
        except OSError:
            return 0  # a missing chunk takes no bytes; a forbidden one raises when it is read

    def __str__(self) -> str:
        return str(self.given)


def read_json(folder: StoreFolder, key: str) -> Mapping[str, Any] | None:
    """Return the content of a file of metadata; None if there is none.

    Raises
    ------
    SourceError
        If it can't be read, or isn't a JSON object.
    """
    file = f"{folder}/{key}"
    if (folder.size(key) or 0) > MOST_METADATA:
        raise SourceError(f"{file} is too large for metadata: it is another program's file")
    content = folder.read(key)
    if content is None:
        return None
    try:
        read = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{file} is damaged, it is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise SourceError(f"{file} is damaged: it holds no metadata")
    return read


def words_of(error: Exception) -> str:
    """Return the message of tensorstore, without its status and the places in its source code."""
    text = str(error).partition(" [source locations")[0].partition(" [tensorstore_spec")[0]
    return text.partition(": ")[2] or text
