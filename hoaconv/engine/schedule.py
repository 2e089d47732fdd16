"""How it is to be done: sweeps of stages, with windows and bytes.

A schedule is also the draft that the passes work on: each takes one and returns one.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from hoaconv.engine.contract import (
    Fold,
    Hold,
    Join,
    Op,
    Resample,
    Scan,
    Scratch,
    Sink,
    Source,
    Thrift,
    Use,
)
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.machine import LARGEST_KEPT, resident
from hoaconv.engine.plan import Part, Plan
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError

__all__ = ["Estimate", "Limits", "Place", "Schedule", "Stage", "Sweep"]

Place = tuple[int, int]
"""A stage of a schedule: which sweep, which stage in it."""


_KINDS: dict[str, type] = {
    "source": Source,
    "op": Op,
    "resample": Resample,
    "scan": Scan,
    "join": Join,
    "fold": Fold,
    "sink": Sink,
}


@dataclass(frozen=True)
class Limits:
    """What a run may take: bytes in all, threads, and the bytes taken before it begins.

    `reserved` is what the process holds already; it is measured when the limits are made, unless
    it is given. Without `scratch` planes never wait on disk, and what doesn't fit is refused. A
    sweep that only measures reads no more than `sample` slices, drawn at random; the same ones for
    the same `seed`.
    """

    budget: int
    workers: int
    reserved: int = field(default_factory=resident)
    scratch: Scratch | None = None
    sample: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Stage:
    """A part with its place in the sweep.

    Attributes
    ----------
    inputs
        Positions in the schedule of the stages whose planes it takes.
    spec
        What it gives; set by the pass `infer`.
    geometry
        For a source of chosen planes: where their voxels lie; set by `choose`. None where the
        source's own spec tells it.
    stride
        Planes that an op makes at once; set by `fit`.
    rows
        Rows of a band, the piece of a slab that one worker handles; set by `fit`.
    after
        For a source that gives what an earlier sweep has left in scratch: the stage whose planes
        these are; set by `split`.
    finds
        For a fold that looks for what a later op `needs`: the chain of ops up to that one; set
        by `measure`.
    """

    part: Part
    inputs: tuple[int, ...]
    spec: Spec | None = None
    geometry: Geometry | None = None
    stride: int = 1
    rows: int = 0
    after: Place | None = None
    finds: str | None = None

    @property
    def halo(self) -> tuple[int, int, int]:
        """Context (z, y, x) on each side."""
        return self.part.halo if isinstance(self.part, Op) else (0, 0, 0)

    @property
    def window(self) -> int:
        """Planes that the stage sees at once: the stride and a halo on each side."""
        return self.stride + 2 * self.halo[0]

    @property
    def is_output(self) -> bool:
        """Whether it writes what stays when the run is over."""
        return isinstance(self.part, Sink) and not isinstance(self.part, Hold)

    @property
    def kind(self) -> str:
        """One of source, op, resample, scan, join, fold, sink."""
        return next(name for name, kind in _KINDS.items() if isinstance(self.part, kind))


@dataclass(frozen=True)
class Sweep:
    """One pass along z: stages in order, decode-ahead, limits, and why things are as they are.

    `thrift` has sinks and bands hold less, at some cost in speed.
    """

    stages: tuple[Stage, ...]
    limits: Limits
    ahead: int = 1
    thrift: Thrift = field(default_factory=Thrift)
    notes: tuple[str, ...] = ()
    sizes: str = ""
    """Why windows, bands and decode-ahead are as large as they are, set by the pass `fit`."""
    uses: tuple[Use, ...] = field(default=(), compare=False)
    least: int = field(default=0, compare=False)
    """Bytes of the smallest budget that would fit without a cut, set by the pass `fit`."""

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
    def reasons(self) -> tuple[str, ...]:
        """Why the sweep is as it is."""
        return (*self.notes, self.sizes) if self.sizes else self.notes

    @property
    def projected(self) -> int:
        """Bytes that the sweep will hold at most, by the model."""
        return sum(use.nbytes for use in self.uses)

    @property
    def bytes_read(self) -> int:
        """Bytes that the sources' slices take on disk."""
        return sum(s.part.stored_bytes for s in self.stages if isinstance(s.part, Source))

    @property
    def bytes_decoded(self) -> int:
        """Bytes of the sources' slices, decoded; what waits in scratch is none."""
        sources = (s for s in self.stages if isinstance(s.part, Source) and s.after is None)
        return sum(self.spec_of(source).nbytes for source in sources)

    @property
    def keeps_large_blocks(self) -> bool:
        """Whether what decoders of large slices free is kept for the next: faster, but more."""
        scratch = (s.part.scratch() for s in self.stages if isinstance(s.part, Source))
        return max(scratch, default=0) > LARGEST_KEPT and not self.thrift.lean

    @property
    def planes(self) -> int:
        """Planes that the sources will give."""
        return sum(self.spec_of(s).planes for s in self.stages if isinstance(s.part, Source))

    @property
    def bytes_raw(self) -> int:
        """Bytes of level 0 of all outputs, not compressed."""
        return sum(self.spec_in(s).nbytes for s in self.stages if s.is_output)

    @property
    def scratch_bytes(self) -> int:
        """Bytes in scratch at once, at most."""
        sinks = [(s.part, self.spec_in(s)) for s in self.stages if isinstance(s.part, Sink)]
        return sum(sink.scratch_bytes(spec, self.thrift) for sink, spec in sinks)

    @property
    def files(self) -> int:
        """Files that will be written, at most."""
        return sum(s.part.files(self.spec_in(s)) for s in self.stages if isinstance(s.part, Sink))

    def describe(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "stages": [self._row(stage) for stage in self.stages],
            "memory": [asdict(use) for use in self.uses],
            "projected": self.projected,
            "smallest_budget": self.least,
            "ahead": self.ahead,
            **asdict(self.thrift),
            "scratch_bytes": self.scratch_bytes,
            "bytes_read": self.bytes_read,
            "notes": list(self.reasons),
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

    def note(self, *notes: str) -> "Sweep":
        """The same with something to tell, once."""
        return replace(self, notes=self.notes + tuple(n for n in notes if n not in self.notes))

    def with_stages(self, stages: tuple[Stage, ...]) -> "Sweep":
        """The same with other stages."""
        return replace(self, stages=stages)

    def without(self, gone: Collection[int]) -> "Sweep":
        """The same without some stages; who took the planes of one takes its first input's."""
        into = {i: i for i in range(len(self.stages))}
        for i in sorted(gone):
            into[i] = into[self.stages[i].inputs[0]] if self.stages[i].inputs else -1
        order = [i for i in into if i not in gone]
        place = {i: n for n, i in enumerate(order)}
        kept = (
            replace(self.stages[i], inputs=tuple(place[into[j]] for j in self.stages[i].inputs))
            for i in order
        )
        return self.with_stages(tuple(kept))

    def behind(self, i: int) -> frozenset[int]:
        """The stages whose planes come from stage `i`, directly or not."""
        return self._behind[i]

    def before(self, i: int) -> frozenset[int]:
        """The stages that stage `i` gets its planes from, directly or not."""
        return self._before[i]

    @cached_property
    def _behind(self) -> list[frozenset[int]]:
        # Once for all stages, from the last on: a walk from each would be as many as there are
        # ways through the branches.
        found: list[frozenset[int]] = [frozenset()] * len(self.stages)
        for i in reversed(range(len(found))):
            direct = self.readers[i]
            found[i] = frozenset(direct).union(*(found[j] for j in direct))
        return found

    @cached_property
    def _before(self) -> list[frozenset[int]]:
        found: list[frozenset[int]] = []
        for stage in self.stages:
            found.append(frozenset(stage.inputs).union(*(found[j] for j in stage.inputs)))
        return found


@dataclass(frozen=True)
class Estimate:
    """How long a run will take, by a trial.

    Attributes
    ----------
    seconds
        Wall time.
    work
        Seconds of one thread's work, by who does it.
    """

    seconds: float
    work: Mapping[str, float]


@dataclass(frozen=True)
class Schedule:
    """All sweeps of a run, one after the other."""

    sweeps: tuple[Sweep, ...]
    sinks: tuple[Sink, ...] = ()
    """In the plan's order, in which they are closed."""
    least: int = field(default=0, compare=False)
    """Bytes of the smallest budget that would fit, set by the pass `split`."""
    estimate: Estimate | None = field(default=None, compare=False)
    """Set by `hoaconv.engine.probe`, where somebody wants to know."""
    refusal: str | None = field(default=None, compare=False)
    """Why it can't run on this machine, though it may on another."""

    @classmethod
    def draft(cls, plan: Plan, limits: Limits) -> "Schedule":
        """The plan's nodes as the stages of one sweep that no pass has seen yet."""
        nodes = plan.nodes()
        place = {id(node): i for i, node in enumerate(nodes)}
        stages = (Stage(n.part, tuple(place[id(m)] for m in n.inputs)) for n in nodes)
        sinks = tuple(n.part for n in nodes if isinstance(n.part, Sink))
        return cls((Sweep(tuple(stages), limits),), sinks)

    @property
    def limits(self) -> Limits:
        """What the run may take."""
        return self.sweeps[0].limits

    @property
    def notes(self) -> tuple[str, ...]:
        """Why things are as they are: each fusion, window and mid-write, or why there is none."""
        many = len(self.sweeps) > 1
        notes = [
            f"sweep {number}: {note}" if many else note
            for number, sweep in enumerate(self.sweeps, 1)
            for note in sweep.reasons
        ]
        if not any(isinstance(s.part, Hold) for sweep in self.sweeps for s in sweep.stages):
            notes.append("no planes wait in scratch: every sweep fits the budget whole")
        return tuple(notes)

    def explain(self) -> str:
        """Why each fusion, window and mid-write was chosen, or not; a line each."""
        return "\n".join(self.notes)

    @property
    def worst(self) -> Sweep:
        """The sweep that holds most."""
        return max(self.sweeps, key=lambda sweep: sweep.projected)

    @property
    def projected(self) -> int:
        """Bytes that the run will hold at most: a sweep gives all back before the next begins."""
        return self.worst.projected

    @property
    def planes(self) -> int:
        """Planes that the sources will give, in all sweeps."""
        return sum(sweep.planes for sweep in self.sweeps)

    def spec_into(self, sink: Sink) -> Spec:
        """What a sink is given."""
        return next(w.spec_in(s) for w in self.sweeps for s in w.stages if s.part is sink)

    @property
    def bytes_read(self) -> int:
        """Bytes that the sources' slices take on disk, as often as they are read."""
        return sum(sweep.bytes_read for sweep in self.sweeps)

    @property
    def bytes_decoded(self) -> int:
        """Bytes of the slices, decoded, in the sweep that reads most of them."""
        return max(sweep.bytes_decoded for sweep in self.sweeps)

    @property
    def bytes_raw(self) -> int:
        """Bytes of level 0 of all outputs, not compressed."""
        return sum(sweep.bytes_raw for sweep in self.sweeps)

    @property
    def files(self) -> int:
        """Files that will be written, at most."""
        return sum(sweep.files for sweep in self.sweeps)

    def describe(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "sweeps": [sweep.describe() for sweep in self.sweeps],
            "projected": self.projected,
            "smallest_budget": self.least,
            "budget": self.limits.budget,
            "workers": self.limits.workers,
            "reserved": self.limits.reserved,
            "bytes_read": self.bytes_read,
            "bytes_raw": self.bytes_raw,
            "files": self.files,
            "estimate": asdict(self.estimate) if self.estimate else None,
            "notes": list(self.notes),
            "can_run": self.refusal is None,
            "refusal": self.refusal,
        }
