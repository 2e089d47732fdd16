"""Choose bands, strides and decode-ahead: the fastest that the budget allows.

A larger stride copies each plane into fewer windows, and wakes the pool less often; decoding
further ahead fills the time in which a layer is being written. Both cost planes.
"""

from dataclasses import replace

from hoaconv.engine.memory import uses
from hoaconv.engine.schedule import Schedule, Stage

__all__ = ["fit"]

STRIDES = (16, 8, 4, 2, 1)
BAND_ROWS = 256
MIN_BAND_ROWS = 32


def fit(draft: Schedule) -> Schedule:
    """Take the first choice that fits; if none does, the smallest, which `check` then refuses."""
    choices = _choices(draft)
    least = _with(draft, *choices[-1])
    fitting = (_with(draft, *choice) for choice in choices)
    chosen = next((c for c in fitting if c.projected <= draft.limits.budget), least)
    return replace(chosen, least=least.projected).note(_reason(chosen, choices[0]))


def _reason(chosen: Schedule, most: tuple[int, int]) -> str:
    stride = max(stage.stride for stage in chosen.stages)
    strides = [stage for stage in chosen.stages if stage.halo[0]]
    words = f"{chosen.ahead} planes are decoded ahead, of {most[1]} that are worth it"
    if strides:
        words += f"; windows advance by {stride} planes, of {most[0]}"
    return f"{words}: what the budget allows"


def _choices(draft: Schedule) -> list[tuple[int, int]]:
    """(stride, ahead) from the fastest to the smallest.

    Ahead comes first: without it workers idle whenever a layer is written, while the stride
    costs a few copies.
    """
    workers, planes = draft.limits.workers, draft.stages[0].spec
    most = planes.planes if planes else 1
    plenty, enough = min(3 * workers + 2, most), min(workers, most)
    aheads = [*range(plenty, enough, -1)]
    least = [*range(enough, 0, -1)]
    strides = [s for s in STRIDES if s <= max(1, most)]
    return [(s, a) for a in aheads[:1] for s in strides] + [
        (strides[-1], a) for a in [*aheads[1:], *least]
    ]


def _with(draft: Schedule, stride: int, ahead: int) -> Schedule:
    stages = tuple(_sized(draft, stage, stride) for stage in draft.stages)
    chosen = replace(draft, stages=stages, ahead=ahead)
    return replace(chosen, uses=uses(chosen))


def _sized(draft: Schedule, stage: Stage, stride: int) -> Stage:
    """A stage without context gains nothing from a stride; all are cut into bands."""
    rows = draft.spec_in(stage).plane_shape[0]
    share = -(-rows // (2 * draft.limits.workers))
    band = min(rows, max(MIN_BAND_ROWS, min(BAND_ROWS, share)))
    return replace(stage, stride=stride if stage.halo[0] else 1, rows=band)
