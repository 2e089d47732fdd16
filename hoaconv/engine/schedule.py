"""Schedules: sweeps of stages, with windows and bytes, in the order in which they run.

A schedule is also the draft that the passes work on: each takes one and returns one.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from numbers import Integral
from typing import Any, cast

from hoaconv.engine.contract import Economy, Scratch, Sink, Use
from hoaconv.engine.machine import LARGEST_KEPT, is_tuned, resident
from hoaconv.engine.part import Part
from hoaconv.engine.plan import Plan
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages import At, Kind, Place, Stage, kind_of
from hoaconv.errors import PlanError

__all__ = ["Estimate", "Limits", "Place", "Schedule", "Stage", "Sweep"]


GROWTH = 16_000_000
"""Bytes by which a process may grow from one plan to the next: measured, 4 to 15 MB, of what
libraries keep when a few slices have been decoded and a few chunks packed."""


@dataclass(frozen=True)
class Limits:
    """Limits of a run: bytes in all, threads, and the bytes that are taken before it begins.

    `reserved` is what the process holds already; it is measured when the limits are made, unless
    it is given. Without `scratch` planes never wait on disk, and what doesn't fit is refused. A
    sweep that only measures reads no more than `sample` slices, drawn at random; the same ones for
    the same `seed`. `tuned` says whether malloc is set for the process that runs it, as the command
    line does: see `hoaconv.engine.machine.tune_malloc`.
    """

    budget: int
    workers: int
    reserved: int = field(default_factory=resident)
    scratch: Scratch | None = None
    sample: int | None = None
    seed: int = 0
    tuned: bool = field(default_factory=is_tuned)

    def __post_init__(self) -> None:
        if not isinstance(self.budget, Integral):
            raise PlanError(
                f"the budget is a whole number of bytes, such as 2 << 30, not {self.budget!r}; "
                'hoaconv.units.parse_bytes("2GiB") makes one of a text'
            )
        if not isinstance(self.workers, Integral) or self.workers < 1:
            raise PlanError(f"workers are a whole number from 1 on, not {self.workers!r}")


@dataclass(frozen=True)
class Sweep:
    """One pass along z: stages in order, decode-ahead, limits, and why things are as they are.

    `economy` has sinks and bands hold less, at some cost in speed.
    """

    stages: tuple[Stage, ...]
    limits: Limits
    ahead: int = 1
    economy: Economy = field(default_factory=Economy)
    notes: tuple[str, ...] = ()
    sizes: str = ""
    """The reason for the sizes of windows, bands and decode-ahead; set by the pass `fit`."""
    uses: tuple[Use, ...] = field(default=(), compare=False)
    least: int = field(default=0, compare=False)
    """Bytes of the smallest budget that would fit without a cut, set by the pass `fit`."""

    def spec_in(self, stage: Stage) -> Spec:
        """Return what flows into a stage; for a source, what flows out of it."""
        return self.spec_of(self.stages[stage.inputs[0]] if stage.inputs else stage)

    def spec_of(self, stage: Stage) -> Spec:
        """Return what flows out of a stage, once `infer` has said so."""
        return stage.given

    @cached_property
    def asked(self) -> tuple[tuple[Kind[Any], At[Any]], ...]:
        """Each stage as its kind sees it, and the kind, which answers for it."""
        workers, scratch = self.limits.workers, self.limits.scratch
        inputs = (tuple(self.stages[j].given for j in stage.inputs) for stage in self.stages)
        return tuple(
            (kind_of(stage.part), At(i, stage, taken, workers, scratch))
            for i, (stage, taken) in enumerate(zip(self.stages, inputs, strict=True))
        )

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """Readers of each stage; a join that takes its planes twice is listed twice."""
        return tuple(
            tuple(j for j, other in enumerate(self.stages) for k in other.inputs if k == i)
            for i in range(len(self.stages))
        )

    @cached_property
    def drained(self) -> frozenset[int]:
        """Stages whose planes are taken to the last, whatever their readers need of them.

        A tap or a writer has to see them all, even if something behind it leaves some out.
        """
        return frozenset(
            i
            for i, (kind, _) in enumerate(self.asked)
            if not self.readers[i]
            or (kind.passes_on and any(self.asked[j][0].has_own_pace for j in self.behind(i)))
        )

    def branches(self, i: int) -> int:
        """Return how many streams take the planes of stage `i`."""
        return len(self.readers[i]) + (i in self.drained)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons for all decisions on the sweep."""
        return (*self.notes, self.sizes) if self.sizes else self.notes

    @property
    def projected(self) -> int:
        """Bytes that the sweep will hold at most, by the model."""
        return sum(use.nbytes for use in self.uses)

    @property
    def bytes_read(self) -> int:
        """Bytes that the sources' slices take on disk."""
        return sum(kind.bytes_read(at.part) for kind, at in self.asked)

    @property
    def bytes_decoded(self) -> int:
        """Bytes of the sources' slices, decoded; planes in scratch are not counted."""
        stages = [at.stage for kind, at in self.asked if kind.reads]
        return sum(stage.given.nbytes for stage in stages if stage.after is None)

    @property
    def keeps_large_blocks(self) -> bool:
        """True if large blocks that decoders free are kept for the next slice: faster, but more."""
        largest = max(kind.decoder_bytes(at.part) for kind, at in self.asked)
        tuned = self.limits.tuned and not self.economy.tight
        return largest > LARGEST_KEPT and tuned

    @property
    def planes(self) -> int:
        """Planes that the sources will give."""
        return sum(at.given.planes for kind, at in self.asked if kind.reads)

    @property
    def bytes_raw(self) -> int:
        """Bytes of level 0 of all outputs, not compressed."""
        return sum(at.taken.nbytes for kind, at in self.asked if kind.is_output)

    @property
    def through_scratch(self) -> int:
        """Bytes that go to scratch in the whole sweep, before they are packed."""
        return sum(kind.through_scratch(at, self.economy) for kind, at in self.asked)

    @property
    def scratch_bytes(self) -> int:
        """Bytes in scratch at once, at most."""
        return sum(kind.scratch_bytes(at, self.economy) for kind, at in self.asked)

    @property
    def files(self) -> int:
        """Files that will be written, at most."""
        return sum(kind.files(at) for kind, at in self.asked)

    def describe(self) -> dict[str, Any]:
        """Return all of it in JSON's types."""
        return {
            "stages": [kind.row(at) for kind, at in self.asked],
            "memory": [asdict(use) for use in self.uses],
            "projected": self.projected,
            "smallest_budget": self.least,
            "ahead": self.ahead,
            "lean": self.economy.tight,
            "gathered": self.economy.spilled,
            "packed": self.economy.packed,
            "encoders": self.economy.encoders,
            "scratch_bytes": self.scratch_bytes,
            "bytes_read": self.bytes_read,
            "notes": list(self.reasons),
        }

    def __getstate__(self) -> dict[str, Any]:
        # What is worked out from the fields is worked out anew where the sweep is sent to.
        return {name: vars(self)[name] for name in self.__dataclass_fields__}

    def note(self, *notes: str) -> "Sweep":
        """Return the sweep with more notes, each only once."""
        return replace(self, notes=self.notes + tuple(n for n in notes if n not in self.notes))

    def with_stages(self, stages: tuple[Stage, ...]) -> "Sweep":
        """Return the sweep with other stages."""
        return replace(self, stages=stages)

    def without(self, gone: Collection[int]) -> "Sweep":
        """Return the sweep without some stages; their readers read their first inputs instead."""
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
        """Return the stages whose planes come from stage `i`, directly or not."""
        return self._behind[i]

    def before(self, i: int) -> frozenset[int]:
        """Return the stages that stage `i` gets its planes from, directly or not."""
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
    """The time that a run will take, by a trial.

    Attributes
    ----------
    seconds
        Wall time.
    work
        Seconds of one thread's work, by who does it.
    packed
        Bytes on disk of each output, in the order of `Schedule.sinks`; from the slice that varies
        most, so that a volume with empty parts takes less.
    """

    seconds: float
    work: Mapping[str, float]
    packed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """All sweeps of a run, one after the other."""

    sweeps: tuple[Sweep, ...]
    sinks: tuple[Sink, ...] = ()
    """In the plan's order, in which they are closed."""
    least: int = field(default=0, compare=False)
    """Bytes of the smallest budget that would fit, set by the pass `split`."""
    estimate: Estimate | None = field(default=None, compare=False)
    """The time that the run will take, if the caller has set it from `hoaconv.engine.estimate`."""
    refusal: str | None = field(default=None, compare=False)
    """The reason why it can't run on this machine, though it may on another."""

    @classmethod
    def draft(cls, plan: Plan, limits: Limits) -> "Schedule":
        """Return the plan's nodes as the stages of one sweep that no pass has seen yet."""
        nodes = plan.nodes()
        place = {id(node): i for i, node in enumerate(nodes)}
        stages = (Stage(n.part, tuple(place[id(m)] for m in n.inputs)) for n in nodes)
        sinks = tuple(cast(Sink, n.part) for n in nodes if kind_of(n.part).stores)
        return cls((Sweep(tuple(stages), limits),), sinks)

    def with_parts(self, others: Mapping[int, Part]) -> "Schedule":
        """Return the same schedule for another volume of the same shape.

        Parameters
        ----------
        others
            What stands in place of a source or sink, by the identity of the one that is there.
        """

        def put(sweep: Sweep) -> Sweep:
            parts = (replace(s, part=others.get(id(s.part), s.part)) for s in sweep.stages)
            return sweep.with_stages(tuple(parts))

        sinks = tuple(cast(Sink, others.get(id(sink), sink)) for sink in self.sinks)
        return replace(self, sweeps=tuple(map(put, self.sweeps)), sinks=sinks)

    @property
    def limits(self) -> Limits:
        """Limits of the run."""
        return self.sweeps[0].limits

    @property
    def notes(self) -> tuple[str, ...]:
        """Reasons for each fusion, window and mid-write, or for their absence."""
        many = len(self.sweeps) > 1
        notes = [
            f"sweep {number}: {note}" if many else note
            for number, sweep in enumerate(self.sweeps, 1)
            for note in sweep.reasons
        ]
        if not any(sweep.through_scratch for sweep in self.sweeps):
            notes.append("nothing waits in scratch: every sweep fits the budget whole")
        return tuple(notes)

    def explain(self) -> str:
        """Return the reasons for each fusion, window and mid-write, a line each."""
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
    def smallest_budget(self) -> int:
        """Bytes of the smallest budget that is sure to fit when the process has planned before."""
        return -(-(self.least + GROWTH) // 10**6) * 10**6

    @property
    def planes(self) -> int:
        """Planes that the sources will give, in all sweeps."""
        return sum(sweep.planes for sweep in self.sweeps)

    def spec_into(self, sink: Sink) -> Spec:
        """Return the spec of the planes that a sink is given."""
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
        """Return all of it in JSON's types."""
        return {
            "sweeps": [sweep.describe() for sweep in self.sweeps],
            "projected": self.projected,
            "smallest_budget": self.smallest_budget,
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
