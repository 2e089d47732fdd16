"""Sweeps that come first, for ops that need a value of the whole volume: Otsu's threshold, say.

The value lies in nobody's window. So what the op would get is swept once before, into the fold
that the op asks for; the op itself is unbound until then. An informed op asks for folds of other
streams, which the last sweep then doesn't read. Ops that wait for each other, one behind the other,
take a sweep each; ops that don't share one.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from hoaconv.engine.contract import Fold
from hoaconv.engine.schedule import Schedule, Sweep
from hoaconv.engine.stages import Stage, kind_of

__all__ = ["prescan"]

LONGEST = 10_000
"""Characters of a chain, of which the last are kept."""


class Question(NamedTuple):
    """A fold that an earlier sweep puts behind stage `place`; `key` names the value it finds."""

    place: int
    fold: Fold
    key: str


def prescan(draft: Schedule) -> Schedule:
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
    """Return what each stage asks; the same fold behind the same stage is one question."""
    chains, keys = _chains(main), dict[tuple[int, Fold, str], str]()
    found: dict[int, tuple[Question, ...]] = {}
    for i, (kind, at) in enumerate(main.asked):
        asked = []
        for number, fold in kind.asks(at.part):
            place = at.stage.inputs[number]
            # An op's own question is named by the op, as reports have it.
            text = " | ".join(filter(None, (chains[place], str(fold)))) if number else chains[i]
            same = [key for (_, _, other), key in keys.items() if other == text]
            numbered = f"{text} ({len(same) + 1})" if same else text
            key = keys.setdefault((place, fold, text), numbered)
            asked.append(Question(place, fold, key))
        if asked:
            found[i] = tuple(asked)
    return found


def _waiting(main: Sweep, questions: Mapping[int, tuple[Question, ...]]) -> Sweep:
    """Return the sweep with its ops unbound; each takes the stream that it changes alone."""
    stages = list(main.stages)
    for i, asked in questions.items():
        part, keys = stages[i].part, tuple(question.key for question in asked)
        unbound = kind_of(part).unbound(part, keys)
        stages[i] = replace(stages[i], part=unbound, inputs=stages[i].inputs[:1])
    return main.with_stages(tuple(stages))


def _chains(main: Sweep) -> list[str]:
    """Return how the planes of each stage are made, from the source on, folds and sinks aside."""
    chains: list[str] = []
    for kind, at in main.asked:
        measured = {number for number, _ in kind.asks(at.part) if number}
        inputs = (j for number, j in enumerate(at.stage.inputs) if number not in measured)
        before = " & ".join(filter(None, (chains[j] for j in inputs)))
        # Branches that part and meet again and again would double the text each time.
        chains.append(" | ".join(filter(None, (before, kind.spelled(at.part))))[-LONGEST:])
    return chains


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
    quiet = {i for i in leading if waiting.asked[i][0].passes_on}
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
    ends = {i for i, (kind, _) in enumerate(main.asked) if not main.readers[i] or kind.passes_on}
    kept = ends.union(*(waiting.before(i) for i in ends))
    return waiting.without(set(range(len(main.stages))) - kept)
