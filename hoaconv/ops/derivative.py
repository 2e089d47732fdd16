"""Ops that tell how voxels change in space.

Their range differs from the input's, so they give float32; of float64 float64.
"""

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.gaussian import Weights, gaussian_radius, gaussian_weights
from hoaconv.kernels.gradient import (
    ALL_AXES,
    derivative_weights,
    gradient,
    gradient_bytes,
    laplace,
)
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE, POSITIVE, SIGMAS, Triple, choice
from hoaconv.ops.parameters import Declared, param

__all__ = ["Derived", "GradientMagnitude", "Laplace", "Sobel", "check_derivable"]

Sigmas = tuple[float, float, float]


def check_derivable(word: str, name: str, sigmas: Sigmas, truncate: float) -> None:
    """Raise SpellingError if a gaussian cut at `truncate` sigmas is one voxel along an axis."""
    if not all(gaussian_radius(sigma, truncate) > 0 for sigma in sigmas):
        raise SpellingError(
            f"{word}: {name} should be above {0.5 / truncate:g}, not {SIGMAS.spell(sigmas)}"
        )


class Derived(Op):
    """An op whose result is float."""

    def infer(self, spec: Spec) -> Spec:
        """The same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))


@op("laplace")
class Laplace(Declared, Derived):
    """Add the second differences along z, y and x, as scipy.ndimage.laplace: float32."""

    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", default="reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", default=0.0)

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
        """Smoothing and deriving weights for z, y, x; the axis, or ALL_AXES."""

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


@op("gradient-magnitude", example="gradient-magnitude 1")
class GradientMagnitude(_Gradient):
    """Compute the length of the gradient of gaussian-smoothed voxels: float32.

    As scipy.ndimage.gaussian_gradient_magnitude.
    """

    sigma: Triple[float] = param(SIGMAS, "standard deviation of the gaussian in voxels")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", default="reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", default=0.0)
    truncate: float = param(POSITIVE, "how many sigmas the weights reach", default=4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_derivable(self.word, "sigma", self.sigma, self.truncate)

    @property
    def halo(self) -> tuple[int, int, int]:
        """How far the weights reach (z, y, x)."""
        z, y, x = (gaussian_radius(sigma, self.truncate) for sigma in self.sigma)
        return (z, y, x)

    @property
    def ends(self) -> tuple[str, float]:
        """As given."""
        return self.mode, self.cval

    def weights(self) -> tuple[Weights, Weights, int]:
        """Of the gaussian and of its derivative."""
        z, y, x = (gaussian_weights(sigma, self.truncate) for sigma in self.sigma)
        dz, dy, dx = (
            derivative_weights(sigma, smoothing)
            for sigma, smoothing in zip(self.sigma, (z, y, x), strict=True)
        )
        return (z, y, x), (dz, dy, dx), ALL_AXES


@op("sobel")
class Sobel(_Gradient):
    """Compute the length of Sobel's gradient, or its part along one axis: float32.

    Along an axis as scipy.ndimage.sobel, whose other axes are smoothed by 1, 2, 1. With
    mode=constant there are zeros beyond the ends.
    """

    axis: str = param(
        choice("all", "z", "y", "x"), "part of the gradient; all is its length", default="all"
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", default="reflect")

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
        axis = ALL_AXES if self.axis == "all" else "zyx".index(self.axis)
        return (smoothing,) * 3, (deriving,) * 3, axis
