"""Ops that subtract smoothed voxels."""

from dataclasses import replace

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.gaussian import gaussian_radius, gaussian_weights
from hoaconv.kernels.rounding import compute_dtype
from hoaconv.kernels.separable import convolve_separable, convolve_separable_bytes
from hoaconv.kernels.sharpen import sharpen
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE, POSITIVE, SIGMAS, Triple, or_word
from hoaconv.ops.parameters import Declared, param

__all__ = ["HIGH_SIGMA", "DifferenceOfGaussians", "Unsharp"]

Sigmas = tuple[float, float, float]

HIGH_SIGMA = or_word(SIGMAS, "auto", f"auto, {SIGMAS.name}")


class _Smoothing(Declared, Op):
    """An op that subtracts smoothed planes."""

    mode: str
    cval: float
    truncate: float

    def _reach(self, sigmas: Sigmas) -> tuple[int, int, int]:
        z, y, x = (gaussian_radius(sigma, self.truncate) for sigma in sigmas)
        return (z, y, x)

    def _smooth(self, block: Slab, core: Core, sigmas: Sigmas, out: Slab) -> None:
        z, y, x = (gaussian_weights(sigma, self.truncate) for sigma in sigmas)
        convolve_separable(block, core, out, (z, y, x), self.mode, self.cval)

    def work(self, spec: Spec) -> int:
        """Return the bytes that smoothing allocates, and those of two smoothed planes."""
        planes = 2 * spec.shape[1] * spec.shape[2] * compute_dtype(spec.dtype).itemsize
        return convolve_separable_bytes(spec.shape, spec.dtype, self.halo) + planes


@op("dog", example="dog 1")
class DifferenceOfGaussians(_Smoothing):
    """Subtract a wide Gaussian from a narrow one (difference of Gaussians): float32.

    This is skimage.filters.difference_of_gaussians, except that integers aren't scaled to 0..1
    first, and that the default mode is reflect. The result of float64 is float64.

    Examples
    --------
    >>> edge = np.array([[[0, 0, 0, 90, 90, 90]]], "uint8")
    >>> ops.dog(edge, (0, 0, 1)).compute().round(1)
    array([[[ -5.8, -10.2,  -6.8,   6.8,  10.2,   5.8]]], dtype=float32)
    """

    low_sigma: Triple[float] = param(SIGMAS, "standard deviation of the narrow Gaussian in voxels")
    high_sigma: float | str | tuple[float, float, float] = param(
        HIGH_SIGMA,
        "standard deviation of the wide Gaussian; auto is 1.6 times low_sigma",
        default="auto",
    )
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)
    truncate: float = param(POSITIVE, "radius of the weights in sigmas", default=4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self._sigmas
        pairs = list(zip(low, high, strict=True))
        if any(h < n for n, h in pairs) or low == high:
            raise SpellingError(
                f"dog: high_sigma should be above low_sigma, but they are "
                f"{SIGMAS.spell(high)} and {SIGMAS.spell(low)}"
            )

    @property
    def _sigmas(self) -> tuple[Sigmas, Sigmas]:
        z, y, x = self.low_sigma
        wide = (1.6 * z, 1.6 * y, 1.6 * x)
        return self.low_sigma, self.high_sigma if isinstance(self.high_sigma, tuple) else wide

    @property
    def halo(self) -> tuple[int, int, int]:
        """Radius of the wide Gaussian's weights (z, y, x)."""
        return self._reach(self._sigmas[1])

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the differences at ``block[core]`` into `out`."""
        both = np.empty((2, 1, *out.shape[1:]), compute_dtype(block.dtype))
        with np.errstate(invalid="ignore", over="ignore"):
            for z, plane in zip(range(*core[0].indices(len(block))), out, strict=True):
                for sigmas, made in zip(self._sigmas, both, strict=True):
                    self._smooth(block, (slice(z, z + 1), *core[1:]), sigmas, made)
                np.subtract(both[0], both[1], out=both[0])
                plane[...] = both[0, 0]


@op("unsharp", example="unsharp 1")
class Unsharp(_Smoothing):
    """Sharpen by unsharp masking: add the difference to the smoothed volume; the dtype stays.

    The result is ``v + amount * (v - gaussian(v))``, as by skimage.filters.unsharp_mask with
    preserve_range and radius=sigma. Integer results are rounded half to even and saturated.

    Examples
    --------
    >>> ops.unsharp(np.array([[[50, 50, 50, 90, 90, 90]]], "uint8"), (0, 0, 1)).compute()
    array([[[ 50,  48,  38, 102,  92,  90]]], dtype=uint8)
    """

    sigma: Triple[float] = param(SIGMAS, "standard deviation of the Gaussian in voxels")
    amount: float = param(FINITE, "factor of the difference", default=1.0)
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)
    truncate: float = param(POSITIVE, "radius of the weights in sigmas", default=4.0)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Radius of the weights (z, y, x)."""
        return self._reach(self.sigma)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Sharpen ``block[core]`` into `out`."""
        smoothed = np.empty((1, *out.shape[1:]), compute_dtype(block.dtype))
        for z, plane in zip(range(*core[0].indices(len(block))), out, strict=True):
            self._smooth(block, (slice(z, z + 1), *core[1:]), self.sigma, smoothed)
            sharpen(block[z][core[1:]], smoothed[0], self.amount, plane)
