"""Ops that take smoothed voxels from others."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, ClassVar

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
from hoaconv.ops.declare import FINITE, NUMBER, PER_AXIS, Declared, Kind, param, register

__all__ = ["HIGH_SIGMA", "DifferenceOfGaussians", "Unsharp"]

Sigmas = tuple[float, float, float]


def _high_sigma(value: Any) -> Any:
    if value == "auto":
        return value
    try:
        return PER_AXIS.accept(value)
    except ValueError as expected:
        raise ValueError(f"auto, or {expected}") from None


HIGH_SIGMA = Kind(
    f"auto, {PER_AXIS.name}",
    _high_sigma,
    lambda value: value if value == "auto" else PER_AXIS.spell(value),
)


class _Smoothing(Declared, Op):
    """An op that needs smoothed planes."""

    mode: str
    cval: float
    truncate: float

    def _check(self, name: str, sigmas: Sigmas) -> None:
        if not isfinite(self.truncate) or self.truncate <= 0:
            raise SpellingError(f"{self.word}: truncate should be above 0, not {self.truncate}")
        if not all(isfinite(sigma) and sigma >= 0 for sigma in sigmas):
            raise SpellingError(
                f"{self.word}: {name} should be 0 or more, not {PER_AXIS.spell(sigmas)}"
            )

    def _reach(self, sigmas: Sigmas) -> tuple[int, int, int]:
        z, y, x = (gaussian_radius(sigma, self.truncate) for sigma in sigmas)
        return (z, y, x)

    def _smooth(self, block: Slab, core: Core, sigmas: Sigmas, out: Slab) -> None:
        z, y, x = (gaussian_weights(sigma, self.truncate) for sigma in sigmas)
        convolve_separable(block, core, out, (z, y, x), self.mode, self.cval)

    def work(self, spec: Spec) -> int:
        """What smoothing takes, and two smoothed planes."""
        planes = 2 * spec.shape[1] * spec.shape[2] * compute_dtype(spec.dtype).itemsize
        return convolve_separable_bytes(spec.shape, spec.dtype, self.halo) + planes


@register("dog 1")
@dataclass(frozen=True)
class DifferenceOfGaussians(_Smoothing):
    """Subtract a wide gaussian from a narrow one (difference of Gaussians): float32.

    As skimage.filters.difference_of_gaussians, but integers aren't brought into 0..1 first, and
    the default mode is that of the other ops. Of float64, float64.
    """

    word: ClassVar[str] = "dog"

    low_sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation of the narrow one in voxels"
    )
    high_sigma: float | str | tuple[float, float, float] = param(
        HIGH_SIGMA, "of the wide one; auto is 1.6 times low_sigma", "auto"
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", 0.0)
    truncate: float = param(NUMBER, "how many sigmas the weights reach", 4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self._sigmas
        self._check("low_sigma", low)
        self._check("high_sigma", high)
        pairs = list(zip(low, high, strict=True))
        if any(h < n for n, h in pairs) or low == high:
            raise SpellingError(
                f"dog: high_sigma should be above low_sigma, but they are "
                f"{PER_AXIS.spell(high)} and {PER_AXIS.spell(low)}"
            )

    @property
    def _sigmas(self) -> tuple[Sigmas, Sigmas]:
        z, y, x = self.low_sigma if isinstance(self.low_sigma, tuple) else (self.low_sigma,) * 3
        wide = (1.6 * z, 1.6 * y, 1.6 * x)
        return (z, y, x), self.high_sigma if isinstance(self.high_sigma, tuple) else wide

    @property
    def halo(self) -> tuple[int, int, int]:
        """How far the wide one's weights reach (z, y, x)."""
        return self._reach(self._sigmas[1])

    def infer(self, spec: Spec) -> Spec:
        """The same shape as float32; float64 stays."""
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


@register("unsharp 1")
@dataclass(frozen=True)
class Unsharp(_Smoothing):
    """Sharpen by unsharp masking: add the difference to a gaussian; the dtype stays.

    ``v + amount * (v - gaussian(v))``, as skimage.filters.unsharp_mask, whose radius is sigma,
    with preserve_range. Integers are rounded half to even and saturated.
    """

    word: ClassVar[str] = "unsharp"

    sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation of the gaussian in voxels"
    )
    amount: float = param(FINITE, "how much of it is added", 1.0)
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", 0.0)
    truncate: float = param(NUMBER, "how many sigmas the weights reach", 4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("sigma", self._sigmas)

    @property
    def _sigmas(self) -> Sigmas:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma,) * 3

    @property
    def halo(self) -> tuple[int, int, int]:
        """How far the weights reach (z, y, x)."""
        return self._reach(self._sigmas)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Sharpen ``block[core]`` into `out`."""
        smoothed = np.empty((1, *out.shape[1:]), compute_dtype(block.dtype))
        for z, plane in zip(range(*core[0].indices(len(block))), out, strict=True):
            self._smooth(block, (slice(z, z + 1), *core[1:]), self._sigmas, smoothed)
            sharpen(block[z][core[1:]], smoothed[0], self.amount, plane)
