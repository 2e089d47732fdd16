"""Ops that look at each voxel by itself."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.kernels.pointwise import above, at_least, at_most, clip, linear, linear_bytes
from hoaconv.kernels.rounding import dtype_range
from hoaconv.ops.declare import DTYPE, NUMBER, Declared, param, register, spell_number

__all__ = ["Cast", "Clip", "Rescale", "Threshold"]


@register("threshold 20000")
@dataclass(frozen=True)
class Threshold(Declared, Op):
    """Mark voxels greater than a value: uint8, 1 there and 0 elsewhere."""

    word: ClassVar[str] = "threshold"

    value: float = param(NUMBER, "greatest value that is still 0")

    def infer(self, spec: Spec) -> Spec:
        """The same shape as uint8."""
        return replace(spec, dtype=np.dtype(np.uint8))

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Compare exactly, whatever the dtype; NaN gives 0."""
        above(block[core], out, self.value)


@register("cast float32")
@dataclass(frozen=True)
class Cast(Declared, Op):
    """Change the dtype, rounding half to even and saturating; NaN becomes 0 in an integer."""

    word: ClassVar[str] = "cast"

    dtype: str = param(DTYPE, "dtype of the result")

    def infer(self, spec: Spec) -> Spec:
        """The same shape in the new dtype."""
        return replace(spec, dtype=np.dtype(self.dtype))

    def is_identity(self, spec: Spec) -> bool:
        """Whether it is that dtype already."""
        return spec.dtype == self.dtype

    def work(self, spec: Spec) -> int:
        """One row."""
        return linear_bytes(spec.shape[2])

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Convert ``block[core]`` into `out`."""
        linear(block[core], out, lo=0.0, span=1.0, gain=1.0, base=0.0)


@register("clip 1000 60000")
@dataclass(frozen=True)
class Clip(Declared, Op):
    """Hold voxels within bounds; the dtype stays."""

    word: ClassVar[str] = "clip"

    lo: float = param(NUMBER, "least value of the result")
    hi: float = param(NUMBER, "greatest value of the result")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lo > self.hi:
            raise SpellingError(f"clip: lo should not be above hi, but {_window(self.lo, self.hi)}")

    def infer(self, spec: Spec) -> Spec:
        """The same, if the dtype has a value within the bounds."""
        least, greatest = at_least(self.lo, spec.dtype), at_most(self.hi, spec.dtype)
        if least is None or greatest is None or least > greatest:  # type: ignore[operator]
            raise PlanError(f"clip: {spec.dtype} has no value in {_window(self.lo, self.hi)}")
        return spec

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Clip ``block[core]`` into `out`; NaN stays NaN."""
        clip(block[core], out, self.lo, self.hi)


@register("rescale 1000 60000")
@dataclass(frozen=True)
class Rescale(Declared, Op):
    """Spread the window lo..hi linearly over all of an integer dtype, or over 0..1 of a float.

    Integers are rounded half to even and saturated outside the window; floats go on beyond 0..1.
    """

    word: ClassVar[str] = "rescale"

    lo: float = param(NUMBER, "value that becomes the dtype's least, or 0")
    hi: float = param(NUMBER, "value that becomes the dtype's greatest, or 1")
    dtype: str = param(DTYPE, "dtype of the result", "uint8")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -np.inf < self.lo < self.hi < np.inf:
            raise SpellingError(
                f"rescale: lo should be finite and below hi, but {_window(self.lo, self.hi)}"
            )

    def infer(self, spec: Spec) -> Spec:
        """The same shape in the new dtype."""
        return replace(spec, dtype=np.dtype(self.dtype))

    def work(self, spec: Spec) -> int:
        """One row."""
        return linear_bytes(spec.shape[2])

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Rescale ``block[core]`` into `out`."""
        least, greatest = (0.0, 1.0) if out.dtype.kind == "f" else dtype_range(out.dtype)
        span = self.hi - self.lo
        linear(block[core], out, lo=self.lo, span=span, gain=greatest - least, base=least)


def _window(lo: float, hi: float) -> str:
    return f"{spell_number(lo)}..{spell_number(hi)}"
