"""Choose bands, strides, decode-ahead, what waits in scratch: the fastest that the budget allows.

A larger stride copies each plane into fewer windows, and wakes the pool less often; decoding
further ahead fills the time in which a layer is being written. Both cost planes. A layer that
waits in scratch is packed, written and read once more.
"""

from dataclasses import dataclass, replace

from hoaconv.engine.contract import Thrift
from hoaconv.engine.memory import uses
from hoaconv.engine.schedule import Stage, Sweep

__all__ = ["fit"]

STRIDES = (16, 8, 4, 2, 1)
BAND_ROWS = 256
MIN_BAND_ROWS, LEAN_BAND_ROWS = 32, 64


@dataclass(frozen=True)
class _Choice:
    stride: int
    ahead: int
    thrift: Thrift


def fit(draft: Sweep) -> Sweep:
    """Take the first choice that fits; if none does, the smallest, which `check` then refuses."""
    choices = _choices(draft)
    ends = (_with(draft, replace(choices[-1], thrift=thrift)) for thrift in _thrifts(draft))
    least = min(ends, key=lambda end: end.projected)
    fitting = (_with(draft, choice) for choice in choices)
    n, chosen = next(
        ((n, c) for n, c in enumerate(fitting) if c.projected <= draft.limits.budget), (-1, least)
    )
    sizes = _reason(chosen, choices[0], full=n == 0)
    return replace(chosen, least=least.projected, sizes=sizes)


def _choices(draft: Sweep) -> list[_Choice]:
    """From the fastest to the smallest.

    Strides go first: they cost a few copies. Then the sweep is made lean: narrow bands, whose
    halos are gathered more often, and encoders that wait now and then; then fewer slices are
    decoded ahead: workers idle whenever a layer is written. Layers that wait in scratch cost
    more. Fewer slices ahead than workers come last: some then idle all the time.
    """
    workers, planes = draft.limits.workers, draft.spec_of(draft.stages[0]).planes
    plenty = min(3 * workers + 2, planes)
    strides = [s for s in STRIDES if s <= planes]
    enough = min(workers, plenty)
    thrifts = _thrifts(draft)
    busy, idle = range(plenty, enough - 1, -1), range(enough - 1, 0, -1)
    return [
        *(_Choice(stride, plenty, Thrift()) for stride in strides),
        *(_Choice(strides[-1], ahead, thrift) for thrift in thrifts for ahead in busy),
        *(_Choice(strides[-1], ahead, thrifts[-1]) for ahead in idle),
    ]


def _thrifts(draft: Sweep) -> list[Thrift]:
    """Lean ones, with more and more in scratch: as far as the sink with the most steps can go."""
    most = max(kind.gatherable(at) for kind, at in draft.asked)
    return [Thrift(lean=True, gathered=steps) for steps in range(most + 1)]


def _with(draft: Sweep, choice: _Choice) -> Sweep:
    stages = tuple(_sized(draft, stage, choice) for stage in draft.stages)
    chosen = replace(draft, stages=stages, ahead=choice.ahead, thrift=choice.thrift)
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
    if chosen.thrift.lean:
        words += "; bands are narrow and fewer chunks are encoded at once"
    if chosen.thrift.gathered:
        words += f"; {_layers(chosen.thrift.gathered)} in scratch"
    return words


def _layers(count: int) -> str:
    largest = "the largest level wait" if count == 1 else f"the {count} largest levels wait"
    return f"layers of {largest}"


def _sized(draft: Sweep, stage: Stage, choice: _Choice) -> Stage:
    """A stage without context gains nothing from a stride; all are cut into bands."""
    rows = draft.spec_of(stage).plane_shape[0]
    share = -(-rows // (2 * draft.limits.workers))
    most = LEAN_BAND_ROWS if choice.thrift.lean else BAND_ROWS
    band = min(rows, max(MIN_BAND_ROWS, min(most, share)))
    return replace(stage, stride=choice.stride if stage.halo[0] else 1, rows=band)
