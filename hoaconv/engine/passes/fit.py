"""Choose strides, bands, decode-ahead and economies: the fastest sweep that the budget allows.

A larger stride copies each plane into fewer windows, more slices decoded ahead keep more workers
busy, an economy that is given up costs no time any more. Each of these steps has a gain in time and
a price in bytes. The planner begins with the smallest sweep and takes the steps in the order of
their gain for a byte, up to the first that the budget doesn't allow. Nothing goes to scratch unless
the smallest sweep without scratch doesn't fit.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from math import inf
from operator import itemgetter
from typing import Any, cast

from hoaconv.engine.contract import Economy
from hoaconv.engine.leads import with_leads
from hoaconv.engine.memory import uses
from hoaconv.engine.passes.pace import nanoseconds
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Stage

__all__ = ["fit"]

STRIDES = (1, 2, 4, 8, 16)
"""Planes that an op makes at once. Measured against 16: an opening takes 33 % more time by 4 and
10 % more by 8 planes, a gaussian 9 and 3 %, a median of three planes as long."""
BAND_ROWS = 256
MIN_BAND_ROWS, TIGHT_BAND_ROWS = 32, 64


@dataclass(frozen=True)
class _Choice:
    """Sizes of a sweep: the stride of each stage, slices decoded ahead, and economies."""

    strides: tuple[int, ...]
    ahead: int
    economy: Economy


_Step = Callable[[_Choice], _Choice]
"""Makes a choice larger in one respect."""


def fit(draft: Sweep) -> Sweep:
    """Return the fastest sweep that fits; if none does, the smallest, for `check` to refuse."""
    starts = [_smallest(draft, economy) for economy in _economies(draft)]
    sizes = [_with(draft, start).projected for start in starts]
    least, budget = min(sizes), draft.limits.budget
    if sizes[0] <= budget:
        chosen = _grown(draft, starts[0])
    elif least <= budget:  # the fastest of those with something in scratch
        fitting = (start for start, size in zip(starts, sizes, strict=True) if size <= budget)
        chosen = min((_grown(draft, start) for start in fitting), key=nanoseconds)
    else:
        chosen = _with(draft, starts[sizes.index(least)])
    return replace(chosen, least=least, sizes=_reason(chosen, _largest(draft, starts[0])))


def _economies(draft: Sweep) -> list[Economy]:
    """Return what may wait in scratch: first nothing, then more and more."""
    spills = range(max(kind.spillable(at) for kind, at in draft.asked) + 1)
    parts = (False, True) if any(kind.parts(at) for kind, at in draft.asked) else (False,)
    return [Economy(spilled=steps, in_parts=in_parts) for in_parts in parts for steps in spills]


def _smallest(draft: Sweep, economy: Economy) -> _Choice:
    plain = _Choice((1,) * len(draft.stages), 0, replace(economy, tight=True))
    if not any(kind.packs(at) for kind, at in draft.asked):
        return plain
    packed = _economize("packed", True, plain)  # with many workers, packing may hold more
    return min(plain, packed, key=lambda choice: _with(draft, choice).projected)


def _ladders(draft: Sweep, start: _Choice) -> list[list[_Step]]:
    """Return the steps from the smallest choice up, those of one respect in a list."""
    workers = draft.limits.workers
    planes = max(at.given.planes for kind, at in draft.asked if kind.reads)
    most = min(3 * workers + 2, planes)
    further = range(workers, most, max(1, workers // 2))
    ahead = [*range(1, min(workers, most)), *further, most]
    strides = [stride for stride in STRIDES[1:] if stride <= planes]
    slowly = any(kind.decodes_slowly(at.part) for kind, at in draft.asked)
    ladders: list[list[_Step]] = [[partial(_economize, "tight", False)]]
    if not slowly:  # beside slow decoding, packing costs under 1 % of the time
        ladders.append([partial(_economize, "packed", False)])
    if any(kind.has_next_layer(at) for kind, at in draft.asked) and not start.economy.in_parts:
        ladders.append([partial(_economize, "next_layer", True)])
    if any(kind.encoding(at) for kind, at in draft.asked):
        encoders = range(2, min(workers + 1, planes) + 1)
        ladders.append([partial(_economize, "encoders", count) for count in encoders])
    ladders += [
        [partial(_stride, i, stride) for stride in strides]
        for i, stage in enumerate(draft.stages)
        if stage.halo[0]  # only what has context along z gains from a stride
    ]
    return [*ladders, [partial(_look_ahead, planes) for planes in ahead]]


def _economize(name: str, value: bool | int, choice: _Choice) -> _Choice:
    return replace(choice, economy=replace(choice.economy, **cast(Any, {name: value})))


def _stride(i: int, stride: int, choice: _Choice) -> _Choice:
    return replace(choice, strides=(*choice.strides[:i], stride, *choice.strides[i + 1 :]))


def _look_ahead(planes: int, choice: _Choice) -> _Choice:
    return replace(choice, ahead=planes)


def _largest(draft: Sweep, start: _Choice) -> Sweep:
    """Return the sweep when every step is taken."""
    choice = start
    for ladder in _ladders(draft, start):
        for step in ladder[-1:]:
            choice = step(choice)
    return _with(draft, choice)


def _grown(draft: Sweep, start: _Choice) -> Sweep:
    """Return the sweep after as many steps as fit, those first that gain most for a byte."""
    budget = draft.limits.budget
    largest = _largest(draft, start)
    if largest.projected <= budget:
        return largest
    path = list(accumulate(_ranked(draft, start), lambda choice, step: step(choice), initial=start))
    steps = bisect_right(path, budget, key=lambda choice: _with(draft, choice).projected) - 1
    return _with(draft, path[steps])


def _ranked(draft: Sweep, start: _Choice) -> list[_Step]:
    """Return all steps, in the order of the nominal time that they gain for a byte."""
    ranked: list[tuple[float, _Step]] = []
    for ladder in _ladders(draft, start):
        worth, before = inf, _with(draft, start)
        for step in ladder:
            after = _with(draft, step(start))
            gain = nanoseconds(before) - nanoseconds(after)
            price = max(1, after.projected - before.projected)
            worth = min(worth, gain / price)  # a step comes after those before it in the ladder
            ranked.append((-worth, step))
            before = after
    return [step for _, step in sorted(ranked, key=itemgetter(0))]


def _with(draft: Sweep, choice: _Choice) -> Sweep:
    sized = zip(draft.stages, choice.strides, strict=True)
    stages = tuple(_sized(draft, stage, stride, choice.economy) for stage, stride in sized)
    chosen = replace(draft, stages=stages, ahead=choice.ahead, economy=choice.economy)
    chosen = with_leads(chosen)
    return replace(chosen, uses=uses(chosen))


def _sized(draft: Sweep, stage: Stage, stride: int, economy: Economy) -> Stage:
    rows = draft.spec_of(stage).plane_shape[0]
    share = -(-rows // (2 * draft.limits.workers))
    most = TIGHT_BAND_ROWS if economy.tight else BAND_ROWS
    band = min(rows, max(MIN_BAND_ROWS, min(most, share)))
    return replace(stage, stride=stride, rows=band)


def _reason(chosen: Sweep, largest: Sweep) -> str:
    words = _words(chosen)
    if chosen.uses == largest.uses:
        return f"{words}, the most that helps"
    words += f", as the budget allows; the fastest sweep {_words(largest)}"
    if chosen.economy.tight:
        words += "; bands are narrow and less is stored at once"
    spills = (kind.spills(at, chosen.economy) for kind, at in chosen.asked)
    return "; ".join((words, *(f"{spilled} wait in scratch" for spilled in spills if spilled)))


def _words(sweep: Sweep) -> str:
    words = f"decodes {sweep.ahead} slices ahead"
    if any(kind.encoding(at) for kind, at in sweep.asked):
        words += f", encodes {sweep.economy.encoders} at once"
    strides = {stage.stride for stage in sweep.stages if stage.halo[0]}
    if not strides:
        return words
    least, most = min(strides), max(strides)
    per_step = f"{most}" if least == most else f"{least} to {most}"
    return f"{words} and processes {per_step} planes per step"
