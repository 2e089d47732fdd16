"""Edges and fibres: smoothing that keeps edges, edge detection, orientation."""

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.bilateral import bilateral_filter, bilateral_filter_bytes
from hoaconv.kernels.gaussian import derivative_weights, gaussian_radius, gaussian_weights
from hoaconv.kernels.non_max_suppression import suppress_non_maxima, suppress_non_maxima_bytes
from hoaconv.kernels.structure_tensor import OUTPUTS, structure_tensor, structure_tensor_bytes
from hoaconv.kernels.types import Weights
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.derivative import Derived, check_derivable
from hoaconv.ops.kinds import FINITE, NUMBER, POSITIVE, SIGMAS, Triple, bounded, choice
from hoaconv.ops.parameters import Declared, param

__all__ = ["Bilateral", "NonMaxSuppression", "StructureTensor"]

Sigmas = tuple[float, float, float]
Radii = tuple[int, int, int]


def _radii(sigma: Sigmas, truncate: float) -> Radii:
    z, y, x = (gaussian_radius(one, truncate) for one in sigma)
    return z, y, x


def _weights(sigma: Sigmas, truncate: float) -> Weights:
    z, y, x = (gaussian_weights(one, truncate) for one in sigma)
    return z, y, x


def _deriving(sigma: Sigmas, smoothing: Weights) -> Weights:
    """Return the weights of the Gaussian's derivative, from those of the Gaussian."""
    z, y, x = (derivative_weights(*pair) for pair in zip(sigma, smoothing, strict=True))
    return z, y, x


