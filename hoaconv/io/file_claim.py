"""An output that is one file: it is written beside its place, and moved there when it is whole.

It is written in a hidden folder beside it, which a run claims as it does a store: so two runs don't
write one file, and the next run removes what a dead one left.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hoaconv.errors import StoreError
from hoaconv.io.contents import ALSO, SCRATCH, Contents, entries_of
from hoaconv.io.folder import Claim, check_free

__all__ = ["FileClaim", "check_file_free", "hidden_folder"]

_PART = "part"


class _Hidden(Contents):
    """The hidden folder of a file that is being written."""

    what = "a file that is being written"
    example = ".brain.tif.hoaconv"

    def is_one(self, names: set[str]) -> bool:
        return bool(names)

    def strange(self, folder: Path) -> Iterator[Path]:
        known = re.compile(rf"{_PART}(\..*)?|{re.escape(SCRATCH)}.*|{ALSO}")
        return (Path(e.path) for e in entries_of(folder) if not known.fullmatch(e.name))


_HIDDEN = _Hidden()


def hidden_folder(path: Path) -> Path:
    """Return the folder in which the file of a path is written."""
    return path.with_name(f".{path.name}.hoaconv")


def check_file_free(path: Path, *, overwrite: bool) -> None:
    """Raise an error if an output file can't be written; change nothing.

    Raises
    ------
    StoreError
        If a folder is there, or a file and `overwrite` is False, or a living run writes it, or its
        folder can't be written to.
    """
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(hidden_folder(path))  # raises if the name is too long
        if os.path.isdir(path):
            raise StoreError(f"{path} is a folder; the output is a file, so name another")
        is_there = os.path.lexists(path)
        is_regular = os.path.isfile(path)
    except StoreError:  # which is also an OSError
        raise
    except OSError as error:
        raise StoreError(f"{path} can't be used: {error.strerror}") from error
    if is_there and not is_regular:
        raise StoreError(f"{path} is no regular file, or a link to nothing; name another output")
    if is_there and not overwrite:
        raise StoreError(f"{path} exists; name another output, or replace it with `overwrite=True`")
    around = next(p for p in path.absolute().parents if os.path.lexists(p))
    if not os.path.isdir(around):
        raise StoreError(f"{path} can't be made: {around} is a file")
    if not os.access(around, os.W_OK | os.X_OK):
        raise StoreError(f"{path} can't be made: {around} can't be written to")
    check_free(hidden_folder(path), overwrite=True, holds=_HIDDEN)


class FileClaim:
    """A file that one run writes.

    Attributes
    ----------
    part
        The path at which it is written; `finish` moves it to its own.

    Raises
    ------
    StoreError
        If the file can't be written (see `check_file_free`).
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        check_file_free(path, overwrite=overwrite)
        self.path, self._overwrite = path, overwrite
        self._claim = Claim(hidden_folder(path), overwrite=True, holds=_HIDDEN)
        self.part = self._claim.path / f"{_PART}{path.suffix}"

    def check(self) -> None:
        """Raise StoreError if another run has taken the file, or that is unknown."""
        self._claim.check()
        self._claim.begin()

    def finish(self) -> None:
        """Flush the file to disk, and move it to its place.

        Raises
        ------
        StoreError
            If the run no longer owns it, a file has come there meanwhile, or the disk fails. What
            is written then stays in the hidden folder.
        """
        try:
            self.check()
            with self.part.open("rb+") as file:
                os.fsync(file.fileno())
            self._move()
        except BaseException as error:
            self._claim.leave()
            if isinstance(error, StoreError) or not isinstance(error, OSError):
                raise
            raise StoreError(
                f"{self.path} can't be put in its place: {error.strerror}; it is whole in "
                f"{self.part}"
            ) from error
        self._claim.abandon([SCRATCH])

    def _move(self) -> None:
        """Give the file its name; without `overwrite`, only if nothing has that name."""
        if not self._overwrite:
            try:
                os.link(self.part, self.path)
            except FileExistsError:
                raise StoreError(
                    f"{self.path} has come while it was written; what was written is {self.part}"
                ) from None
            except OSError:  # FAT and some network file systems have no links
                os.replace(self.part, self.path)
            else:
                self.part.unlink()
            return
        os.replace(self.part, self.path)

    def abandon(self) -> bool:
        """Remove what was written; return whether something was. What was at the path stays.

        Raises
        ------
        OSError
            If something can't be removed.
        """
        return self._claim.abandon([self.part.name, SCRATCH])
