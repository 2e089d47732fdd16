"""Outputs of a job: an image, an array in memory, a measurement, or a sink of the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hoaconv.engine.contract import Fold, Sink
from hoaconv.engine.part import Part
from hoaconv.engine.plan import Plan
from hoaconv.engine.spec import Plane, Spec
from hoaconv.job.options import Running, Values
from hoaconv.job.output import Output
from hoaconv.job.recipe import ByRecipe

__all__ = ["Branch", "InMemory", "Named", "Request", "VolumeLike", "name_of"]


class VolumeLike(Protocol):
    """The part of a `hoaconv.job.volume.Volume` that a job uses."""

    @property
    def plan(self) -> Plan:
        """The source and the ops."""

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry."""

    @property
    def summary(self) -> str:
        """Shape, dtype, voxel size and ops in one line."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the source for the user."""

    @property
    def recipe(self) -> tuple[Any, ...]:
        """All that the volume is made of, as a value."""


@dataclass(frozen=True)
class InMemory:
    """The volume as a NumPy array in the report of the run."""


@dataclass(frozen=True, eq=False)
class Branch(ByRecipe):
    """One output of a job.

    Attributes
    ----------
    name
        Name of the output in the report.
    volume
        The volume to write or to measure.
    target
        An image or another output on disk, a fold that measures, or an array in memory.
    present
        A function that makes the result from a fold's value and picture; without one the result is
        the value.

    Examples
    --------
    >>> volume = hc.open("slices/")
    >>> job = hc.store({"brain.zarr": volume, "mip": volume.max("z")})
    >>> [(branch.name, type(branch.target).__name__) for branch in job.branches]
    [('brain.zarr', 'OmeZarr'), ('mip', 'Reduction')]
    """

    name: str
    volume: VolumeLike
    target: Output | Fold | InMemory | Sink
    present: Callable[[Mapping[str, Any], Plane | None], Any] | None = None

    @property
    def recipe(self) -> tuple[Any, ...]:
        """The name, the volume's recipe and the target."""
        return (self.name, self.volume.recipe, self.target)


def name_of(output: Any) -> str:
    """Return the name under which an output stands in a report.

    It is a name or path as it is, the path of an output on disk, and the text of a source or sink,
    or its class.
    """
    if isinstance(output, Output):
        return str(output.path)
    kind = type(output)
    if isinstance(output, Part) and (kind.__str__, kind.__repr__) == _PLAIN:
        return kind.__name__
    return str(output)


_PLAIN: tuple[Any, Any] = (object.__str__, object.__repr__)


class Request(Protocol):
    """The part of a `hoaconv.job.job.Job` that planning uses."""

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
        """Options that the user has given."""


@dataclass(frozen=True)
class Named(Fold):
    """A fold under a name of its own, which the outcome of a run has for its value."""

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
