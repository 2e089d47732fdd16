"""Ops that tell how voxels change in space.

Their range differs from the input's, so they give float32; of float64 float64.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.gaussian import derivative_weights, gaussian_radius, gaussian_weights
from hoaconv.kernels.gradient import MAGNITUDE, gradient, gradient_bytes
from hoaconv.kernels.laplace import laplace
from hoaconv.kernels.types import Weights
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import FINITE, NUMBER, PER_AXIS, Declared, choice, param, register

__all__ = ["Derived", "GradientMagnitude", "Laplace", "Sobel", "check_derivable"]

Sigmas = tuple[float, float, float]


def check_derivable(word: str, name: str, sigmas: Sigmas, truncate: float) -> None:
    """Raise SpellingError if weights cut at so many sigmas have no derivative along some axis."""
    if not isfinite(truncate) or truncate <= 0:
        raise SpellingError(f"{word}: truncate should be above 0, not {truncate}")
    if not all(isfinite(sigma) and gaussian_radius(sigma, truncate) > 0 for sigma in sigmas):
        raise SpellingError(
            f"{word}: {name} should be above {0.5 / truncate:g}, not {PER_AXIS.spell(sigmas)}"
        )


class Derived(Op):
    """An op whose result is float."""

    def infer(self, spec: Spec) -> Spec:
        """The same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))


@register("laplace")
@dataclass(frozen=True)
class Laplace(Declared, Derived):
    """Add the second differences along z, y and x, as scipy.ndimage.laplace: float32."""

    word: ClassVar[str] = "laplace"

    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", 0.0)

    @property
    def halo(self) -> tuple[int, int, int]:
        """The next voxels."""
        return (1, 1, 1)

    def work(self, spec: Spec) -> int:
        """A row, and where rows come from."""
        return 8 * spec.shape[2] + 40 * (spec.shape[0] + spec.shape[1] + 8)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the Laplacian of ``block[core]`` into `out`."""
        laplace(block, core, out, self.mode, self.cval)


class _Gradient(Declared, Derived):
    """The gradient from symmetric and antisymmetric weights."""

    @abstractmethod
    def weights(self) -> tuple[Weights, Weights, int]:
        """Smoothing and deriving weights for z, y, x; the axis, or MAGNITUDE."""

    @property
    @abstractmethod
    def ends(self) -> tuple[str, float]:
        """What lies beyond the volume's ends: mode and cval."""

    def work(self, spec: Spec) -> int:
        """Two rings of rows, and a few more rows."""
        return gradient_bytes(spec.shape, spec.dtype, self.halo)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the gradient of ``block[core]`` into `out`."""
        smoothing, deriving, axis = self.weights()
        gradient(block, core, out, smoothing, deriving, axis, *self.ends)


@register("gradient-magnitude 1")
@dataclass(frozen=True)
class GradientMagnitude(_Gradient):
    """Compute the length of the gradient of gaussian-smoothed voxels: float32.

    As scipy.ndimage.gaussian_gradient_magnitude.
    """

    word: ClassVar[str] = "gradient-magnitude"

    sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation of the gaussian in voxels"
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", 0.0)
    truncate: float = param(NUMBER, "how many sigmas the weights reach", 4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_derivable(self.word, "sigma", self._sigmas, self.truncate)

    @property
    def _sigmas(self) -> Sigmas:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma,) * 3

    @property
    def halo(self) -> tuple[int, int, int]:
        """How far the weights reach (z, y, x)."""
        z, y, x = (gaussian_radius(sigma, self.truncate) for sigma in self._sigmas)
        return (z, y, x)

    @property
    def ends(self) -> tuple[str, float]:
        """As given."""
        return self.mode, self.cval

    def weights(self) -> tuple[Weights, Weights, int]:
        """Of the gaussian and of its derivative."""
        z, y, x = (gaussian_weights(sigma, self.truncate) for sigma in self._sigmas)
        dz, dy, dx = (
            derivative_weights(sigma, smoothing)
            for sigma, smoothing in zip(self._sigmas, (z, y, x), strict=True)
        )
        return (z, y, x), (dz, dy, dx), MAGNITUDE


@register("sobel")
@dataclass(frozen=True)
class Sobel(_Gradient):
    """Compute the length of Sobel's gradient, or its part along one axis: float32.

    Along an axis as scipy.ndimage.sobel, whose other axes are smoothed by 1, 2, 1. With
    mode=constant there are zeros beyond the ends.
    """

    word: ClassVar[str] = "sobel"

    axis: str = param(
        choice("all", "z", "y", "x"), "part of the gradient; all is its length", "all"
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")

    @property
    def halo(self) -> tuple[int, int, int]:
        """The next voxels."""
        return (1, 1, 1)

    @property
    def ends(self) -> tuple[str, float]:
        """Zeros for mode=constant."""
        return self.mode, 0.0

    def weights(self) -> tuple[Weights, Weights, int]:
        """1, 2, 1 and -1, 0, 1."""
        smoothing: np.ndarray[Any, Any] = np.array([2.0, 1.0])
        deriving: np.ndarray[Any, Any] = np.array([0.0, 1.0])
        axis = MAGNITUDE if self.axis == "all" else "zyx".index(self.axis)
        return (smoothing,) * 3, (deriving,) * 3, axis
