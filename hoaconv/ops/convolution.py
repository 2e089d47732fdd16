"""An op with weights of one's own."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.convolve import Stencil, convolve, convolve_bytes, stencil
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import FINITE, Declared, param, register
from hoaconv.ops.table import file_of, unreadable

__all__ = ["Convolve"]


@register("convolve kernel.npy")
@dataclass(frozen=True)
class Convolve(Declared, Op):
    """Convolve with the array in a file; the dtype stays.

    As scipy.ndimage.convolve, which mirrors the array, but integers are rounded half to even and
    saturated where scipy cuts their fractions off and wraps; to keep signs and fractions, cast to
    float32 first. A weight of 0 takes no time, and no NaN from its voxel. The file is read once,
    when the plan is checked.
    """

    word: ClassVar[str] = "convolve"

    weights: str = param(file_of(".npy"), "numbers along z, y, x, or along y, x")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant", 0.0)

    @cached_property
    def _stencil(self) -> Stencil:
        return stencil(_read(Path(self.weights)))

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the array."""
        return self._stencil.radii

    def infer(self, spec: Spec) -> Spec:
        """The same. Raises PlanError, before the run, if the file holds no weights."""
        _ = self._stencil
        return spec

    def work(self, spec: Spec) -> int:
        """A row for each of the array's, and the weights."""
        return convolve_bytes(spec.shape, spec.dtype, self._stencil)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Convolve ``block[core]`` into `out`."""
        convolve(block, core, out, self._stencil, self.mode, self.cval)


def _read(file: Path) -> np.ndarray[Any, Any]:
    """The weights in a file, as (z, y, x) of float64."""
    try:
        found = np.asarray(np.load(file, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise unreadable("convolve", file, "an array", error) from error
    if found.ndim not in (2, 3) or found.size == 0 or found.dtype.kind not in "uif":
        raise PlanError(
            f"convolve: {file} should hold numbers along z, y, x, or along y, x, "
            f"not {found.shape} {found.dtype}"
        )
    if not np.isfinite(found).all():
        raise PlanError(
            f"convolve: {file} should hold finite numbers, but some are NaN or infinite"
        )
    return np.array(found, np.float64, ndmin=3)
