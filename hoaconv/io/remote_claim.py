"""A place of a bucket that a run writes to. There are no marks, and nothing is renamed.

What shows that an output is whole is the metadata of its root alone: they are written last, and
deleted first.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from hoaconv.errors import StoreError
from hoaconv.io.contents import ZARR_FILES
from hoaconv.io.place import RemotePlace
from hoaconv.io.remote import place_of
from hoaconv.io.url import Url

__all__ = ["RemoteClaim", "check_place"]

_OURS = re.compile(
    rf"(.*/)?({'|'.join(map(re.escape, ZARR_FILES))}|(c[./])?\d+([./]\d+)*|METADATA\.ome\.xml"
    r"|(?i:(README|LICENSE)(\.(md|txt|rst))?))"
)
"""Names of files in a zarr store, below its root: metadata, chunks, README, licence."""

HEADS = (".zgroup", ".zarray", "zarr.json", ".zattrs", ".zmetadata")
"""Metadata of a root, in the order in which they are deleted."""


def check_place(path: Url, *, overwrite: bool) -> list[str]:
    """Return the files that are at a place; raise an error if they prevent writing.

    Raises
    ------
    SpellingError
        If nothing can be written there, or there are no credentials.
    StoreError
        If something is there and `overwrite` is false, or it is no part of a zarr store; or the
        bucket can't be reached.
    """
    place = RemotePlace(path)
    if not place_of(str(path))[1]:
        raise StoreError(f"{path} is a whole bucket; name a place in it, as in {path}/brain.zarr")
    if not overwrite and any(place.holds(name) for name in ZARR_FILES):
        raise StoreError(f"{path} exists; name another output, or replace it with `overwrite=True`")
    keys = place.keys()
    if keys and not overwrite:
        raise StoreError(
            f"{path} has no metadata, but {len(keys)} files, such as {keys[0]}: a run may have "
            "been killed there, or another is writing; `overwrite=True` deletes them"
        )
    strange = next((key for key in keys if not _OURS.fullmatch(key)), None)
    if strange is not None:
        raise StoreError(
            f"{path} holds {strange}, which is no part of a zarr store, so it is not overwritten; "
            "move that away, or name another output"
        )
    return keys


class RemoteClaim:
    """A place in a bucket that a run writes to; it has the interface of a `Claim`.

    What was there stays until `begin`.

    Parameters
    ----------
    path
        The place.
    overwrite
        Whether a store that is there may be replaced.

    Raises
    ------
    StoreError
        See `check_place`.
    """

    def __init__(self, path: Url, *, overwrite: bool) -> None:
        self.path, self._old = path, check_place(path, overwrite=overwrite)
        self._place, self._erasing, self._is_torn = RemotePlace(path), Lock(), False
        _CLAIMS[str(path)] = self

    @staticmethod
    def on(path: Path) -> "RemoteClaim | None":
        """Return the claim of this process on a place; None if there is none."""
        return _CLAIMS.get(str(path))

    def check(self) -> None:
        """Do nothing: a bucket has no marks by which another run could be told."""

    def begin(self) -> None:
        """Delete what was there, the metadata of its root first. Later calls do nothing.

        Raises
        ------
        StoreError
            If something can't be deleted.
        """
        with self._erasing:
            if not self._old:
                return
            self._is_torn = True
            try:
                self._delete_heads()
                self._place.delete_below()
            except StoreError as error:
                error.add_note(f"part of what was in {self.path} is deleted")
                raise
            self._is_torn, self._old = False, []

    def _delete_heads(self) -> None:
        for name in HEADS:
            self._place.delete(name)

    def finish(self) -> None:
        """End the claim: the metadata of the root are written, so the output is whole."""
        try:
            self.begin()
        finally:
            self._end()

    def abandon(self, made: Iterable[str]) -> bool:
        """Delete all that the run made, the metadata of the root first.

        What was there stays as it was if `begin` was not called.

        Returns
        -------
        bool
            False if nothing was deleted.

        Raises
        ------
        StoreError
            If something can't be deleted; what was written stays then.
        """
        try:
            if self._old or self._is_torn:
                return False
            names = set(made)
            self._delete_heads()
            for name in sorted(names - set(HEADS)):
                self._place.delete_below(name)
        except StoreError as error:
            raise StoreError(
                f"{error}; what this run has written there stays: delete {self.path}"
            ) from error
        finally:
            self._end()
        return True

    def _end(self) -> None:
        if _CLAIMS.get(str(self.path)) is self:
            del _CLAIMS[str(self.path)]


_CLAIMS: dict[str, RemoteClaim] = {}
"""The claims of this process's running writers, by the places they claim."""
