"""Outputs of a job: an image, an array in memory, or what a fold measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hoaconv.engine.contract import Fold
from hoaconv.engine.plan import Plan
from hoaconv.engine.spec import Plane, Spec
from hoaconv.job.options import OmeZarr, Running, Values

__all__ = ["Branch", "InMemory", "Named", "Request", "VolumeLike"]


class VolumeLike(Protocol):
    """A `hoaconv.job.volume.Volume`, as far as a job knows it."""

    @property
    def plan(self) -> Plan:
        """The source and the ops."""

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the source for the user."""


@dataclass(frozen=True)
class InMemory:
    """The volume as a NumPy array in the report of the run."""


@dataclass(frozen=True)
class Branch:
    """One output of a job.

    Attributes
    ----------
    name
        Under which it stands in the report.
    volume
        What is written or measured.
    target
        What becomes of it.
    present
        Makes what the report holds of a fold's value and picture; None takes the value.
    """

    name: str
    volume: VolumeLike
    target: OmeZarr | Fold | InMemory
    present: Callable[[Mapping[str, Any], Plane | None], Any] | None = field(
        default=None, compare=False
    )


class Request(Protocol):
    """A `hoaconv.job.job.Job`, as far as planning it takes."""

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The outputs."""

    @property
    def values(self) -> Values:
        """Sources of values of the whole volume."""

    @property
    def running(self) -> Running:
        """Limits of a run."""

    @property
    def given(self) -> Mapping[str, Any]:
        """Options as the user has given them."""


@dataclass(frozen=True)
class Named(Fold):
    """A fold under a name of its own, by which the outcome of a run tells its value."""

    name: str
    fold: Fold

    @property
    def shared(self) -> bool:  # type: ignore[override] # a fact of the class in all others
        """True if all threads change one state."""
        return self.fold.shared

    @property
    def takes_wide(self) -> bool:  # type: ignore[override]
        """True if the fold keeps integers of 64 bits exact."""
        return self.fold.takes_wide

    @property
    def draws(self) -> bool:  # type: ignore[override]
        """True if the fold makes a picture."""
        return self.fold.draws

    def init(self, spec: Spec) -> Any:
        """Return the fold's state that has seen nothing."""
        return self.fold.init(spec)

    def step(self, state: Any, block: Plane, z: int = 0, y: int = 0) -> None:
        """Take in some rows of a plane."""
        self.fold.step(state, block, z, y)

    def merge(self, one: Any, other: Any) -> Any:
        """Return the state that has seen what both have seen."""
        return self.fold.merge(one, other)

    def finish(self, state: Any) -> Mapping[str, Any]:
        """Return the fold's value."""
        return self.fold.finish(state)

    def ends(self, name: str, spec: Spec) -> tuple[float, float]:
        """Return the least and the greatest that a number of the value can be."""
        return self.fold.ends(name, spec)

    def draw(self, state: Any) -> Plane | None:
        """Return the fold's picture."""
        return self.fold.draw(state)

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of one state."""
        return self.fold.state_bytes(spec)

    def warm(self, spec: Spec) -> None:
        """Compile the fold's kernels."""
        self.fold.warm(spec)

    def __str__(self) -> str:
        return self.name
