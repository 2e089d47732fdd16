"""Leave out ops that change nothing, join those that need no context to the op before.

A threshold on a band that a gaussian has just written is done in cache; as a stage of its
own it would send every plane through memory once more and hold one more slab.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.spec import Slab, Spec

__all__ = ["Fused", "fuse"]

_ALL = (slice(None), slice(None), slice(None))
_PLANES = 4
"""Planes that go through all ops at once: so few that what passes between the ops stays in cache,
but more than one, since what the first op does along z serves neighbours too."""


@dataclass(frozen=True)
class Fused(Op):
    """Ops applied one after the other to the same band; all but the first need no halo."""

    ops: tuple[Op, ...]

    @property
    def halo(self) -> tuple[int, int, int]:
        """The first op's."""
        return self.ops[0].halo

    def infer(self, spec: Spec) -> Spec:
        """Spec after the last op."""
        for op in self.ops:
            spec = op.infer(spec)
        return spec

    def work(self, spec: Spec) -> int:
        """Bytes of every op's own, and of the planes that pass between them."""
        total = self.ops[0].work(spec)
        between = (min(_PLANES, spec.planes), *spec.plane_shape)
        spec = Spec(between, self.ops[0].infer(spec).dtype)
        for op in self.ops[1:]:
            total += spec.nbytes + op.work(spec)
            spec = op.infer(spec)
        return total

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the last op's result for ``block[core]`` into `out`."""
        depth, rows, columns = core
        for z in range(0, len(out), _PLANES):
            part = out[z : z + _PLANES]
            planes = slice(depth.start + z, depth.start + z + len(part))
            self._apply_planes(block, (planes, rows, columns), part)

    def _apply_planes(self, block: Slab, core: Core, out: Slab) -> None:
        for op in self.ops[:-1]:
            given = op.infer(Spec(block.shape, block.dtype))
            between = np.empty(out.shape, given.dtype)
            op.apply(block, core, between)
            block, core = between, _ALL
        self.ops[-1].apply(block, core, out)

    def __str__(self) -> str:
        return " | ".join(map(str, self.ops))


def fuse(draft: Sweep) -> Sweep:
    """Simplify as long as there is something to simplify, each op with the one it reads."""
    for step in (_leave_out, _join):
        for i, stage in enumerate(draft.stages):
            changed = step(draft, i) if isinstance(stage.part, Op) else None
            if changed:
                return fuse(changed)
    return draft.note(*_unjoined(draft))


def _leave_out(draft: Sweep, i: int) -> Sweep | None:
    """Without an op that changes nothing."""
    stage = draft.stages[i]
    if not cast(Op, stage.part).is_identity(draft.spec_in(stage)):
        return None
    return draft.without({i}).note(f"'{stage.part}' changes nothing and is left out")


def _join(draft: Sweep, i: int) -> Sweep | None:
    """One stage for an op without context and the op that it reads."""
    stage, before = draft.stages[i], _op_before(draft, i)
    if before is None or stage.halo != (0, 0, 0):
        return None
    fused = Fused(_ops(before) + _ops(stage.part))
    joined = tuple(replace(s, part=fused) if s is stage else s for s in draft.stages)
    reason = f"'{stage.part}' is joined to '{before}': it needs no context"
    return draft.with_stages(joined).without({stage.inputs[0]}).note(reason)


def _op_before(draft: Sweep, i: int) -> Op | None:
    """The op that a stage reads, if nobody else does."""
    (before,) = draft.stages[i].inputs
    part = draft.stages[before].part
    return part if isinstance(part, Op) and len(draft.readers[before]) == 1 else None


def _unjoined(draft: Sweep) -> Iterator[str]:
    """Why ops that read an op are stages of their own."""
    for stage in draft.stages:
        read = draft.stages[stage.inputs[0]] if stage.inputs else stage
        if not isinstance(stage.part, Op) or not isinstance(read.part, Op):
            continue
        reason = f"others read '{read.part}' too"
        if stage.halo != (0, 0, 0):
            reason = f"it needs a halo of {','.join(map(str, stage.halo))} (z,y,x)"
        yield f"'{stage.part}' is a stage of its own: {reason}"


def _ops(part: object) -> tuple[Op, ...]:
    if isinstance(part, Fused):
        return part.ops
    return (part,) if isinstance(part, Op) else ()
