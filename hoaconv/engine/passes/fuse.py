"""Join ops that need no context to the op before them.

A threshold on a band that a gaussian has just written is done in cache; as a stage of its
own it would send every plane through memory once more and hold one more slab.
"""

from dataclasses import dataclass, replace

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.schedule import Stage, Sweep
from hoaconv.engine.spec import Slab, Spec

__all__ = ["Fused", "fuse"]

_ALL = (slice(None), slice(None), slice(None))


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
        spec = Spec((1, *spec.plane_shape), self.ops[0].infer(spec).dtype)
        for op in self.ops[1:]:
            total += spec.nbytes + op.work(spec)
            spec = op.infer(spec)
        return total

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the last op's result for ``block[core]`` into `out`."""
        depth, rows, columns = core
        for z, plane in enumerate(out):
            one = slice(depth.start + z, depth.start + z + 1)
            self._apply_plane(block, (one, rows, columns), plane[None])

    def _apply_plane(self, block: Slab, core: Core, out: Slab) -> None:
        """One plane at a time, so that what passes between the ops stays in cache."""
        for op in self.ops[:-1]:
            given = op.infer(Spec(block.shape, block.dtype))
            between = np.empty(out.shape, given.dtype)
            op.apply(block, core, between)
            block, core = between, _ALL
        self.ops[-1].apply(block, core, out)

    def __str__(self) -> str:
        return " | ".join(map(str, self.ops))


def fuse(draft: Sweep) -> Sweep:
    """Join every halo-0 op to the op whose only reader it is."""
    for i, stage in enumerate(draft.stages):
        if _joins(draft, stage):
            return fuse(_join(draft, i))
    return draft


def _joins(draft: Sweep, stage: Stage) -> bool:
    if not isinstance(stage.part, Op) or stage.halo != (0, 0, 0):
        return False
    (before,) = stage.inputs
    only_reader = len(draft.readers[before]) == 1
    return only_reader and isinstance(draft.stages[before].part, Op)


def _join(draft: Sweep, i: int) -> Sweep:
    """Replace stage `i` and the one before it by one; renumber what comes after."""
    stage = draft.stages[i]
    (before,) = stage.inputs
    fused = Fused(_ops(draft.stages[before].part) + _ops(stage.part))
    joined = replace(draft.stages[before], part=fused, spec=stage.spec)
    rest = [
        replace(other, inputs=tuple(_renumber(j, i, before) for j in other.inputs))
        for other in draft.stages
    ]
    rest[before] = joined
    del rest[i]
    reason = f"'{stage.part}' is joined to '{draft.stages[before].part}': it needs no context"
    return draft.with_stages(tuple(rest)).note(reason)


def _renumber(j: int, removed: int, into: int) -> int:
    return into if j == removed else j - (j > removed)


def _ops(part: object) -> tuple[Op, ...]:
    if isinstance(part, Fused):
        return part.ops
    return (part,) if isinstance(part, Op) else ()