@op("bilateral", example="bilateral 1.5 300")
class Bilateral(Declared, Op):
    """Smooth and keep edges: the more a voxel's grey value differs, the less it counts.

    The result is a weighted mean of the voxels in a box, whose radius is `truncate` sigmas. The
    weight of a voxel is the product of exp(-d**2 / (2 sigma**2)) for its distance d along each
    axis, and of exp(-c**2 / (2 sigma_color**2)) for its difference c in grey value (Tomasi and
    Manduchi, ICCV 1998). The dtype stays; integer results are rounded half to even and saturated.
    NaN spreads as far as the box reaches. An infinite voxel stays, and has no weight for finite
    voxels; it becomes NaN if its box holds another infinite voxel of its sign. The time grows with
    the box: truncate=2 takes about a quarter of the time of truncate=3.

    Examples
    --------
    >>> ops.bilateral(np.array([[[10, 14, 90, 94]]], "uint8"), (0, 0, 1), 20).compute()
    array([[[11, 12, 92, 93]]], dtype=uint8)
    """

    sigma: Triple[float] = param(
        SIGMAS, "standard deviation of distances in voxels; 0 for an axis that isn't smoothed"
    )
    sigma_color: float = param(POSITIVE, "standard deviation of grey-value differences")
    truncate: float = param(bounded(NUMBER, 0), "radius of the box in sigmas", default=3.0)
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(
        FINITE, "value beyond the ends, for mode=constant; rounded and saturated", default=0.0
    )

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the box (z, y, x)."""
        return _radii(self.sigma, self.truncate)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Return True if the box is one voxel."""
        return self.halo == (0, 0, 0)

    def work(self, spec: Spec) -> int:
        """Return the bytes of a few rows."""
        return bilateral_filter_bytes(spec.shape, spec.dtype, self.halo)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Smooth ``block[core]`` into `out`."""
        z, y, x = (half / half[0] for half in _weights(self.sigma, self.truncate))
        bilateral_filter(block, core, out, (z, y, x), self.sigma_color, self.mode, self.cval)


@op("non-max-suppression", example="non-max-suppression 1.5")
class NonMaxSuppression(Declared, Derived):
    """Thin edges to one voxel: keep the gradient's length at its maximum across an edge, else 0.

    This is the thinning step of Canny's edge detector (IEEE Trans. Pattern Analysis and Machine
    Intelligence 8, 1986) in three dimensions. The gradient is that of `gradient-magnitude`, so the
    input is the image itself, not its edges. A voxel keeps the length of its gradient if the length
    is no greater at two points: those where the line along the gradient meets the surface of the
    cube through the centres of the 26 neighbours. Lengths at these points are interpolated
    linearly. If several voxels along the gradient have the same length, the darkest is kept; on an
    even slope, rounding decides which ones have the same length.

    A `threshold` after this op keeps the strong edges. With mode=constant the voxels beyond the
    ends are 0. NaN spreads one voxel further than the weights reach. The result is float32; for
    float64 it is float64.

    Examples
    --------
    >>> edge = np.array([[[0, 0, 0, 40, 90, 90, 90]]], "uint8")
    >>> ops.non_max_suppression(edge, 0.5).compute().round(1)
    array([[[ 0. ,  0. ,  0. , 38.5,  0. ,  0. ,  0. ]]], dtype=float32)
    """

    sigma: Triple[float] = param(SIGMAS, "standard deviation in voxels of the gradient's Gaussian")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    truncate: float = param(POSITIVE, "radius of the weights in sigmas", default=4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_derivable(self.word, "sigma", self.sigma, self.truncate)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Radius of the weights, plus one voxel (z, y, x)."""
        z, y, x = _radii(self.sigma, self.truncate)
        return (z + 1, y + 1, x + 1)

    def work(self, spec: Spec) -> int:
        """Return the bytes of rows of the gradient, of all planes."""
        return suppress_non_maxima_bytes(spec.shape, spec.dtype, _radii(self.sigma, self.truncate))

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the thin edges in ``block[core]`` into `out`."""
        smoothing = _weights(self.sigma, self.truncate)
        deriving = _deriving(self.sigma, smoothing)
        suppress_non_maxima(block, core, out, smoothing, deriving, self.mode)


@op("structure-tensor", example="structure-tensor 2")
class StructureTensor(Declared, Derived):
    """Measure the strength or the direction of orientation (structure tensor): float32.

    The structure tensor of a voxel consists of the products of the components of the gradient,
    which is that of a Gaussian of `gradient_sigma`. The products are smoothed by a Gaussian of
    `sigma`, as by scipy.ndimage.gaussian_filter. The eigenvalues of the tensor are l1 >= l2 >= l3.

    `coherence` is (l1 - l3) / (l1 + l3), the coherency of Jaehne, Digital Image Processing, of the
    extreme eigenvalues. It is 0 where grey values are constant, or change alike in all directions.
    It is 1 where grey values change, but are constant along at least one direction.

    A fibre runs along the eigenvector of l3 (Krause et al., IEEE Trans. Image Processing 19, 2010),
    taken with x >= 0. `azimuth` is its angle in the yx plane, from x towards y. `elevation` is its
    angle to this plane, towards greater z. Both are degrees in -90..90, and 0 where l2 equals l3.

    The op assumes that voxels are cubes. With mode=constant the voxels beyond the ends are 0. NaN
    spreads as far as the weights reach. So do float32 voxels whose squared differences exceed the
    range of float32. Memory and time grow with `sigma` along z. The result of float64 is float64.

    Examples
    --------
    >>> fibre = np.zeros((9, 9, 9), "uint8")
    >>> fibre[4, 4] = 255  # along x
    >>> ops.structure_tensor(fibre, 1)[4, 4, 4].round(2).item()
    1.0
    >>> ops.structure_tensor(fibre, 1, "elevation")[4, 4, 4].item()
    0.0
    """

    sigma: Triple[float] = param(
        SIGMAS, "standard deviation in voxels of the Gaussian that smooths products"
    )
    output: str = param(choice(*OUTPUTS), "what is computed", default="coherence")
    gradient_sigma: Triple[float] = param(
        SIGMAS, "standard deviation in voxels of the gradient's Gaussian", default=(1.0, 1.0, 1.0)
    )
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    truncate: float = param(POSITIVE, "radius of the weights in sigmas", default=4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_derivable(self.word, "gradient_sigma", self.gradient_sigma, self.truncate)

    @property
    def _reach(self) -> tuple[Radii, Radii]:
        return _radii(self.gradient_sigma, self.truncate), _radii(self.sigma, self.truncate)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Radius of both gaussians' weights together (z, y, x)."""
        inner, outer = self._reach
        z, y, x = (a + b for a, b in zip(inner, outer, strict=True))
        return (z, y, x)

    def work(self, spec: Spec) -> int:
        """Return the bytes of rows of the gradient and its products, as many as weights reach."""
        return structure_tensor_bytes(spec.shape, spec.dtype, *self._reach)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the output for the tensor of ``block[core]`` into `out`."""
        inner = _weights(self.gradient_sigma, self.truncate)
        deriving = _deriving(self.gradient_sigma, inner)
        outer = _weights(self.sigma, self.truncate)
        structure_tensor(block, core, out, inner, deriving, outer, self.output, self.mode)
