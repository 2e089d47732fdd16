"""A run is watched: notes, the plan, and progress slice by slice."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Place", "PlanShown", "Progress", "Watcher"]


@dataclass(frozen=True)
class Place:
    """Where in a run: the sweep, counted from 1, of how many; slices read of the sweep's."""

    sweep: int
    sweeps: int
    planes: int
    total: int

    def __str__(self) -> str:
        sweep = f"sweep {self.sweep} of {self.sweeps}: " if self.sweeps > 1 else ""
        return f"{sweep}{self.planes}/{self.total} slices"


@dataclass(frozen=True)
class Progress:
    """How far a run is: slices read of all, bytes they hold, seconds, memory held now, where."""

    planes: int
    total: int
    plane_bytes: int
    plane_voxels: int
    seconds: float
    memory: int
    place: Place

    @property
    def seconds_left(self) -> float:
        """At the rate so far."""
        return self.seconds / self.planes * (self.total - self.planes)


class PlanShown(Protocol):
    """A `hoaconv.RunPlan`, as far as a watcher knows it."""

    def text(self, *, whole: bool = True) -> str:
        """Return the table of the plan."""


class Watcher:
    """Gets told what happens; this one keeps it to itself."""

    def note(self, text: str) -> None:
        """Something that the user should know; it may come from another thread."""

    def planned(self, plan: PlanShown) -> None:
        """How the run will go; called before it begins."""

    def progress(self, progress: Progress) -> None:
        """Called for every slice."""
