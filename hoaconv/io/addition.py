"""An addition to a store, which stays as it is until all that is added is written.

What is added lies in the store's scratch folder meanwhile. In the end it is moved to its place, and
metadata that name it are replaced; if that fails, all is moved back.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from hoaconv.errors import StoreError
from hoaconv.io.contents import SCRATCH
from hoaconv.io.folder import remove, sync
from hoaconv.io.mark import MARK, Heartbeat, Mark, bears, forget, put_mark

__all__ = ["Addition", "Move", "staging"]

Move = tuple[Path | None, Path]
"""What was written, and the place where it belongs; None to take away what is there."""


def staging(store: Path) -> Path:
    """Return the folder in which lies what is added to a store, until it is whole."""
    return store / SCRATCH / "new"


class Addition:
    """A store with the mark of the one run that adds to it; it has the interface of a `Claim`.

    Parameters
    ----------
    store
        Folder of the store.
    moves
        Returns what is to be moved in the end, in this order.

    Raises
    ------
    StoreError
        If another run may be at work there, or the folder can't be written.
    """

    def __init__(self, store: Path, moves: Callable[[], Sequence[Move]]) -> None:
        self.path, self._mark, self._moves = store, Mark.new(), moves
        try:
            put_mark(store, self._mark)
        except OSError as error:
            raise StoreError(f"{store} can't be written: {error.strerror or error}") from error
        self._heartbeat = Heartbeat(store)
        try:
            self._erase()  # what a dead run has left
        except BaseException:
            self._end()
            raise

    def check(self) -> None:
        """Raise StoreError if the store no longer belongs to this run, or that is unknown."""
        if not bears(self.path, self._mark):
            raise StoreError(
                f"{self.path} was taken, changed or moved by somebody else while this run added to "
                "it; this run leaves alone what is there now"
            )

    def begin(self) -> None:
        """Do nothing: what is there stays until the end."""

    def finish(self) -> None:
        """Move what was written to its places, and remove the mark.

        Raises
        ------
        StoreError
            If the store no longer belongs to this run, or the file system refuses. Everything is
            then back in its place; what was written stays in the scratch folder, with the mark,
            until the next run that adds to the store.
        """
        try:
            self.check()
            sync(self.path)  # before metadata name it
            self._move(self._moves())
            self._erase()
            sync(self.path)
            (self.path / MARK).unlink()
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror or error}") from error
        finally:
            self._release()

    def abandon(self, made: Iterable[str]) -> bool:  # noqa: ARG002 - all lies in one folder
        """Remove what was written; the store is as it was before. Return whether it was ours."""
        try:
            self.check()
            self._erase()
            (self.path / MARK).unlink(missing_ok=True)
        finally:
            self._release()
        return True

    def _move(self, moves: Sequence[Move]) -> None:
        done: list[tuple[Path, Path]] = []
        try:
            for number, (source, target) in enumerate(moves):
                self._move_one(source, target, self.path / SCRATCH / f"old-{number}", done)
        except BaseException as error:
            for source, target in reversed(done):
                try:
                    _back(source, target)
                except OSError as second:
                    error.add_note(f"{target} can't be put back to {source}: {second.strerror}")
            raise

    @staticmethod
    def _move_one(
        source: Path | None, target: Path, old: Path, done: list[tuple[Path, Path]]
    ) -> None:
        """Put one thing to its place; note each step before it is taken.

        A file is replaced in one step; the old one is copied before.
        """
        if source is not None and target.is_file():
            shutil.copy2(target, old)
            done.append((old, target))
            os.replace(source, target)
            return
        if os.path.lexists(target):
            done.append((target, old))
            os.rename(target, old)
        if source is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            done.append((source, target))
            os.rename(source, target)

    def _erase(self) -> None:
        folder = self.path / SCRATCH
        if os.path.lexists(folder):
            remove(folder)

    def _end(self) -> None:
        with suppress(OSError):
            (self.path / MARK).unlink(missing_ok=True)
        self._release()

    def _release(self) -> None:
        self._heartbeat.stop()
        forget(self._mark)


def _back(source: Path, target: Path) -> None:
    """Undo a step, if it was taken.

    Of a replaced file, `source` is the copy of the old one.
    """
    if source.is_file() and target.is_file():
        os.replace(source, target)
    elif os.path.lexists(target) and not os.path.lexists(source):
        os.rename(target, source)
