"""A part with its place in a sweep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import numpy as np

from hoaconv.engine.contract import Scratch
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.part import Part
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError

__all__ = ["At", "Counts", "Found", "Place", "Stage"]

Counts = np.ndarray[tuple[int], np.dtype[np.int64]]
"""Numbers of planes."""

Place = tuple[int, int]
"""A stage of a schedule: which sweep, which stage in it."""

Found = Mapping[str, Mapping[str, Any]]
"""Values of the whole volume, by the chain of ops that needs them."""

P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Stage:
    """A part with its place in the sweep.

    Attributes
    ----------
    inputs
        Positions in the sweep of the stages whose planes it takes.
    spec
        The planes that it gives; set by the pass `infer`.
    geometry
        For a source of chosen planes: where their voxels lie; set by `pushdown`. None where the
        source's own spec tells it.
    stride
        Planes that an op makes at once; set by `fit`.
    lead
        Planes that it makes at first, before it makes `stride` at once; 0 where it begins with
        `stride`. Set by `fit` with `hoaconv.engine.leads`.
    rows
        Rows of a band, the piece of a slab that one worker handles; set by `fit`.
    after
        For a source that gives what an earlier sweep has left in scratch: the stage whose planes
        these are; set by `split`.
    finds
        For a fold that looks for a value that a later op `needs`: the chain of ops up to that one;
        set by `prescan`.
    """

    part: Part
    inputs: tuple[int, ...]
    spec: Spec | None = None
    geometry: Geometry | None = None
    stride: int = 1
    lead: int = 0
    rows: int = 0
    after: Place | None = None
    finds: str | None = None

    @property
    def kind(self) -> str:
        """Name of the kind that answers for it, such as ``source`` or ``op``."""
        return self.part.kind

    @property
    def halo(self) -> tuple[int, int, int]:
        """Context (z, y, x) on each side."""
        return self.part.halo

    @property
    def window(self) -> int:
        """Planes that the stage sees at once: the stride and a halo on each side.

        For a filter of depth k, which is a halo on each side and 1, the stride is window - k + 1 as
        in equation 4 of Sporring and Stansby (2026): no output is repeated or left out.
        """
        return self.stride + 2 * self.halo[0]

    def made(self, wanted: Counts) -> Counts:
        """Return how many planes are made when so many are wanted, which is one at least.

        After the last plane it goes on as if there were more.
        """
        first = self.lead or self.stride
        steps = -(-np.maximum(wanted - first, 0) // self.stride)
        return first + steps * self.stride

    @property
    def given(self) -> Spec:
        """The planes that it gives. Raises PlanError before `infer` has said so."""
        if self.spec is None:
            raise PlanError(f"the spec of {self.part} isn't inferred yet")
        return self.spec


@dataclass(frozen=True)
class At(Generic[P]):
    """A stage as its kind sees it.

    Attributes
    ----------
    i
        Its position in the sweep.
    inputs
        The specs of the planes that it takes.
    workers
        Threads of the pool.
    scratch
        Where something may wait outside memory; None if nothing may.
    """

    i: int
    stage: Stage
    inputs: tuple[Spec, ...]
    workers: int = 1
    scratch: Scratch | None = None

    @property
    def part(self) -> P:
        """The part, of the class that the kind answers for."""
        return cast(P, self.stage.part)

    @property
    def taken(self) -> Spec:
        """The planes that it takes; for a source, those that it gives."""
        return self.inputs[0] if self.inputs else self.given

    @property
    def given(self) -> Spec:
        """The planes that it gives."""
        return self.stage.given
