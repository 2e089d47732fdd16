"""Leave out ops that change nothing, join those that need no context to the op before.

A threshold on a band that a gaussian has just written is done in cache; as a stage of its
own it would send every plane through memory once more, and hold 2 w planes (equation 5 of Sporring
and Stansby, 2026).
"""

from collections.abc import Iterator
from dataclasses import replace

from hoaconv.engine.contract import Op
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages.fused import Fused

__all__ = ["fuse"]


def fuse(draft: Sweep) -> Sweep:
    """Simplify as long as there is something to simplify, each op with the one it reads."""
    for step in (_leave_out, _join):
        for i in range(len(draft.stages)):
            changed = step(draft, i) if _ops(draft, i) else None
            if changed:
                return fuse(changed)
    return draft.note(*_unjoined(draft))


def _leave_out(draft: Sweep, i: int) -> Sweep | None:
    """Return the sweep without an op that changes nothing."""
    (first, *others), stage = _ops(draft, i), draft.stages[i]
    if others or not first.is_identity(draft.spec_in(stage)):
        return None
    return draft.without({i}).note(f"'{stage.part}' changes nothing and is left out")


def _join(draft: Sweep, i: int) -> Sweep | None:
    """Return the sweep with one stage for an op without context and the op that it reads."""
    stage = draft.stages[i]
    (before,) = stage.inputs
    first = _ops(draft, before)
    if not first or len(draft.readers[before]) > 1 or stage.halo != (0, 0, 0):
        return None
    fused = Fused(first + _ops(draft, i))
    joined = tuple(replace(s, part=fused) if s is stage else s for s in draft.stages)
    reason = f"'{stage.part}' is joined to '{draft.stages[before].part}': it needs no context"
    return draft.with_stages(joined).without({before}).note(reason)


def _unjoined(draft: Sweep) -> Iterator[str]:
    """Say why ops that read an op are stages of their own."""
    for i, stage in enumerate(draft.stages):
        if not _ops(draft, i) or not _ops(draft, stage.inputs[0]):
            continue
        reason = f"others read '{draft.stages[stage.inputs[0]].part}' too"
        if stage.halo != (0, 0, 0):
            reason = f"it needs a halo of {','.join(map(str, stage.halo))} (z,y,x)"
        yield f"'{stage.part}' is a stage of its own: {reason}"


def _ops(draft: Sweep, i: int) -> tuple[Op, ...]:
    """Return the ops of a stage, as its kind says; none where it applies none."""
    kind, at = draft.asked[i]
    return kind.ops(at.part)
