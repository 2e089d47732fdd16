"""Ops on edges and fibres: where they are, which way they run, and smoothing that keeps them."""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.bilateral import bilateral_filter, bilateral_filter_bytes
from hoaconv.kernels.gaussian import derivative_weights, gaussian_radius, gaussian_weights
from hoaconv.kernels.non_max_suppression import suppress_non_maxima, suppress_non_maxima_bytes
from hoaconv.kernels.structure_tensor import OUTPUTS, structure_tensor, structure_tensor_bytes
from hoaconv.kernels.types import Weights
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import FINITE, NUMBER, PER_AXIS, Declared, choice, param, register
from hoaconv.ops.derivative import Derived, check_derivable

__all__ = ["Bilateral", "NonMaxSuppression", "StructureTensor"]

Sigmas = tuple[float, float, float]
Radii = tuple[int, int, int]


def _each(sigma: float | Sigmas) -> Sigmas:
    return sigma if isinstance(sigma, tuple) else (sigma,) * 3


def _radii(sigma: float | Sigmas, truncate: float) -> Radii:
    z, y, x = (gaussian_radius(one, truncate) for one in _each(sigma))
    return z, y, x


def _weights(sigma: float | Sigmas, truncate: float) -> Weights:
    z, y, x = (gaussian_weights(one, truncate) for one in _each(sigma))
    return z, y, x


def _deriving(sigma: float | Sigmas, smoothing: Weights) -> Weights:
    """Weights of the gaussian's derivative, from the gaussian's own."""
    z, y, x = (derivative_weights(*pair) for pair in zip(_each(sigma), smoothing, strict=True))
    return z, y, x


def _check_sigma(word: str, sigma: float | Sigmas) -> None:
    """Raise SpellingError if some axis can't be smoothed."""
    if not all(isfinite(one) and one >= 0 for one in _each(sigma)):
        raise SpellingError(f"{word}: sigma should be 0 or more, not {PER_AXIS.spell(sigma)}")


@register("bilateral 1.5 300")
@dataclass(frozen=True)
class Bilateral(Declared, Op):
    """Smooth and keep edges: a voxel counts less the more its grey value differs.

    The mean of the box within `truncate` sigmas, where a voxel at distance d along an axis counts
    exp(-d**2 / (2 sigma**2)) for each axis, times exp(-c**2 / (2 sigma_color**2)) if its grey
    value differs by c (Tomasi & Manduchi, ICCV 1998). The dtype stays; integers are rounded half to
    even and saturated. NaN spreads as far as the box reaches. An infinite voxel stays and doesn't
    count for finite ones; within reach of another of its sign it becomes NaN. Time grows with the
    box: with truncate=2 it takes about a quarter of that with 3.
    """

    word: ClassVar[str] = "bilateral"

    sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation of distances in voxels; 0 leaves an axis alone"
    )
    sigma_color: float = param(FINITE, "standard deviation of grey values that count as alike")
    truncate: float = param(NUMBER, "how many sigmas the box reaches", 3.0)
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant; rounded and saturated", 0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_sigma(self.word, self.sigma)
        if not isfinite(self.truncate) or self.truncate < 0:
            raise SpellingError(f"bilateral: truncate should be 0 or more, not {self.truncate}")
        if self.sigma_color <= 0:
            raise SpellingError(f"bilateral: sigma_color should be above 0, not {self.sigma_color}")

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the box (z, y, x)."""
        return _radii(self.sigma, self.truncate)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Whether the box is a voxel."""
        return self.halo == (0, 0, 0)

    def work(self, spec: Spec) -> int:
        """A few rows."""
        return bilateral_filter_bytes(spec.shape, spec.dtype, self.halo)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Smooth ``block[core]`` into `out`."""
        z, y, x = (half / half[0] for half in _weights(self.sigma, self.truncate))
        bilateral_filter(block, core, out, (z, y, x), self.sigma_color, self.mode, self.cval)


@register("non-max-suppression 1.5")
@dataclass(frozen=True)
class NonMaxSuppression(Declared, Derived):
    """Thin edges to one voxel: the gradient's length at its maximum across an edge, else 0.

    The step of Canny (IEEE Trans. Pattern Analysis and Machine Intelligence 8, 1986) that thins
    edges, in three dimensions. The gradient is that of `gradient-magnitude`, so the input is the
    image, not its edges. A voxel keeps its length if none is greater at the two points where the
    gradient's direction meets the surface of the 3 x 3 x 3 voxels around it; lengths there are
    interpolated linearly. Of voxels alike along the gradient the darkest is kept, but on an even
    slope rounding decides which are. A `threshold` after it leaves the strong edges. With
    mode=constant there are zeros beyond the ends. NaN spreads as far as the weights reach and a
    voxel further. The result is float32; of float64 float64.
    """

    word: ClassVar[str] = "non-max-suppression"

    sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation in voxels of the gradient's gaussian"
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    truncate: float = param(NUMBER, "how many sigmas the weights reach", 4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_derivable(self.word, "sigma", _each(self.sigma), self.truncate)

    @property
    def halo(self) -> tuple[int, int, int]:
        """How far the weights reach, and the next voxels (z, y, x)."""
        z, y, x = _radii(self.sigma, self.truncate)
        return (z + 1, y + 1, x + 1)

    def work(self, spec: Spec) -> int:
        """Rows of the gradient, of all planes."""
        return suppress_non_maxima_bytes(spec.shape, spec.dtype, _radii(self.sigma, self.truncate))

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the thin edges in ``block[core]`` into `out`."""
        smoothing = _weights(self.sigma, self.truncate)
        deriving = _deriving(self.sigma, smoothing)
        suppress_non_maxima(block, core, out, smoothing, deriving, self.mode)


