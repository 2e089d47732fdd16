"""Derivatives of the grey values.

The result is float32; float64 for an input of float64.
"""

from abc import abstractmethod
from dataclasses import replace
from typing import Any

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
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE, POSITIVE, SIGMAS, Triple, choice
from hoaconv.ops.parameters import Declared, param

__all__ = ["Derived", "GradientMagnitude", "Laplace", "Sobel", "check_derivable"]

Sigmas = tuple[float, float, float]


def check_derivable(word: str, name: str, sigmas: Sigmas, truncate: float) -> None:
    """Raise SpellingError if a Gaussian cut at `truncate` sigmas is one voxel along an axis."""
    if not all(gaussian_radius(sigma, truncate) > 0 for sigma in sigmas):
        raise SpellingError(
            f"{word}: {name} should be above {0.5 / truncate:g}, not {SIGMAS.spell(sigmas)}"
        )


class Derived(Op):
    """An op whose result is real-valued."""

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))


@op("laplace")
class Laplace(Declared, Derived):
    """Compute the Laplacian, the sum of the second differences along z, y and x: float32.

    The result is that of scipy.ndimage.laplace; for float64 it is float64. A second difference is
    ``v[i - 1] - 2 * v[i] + v[i + 1]``, in grey values per squared voxel.

    Examples
    --------
    >>> ops.laplace(np.array([[[0, 0, 1, 0, 0]]], "uint8")).compute()
    array([[[ 0.,  1., -2.,  1.,  0.]]], dtype=float32)
    """

    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)

    @property
    def halo(self) -> tuple[int, int, int]:
        """One voxel (z, y, x)."""
        return (1, 1, 1)

    def work(self, spec: Spec) -> int:
        """Return the bytes of a row, and of the indices of rows."""
        return 8 * spec.shape[2] + 40 * (spec.shape[0] + spec.shape[1] + 8)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the Laplacian of ``block[core]`` into `out`."""
        laplace(block, core, out, self.mode, self.cval)


class _Gradient(Declared, Derived):
    """A gradient by symmetric and antisymmetric weights."""

    @abstractmethod
    def weights(self) -> tuple[Weights, Weights, int]:
        """Return smoothing and derivative weights for z, y, x, and the axis, or MAGNITUDE."""

    @property
    @abstractmethod
    def ends(self) -> tuple[str, float]:
        """Mode and cval: values beyond the volume's ends."""

    def work(self, spec: Spec) -> int:
        """Return the bytes of two rings of rows, and of a few more rows."""
        return gradient_bytes(spec.shape, spec.dtype, self.halo)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the gradient of ``block[core]`` into `out`."""
        smoothing, deriving, axis = self.weights()
        gradient(block, core, out, smoothing, deriving, axis, *self.ends)


@op("gradient-magnitude", example="gradient-magnitude 1")
class GradientMagnitude(_Gradient):
    """Compute the length of the gradient of Gaussian-smoothed voxels: float32.

    The result is that of scipy.ndimage.gaussian_gradient_magnitude, in grey values per voxel; for
    float64 it is float64. Each sigma must be large enough for a derivative: above 0.125 at
    truncate=4.

    Examples
    --------
    >>> ramp = np.array([[[0, 0, 2, 4, 6, 6]]], "uint8")
    >>> ops.gradient_magnitude(ramp, 0.5).compute().round(1)
    array([[[0. , 0.9, 1.7, 1.7, 0.9, 0. ]]], dtype=float32)
    """

    sigma: Triple[float] = param(SIGMAS, "standard deviation of the Gaussian in voxels")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)
    truncate: float = param(POSITIVE, "radius of the weights in sigmas", default=4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_derivable(self.word, "sigma", self.sigma, self.truncate)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Radius of the weights (z, y, x)."""
        z, y, x = (gaussian_radius(sigma, self.truncate) for sigma in self.sigma)
        return (z, y, x)

    @property
    def ends(self) -> tuple[str, float]:
        """Mode and cval."""
        return self.mode, self.cval

    def weights(self) -> tuple[Weights, Weights, int]:
        """Return the weights of the Gaussian and of its derivative."""
        z, y, x = (gaussian_weights(sigma, self.truncate) for sigma in self.sigma)
        dz, dy, dx = (
            derivative_weights(sigma, smoothing)
            for sigma, smoothing in zip(self.sigma, (z, y, x), strict=True)
        )
        return (z, y, x), (dz, dy, dx), MAGNITUDE


@op("sobel")
class Sobel(_Gradient):
    """Compute the length of Sobel's gradient, or its part along one axis: float32.

    The part along one axis is that of scipy.ndimage.sobel, which smooths the other axes by the
    weights 1, 2, 1. The result of float64 is float64. With mode=constant the voxels beyond the ends
    are 0.

    Examples
    --------
    >>> ops.sobel(np.array([[[0, 0, 1, 1]]], "uint8"), "x").compute()
    array([[[ 0., 16., 16.,  0.]]], dtype=float32)
    """

    axis: str = param(
        choice("all", "z", "y", "x"), "part of the gradient; all is its length", default="all"
    )
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )

    @property
    def halo(self) -> tuple[int, int, int]:
        """One voxel (z, y, x)."""
        return (1, 1, 1)

    @property
    def ends(self) -> tuple[str, float]:
        """Mode, and 0 for mode=constant."""
        return self.mode, 0.0

    def weights(self) -> tuple[Weights, Weights, int]:
        """Return 1, 2, 1 and -1, 0, 1."""
        smoothing: np.ndarray[Any, Any] = np.array([2.0, 1.0])
        deriving: np.ndarray[Any, Any] = np.array([0.0, 1.0])
        axis = MAGNITUDE if self.axis == "all" else "zyx".index(self.axis)
        return (smoothing,) * 3, (deriving,) * 3, axis
