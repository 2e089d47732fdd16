"""How it is to be done: stages with windows and bytes.

A schedule is also the draft that the passes work on: each takes one and returns one.
"""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from hoaconv.engine.contract import Fold, Join, Op, Scan, Sink, Source, Use
from hoaconv.engine.plan import Part, Plan
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError

__all__ = ["Limits", "Schedule", "Stage"]


_KINDS: dict[str, type] = {
    "source": Source,
    "op": Op,
    "scan": Scan,
    "join": Join,
    "fold": Fold,
    "sink": Sink,
}


@dataclass(frozen=True)
class Limits:
    """What a run may take: bytes in all, threads, and the bytes taken before it begins."""

    budget: int
    workers: int
    reserved: int = 0


@dataclass(frozen=True)
class Stage:
    """A part with its place in the sweep.

    Attributes
    ----------
    inputs
        Positions in the schedule of the stages whose planes it takes.
    spec
        What it gives; set by the pass `infer`.
    stride
        Planes that an op makes at once; set by `fit`.
    rows
        Rows of a band, the piece of a slab that one worker handles; set by `fit`.
    """

    part: Part
    inputs: tuple[int, ...]
    spec: Spec | None = None
    stride: int = 1
    rows: int = 0

    @property
    def halo(self) -> tuple[int, int, int]:
        """Context (z, y, x) on each side."""
        return self.part.halo if isinstance(self.part, Op) else (0, 0, 0)

    @property
    def window(self) -> int:
        """Planes that the stage sees at once: the stride and a halo on each side."""
        return self.stride + 2 * self.halo[0]

    @property
    def kind(self) -> str:
        """One of source, op, scan, join, fold, sink."""
        return next(name for name, kind in _KINDS.items() if isinstance(self.part, kind))


@dataclass(frozen=True)
class Schedule:
    """One sweep: stages in order, decode-ahead, limits, and why things are as they are.

    `lean` has sinks and bands hold as little as they can, at some cost in speed.
    """

    stages: tuple[Stage, ...]
    limits: Limits
    ahead: int = 1
    lean: bool = False
    notes: tuple[str, ...] = ()
    uses: tuple[Use, ...] = field(default=(), compare=False)
    least: int = field(default=0, compare=False)
    """Bytes of the smallest budget that would fit, set by the pass `fit`."""

    @classmethod
    def draft(cls, plan: Plan, limits: Limits) -> "Schedule":
        """The plan's nodes as stages that no pass has seen yet."""
        nodes = plan.nodes()
        place = {id(node): i for i, node in enumerate(nodes)}
        stages = (Stage(n.part, tuple(place[id(m)] for m in n.inputs)) for n in nodes)
        return cls(tuple(stages), limits)

    def spec_in(self, stage: Stage) -> Spec:
        """What flows into a stage; for a source, what flows out of it."""
        return self.spec_of(self.stages[stage.inputs[0]] if stage.inputs else stage)

    def spec_of(self, stage: Stage) -> Spec:
        """What flows out of a stage, once `infer` has said so."""
        if stage.spec is None:
            raise PlanError(f"the spec of {stage.part} isn't inferred yet")
        return stage.spec

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """For each stage, who takes its planes: a join that takes them twice stands there twice."""
        return tuple(
            tuple(j for j, other in enumerate(self.stages) for k in other.inputs if k == i)
            for i in range(len(self.stages))
        )

    @property
    def projected(self) -> int:
        """Bytes that the run will hold at most, by the model."""
        return sum(use.nbytes for use in self.uses)

    @property
    def bytes_read(self) -> int:
        """Bytes that the sources' slices take on disk."""
        return sum(s.part.stored_bytes for s in self.stages if isinstance(s.part, Source))

    @property
    def bytes_raw(self) -> int:
        """Bytes of level 0 of all outputs, not compressed."""
        return sum(self.spec_in(s).nbytes for s in self.stages if isinstance(s.part, Sink))

    @property
    def files(self) -> int:
        """Files that will be written, at most."""
        sinks = [(s.part, self.spec_in(s)) for s in self.stages if isinstance(s.part, Sink)]
        return sum(sink.files(spec) for sink, spec in sinks)

    def describe(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "stages": [self._row(stage) for stage in self.stages],
            "memory": [asdict(use) for use in self.uses],
            "projected": self.projected,
            "smallest_budget": self.least,
            **asdict(self.limits),
            "ahead": self.ahead,
            "lean": self.lean,
            "bytes_read": self.bytes_read,
            "bytes_raw": self.bytes_raw,
            "files": self.files,
            "notes": list(self.notes),
        }

    def _row(self, stage: Stage) -> dict[str, Any]:
        spec = self.spec_of(stage)
        return {
            "stage": str(stage.part),
            "kind": stage.kind,
            "inputs": list(stage.inputs),
            "window": stage.window,
            "stride": stage.stride,
            "halo": list(stage.halo),
            "rows": stage.rows,
            "shape": list(spec.shape),
            "dtype": str(spec.dtype),
        }

    def note(self, *notes: str) -> "Schedule":
        """The same with something to tell, once."""
        return replace(self, notes=self.notes + tuple(n for n in notes if n not in self.notes))

    def with_stages(self, stages: tuple[Stage, ...]) -> "Schedule":
        """The same with other stages."""
        return replace(self, stages=stages)
