"""A function of the user's on overlapping blocks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.kinds import RADII

__all__ = ["MapOverlap"]


@dataclass(frozen=True)
class MapOverlap(Op):
    """Call a function with each block and its overlap, and keep the block; see `of`."""

    function: Callable[[Slab], Slab]
    depth: tuple[int, int, int]
    dtype: np.dtype[Any] | None
    word = "map_overlap"
    takes_wide = True  # what the function makes of them is its own affair

    @classmethod
    def of(cls, function: Callable[[Slab], Slab], depth: Any, dtype: Any) -> "MapOverlap":
        """Check and take the parameters of `hoaconv.Volume.map_overlap`.

        Raises
        ------
        SpellingError
            If `function` can't be called, or `depth` is no number of voxels.
        """
        if not callable(function):
            raise SpellingError(f"map_overlap takes a function of a block, not {function!r}")
        try:
            reach = RADII.accept(depth)
        except ValueError as expected:
            raise SpellingError(f"map_overlap: depth should be {expected}, not {depth!r}") from None
        return cls(function, reach, None if dtype is None else np.dtype(dtype))

    @property
    def halo(self) -> tuple[int, int, int]:
        """The overlap."""
        return self.depth

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape with the dtype that was given."""
        return spec if self.dtype is None else replace(spec, dtype=self.dtype)

    def work(self, spec: Spec) -> int:
        """The function's result for a block, and as much while it computes."""
        return 2 * spec.nbytes // spec.dtype.itemsize * max(8, self.infer(spec).dtype.itemsize)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Keep the core of the function's result.

        Raises
        ------
        PlanError
            If the result has another shape than the block, or a dtype that would lose values.
        """
        made = np.asarray(self.function(block))
        if made.shape != block.shape:
            raise PlanError(
                f"{self}: the function made {made.shape} of a block {block.shape}; it should keep "
                "the shape"
            )
        if not np.can_cast(made.dtype, out.dtype, "same_kind"):
            raise PlanError(
                f"{self}: the function gives {made.dtype}, and the result is to be {out.dtype}; "
                "give dtype=, or convert in the function"
            )
        out[...] = made[core]

    def warm(self, spec: Spec) -> None:
        """Nothing is compiled."""

    def __str__(self) -> str:
        return f"map_overlap {getattr(self.function, '__name__', 'function')}"
