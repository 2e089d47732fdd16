"""Ops that smooth."""

from dataclasses import dataclass, replace
from math import hypot, isfinite
from typing import ClassVar

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.gaussian import gaussian_radius, gaussian_weights
from hoaconv.kernels.separable import convolve_separable, convolve_separable_bytes
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import NUMBER, PER_AXIS, Declared, param, register

__all__ = ["Gaussian"]


@register("gaussian 1.5")
@dataclass(frozen=True)
class Gaussian(Declared, Op):
    """Smooth with a gaussian.

    As scipy.ndimage.gaussian_filter, but integers are rounded half to even and saturated.
    """

    word: ClassVar[str] = "gaussian"

    sigma: float | tuple[float, float, float] = param(
        PER_AXIS, "standard deviation in voxels; 0 leaves an axis alone"
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(NUMBER, "the value there, for mode=constant", 0.0)
    truncate: float = param(NUMBER, "how many sigmas the weights reach", 4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isfinite(s) and s >= 0 for s in self._sigmas):
            raise SpellingError(
                f"gaussian: sigma should be 0 or more, not {PER_AXIS.spell(self.sigma)}"
            )
        if not isfinite(self.truncate) or self.truncate < 0:
            raise SpellingError(f"gaussian: truncate should be 0 or more, not {self.truncate}")
        if not isfinite(self.cval):
            raise SpellingError(f"gaussian: cval should be finite, not {self.cval}")

    @property
    def _sigmas(self) -> tuple[float, float, float]:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma,) * 3

    @property
    def halo(self) -> tuple[int, int, int]:
        """How far the weights reach (z, y, x)."""
        z, y, x = (gaussian_radius(sigma, self.truncate) for sigma in self._sigmas)
        return (z, y, x)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Whether no axis is smoothed."""
        return self.halo == (0, 0, 0)

    def after(self, before: Op) -> "Gaussian | None":
        """One gaussian for two: variances add.

        With sigmas of at least 1, truncated at 4 of them, and mirror images beyond the ends, the
        two ways differ by less than 3e-4 of the data's range (half the kernels' L1 distance, on
        three axes), and by the rounding between them.
        """
        if not isinstance(before, Gaussian):
            return None
        alike = (before.mode, before.truncate) == (self.mode, self.truncate)
        pairs = list(zip(before._sigmas, self._sigmas, strict=True))
        fine = all(s == 0 or s >= 1 for pair in pairs for s in pair)
        if not alike or not fine or self.mode not in ("reflect", "mirror") or self.truncate < 4:
            return None
        z, y, x = (hypot(*pair) for pair in pairs)
        return replace(self, sigma=(z, y, x))

    def work(self, spec: Spec) -> int:
        """Rows already smoothed along z, as many as the weights reach over, and a few more."""
        return convolve_separable_bytes(spec.shape, spec.dtype, self.halo)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Smooth ``block[core]`` into `out`."""
        z, y, x = (gaussian_weights(sigma, self.truncate) for sigma in self._sigmas)
        convolve_separable(block, core, out, (z, y, x), self.mode, self.cval)
