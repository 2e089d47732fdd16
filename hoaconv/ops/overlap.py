"""A function of the user's on overlapping blocks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.kinds import ANY_DTYPE, RADII, Kind

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
            If `function` can't be called, `depth` is no number of voxels, or `dtype` none of
            hoaconv's.
        """
        if not callable(function):
            raise SpellingError(f"map_overlap takes a function of a block, not {function!r}")
        reach = _accepted("depth", RADII, _along_axes(depth))
        given = None if dtype is None else np.dtype(_accepted("dtype", ANY_DTYPE, dtype))
        return cls(function, reach, given)

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
        returned = self.function(block)
        if returned is None:
            raise PlanError(f"{self}: the function returned None; it should return the new block")
        made = np.asarray(returned)
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


def _along_axes(depth: Any) -> Any:
    """Return depths that are given by the numbers of axes as (z, y, x); other ones as they are."""
    if not isinstance(depth, Mapping):
        return depth
    if not set(depth) <= {0, 1, 2}:
        raise SpellingError(f"map_overlap: depth takes the axes 0, 1 and 2, not {depth!r}")
    return tuple(depth.get(axis, 0) for axis in range(3))


def _accepted(name: str, kind: Kind, value: Any) -> Any:
    """Return a value as its kind keeps it. Raises SpellingError."""
    try:
        return kind.accept(value)
    except ValueError as expected:
        raise SpellingError(f"map_overlap: {name} should be {expected}, not {value!r}") from None
