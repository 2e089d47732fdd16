"""Remarks on a job before it runs: notes, and reasons why this machine can't run it."""

from collections.abc import Iterator
from contextlib import contextmanager

from hoaconv.errors import BudgetError, StoreError
from hoaconv.job.watching import Watcher

__all__ = ["Notes", "Refusals"]


class Refusals:
    """Reasons why this machine can't do a run: kept for a plan to tell, else raised."""

    def __init__(self, *, kept: bool) -> None:
        self.texts: list[str] = []
        self._kept = kept

    def add(self, text: str | None) -> None:
        """Add a reason, if there is one. Raise StoreError where reasons aren't kept."""
        if text and not self._kept:
            raise StoreError(text)
        if text and text not in self.texts:
            self.texts.append(text)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Add what a check raises: that an output or the budget doesn't do."""
        try:
            yield
        except (StoreError, BudgetError) as error:
            if not self._kept:
                raise
            self.add(str(error))


class Notes:
    """Notes, each told once."""

    def __init__(self, watcher: Watcher) -> None:
        self.texts: list[str] = []
        self._watcher = watcher

    def add(self, *texts: str) -> None:
        """Tell notes, each once."""
        for text in texts:
            if text not in self.texts:
                self.texts.append(text)
                self._watcher.note(text)
