"""Folders of stores, wherever they lie: on a file system, in a zip file, behind another kvstore.

Who reads the metadata of a store asks a folder for its files, and so reads all of these alike.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from zipfile import BadZipFile, ZipFile, is_zipfile

import tensorstore as ts
from natsort import natsorted

from hoaconv.errors import SourceError
from hoaconv.io.kvstore import kvstore, refused_name

__all__ = ["LocalFolder", "StoreFolder", "ZipFolder", "folder_at", "in_zip", "read_json"]

ZIPS = (".zip", ".ozx")
"""Suffixes of zip files; ``.ozx`` is OME-Zarr's, by its RFC-9."""

MOST_METADATA = 1 << 28
"""Bytes of a file of metadata, at most."""

_OCDBT = "manifest.ocdbt"


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
        """What opens it again: an absolute path, or a URL."""
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


class KvFolder(StoreFolder):
    """A folder of a kvstore of tensorstore.

    Parameters
    ----------
    root
        What messages call the whole store, such as its file.
    spec
        Specification of the whole store.
    inside
        The folder's place in the store, without slashes at its ends.

    Raises
    ------
    SourceError
        If the store can't be opened.
    """

    def __init__(self, root: Path, spec: Mapping[str, Any], inside: str = "") -> None:
        self._root, self._spec, self._inside = root, spec, inside
        self.path = root.absolute() / inside
        self._prefix = f"{inside}/" if inside else ""

    @cached_property
    def _store(self) -> Any:
        try:
            store = ts.KvStore.open(dict(self._spec)).result(timeout=self.patience)
            self._check(store)
        except SourceError:
            raise
        except Exception as error:  # of any kind, as codecs raise them
            raise self._unread(error) from error
        return store

    def _check(self, store: Any) -> None:
        """Raise SourceError if the store can't be read whole; called once."""

    def _unread(self, error: Exception) -> SourceError:
        return SourceError(f"{self._root} can't be read: {words_of(error)}")

    def exists(self) -> bool:
        """Return whether it is the whole store, or something lies in it."""
        return not self._inside or bool(self.names())

    def has(self, key: str) -> bool:
        """Return whether there is such a file."""
        return self.read(key) is not None

    def read(self, key: str, part: slice | None = None) -> bytes | None:
        """Return the content of a file, or a part of it; None if there is none."""
        try:
            found = self._store.read(self._prefix + key, byte_range=part).result()
        except SourceError:
            raise
        except Exception as error:
            raise self._unread(error) from error
        return bytes(found.value) if found.state == "value" else None

    def names(self) -> list[str]:
        """Return the names of the files and folders in it, in natural order."""
        first = self._prefix.encode()
        try:
            keys = self._store.list(ts.KvStore.KeyRange(first, _after(first))).result()
        except SourceError:
            raise
        except Exception as error:
            raise self._unread(error) from error
        found = {key[len(first) :].decode(errors="replace").split("/")[0] for key in keys}
        return natsorted(found - {""})

    def inner(self, key: str) -> "KvFolder":
        """Return a folder in it."""
        return self._at("/".join(part for part in (self._inside, key.strip("/")) if part))

    def _at(self, inside: str) -> "KvFolder":
        folder = type(self)(self._root, self._spec, inside)
        if "_store" in self.__dict__:
            folder.__dict__["_store"] = self._store  # it is opened once
        return folder

    @property
    def around(self) -> Iterator["KvFolder"]:
        """The folders that it lies in, the nearest first; the store itself is the last."""
        parts = self._inside.split("/") if self._inside else []
        return (self._at("/".join(parts[:n])) for n in range(len(parts) - 1, -1, -1))

    def kvstore(self) -> dict[str, Any]:
        """Return its specification for tensorstore."""
        return {**self._spec, "path": self._prefix}

    def size(self, key: str) -> int | None:  # noqa: ARG002 - kvstores have no call that tells it
        """Return None: to tell it, the whole file would be read."""
        return None

    def files(self, key: str) -> tuple[Path, ...]:  # noqa: ARG002
        """Return the whole store: nothing else may be written there."""
        return (self._root,)

    def __str__(self) -> str:
        return str(self._root / self._inside)


class ZipFolder(KvFolder):
    """A folder in a zip file, or the file as a whole.

    Parameters
    ----------
    file
        The zip file.
    inside
        The folder's place in it.
    """

    is_fetched: ClassVar[bool] = True

    def __init__(self, file: Path, spec: Mapping[str, Any] | None = None, inside: str = "") -> None:
        base = {"driver": "file", "path": kvstore(file)["path"].rstrip("/")}
        super().__init__(file, spec or {"driver": "zip", "base": base}, inside)

    def _unread(self, error: Exception) -> SourceError:
        return SourceError(
            f"{self._root} can't be read: it may be cut short, or no zip file ({words_of(error)})"
        )

    def _check(self, store: Any) -> None:
        """Raise SourceError for entries that tensorstore takes for missing: it gives no error."""
        there = set(store.list().result())
        with ZipFile(self._root) as whole:
            entries = {i.filename: i for i in whole.infolist() if not i.is_dir()}
        if len(entries) <= len(there):
            return
        lost = next(info for name, info in entries.items() if name.encode() not in there)
        why = "is encrypted" if lost.flag_bits & 1 else f"has method {lost.compress_type}"
        raise SourceError(
            f"{self._root} holds {lost.filename}, which {why}; entries are read that are stored or "
            "deflated: pack it anew, as in zip -0"
        )

    @property
    def file(self) -> Path:
        """The zip file."""
        return self._root

    @property
    def inside(self) -> str:
        """The folder's place in the zip file; empty for the whole of it."""
        return self._inside

    def total(self) -> int | None:
        """Return the bytes of all files in it as they are packed, by the zip file's directory."""
        try:
            with ZipFile(self._root) as whole:
                within = (i for i in whole.infolist() if i.filename.startswith(self._prefix))
                return sum(info.compress_size for info in within)
        except (OSError, BadZipFile):
            return None


def folder_at(path: str | Path) -> StoreFolder:
    """Return the folder that a path names, which need not exist; nothing but names is looked at."""
    here, inside = Path(path), ""
    while not os.path.lexists(here) and here.name:
        inside = f"{here.name}/{inside}" if inside else here.name
        here = here.parent
    if os.path.isfile(here) and (here.suffix.lower() in ZIPS or is_zipfile(here)):
        return ZipFolder(here, inside=inside)
    if os.path.isfile(here / _OCDBT):
        return KvFolder(here, {"driver": "ocdbt", "base": kvstore(here)}, inside)
    return LocalFolder(Path(path))


def in_zip(path: str | Path) -> bool:
    """Return whether a path is that of a zip file by its suffix, or lies in one."""
    here = Path(path)
    return any(
        part.suffix.lower() in ZIPS and os.path.isfile(part) for part in (here, *here.parents)
    )


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


def _after(prefix: bytes) -> bytes:
    """Return the key that follows all keys with a prefix; empty, for no end, if there is none."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b""
