"""Watching of a run: notes, the plan, and progress slice by slice."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Place", "PlanShown", "Progress", "Watcher"]


@dataclass(frozen=True)
class Place:
    """Position in a run.

    Attributes
    ----------
    sweep, sweeps
        Number of the sweep, counted from 1, and of all sweeps.
    planes, total
        Number of slices that the sweep has read, and of all its slices.

    Examples
    --------
    >>> from hoaconv.job.watching import Place
    >>> print(Place(sweep=1, sweeps=2, planes=30, total=96))
    sweep 1 of 2: 30/96 slices
    """

    sweep: int
    sweeps: int
    planes: int
    total: int

    def __str__(self) -> str:
        sweep = f"sweep {self.sweep} of {self.sweeps}: " if self.sweeps > 1 else ""
        return f"{sweep}{self.planes}/{self.total} slices"


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes
    ----------
    planes, total
        Number of slices that all sweeps have read, and of all their slices.
    plane_bytes, plane_voxels
        Bytes and voxels of a decoded slice.
    seconds
        Seconds since the run began.
    memory
        Memory that the process holds now, in bytes.
    place
        The sweep, and its slices.

    Examples
    --------
    >>> from hoaconv.job.watching import Place
    >>> progress = hc.Progress(30, 90, 8192, 4096, 2.5, 500_000_000, Place(1, 1, 30, 90))
    >>> progress.seconds_left
    5.0
    """

    planes: int
    total: int
    plane_bytes: int
    plane_voxels: int
    seconds: float
    memory: int
    place: Place

    @property
    def seconds_left(self) -> float:
        """Seconds that are left, if the rate stays as it was."""
        return self.seconds / self.planes * (self.total - self.planes)


class PlanShown(Protocol):
    """The part of a `hoaconv.RunPlan` that a watcher uses."""

    def text(self, *, whole: bool = True) -> str:
        """Return the table of the plan."""


class Watcher:
    """Receiver of notes and progress; derive from it and define the methods that you need.

    Examples
    --------
    >>> class Slices(hc.Watcher):
    ...     read = 0
    ...
    ...     def progress(self, progress):
    ...         self.read = progress.planes
    >>> watcher = Slices()
    >>> report = hc.store({"mip": hc.open("slices/").max("z")}).run(progress=watcher)
    >>> watcher.read
    8
    """

    def note(self, text: str) -> None:
        """Receive a remark for the user; any thread may call this.

        Parameters
        ----------
        text
            The remark.
        """

    def planned(self, plan: PlanShown) -> None:
        """Receive the plan before the run begins.

        Parameters
        ----------
        plan : RunPlan
            The plan.
        """

    def progress(self, progress: Progress) -> None:
        """Receive the progress after each slice.

        Parameters
        ----------
        progress
            Slices, seconds and memory.
        """