@register("structure-tensor 2")
@dataclass(frozen=True)
class StructureTensor(Declared, Derived):
    """Measure how strongly grey values have a direction, or which way fibres run: float32.

    The gradient is that of a gaussian of `gradient_sigma`; its products are smoothed by one of
    `sigma`, as with scipy.ndimage.gaussian_filter step by step; this gives a tensor with
    eigenvalues l1 >= l2 >= l3 at each voxel. `coherence` is (l1 - l3) / (l1 + l3), the coherency
    of Jaehne, Digital Image Processing, between the extremes: 0 where grey values change alike
    in all directions, or nowhere, 1 where along one they don't. A fibre runs along the
    eigenvector of l3 (Krause et al., IEEE Trans. Image Processing 19, 2010), taken with x >= 0:
    `azimuth` is its angle in the yx plane from x towards y, `elevation` its angle to that plane
    towards greater z, in degrees of -90..90, both 0 where l2 and l3 are alike. Voxels count as
    cubes. With mode=constant there are zeros beyond the ends. NaN spreads as far as the weights
    reach, as do float32 voxels whose squared differences float32 can't hold. Memory and time
    grow with `sigma` along z.
    """

    word: ClassVar[str] = "structure-tensor"

    sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation in voxels of what smooths the products"
    )
    output: str = param(choice(*OUTPUTS), "what is told of a voxel", "coherence")
    gradient_sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation in voxels of the gradient's gaussian", (1.0, 1.0, 1.0)
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    truncate: float = param(NUMBER, "how many sigmas the weights reach", 4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        inner = _each(self.gradient_sigma)
        check_derivable(self.word, "gradient_sigma", inner, self.truncate)
        _check_sigma(self.word, self.sigma)

    @property
    def _reach(self) -> tuple[Radii, Radii]:
        return _radii(self.gradient_sigma, self.truncate), _radii(self.sigma, self.truncate)

    @property
    def halo(self) -> tuple[int, int, int]:
        """How far both gaussians' weights reach (z, y, x)."""
        inner, outer = self._reach
        z, y, x = (a + b for a, b in zip(inner, outer, strict=True))
        return (z, y, x)

    def work(self, spec: Spec) -> int:
        """Rows of the gradient and its products, of all planes, as many as the weights reach."""
        return structure_tensor_bytes(spec.shape, spec.dtype, *self._reach)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write what the tensor of ``block[core]`` tells into `out`."""
        inner = _weights(self.gradient_sigma, self.truncate)
        deriving = _deriving(self.gradient_sigma, inner)
        outer = _weights(self.sigma, self.truncate)
        structure_tensor(block, core, out, inner, deriving, outer, self.output, self.mode)
