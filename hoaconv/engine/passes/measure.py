"""Sweeps that come first, for ops that need a value of the whole volume: Otsu's threshold, say.

The value lies in nobody's window. So what the op would get is swept once before, into the fold
that the op `needs`; the op itself is pending until then. An `Informed` op waits for folds of other
streams, which the last sweep then doesn't read. Ops that wait for each other, one behind the other,
take a sweep each; ops that don't share one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, cast

from hoaconv.engine.contract import Core, Fold, Op, Sink, Source
from hoaconv.engine.informed import Informed
from hoaconv.engine.passes.fuse import Fused
from hoaconv.engine.plan import Part
from hoaconv.engine.schedule import Schedule, Stage, Sweep
from hoaconv.engine.spec import Slab, Spec

__all__ = ["Found", "Pending", "measure", "settled", "wanted"]

Found = Mapping[str, Mapping[str, Any]]
"""What the folds have found, by what they look for: the chain of ops that leads there."""


@dataclass(frozen=True)
class Pending(Op):
    """An op that waits for what an earlier sweep will find; all but its values is known."""

    op: Op
    sought: tuple[str, ...]

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
        return part.op.settle(*(found[key] for key in part.sought))
    return part


class Question(NamedTuple):
    """A fold that an earlier sweep puts behind stage `place`; `key` names the value it finds."""

    place: int
    fold: Fold
    key: str


def wanted(stage: Stage) -> tuple[tuple[int, Fold], ...]:
    """Return the folds whose values a stage needs first, each with the stage that it reads."""
    if isinstance(stage.part, Informed):
        return tuple(zip(stage.inputs[1:], stage.part.folds, strict=True))
    needs = stage.part.needs if isinstance(stage.part, Op) else None
    return () if needs is None else ((stage.inputs[0], needs),)


def measure(draft: Schedule) -> Schedule:
    """Put sweeps before the last one for the values that its ops need."""
    *earlier, main = draft.sweeps
    questions = _questions(main)
    if not questions:
        return draft
    waiting, ready = _waiting(main, questions), _rounds(main, questions)
    rounds: dict[int, dict[Question, list[str]]] = {}
    for i, asked in questions.items():
        for question in asked:
            members = rounds.setdefault(ready[question.place], {})
            members.setdefault(question, []).append(f"'{main.stages[i].part}'")
    sweeps = (_search(waiting, asked) for _, asked in sorted(rounds.items()))
    return replace(draft, sweeps=(*earlier, *sweeps, _without_answered(waiting, main)))


def _questions(main: Sweep) -> dict[int, tuple[Question, ...]]:
    """Return what each op needs to know; the same fold behind the same stage is one question."""
    chains, keys = _chains(main), dict[tuple[int, Fold, str], str]()
    found: dict[int, tuple[Question, ...]] = {}
    for i, stage in enumerate(main.stages):
        asked = []
        for place, fold in wanted(stage):
            # An op's own question is named by the op, as reports have it.
            own = isinstance(stage.part, Op)
            text = chains[i] if own else " | ".join(filter(None, (chains[place], str(fold))))
            same = [key for (_, _, other), key in keys.items() if other == text]
            key = keys.setdefault(
                (place, fold, text), f"{text} ({len(same) + 1})" if same else text
            )
            asked.append(Question(place, fold, key))
        if asked:
            found[i] = tuple(asked)
    return found


def _waiting(main: Sweep, questions: Mapping[int, tuple[Question, ...]]) -> Sweep:
    """Return the sweep with its ops pending; each takes the stream that it changes alone."""
    stages = list(main.stages)
    for i, asked in questions.items():
        part = stages[i].part
        op = part.op if isinstance(part, Informed) else cast(Op, part)
        pending = Pending(op, tuple(question.key for question in asked))
        stages[i] = replace(stages[i], part=pending, inputs=stages[i].inputs[:1])
    return main.with_stages(tuple(stages))


def _chains(main: Sweep) -> list[str]:
    """Return how the planes of each stage are made, from the source on, folds and sinks aside."""
    chains: list[str] = []
    for stage in main.stages:
        inputs = stage.inputs[:1] if isinstance(stage.part, Informed) else stage.inputs
        before = " & ".join(filter(None, (chains[j] for j in inputs)))
        own = "" if isinstance(stage.part, Source | Fold | Sink) else str(stage.part)
        # Branches that part and meet again and again would double the text each time.
        chains.append(" | ".join(filter(None, (before, own)))[-LONGEST:])
    return chains


LONGEST = 10_000
"""Characters of a chain, of which the last are kept."""


def _rounds(main: Sweep, questions: Mapping[int, tuple[Question, ...]]) -> list[int]:
    """Return how many sweeps come before the planes of each stage can be made."""
    rounds: list[int] = []
    for i, stage in enumerate(main.stages):
        planes = [rounds[j] for j in stage.inputs]
        values = [rounds[question.place] + 1 for question in questions.get(i, ())]
        rounds.append(max(planes + values, default=0))
    return rounds


def _search(waiting: Sweep, asked: Mapping[Question, list[str]]) -> Sweep:
    """Return the sweep that answers some questions: all that leads to their folds, and these."""
    places = {question.place for question in asked}
    leading = places.union(*(waiting.before(i) for i in places))
    quiet = {i for i in leading if isinstance(waiting.stages[i].part, Fold | Sink)}
    folds = tuple(
        Stage(q.fold, (q.place,), waiting.spec_of(waiting.stages[q.place]), finds=q.key)
        for q in asked
    )
    whole = waiting.with_stages(waiting.stages + folds)
    gone = set(range(len(waiting.stages))) - (leading - quiet)
    words = " and ".join(dict.fromkeys(chain.from_iterable(asked.values())))
    return whole.without(gone).note(f"measures the whole volume for {words}")


def _without_answered(waiting: Sweep, main: Sweep) -> Sweep:
    """Return the last sweep, without the stages that nothing but a question has read."""
    ends = {
        i
        for i, stage in enumerate(main.stages)
        if not main.readers[i] or isinstance(stage.part, Fold | Sink)
    }
    kept = ends.union(*(waiting.before(i) for i in ends))
    return waiting.without(set(range(len(main.stages))) - kept)
