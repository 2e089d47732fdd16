"""An op with weights of one's own."""

from functools import cached_property
from pathlib import Path

import numpy as np

from hoaconv.engine.contract import Core
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.convolve import Taps, convolve, convolve_bytes, taps_of
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.files import FromFile, Numbers, file_of, unreadable
from hoaconv.ops.kinds import FINITE
from hoaconv.ops.parameters import param

__all__ = ["Convolve"]


@op("convolve", example="convolve kernel.npy")
class Convolve(FromFile):
    """Convolve with the array in a file; the dtype stays.

    As scipy.ndimage.convolve, which mirrors the array, but integers are rounded half to even and
    saturated where scipy cuts their fractions off and wraps; to keep signs and fractions, cast to
    float32 first. A weight of 0 takes no time, and no NaN from its voxel. The file is read once,
    when the op is put into a chain.
    """

    weights: str = param(file_of(".npy"), "numbers along z, y, x, or along y, x")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", default="reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", default=0.0)

    @cached_property
    def _taps(self) -> Taps:
        return taps_of(self.content.array)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the array (z, y, x). Raises PlanError before the op is resolved."""
        return self._taps.radii

    def work(self, spec: Spec) -> int:
        """A row for each of the array's, and the weights."""
        return convolve_bytes(spec.shape, spec.dtype, self._taps) + len(self.content.data)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Convolve ``block[core]`` into `out`."""
        convolve(block, core, out, self._taps, self.mode, self.cval)

    def read(self) -> Numbers:
        """Read the weights (z, y, x)."""
        file = Path(self.weights)
        try:
            found = np.asarray(np.load(file, allow_pickle=False))
        except (OSError, ValueError) as error:
            raise unreadable("convolve", file, "an array", error) from error
        if found.ndim not in (2, 3) or found.size == 0 or found.dtype.kind not in "uif":
            raise SpellingError(
                f"convolve: {file} should hold numbers along z, y, x, or along y, x, "
                f"not {found.shape} {found.dtype}"
            )
        if not np.isfinite(found).all():
            raise SpellingError(
                f"convolve: {file} should hold finite numbers, but some are NaN or infinite"
            )
        return Numbers.of(np.array(found, np.float64, ndmin=3))
