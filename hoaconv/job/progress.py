"""Displays of progress: a bar on a terminal, a line a minute in a log, or nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

from hoaconv.errors import SpellingError
from hoaconv.job.notebook import InNotebook, in_notebook
from hoaconv.job.watching import PlanShown, Progress, Watcher
from hoaconv.units import format_bytes, format_seconds

__all__ = ["display", "watcher"]

ShowPlan = Callable[[PlanShown], None]

LOG_SECONDS = 60.0
WIDE = 132
"""Columns in which a bar and all that `_rate` tells have room."""

_LOST = suppress(OSError, ValueError)
"""Nobody reads any more: the terminal was closed, or the log's disk is full."""


@contextmanager
def watcher(*, quiet: bool, planned: ShowPlan | None = None) -> Iterator[Watcher]:
    """Give what fits where stderr goes: a bar on a terminal, a line a minute in a log, or nothing.

    Parameters
    ----------
    planned
        Shows the plan before the run begins.
    """
    if quiet or sys.stderr is None:
        yield Watcher()
    elif sys.stderr.isatty():
        with _OnTerminal(planned) as terminal:
            yield terminal
    else:
        yield _InLog(planned)


@contextmanager
def display(progress: bool | Watcher | None) -> Iterator[Watcher]:
    """Give the watcher of a run in Python.

    Parameters
    ----------
    progress
        True shows notes and a bar, or in a log a line a minute; False nothing. None shows them in
        a notebook and on a terminal alone.
    """
    if not isinstance(progress, bool | Watcher | None):
        kind = type(progress).__name__
        raise SpellingError(f"progress is True, False or a hoaconv.Watcher, not a {kind}")
    if isinstance(progress, Watcher):
        yield progress
    elif progress is not False and in_notebook():
        with InNotebook() as notebook:
            yield notebook
    else:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        with watcher(quiet=not (progress or (progress is None and terminal))) as found:
            yield found


def _rate(progress: Progress) -> str:
    """Rate, time left, memory."""
    done, seconds = progress.planes, max(progress.seconds, 1e-9)
    voxels = progress.plane_voxels * done / seconds / 1e6
    return (
        f"{progress.plane_bytes * done / seconds / 1e6:.0f} MB/s, "
        + (f"{voxels:.1f} Mvoxel/s, " if voxels else "")
        + f"{format_seconds(progress.seconds_left)} left, "
        f"{format_bytes(progress.memory)} memory"
    )


def _left(progress: Progress) -> str:
    """Time left and rate: what 80 columns have room for."""
    rate = progress.plane_bytes * progress.planes / max(progress.seconds, 1e-9) / 1e6
    return f"{format_seconds(progress.seconds_left)} left, {rate:.0f} MB/s"


class _Shown(Watcher):
    """Shows the schedule where that is wanted."""

    def __init__(self, planned: ShowPlan | None) -> None:
        self._planned = planned

    def planned(self, plan: PlanShown) -> None:
        if self._planned:
            self._planned(plan)


class _InLog(_Shown):
    """Notes at once, progress once a minute."""

    def __init__(self, planned: ShowPlan | None) -> None:
        super().__init__(planned)
        self._last = monotonic()

    def note(self, text: str) -> None:
        with _LOST:
            print(f"hoaconv: {text}", file=sys.stderr, flush=True)

    def progress(self, progress: Progress) -> None:
        if monotonic() - self._last >= LOG_SECONDS:
            self._last = monotonic()
            self.note(f"{progress.place}, {_rate(progress)}")


class _OnTerminal(_Shown):
    """A bar on stderr."""

    def __init__(self, planned: ShowPlan | None) -> None:
        super().__init__(planned)
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.fields[place]}"),
            BarColumn(bar_width=12),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, visible=False, place="")

    def __enter__(self) -> "_OnTerminal":
        with _LOST:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        with _LOST:
            self._bar.stop()

    def note(self, text: str) -> None:
        with _LOST:
            self._bar.console.print(text, markup=False, highlight=False)

    def progress(self, progress: Progress) -> None:
        with _LOST:
            self._bar.update(
                self._task,
                place=str(progress.place).removesuffix(" slices"),
                completed=progress.planes,
                total=progress.total,
                description=_rate(progress) if self._bar.console.width >= WIDE else _left(progress),
                visible=True,
            )
