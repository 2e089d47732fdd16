"""A run is watched: notes, the plan, and progress slice by slice."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Place", "PlanShown", "Progress", "Watcher"]


@dataclass(frozen=True)
class Place:
    """Position in a run: the sweep, counted from 1, and the slices that it has read."""

    sweep: int
    sweeps: int
    planes: int
    total: int

    def __str__(self) -> str:
        sweep = f"sweep {self.sweep} of {self.sweeps}: " if self.sweeps > 1 else ""
        return f"{sweep}{self.planes}/{self.total} slices"


@dataclass(frozen=True)
class Progress:
    """Progress of a run: slices read and in all, seconds, memory held now, position."""

    planes: int
    total: int
    plane_bytes: int
    plane_voxels: int
    seconds: float
    memory: int
    place: Place

    @property
    def seconds_left(self) -> float:
        """Seconds that are left at the rate so far."""
        return self.seconds / self.planes * (self.total - self.planes)


class PlanShown(Protocol):
    """A `hoaconv.RunPlan`, as far as a watcher knows it."""

    def text(self, *, whole: bool = True) -> str:
        """Return the table of the plan."""


class Watcher:
    """Receiver of notes and progress; this one ignores them."""

    def note(self, text: str) -> None:
        """Receive a remark for the user; it may come from another thread."""

    def planned(self, plan: PlanShown) -> None:
        """Receive the plan; called before the run begins."""

    def progress(self, progress: Progress) -> None:
        """Receive the progress; called for every slice."""
