"""Ops that are not as they were written: several joined to one, or one that waits for a value."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec

__all__ = ["Fused", "Unbound"]

_ALL = (slice(None), slice(None), slice(None))
_PLANES = 4
"""Planes that go through all ops at once: so few that what passes between the ops stays in cache,
but more than one, since what the first op does along z serves neighbours too."""


@dataclass(frozen=True)
class Fused(Op):
    """Ops applied one after the other to the same band; all but the first need no halo."""

    takes_wide: ClassVar[bool] = True  # each of the ops was asked before they were joined

    ops: tuple[Op, ...]

    @property
    def halo(self) -> tuple[int, int, int]:
        """The first op's."""
        return self.ops[0].halo

    def infer(self, spec: Spec) -> Spec:
        """Return the spec after the last op."""
        for op in self.ops:
            spec = op.infer(spec)
        return spec

    def work(self, spec: Spec) -> int:
        """Return the bytes of every op's own, and of the planes that pass between them."""
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


@dataclass(frozen=True)
class Unbound(Op):
    """An op that waits for values that an earlier sweep will find; all else is known."""

    takes_wide: ClassVar[bool] = True  # the op was asked before it was to wait

    op: Op
    sought: tuple[str, ...]

    @property
    def halo(self) -> tuple[int, int, int]:
        """The op's."""
        return self.op.halo

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the op's result."""
        return self.op.infer(spec)

    def work(self, spec: Spec) -> int:
        """Return the bytes that the op allocates."""
        return self.op.work(spec)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:  # noqa: ARG002
        """Raise RuntimeError: the op is bound to its value before it is applied."""
        raise RuntimeError(f"{self.op} was applied before its value was found")

    def warm(self, spec: Spec) -> None:
        """Compile the op's kernels."""
        self.op.warm(spec)

    def __str__(self) -> str:
        return str(self.op)
