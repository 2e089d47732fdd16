"""Sweeps that come first, for ops that need a value of the whole volume: Otsu's threshold, say.

The value lies in nobody's window. So what the op would get is swept once before, into the fold
that the op `needs`; the op itself is pending until then. Ops that wait for each other, one behind
the other, take a sweep each; ops that don't share one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from hoaconv.engine.contract import Core, Fold, Op, Sink, Source
from hoaconv.engine.passes.fuse import Fused
from hoaconv.engine.plan import Part
from hoaconv.engine.schedule import Schedule, Stage, Sweep
from hoaconv.engine.spec import Slab, Spec

__all__ = ["Found", "Pending", "measure", "settled"]

Found = Mapping[str, Mapping[str, Any]]
"""What the folds have found, by what they look for: the chain of ops that needs it."""


@dataclass(frozen=True)
class Pending(Op):
    """An op that waits for what an earlier sweep will find; all but its values is known."""

    op: Op
    sought: str

    @property
    def halo(self) -> tuple[int, int, int]:
        """The op's."""
        return self.op.halo

    def infer(self, spec: Spec) -> Spec:
        """As the op does."""
        return self.op.infer(spec)

    def work(self, spec: Spec) -> int:
        """As the op does."""
        return self.op.work(spec)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:  # noqa: ARG002
        """Never called: `settled` comes first."""
        raise RuntimeError(f"{self.op} was applied before its value was found")

    def warm(self, spec: Spec) -> None:
        """As the op does."""
        self.op.warm(spec)

    def __str__(self) -> str:
        return str(self.op)


def settled(part: Part, found: Found) -> Part:
    """The part as it is once all that it waits for is found."""
    if isinstance(part, Fused):
        ops = tuple(settled(op, found) for op in part.ops)
        return Fused(ops)  # type: ignore[arg-type] # an op settles to an op
    if isinstance(part, Pending):
        return part.op.settle(found[part.sought])
    return part


def measure(draft: Schedule) -> Schedule:
    """Put sweeps before the last one for the values that its ops need."""
    *earlier, main = draft.sweeps
    waiting = [i for i, stage in enumerate(main.stages) if _needs(stage)]
    if not waiting:
        return draft
    stages = list(main.stages)
    for i in waiting:
        stages[i] = replace(stages[i], part=Pending(cast(Op, stages[i].part), _chain(main, i)))
    main = main.with_stages(tuple(stages))
    rounds: dict[int, list[int]] = {}
    for i in waiting:
        rounds.setdefault(_round(main, i), []).append(i)
    sweeps = (_search(main, places) for _, places in sorted(rounds.items()))
    return replace(draft, sweeps=(*earlier, *sweeps, main))


def _needs(stage: Stage) -> bool:
    return isinstance(stage.part, Op) and stage.part.needs is not None


def _chain(main: Sweep, i: int) -> str:
    """How a stage's planes are made, from the source on, folds and sinks aside."""
    stage = main.stages[i]
    before = " & ".join(filter(None, (_chain(main, j) for j in stage.inputs)))
    own = "" if isinstance(stage.part, Source | Fold | Sink) else str(stage.part)
    return " | ".join(filter(None, (before, own)))


def _round(main: Sweep, i: int) -> int:
    """How many pending ops, one behind the other, lie before a stage."""
    before = main.stages[i].inputs
    return max(
        (_round(main, j) + isinstance(main.stages[j].part, Pending) for j in before), default=0
    )


def _search(main: Sweep, places: list[int]) -> Sweep:
    """What leads to some pending ops, with a fold in the place of each."""
    leading = frozenset[int]().union(*(main.before(i) for i in places))
    quiet = {i for i in leading if isinstance(main.stages[i].part, Fold | Sink)}
    folds = tuple(_fold(main, i) for i in places)
    whole = main.with_stages(main.stages + folds)
    gone = set(range(len(main.stages))) - (leading - quiet)
    words = " and ".join(f"'{main.stages[i].part}'" for i in places)
    reason = f"measures the whole volume for {words}"
    return whole.without(gone).note(reason)


def _fold(main: Sweep, i: int) -> Stage:
    pending = cast(Pending, main.stages[i].part)
    fold = cast(Fold, pending.op.needs)
    return Stage(fold, main.stages[i].inputs, main.spec_in(main.stages[i]), finds=pending.sought)
