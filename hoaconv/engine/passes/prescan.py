"""Sweeps that come first, for ops that need a value of the whole volume: Otsu's threshold, say.

The value lies in nobody's window. So what the op would get is swept once before, into the fold
that the op `needs`; the op itself is unbound until then. Ops that wait for each other, one behind
the other, take a sweep each; ops that don't share one.
"""

from dataclasses import replace
from typing import cast

from hoaconv.engine.contract import Fold
from hoaconv.engine.schedule import Schedule, Sweep
from hoaconv.engine.stages import Stage, kind_of

__all__ = ["prescan"]


def prescan(draft: Schedule) -> Schedule:
    """Put sweeps before the last one for the values that its ops need."""
    *earlier, main = draft.sweeps
    waiting = [at.i for kind, at in main.asked if kind.needs(at.part)]
    if not waiting:
        return draft
    folds = {i: _fold(main, i) for i in waiting}
    stages = list(main.stages)
    for i, fold in folds.items():
        part, sought = stages[i].part, str(fold.finds)
        stages[i] = replace(stages[i], part=kind_of(part).unbound(part, sought))
    main = main.with_stages(tuple(stages))
    rounds: dict[int, list[int]] = {}
    for i in waiting:
        rounds.setdefault(_round(main, i), []).append(i)
    sweeps = (_search(main, {i: folds[i] for i in places}) for _, places in sorted(rounds.items()))
    return replace(draft, sweeps=(*earlier, *sweeps, main))


def _fold(main: Sweep, i: int) -> Stage:
    """Return the fold that takes the place of a stage which needs it."""
    stage = main.stages[i]
    fold = cast(Fold, kind_of(stage.part).needs(stage.part))
    return Stage(fold, stage.inputs, main.spec_in(stage), finds=_chain(main, i))


def _chain(main: Sweep, i: int) -> str:
    """Return how a stage's planes are made, from the source on, folds and sinks aside."""
    kind, at = main.asked[i]
    before = " & ".join(filter(None, (_chain(main, j) for j in at.stage.inputs)))
    return " | ".join(filter(None, (before, kind.spelled(at.part))))


def _round(main: Sweep, i: int) -> int:
    """Return how many unbound ops, one behind the other, lie before a stage."""
    counts = (_round(main, j) + _waits(main.stages[j]) for j in main.stages[i].inputs)
    return max(counts, default=0)


def _waits(stage: Stage) -> bool:
    return kind_of(stage.part).sought(stage.part) is not None


def _search(main: Sweep, folds: dict[int, Stage]) -> Sweep:
    """Return what leads to some unbound ops, with a fold in the place of each."""
    leading = frozenset[int]().union(*(main.before(i) for i in folds))
    quiet = {i for i in leading if main.asked[i][0].passes_on}
    whole = main.with_stages(main.stages + tuple(folds.values()))
    gone = set(range(len(main.stages))) - (leading - quiet)
    words = " and ".join(f"'{main.stages[i].part}'" for i in folds)
    return whole.without(gone).note(f"measures the whole volume for {words}")
