"""Folders of stores behind the network: S3, Google Cloud Storage, HTTP."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import tensorstore as ts

from hoaconv.errors import SourceError
from hoaconv.io.kv_folder import KvFolder, folder_at
from hoaconv.io.remote import ANSWER_SECONDS, is_denied, place_of, reason, spec_of
from hoaconv.io.store_folder import StoreFolder
from hoaconv.io.url import Url, is_remote

__all__ = ["RemoteFolder", "store_at"]

METADATA = (
    *("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"),
    *("attributes.json", "info"),
)
"""Files of metadata, of all formats; those of a folder are asked for together."""


class RemoteFolder(KvFolder):
    """A folder of a store behind the network, which is read and not changed meanwhile.

    Metadata are read once, those of a folder at the same time. What a server refuses to show
    counts as missing at first: servers refuse what isn't there where listing is forbidden.

    Parameters
    ----------
    root
        The URL up to the bucket or the host.
    spec
        Specification of the whole bucket, or of all that the host serves.
    inside
        The folder's place in it.
    """

    patience = ANSWER_SECONDS
    at_once = 8
    advice = ""

    def __init__(self, root: Path, spec: Mapping[str, Any], inside: str = "") -> None:
        super().__init__(root, spec, inside)
        self._read: dict[str, bytes | None] = {}
        self._denied: list[Exception] = []

    @classmethod
    def at(cls, url: str, credentials: str | None = None) -> "RemoteFolder":
        """Return the folder at a URL, which need not exist; nothing is asked.

        Raises
        ------
        SpellingError
            If the URL names no bucket or host, or there are no such credentials.
        """
        root, inside = place_of(url)
        return cls(Url(root), spec_of(root, credentials), inside)

    def _at(self, inside: str) -> Self:
        folder = super()._at(inside)
        folder._read, folder._denied = self._read, self._denied
        return folder

    def exists(self) -> bool:
        """Return whether metadata lie in it: folders as such don't exist there."""
        return any(self.has(name) for name in METADATA)

    def read(self, key: str, part: slice | None = None) -> bytes | None:
        """Return the content of a file; None if there is none, or the server refuses to show it."""
        whole = self._prefix + key
        if part is not None:
            return self._content(whole, self._store.read(whole, byte_range=part))
        if whole not in self._read:
            keys = METADATA if key in METADATA else (key,)
            coming = [(self._prefix + key, self._begin(self._prefix + key)) for key in keys]
            for name, future in coming:
                self._read[name] = self._content(name, future)
        return self._read[whole]

    def _begin(self, key: str) -> Any:
        return self._store.read(key)

    def _content(self, key: str, coming: Any) -> bytes | None:
        try:
            found = coming.result(timeout=self.patience)
        except Exception as error:  # of any kind, as tensorstore raises them
            if is_denied(error):
                self._denied.append(error)
                return None
            raise SourceError(f"{self._root}/{key} can't be read: {self.told(error)}") from error
        return bytes(found.value) if found.state == "value" else None

    def names(self) -> list[str]:
        """Return none: a listing names each chunk of the store, of which there may be millions."""
        return []

    def check(self) -> None:
        """Raise SourceError if nothing can be read here: no such bucket, or access is denied."""
        if self._denied:
            raise self._unread(self._denied[0])
        if self._spec["driver"] == "http":  # which can't list, and tells of missing files alone
            return
        first = f"{self._prefix}{METADATA[0]}"
        try:
            asked = self._store.list(ts.KvStore.KeyRange(first, first + "0"))
            asked.result(timeout=self.patience)
        except Exception as error:  # of any kind, as tensorstore raises them
            if not is_denied(error):  # who may read may not be allowed to list
                raise self._unread(error) from error

    def _unread(self, error: Exception) -> SourceError:
        return SourceError(f"{self} can't be read: {self.told(error)}")

    def told(self, error: Exception) -> str:
        """Return in a few words why a request has failed."""
        return reason(error, self._spec)

    def files(self, key: str) -> tuple[Path, ...]:
        """Return the URL of the file, so that no output is written there."""
        return (self.path / key,)


def store_at(place: str | os.PathLike[str], credentials: str | None = None) -> StoreFolder:
    """Return the folder that a path or URL names, which need not exist.

    Parameters
    ----------
    credentials
        Of a URL: see `hoaconv.io.remote.spec_of`.

    Raises
    ------
    SpellingError
        If a URL names no bucket or host, or there are no such credentials.
    """
    text = os.fspath(place)
    return RemoteFolder.at(text, credentials) if is_remote(text) else folder_at(text)
