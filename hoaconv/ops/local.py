"""Statistics of a window around each voxel."""

from dataclasses import replace

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.deviation import std_filter, std_filter_bytes
from hoaconv.kernels.uniform import (
    MAX_VOXELS,
    integer_std_filter,
    uniform_filter,
    uniform_filter_bytes,
)
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE, Triple, window
from hoaconv.ops.parameters import Declared, param

__all__ = ["Std", "Uniform"]


_WINDOW = window(MAX_VOXELS)


class _Windowed(Declared, Op):
    """An op on a window of voxels around each voxel."""

    size: Triple[int]
    mode: str
    cval: float

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the window (z, y, x)."""
        z, y, x = (size // 2 for size in self.size)
        return (z, y, x)


@op("uniform", example="uniform 3")
class Uniform(_Windowed):
    """Compute the mean of a window around each voxel; the dtype stays.

    This is scipy.ndimage.uniform_filter, except that integers are summed exactly, divided once,
    rounded half to even and saturated. The result is NaN if a voxel of the window is NaN.

    Examples
    --------
    >>> ops.uniform(np.array([[[0, 0, 9, 0, 0]]], "uint8"), (1, 1, 3)).compute()
    array([[[0, 3, 3, 3, 0]]], dtype=uint8)
    """

    size: Triple[int] = param(_WINDOW, "voxels of the window along each axis")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Return True if the window is one voxel."""
        return self.size == (1, 1, 1)

    def work(self, spec: Spec) -> int:
        """Return the bytes of sums along z of some rows, and of a few rows more."""
        return uniform_filter_bytes(spec.shape, spec.dtype, self.size)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the means around ``block[core]`` into `out`."""
        uniform_filter(block, core, out, self.size, self.mode, self.cval)


@op("std", example="std 3")
class Std(_Windowed):
    """Compute the standard deviation of a window around each voxel: float32.

    The result is numpy.std of each window; for float64 it is float64. Integers of up to 16 bits are
    summed exactly. The result is NaN if a voxel of the window is NaN or infinite.

    Examples
    --------
    >>> ops.Std(hc.open(np.array([[[4, 4, 10, 10]]], "uint8")), (1, 1, 2)).compute()
    array([[[0., 0., 3., 0.]]], dtype=float32)
    """

    size: Triple[int] = param(_WINDOW, "voxels of the window along each axis")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)

    def _is_exact(self, dtype: np.dtype[np.generic]) -> bool:
        """Return True if all values that are summed are integers of up to 16 bits."""
        fits = self.cval.is_integer() and abs(self.cval) < 1 << 15
        narrow = dtype.kind in "ui" and dtype.itemsize <= 2
        return narrow and (self.mode != "constant" or fits)

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))

    def work(self, spec: Spec) -> int:
        """Return the bytes of sums along z of some rows, and of a few rows more."""
        if self._is_exact(spec.dtype):
            return uniform_filter_bytes(spec.shape, spec.dtype, self.size, 2)
        return std_filter_bytes(spec.shape, self.size)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the standard deviations around ``block[core]`` into `out`."""
        deviate = integer_std_filter if self._is_exact(block.dtype) else std_filter
        deviate(block, core, out, self.size, self.mode, self.cval)
