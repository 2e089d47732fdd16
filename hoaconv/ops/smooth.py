"""Ops that smooth."""

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.gaussian import gaussian_radius, gaussian_weights
from hoaconv.kernels.separable import convolve_separable, convolve_separable_bytes
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE, NUMBER, SIGMAS, Triple, bounded
from hoaconv.ops.parameters import Declared, param

__all__ = ["Gaussian"]


@op("gaussian", example="gaussian 1.5")
class Gaussian(Declared, Op):
    """Smooth by a Gaussian filter; the dtype stays.

    The weights are those of scipy.ndimage.gaussian_filter. Integer results are rounded half to even
    and saturated. Integers of up to 16 bits and float32 are computed in single precision, other
    dtypes in double precision.

    Examples
    --------
    >>> ops.gaussian(np.array([[[0, 0, 100, 0, 0]]], "uint8"), (0, 0, 1)).compute()
    array([[[ 6, 24, 40, 24,  6]]], dtype=uint8)
    >>> hc.open("slices/") | ops.Gaussian(1.5, mode="nearest")
    Volume(8 x 16 x 16 uint16: gaussian 1.5 mode=nearest)
    """

    sigma: Triple[float] = param(
        SIGMAS, "standard deviation in voxels; 0 for an axis that isn't smoothed"
    )
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)
    truncate: float = param(bounded(NUMBER, 0), "radius of the weights in sigmas", default=4.0)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Radius of the weights (z, y, x)."""
        z, y, x = (gaussian_radius(sigma, self.truncate) for sigma in self.sigma)
        return (z, y, x)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Return True if no axis is smoothed."""
        return self.halo == (0, 0, 0)

    def work(self, spec: Spec) -> int:
        """Return the bytes of rows smoothed along z that the weights span, and of a few more."""
        return convolve_separable_bytes(spec.shape, spec.dtype, self.halo)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Smooth ``block[core]`` into `out`."""
        z, y, x = (gaussian_weights(sigma, self.truncate) for sigma in self.sigma)
        convolve_separable(block, core, out, (z, y, x), self.mode, self.cval)
