"""Ops that say of each voxel what is around it."""

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.deviation import std_filter, std_filter_bytes
from hoaconv.kernels.types import Triple
from hoaconv.kernels.uniform import (
    MAX_VOXELS,
    integer_std_filter,
    uniform_filter,
    uniform_filter_bytes,
)
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import FINITE, SIZES, Declared, param, register

__all__ = ["Std", "Uniform"]


@dataclass(frozen=True)
class _Windowed(Declared, Op):
    """An op that looks at a window of voxels."""

    size: int | tuple[int, int, int] = param(SIZES, "voxels of the window along each axis")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", 0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if prod(self.sizes) > MAX_VOXELS:
            raise SpellingError(
                f"{self.word}: a window has at most {MAX_VOXELS} voxels, not {prod(self.sizes)}"
            )

    @property
    def sizes(self) -> Triple:
        """(z, y, x)."""
        return self.size if isinstance(self.size, tuple) else (self.size,) * 3

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half a window."""
        z, y, x = (size // 2 for size in self.sizes)
        return (z, y, x)


@register("uniform 3")
@dataclass(frozen=True)
class Uniform(_Windowed):
    """Compute the mean in a window around each voxel; the dtype stays.

    As scipy.ndimage.uniform_filter, but integers are summed exactly, then divided once, rounded
    half to even and saturated. Any NaN in the window gives NaN.
    """

    word: ClassVar[str] = "uniform"

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Whether a window is one voxel."""
        return self.sizes == (1, 1, 1)

    def work(self, spec: Spec) -> int:
        """Sums along z of some rows, and a few rows more."""
        return uniform_filter_bytes(spec.shape, spec.dtype, self.sizes)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the means around ``block[core]`` into `out`."""
        uniform_filter(block, core, out, self.sizes, self.mode, self.cval)


@register("std 3")
@dataclass(frozen=True)
class Std(_Windowed):
    """Compute the standard deviation in a window around each voxel: float32.

    As numpy.std of each window; of float64, float64. Integers of up to 16 bits are summed
    exactly. NaN or an infinity in the window gives NaN.
    """

    word: ClassVar[str] = "std"

    def _is_exact(self, dtype: np.dtype[np.generic]) -> bool:
        """Whether whatever is summed is an integer of up to 16 bits."""
        fits = self.cval.is_integer() and abs(self.cval) < 1 << 15
        narrow = dtype.kind in "ui" and dtype.itemsize <= 2
        return narrow and (self.mode != "constant" or fits)

    def infer(self, spec: Spec) -> Spec:
        """The same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))

    def work(self, spec: Spec) -> int:
        """Sums along z of some rows, and a few rows more."""
        if self._is_exact(spec.dtype):
            return uniform_filter_bytes(spec.shape, spec.dtype, self.sizes, 2)
        return std_filter_bytes(spec.shape, self.sizes)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the standard deviations around ``block[core]`` into `out`."""
        deviate = integer_std_filter if self._is_exact(block.dtype) else std_filter
        deviate(block, core, out, self.sizes, self.mode, self.cval)
