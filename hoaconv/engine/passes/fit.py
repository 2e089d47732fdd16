"""Choose bands, strides and decode-ahead: the fastest that the budget allows.

A larger stride copies each plane into fewer windows, and wakes the pool less often; decoding
further ahead fills the time in which a layer is being written. Both cost planes.
"""

from dataclasses import dataclass, replace

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
    lean: bool = False


def fit(draft: Sweep) -> Sweep:
    """Take the first choice that fits; if none does, the smallest, which `check` then refuses."""
    choices = _choices(draft)
    least = _with(draft, choices[-1])
    fitting = (_with(draft, choice) for choice in choices)
    chosen = next((c for c in fitting if c.projected <= draft.limits.budget), least)
    return replace(chosen, least=least.projected).note(_reason(chosen, choices[0]))


def _choices(draft: Sweep) -> list[_Choice]:
    """From the fastest to the smallest.

    Strides go first: they cost a few copies. Then the sweep is made lean: narrow bands, whose
    halos are gathered more often, and encoders that wait now and then. Fewer slices ahead come
    last: workers then idle whenever a layer is written.
    """
    workers, planes = draft.limits.workers, draft.spec_of(draft.stages[0]).planes
    plenty = min(3 * workers + 2, planes)
    strides = [s for s in STRIDES if s <= planes]
    return [
        *(_Choice(stride, plenty) for stride in strides),
        *(_Choice(strides[-1], ahead, lean=True) for ahead in range(plenty, 0, -1)),
    ]


def _with(draft: Sweep, choice: _Choice) -> Sweep:
    stages = tuple(_sized(draft, stage, choice) for stage in draft.stages)
    chosen = replace(draft, stages=stages, ahead=choice.ahead, lean=choice.lean)
    return replace(chosen, uses=uses(chosen))


def _reason(chosen: Sweep, most: _Choice) -> str:
    words = f"{chosen.ahead} planes are decoded ahead, of {most.ahead} that are worth it"
    strides = [stage.stride for stage in chosen.stages if stage.halo[0]]
    if strides:
        words += f"; windows advance by {max(strides)} planes, of {most.stride}"
    if chosen.lean:
        words += "; bands are narrow and fewer chunks are encoded at once"
    return f"{words}: what the budget allows"


def _sized(draft: Sweep, stage: Stage, choice: _Choice) -> Stage:
    """A stage without context gains nothing from a stride; all are cut into bands."""
    rows = draft.spec_in(stage).plane_shape[0]
    share = -(-rows // (2 * draft.limits.workers))
    most = LEAN_BAND_ROWS if choice.lean else BAND_ROWS
    band = min(rows, max(MIN_BAND_ROWS, min(most, share)))
    return replace(stage, stride=choice.stride if stage.halo[0] else 1, rows=band)
