"""Cut a sweep that doesn't fit: planes wait in scratch, and another sweep goes on from there.

Memory of stages adds up (equation 9 of Sporring and Stansby, 2026), so two sweeps of half the
stages hold about half as much each. What it costs is writing the planes once and reading them once:
a mid-write. Of the cuts that fit, those are taken that send the fewest bytes through scratch.
"""

from dataclasses import dataclass, field, replace
from typing import cast

from hoaconv.engine import stop
from hoaconv.engine.contract import Hold, Scratch, Waiting
from hoaconv.engine.passes.fit import fit
from hoaconv.engine.passes.pace import nanoseconds
from hoaconv.engine.schedule import Schedule, Sweep
from hoaconv.engine.stages import Stage
from hoaconv.units import format_bytes

__all__ = ["split"]

Cost = tuple[int, float]
"""Bytes through scratch, nominal nanoseconds."""


def split(draft: Schedule) -> Schedule:
    """Cut each sweep that doesn't fit, or that sends more through scratch than a cut does.

    Without a scratch nothing is cut. Sets the smallest budget that fits: that of the sweep that
    needs most, with the cuts that need least. What doesn't fit even so is left with these cuts, to
    be refused.
    """
    sweeps: list[Sweep] = []
    least = 0
    for sweep in draft.sweeps:
        if _is_part(sweep):
            sweeps.append(sweep)
            continue
        ways = _Cuts(sweep.limits.budget, sweep.limits.scratch).ways(sweep)
        cuts = ways.least_cuts if ways.cost is None else ways.cuts
        sweeps += _cut_at(sweep, cuts, len(sweeps))
        least = max(least, ways.least)
    return replace(draft, sweeps=tuple(sweeps), least=draft.least or least)


@dataclass(frozen=True)
class _Ways:
    """The best ways to do a sweep, each as the stages behind which it is cut.

    `cuts` are those of least cost among the ways that fit; if none does, the cost is None.
    `least_cuts` need the least memory, `least` bytes.
    """

    cost: Cost | None
    cuts: tuple[int, ...]
    least: int
    least_cuts: tuple[int, ...]


@dataclass(frozen=True)
class _Cuts:
    """Looks for the cuts of a sweep."""

    budget: int
    scratch: Scratch | None
    found: dict[int, _Ways] = field(default_factory=dict)
    """The best ways from a stage on: they don't depend on the cuts before it."""

    def ways(self, sweep: Sweep, ids: tuple[int, ...] = ()) -> _Ways:
        """Return the best ways to do what is left of a sweep.

        Parameters
        ----------
        ids
            Positions of its stages in the whole sweep; by default it is the whole.
        """
        ids = ids or tuple(range(len(sweep.stages)))
        if ids[0] not in self.found:
            self.found[ids[0]] = self._best(sweep, ids)
        return self.found[ids[0]]

    def _best(self, sweep: Sweep, ids: tuple[int, ...]) -> _Ways:
        cost = _cost(sweep) if sweep.projected <= self.budget else None
        ways = [_Ways(cost, (), sweep.least, ())]
        if self.scratch is not None:
            ways += [self._with_cut(sweep, ids, i, self.scratch) for i in _places(sweep)]
        fitting = [(way.cost, way.cuts) for way in ways if way.cost is not None]
        cost, cuts = min(fitting) if fitting else (None, ())
        smallest = min(ways, key=lambda way: way.least)
        return _Ways(cost, cuts, smallest.least, smallest.least_cuts)

    def _with_cut(self, sweep: Sweep, ids: tuple[int, ...], i: int, scratch: Scratch) -> _Ways:
        """Return the best ways with the first cut behind stage `i`."""
        stop.raise_if_asked()
        first, behind = _beginning(sweep, i, 0, scratch), _ids_behind(sweep, ids, i)
        rest = self.found.get(behind[0]) or self.ways(_rest(sweep, i, 0, first), behind)
        cost = None
        if first.projected <= self.budget and rest.cost is not None:
            (nbytes, time), more = _cost(first), rest.cost
            cost = (nbytes + more[0], time + more[1])
        cut = (ids[i],)
        least = max(first.least, rest.least)
        return _Ways(cost, cut + rest.cuts, least, cut + rest.least_cuts)


