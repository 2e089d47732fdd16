"""Folds that sinks require: each is put before its sink, unless it is measured there already."""

from collections.abc import Iterator
from dataclasses import replace

from hoaconv.engine.contract import Fold
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Stage

__all__ = ["require"]


def require(draft: Sweep) -> Sweep:
    """Put the folds that a sink requires before it."""
    for kind, at in draft.asked:
        for fold in kind.requires(at.part, at.taken):
            taps = _taps_before(draft, at.i, all=kind.looks_back(at.part))
            if not any(kind.serves(at.part, tap, fold) for tap in taps):
                return require(_with_fold(draft, at.i, fold))
    return draft


def _taps_before(draft: Sweep, i: int, *, all: bool) -> Iterator[Fold]:
    """Return the folds that see the very planes that stage `i` takes; or those further up too."""
    inputs = draft.stages[i].inputs
    if len(inputs) != 1:
        return
    kind, at = draft.asked[inputs[0]]
    if kind.passes_on or all:
        if kind.measures:
            yield at.part
        yield from _taps_before(draft, inputs[0], all=all)


def _with_fold(draft: Sweep, i: int, fold: Fold) -> Sweep:
    """Return the sweep with a fold that sees what stage `i` takes; it becomes stage `i` itself."""
    stage = draft.stages[i]
    behind = [_moved(other, i) for other in draft.stages[i:]]
    behind[0] = replace(stage, inputs=(i,))
    measuring = Stage(fold, stage.inputs, draft.spec_in(stage))
    return draft.with_stages((*draft.stages[:i], measuring, *behind))


def _moved(stage: Stage, i: int) -> Stage:
    """Return a stage whose inputs from `i` on stand one place further."""
    return replace(stage, inputs=tuple(j + (j >= i) for j in stage.inputs))
