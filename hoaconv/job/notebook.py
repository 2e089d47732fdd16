"""Progress in a notebook: one line of HTML that is written anew."""

import sys
from html import escape
from time import monotonic
from typing import Any

from hoaconv.job.watching import Progress, Watcher
from hoaconv.units import format_bytes, format_seconds

__all__ = ["InNotebook", "in_notebook"]

SECONDS = 0.5
"""Between two updates of the bar."""


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class InNotebook(Watcher):
    """A bar and the notes, in the output of the cell."""

    def __init__(self) -> None:
        self._show: Any = sys.modules["IPython"].display
        self._notes: list[str] = []
        self._bar = ""
        self._last = 0.0
        self._handle: Any = None

    def __enter__(self) -> "InNotebook":
        self._handle = self._show.display(self._html(), display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar = ""
        self._update()

    def note(self, text: str) -> None:
        """Add a note."""
        self._notes.append(text)
        self._update()

    def progress(self, progress: Progress) -> None:
        """Move the bar, twice a second at the most."""
        if monotonic() - self._last < SECONDS:
            return
        self._last = monotonic()
        rate = progress.plane_bytes * progress.planes / max(progress.seconds, 1e-9) / 1e6
        self._bar = (
            f'<progress value="{progress.planes}" max="{progress.total}"></progress> '
            f"{progress.place}, {rate:.0f} MB/s, {format_seconds(progress.seconds_left)} left, "
            f"{format_bytes(progress.memory)} memory"
        )
        self._update()

    def _html(self) -> Any:
        notes = "".join(f"<div>{escape(text)}</div>" for text in self._notes)
        return self._show.HTML(f"{notes}<div>{self._bar}</div>")

    def _update(self) -> None:
        if self._handle is not None:
            self._handle.update(self._html())
