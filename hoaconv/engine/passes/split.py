"""Cut a sweep that doesn't fit: planes wait in scratch, and another sweep goes on from there.

Memory of stages adds up (equation 9 of Sporring and Stansby, 2026), so two sweeps of half the
stages hold about half as much each. What it costs is writing the planes once and reading them
once: a mid-write.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from hoaconv.engine.contract import Hold, Scratch, Waiting
from hoaconv.engine.passes.fit import fit
from hoaconv.engine.schedule import Schedule, Sweep
from hoaconv.engine.stages import Stage
from hoaconv.units import format_bytes

__all__ = ["split"]


def split(draft: Schedule) -> Schedule:
    """Cut each sweep that doesn't fit behind the most stages that do, and so on with the rest.

    Without a scratch nothing is cut. Sets the smallest budget that fits: that of the sweep that
    needs most, of the schedule with every cut there is or with none. What doesn't fit even so is
    left as it needs least, to be refused.
    """
    budget = draft.limits.budget
    cut = _cut_all(draft, lambda sweep: sweep.projected <= budget)
    finest = _cut_all(draft, lambda _: False)
    least = min(max(s.least for s in sweeps) for sweeps in (draft.sweeps, finest))
    if _most(cut) > budget:  # a cut may need more: what reads the planes again decodes ahead
        cut = min(draft.sweeps, cut, finest, key=_most)
    return replace(draft, sweeps=cut, least=draft.least or least)


def _most(sweeps: tuple[Sweep, ...]) -> int:
    return max(sweep.projected for sweep in sweeps)


def _cut_all(draft: Schedule, fits: Callable[[Sweep], bool]) -> tuple[Sweep, ...]:
    done: list[Sweep] = []
    left = list(draft.sweeps)
    while left:
        sweep = left.pop(0)
        parts = None if fits(sweep) else _cut(sweep, len(done), fits)
        if parts:
            left.insert(0, parts[1])
        done.append(parts[0] if parts else sweep)
    return tuple(done)


def _cut(sweep: Sweep, number: int, fits: Callable[[Sweep], bool]) -> tuple[Sweep, Sweep] | None:
    """Return the longest beginning that fits, or the shortest there is, and the rest."""
    places = [i for i in range(len(sweep.stages)) if _may_end(sweep, i)]
    scratch = sweep.limits.scratch
    if scratch is None or not places:
        return None
    begun = ((i, _beginning(sweep, i, number, scratch)) for i in reversed(places))
    i, first = next(((i, s) for i, s in begun if fits(s)), (places[0], None))
    first = first or _beginning(sweep, i, number, scratch)
    return first, _rest(sweep, i, number, first)


def _may_end(sweep: Sweep, i: int) -> bool:
    """Return whether all that comes behind a stage comes from it alone, and gains from a cut."""
    kinds = [kind for kind, _ in sweep.asked]
    behind = {j for j in sweep.behind(i) if not kinds[j].stores or kinds[j].is_output}
    taken = {j for k in behind for j in sweep.stages[k].inputs}
    changes = not kinds[i].reads and not kinds[i].passes_on
    return changes and bool(behind) and taken <= behind | {i}


def _beginning(sweep: Sweep, i: int, number: int, scratch: Scratch) -> Sweep:
    """Return the sweep up to stage `i`, whose planes go to scratch."""
    spec = sweep.spec_of(sweep.stages[i])
    hold = scratch.hold(f"sweep-{number}", spec)
    whole = sweep.with_stages((*sweep.stages, Stage(hold, (i,), spec)))
    cost = format_bytes(2 * spec.nbytes)
    reason = (
        f"the planes of '{sweep.stages[i].part}' wait in scratch for the next sweep, "
        f"{cost} to write and read before compression: all in one sweep would need "
        f"{format_bytes(sweep.projected)}"
    )
    return fit(whole.without(sweep.behind(i)).note(reason))


def _rest(sweep: Sweep, i: int, number: int, first: Sweep) -> Sweep:
    """Return the sweep from stage `i` on, whose planes come from scratch."""
    hold = first.stages[-1]
    waiting = Waiting(cast(Hold, hold.part))  # `_beginning` ends so
    stages = list(sweep.stages)
    stages[i] = Stage(waiting, (), waiting.spec, after=(number, hold.inputs[0]))
    gone = set(range(len(stages))) - sweep.behind(i) - {i}
    return fit(replace(sweep, stages=tuple(stages), notes=()).without(gone))
