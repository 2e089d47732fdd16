"""Contents of the folder of an output, by which it is known before it is overwritten.

Nothing is erased that isn't known to be part of such an output.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from hoaconv.io.mark import MARK

__all__ = ["ALSO", "SCRATCH", "ZARR", "ZARR_FILES", "Contents", "entries_of"]

SCRATCH = ".hoaconv-scratch"
"""Name of the folder for data that waits outside memory, unless the user names another place."""

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")

ALSO = (
    r"(?i:(README|LICENSE)(\.(md|txt|rst))?)|\.DS_Store"
    r"|hoaconv-report\.json|\.hoaconv-report\.json\.\d+\.tmp"
    rf"|{re.escape(MARK)}(\..*)?"
)
"""Pattern of files that may lie in an output of any kind: README, licence, report, mark."""

_FILES = re.compile(
    rf"({'|'.join(map(re.escape, ZARR_FILES))})(\.tmp|\.__lock)?"
    r"|(c\.)?\d+(\.\d+)*(\.__lock)?"
    rf"|METADATA\.ome\.xml|{ALSO}"
)
"""Files at the root of a store, group or array: metadata, chunks, README, licence, report, mark."""

_CHUNKS = re.compile(r"\d+|c")
"""Names of folders of chunks, or of unfinished levels: they need no metadata."""

_GROUPS = ("labels", "OME")
"""Names of other folders that need no metadata."""


class Contents(ABC):
    """A kind of output that is a folder.

    Attributes
    ----------
    what, example
        The kind in words, such as ``a zarr store``, and the name of one.
    heads
        Names of files without which it looks unfinished; they are erased first.
    """

    what: ClassVar[str]
    example: ClassVar[str]
    heads: ClassVar[Collection[str]] = ()

    @abstractmethod
    def is_one(self, names: set[str]) -> bool:
        """Return whether a folder with entries of these names may be such an output."""

    @abstractmethod
    def strange(self, folder: Path) -> Iterator[Path]:
        """Give what is in the folder, and below, and is no part of such an output.

        Raises
        ------
        OSError
            If a folder can't be listed.
        """


class _Zarr(Contents):
    """A zarr store: a group or an array."""

    what = "a zarr store"
    example = "brain.zarr"
    heads = ZARR_FILES

    def is_one(self, names: set[str]) -> bool:
        return bool(names & set(ZARR_FILES))

    def strange(self, folder: Path) -> Iterator[Path]:
        yield from _strange(folder)


ZARR = _Zarr()


def _strange(folder: Path) -> Iterator[Path]:
    """Yield entries that don't belong at the root of a zarr store, or of a group or array in it."""
    for entry in entries_of(folder):
        path, name = Path(entry.path), entry.name
        if not entry.is_dir() or entry.is_symlink():  # only the link itself is erased
            if not _FILES.fullmatch(name) and not (entry.is_dir() and _may_be(path)):
                yield path
        elif name in ("c", SCRATCH):
            continue
        elif not _may_be(path):
            yield path
        elif _CHUNKS.fullmatch(name) and not _has_metadata(path):
            names = (inner.name for inner in entries_of(path))
            yield from (path / n for n in names if not (_FILES.fullmatch(n) or n == "c"))
        else:
            yield from _strange(path)


def entries_of(folder: Path) -> list["os.DirEntry[str]"]:
    """Return the entries of a folder; none if another process has just removed it."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return list(entries)
    return []


def _may_be(folder: Path) -> bool:
    """Return True if name, place or metadata of a folder allow it to be part of a store."""
    known = _CHUNKS.fullmatch(folder.name) or folder.name in _GROUPS
    return bool(known) or folder.parent.name == "labels" or _has_metadata(folder)


def _has_metadata(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ZARR_FILES)
