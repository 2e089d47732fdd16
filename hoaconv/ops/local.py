"""Ops that say of each voxel what is around it."""

from dataclasses import replace

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.deviation import deviation, deviation_bytes
from hoaconv.kernels.uniform import (
    MOST_VOXELS,
    exact_deviation,
    uniform,
    uniform_bytes,
)
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE, Triple, window
from hoaconv.ops.parameters import Declared, param

__all__ = ["Std", "Uniform"]


_WINDOW = window(MOST_VOXELS)


class _Windowed(Declared, Op):
    """An op that looks at a window of voxels."""

    size: Triple[int]
    mode: str
    cval: float

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half a window."""
        z, y, x = (size // 2 for size in self.size)
        return (z, y, x)


@op("uniform", example="uniform 3")
class Uniform(_Windowed):
    """Compute the mean in a window around each voxel; the dtype stays.

    As scipy.ndimage.uniform_filter, but integers are summed exactly, then divided once, rounded
    half to even and saturated. Any NaN in the window gives NaN.
    """

    size: Triple[int] = param(_WINDOW, "voxels of the window along each axis")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", default="reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", default=0.0)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Whether a window is one voxel."""
        return self.size == (1, 1, 1)

    def work(self, spec: Spec) -> int:
        """Sums along z of some rows, and a few rows more."""
        return uniform_bytes(spec.shape, spec.dtype, self.size)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the means around ``block[core]`` into `out`."""
        uniform(block, core, out, self.size, self.mode, self.cval)


@op("std", example="std 3")
class Std(_Windowed):
    """Compute the standard deviation in a window around each voxel: float32.

    As numpy.std of each window; of float64, float64. Integers of up to 16 bits are summed
    exactly. NaN or an infinity in the window gives NaN.
    """

    size: Triple[int] = param(_WINDOW, "voxels of the window along each axis")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", default="reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", default=0.0)

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
            return uniform_bytes(spec.shape, spec.dtype, self.size, 2)
        return deviation_bytes(spec.shape, self.size)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the standard deviations around ``block[core]`` into `out`."""
        deviate = exact_deviation if self._is_exact(block.dtype) else deviation
        deviate(block, core, out, self.size, self.mode, self.cval)