def _is_part(sweep: Sweep) -> bool:
    """Return whether a sweep was cut off from another."""
    ends_in_hold = any(kind.stores and not kind.is_output for kind, _ in sweep.asked)
    return ends_in_hold or any(stage.after for stage in sweep.stages)


def _cost(sweep: Sweep) -> Cost:
    return sweep.through_scratch, nanoseconds(sweep)


def _ids_behind(sweep: Sweep, ids: tuple[int, ...], i: int) -> tuple[int, ...]:
    """Return the positions in the whole sweep of what is left after a cut behind stage `i`."""
    return tuple(ids[j] for j in sorted(sweep.behind(i) | {i}))


def _cut_at(sweep: Sweep, cuts: tuple[int, ...], number: int) -> list[Sweep]:
    """Return the sweeps that cuts make of one; `number` is the place of the first of them."""
    done: list[Sweep] = []
    ids = tuple(range(len(sweep.stages)))
    for cut in cuts:
        i = ids.index(cut)
        scratch = cast(Scratch, sweep.limits.scratch)  # without one there are no cuts
        first = _beginning(sweep, i, number + len(done), scratch)
        ids = _ids_behind(sweep, ids, i)
        sweep = _rest(sweep, i, number + len(done), first)
        done.append(first)
    return [*done, sweep]


def _places(sweep: Sweep) -> list[int]:
    """Return the stages behind which a sweep may be cut."""
    return [i for i in range(len(sweep.stages)) if _may_end(sweep, i)]


def _may_end(sweep: Sweep, i: int) -> bool:
    """Return whether all that comes behind a stage comes from it alone, and gains from a cut."""
    kinds = [kind for kind, _ in sweep.asked]
    behind = {j for j in sweep.behind(i) if not kinds[j].stores or kinds[j].is_output}
    taken = {j for k in behind for j in sweep.stages[k].inputs}
    changes = not kinds[i].reads and not kinds[i].passes_on and not _is_nearly_source(sweep, i)
    return changes and bool(behind) and taken <= behind | {i}


def _is_nearly_source(sweep: Sweep, i: int) -> bool:
    """Return whether a stage's planes are a source's, each by itself and hardly smaller.

    A mid-write of them would save no more memory than fewer slices decoded at once.
    """
    before = [sweep.asked[j] for j in sorted(sweep.before(i) | {i})]
    reading = [at.given.nbytes for kind, at in before if kind.reads]
    changing = [(kind, at) for kind, at in before if not kind.reads and not kind.passes_on]
    by_plane = all(kind.keeps_to_z(at.part, at.taken) for kind, at in changing)
    return by_plane and 2 * sweep.spec_of(sweep.stages[i]).nbytes > sum(reading)


def _beginning(sweep: Sweep, i: int, number: int, scratch: Scratch) -> Sweep:
    """Return the sweep up to stage `i`, whose planes go to scratch."""
    spec = sweep.spec_of(sweep.stages[i])
    hold = scratch.hold(f"sweep-{number}", spec)
    whole = sweep.with_stages((*sweep.stages, Stage(hold, (i,), spec)))
    cost, alone = format_bytes(2 * spec.nbytes), f"need {format_bytes(sweep.projected)}"
    if sweep.projected <= sweep.limits.budget:
        alone = f"write and read {format_bytes(2 * _cost(sweep)[0])} there"
    reason = (
        f"the planes of '{sweep.stages[i].part}' wait in scratch for the next sweep, "
        f"{cost} to write and read before compression: all in one sweep would {alone}"
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
