"""Choose bands, strides, decode-ahead, what waits in scratch: the fastest that the budget allows.

A larger stride copies each plane into fewer windows, and wakes the pool less often; decoding
further ahead fills the time in which something is being written. Both cost planes. What waits in
scratch is packed, written and read once more.
"""

from dataclasses import dataclass, replace

from hoaconv.engine.contract import Economy
from hoaconv.engine.leads import with_leads
from hoaconv.engine.memory import uses
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Stage

__all__ = ["fit"]

STRIDES = (16, 8, 4, 2, 1)
BAND_ROWS = 256
MIN_BAND_ROWS, TIGHT_BAND_ROWS = 32, 64


@dataclass(frozen=True)
class _Choice:
    stride: int
    ahead: int
    economy: Economy


def fit(draft: Sweep) -> Sweep:
    """Take the first choice that fits; if none does, the smallest, which `check` then refuses."""
    choices = _choices(draft)
    ends = (_with(draft, replace(choices[-1], economy=economy)) for economy in _economies(draft))
    least = min(ends, key=lambda end: end.projected)
    fitting = (_with(draft, choice) for choice in choices)
    n, chosen = next(
        ((n, c) for n, c in enumerate(fitting) if c.projected <= draft.limits.budget), (-1, least)
    )
    sizes = _reason(chosen, choices[0], full=n == 0)
    return replace(chosen, least=least.projected, sizes=sizes)


def _choices(draft: Sweep) -> list[_Choice]:
    """Return the choices, from the fastest to the smallest.

    Strides go first: they cost a few copies. Then the sweep is made tight: narrow bands, whose
    halos are copied more often, and encoders that wait now and then; then fewer slices are
    decoded ahead: workers idle whenever something is written. What waits in scratch costs more.
    Fewer slices ahead than workers come last: some then idle all the time.
    """
    workers, planes = draft.limits.workers, draft.spec_of(draft.stages[0]).planes
    plenty = min(3 * workers + 2, planes)
    strides = [s for s in STRIDES if s <= planes]
    enough = min(workers, plenty)
    economies = _economies(draft)
    busy, idle = range(plenty, enough - 1, -1), range(enough - 1, 0, -1)
    return [
        *(_Choice(stride, plenty, Economy()) for stride in strides),
        *(_Choice(strides[-1], ahead, economy) for economy in economies for ahead in busy),
        *(_Choice(strides[-1], ahead, economies[-1]) for ahead in idle),
    ]


def _economies(draft: Sweep) -> list[Economy]:
    """Return tight ones, with more and more in scratch: as far as any sink can go."""
    most = max(kind.spillable(at) for kind, at in draft.asked)
    return [Economy(tight=True, spilled=steps) for steps in range(most + 1)]


def _with(draft: Sweep, choice: _Choice) -> Sweep:
    stages = tuple(_sized(draft, stage, choice) for stage in draft.stages)
    chosen = replace(draft, stages=stages, ahead=choice.ahead, economy=choice.economy)
    chosen = with_leads(chosen)
    return replace(chosen, uses=uses(chosen))


def _reason(chosen: Sweep, most: _Choice, full: bool) -> str:
    words = f"decodes {chosen.ahead} slices ahead"
    strides = [stage.stride for stage in chosen.stages if stage.halo[0]]
    if strides:
        words += f" and processes {max(strides)} per step"
    if full:
        return f"{words}, the most that helps"
    words += f", as the budget allows; {most.ahead} ahead"
    words += f" and {most.stride} per step would be faster" if strides else " would be faster"
    if chosen.economy.tight:
        words += "; bands are narrow and less is stored at once"
    spills = (kind.spills(at, chosen.economy) for kind, at in chosen.asked)
    return "; ".join((words, *(f"{spilled} wait in scratch" for spilled in spills if spilled)))


def _sized(draft: Sweep, stage: Stage, choice: _Choice) -> Stage:
    """Return the stage with its sizes: only stages with context gain from a stride."""
    rows = draft.spec_of(stage).plane_shape[0]
    share = -(-rows // (2 * draft.limits.workers))
    most = TIGHT_BAND_ROWS if choice.economy.tight else BAND_ROWS
    band = min(rows, max(MIN_BAND_ROWS, min(most, share)))
    return replace(stage, stride=choice.stride if stage.halo[0] else 1, rows=band)
