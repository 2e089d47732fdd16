"""Convolution with weights from a file."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.contract import Core
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.convolve import Stencil, convolve, convolve_bytes, stencil
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.files import FromFile, Numbers, file_of, unreadable
from hoaconv.ops.kinds import FINITE
from hoaconv.ops.parameters import param

__all__ = ["Convolve"]


@op("convolve", example="convolve kernel.npy")
class Convolve(FromFile):
    """Convolve with the array in a file; the dtype stays.

    The array is mirrored, as by scipy.ndimage.convolve. Integer results are rounded half to even
    and saturated, while scipy truncates and wraps them. To keep signs and fractions, cast to
    float32 first. A weight of 0 takes no time, and a NaN under it has no effect. The file is read
    once, when the op is added to a chain.

    Examples
    --------
    >>> np.save("difference.npy", np.array([[[1, 0, -1]]]))
    >>> ops.convolve(np.array([[[0, 0, 3, 3]]], "float32"), "difference.npy").compute()
    array([[[0., 3., 3., 0.]]], dtype=float32)
    """

    weights: str = param(file_of(".npy"), "numbers along z, y, x, or along y, x")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(FINITE, "value beyond the ends, for mode=constant", default=0.0)

    @cached_property
    def _stencil(self) -> Stencil:
        return stencil(self.content.array)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the array (z, y, x). Raises PlanError before the op is resolved."""
        return self._stencil.radii

    def work(self, spec: Spec) -> int:
        """Return the bytes of a row for each row of the weights, and of the weights."""
        return convolve_bytes(spec.shape, spec.dtype, self._stencil) + len(self.content.data)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Convolve ``block[core]`` into `out`."""
        convolve(block, core, out, self._stencil, self.mode, self.cval)

    def read(self) -> Numbers:
        """Read the weights (z, y, x)."""
        file: Any = self.weights
        found = file.array if isinstance(file, Numbers) else _loaded(Path(file))
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


def _loaded(file: Path) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(np.load(file, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise unreadable("convolve", file, "an array", error) from error
