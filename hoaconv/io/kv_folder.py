"""Folders of stores in zip files and other kvstores of tensorstore, and which one a path names."""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from struct import error as StructError
from struct import unpack
from typing import Any, ClassVar, Self
from zipfile import ZIP_STORED, BadZipFile, ZipFile, is_zipfile

import tensorstore as ts
from natsort import natsorted

from hoaconv.errors import SourceError
from hoaconv.io.kvstore import kvstore
from hoaconv.io.store_folder import LocalFolder, StoreFolder, words_of

__all__ = ["KvFolder", "ZipFolder", "folder_at", "in_zip"]

ZIPS = (".zip", ".ozx")
"""Suffixes of zip files; ``.ozx`` is OME-Zarr's, by its RFC-9."""


_NAME_LENGTHS, _LOCAL_HEADER = 26, 30
"""Offset of two lengths in the header of an entry, and the bytes of the header without them."""

_OCDBT = "manifest.ocdbt"


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
            found = self._store.read(self._prefix + key).result()
        except SourceError:
            raise
        except Exception as error:
            raise self._unread(error) from error
        if found.state != "value":
            return None
        return bytes(found.value) if part is None else bytes(found.value[part])

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

    def _at(self, inside: str) -> Self:
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

    @cached_property
    def _entries(self) -> dict[str, tuple[int, int, int]]:
        """Offset, bytes and method of each entry in this folder."""
        with ZipFile(self._root) as whole:
            return {
                info.filename: (info.header_offset, info.file_size, info.compress_type)
                for info in whole.infolist()
                if info.filename.startswith(self._prefix)
            }

    def read(self, key: str, part: slice | None = None) -> bytes | None:
        """Return the content of a file, or a part of it; None if there is none."""
        offset, size, method = (0, 0, None)
        if part is not None:  # of what is stored as it is, no more is read
            offset, size, method = self._entries.get(self._prefix + key, (0, 0, None))
        if part is None or method != ZIP_STORED:
            return super().read(key, part)
        start, stop, _ = part.indices(size)
        try:
            with self._root.open("rb") as file:
                file.seek(offset + _NAME_LENGTHS)
                lengths = unpack("<HH", file.read(4))
                file.seek(offset + _LOCAL_HEADER + sum(lengths) + start)
                return file.read(max(0, stop - start))
        except (OSError, StructError) as error:
            raise self._unread(error) from error

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


def _after(prefix: bytes) -> bytes:
    """Return the key that follows all keys with a prefix; empty, for no end, if there is none."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b""
