"""Minimum and maximum of a box around each voxel."""

from typing import ClassVar

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.extrema import box_extremum, box_extremum_bytes
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import abstract_op, op
from hoaconv.ops.kinds import SIZES, VOXEL, Triple
from hoaconv.ops.parameters import Declared, param

__all__ = ["Max", "Min"]


@abstract_op
class _Extreme(Declared, Op):
    """An op that takes the least or the greatest voxel of a box."""

    takes_wide: ClassVar[bool] = True
    greatest: ClassVar[bool]

    size: Triple[int] = param(
        SIZES, "edges of the box in voxels; an even one reaches one voxel further back"
    )
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(VOXEL, "value beyond the ends, for mode=constant", default=0.0)

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the box (z, y, x)."""
        z, y, x = (size // 2 for size in self.size)
        return (z, y, x)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Return True if the box is one voxel."""
        return self.size == (1, 1, 1)

    def work(self, spec: Spec) -> int:
        """Return the bytes of rows of all planes, as many as the box is high, and of a few more."""
        return box_extremum_bytes(spec.shape, spec.dtype, self.size)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the extremes around ``block[core]`` into `out`."""
        box_extremum(block, core, out, self.size, self.greatest, self.mode, self.cval)


@op("min", example="min 3")
class Min(_Extreme):
    """Take the minimum of a box around each voxel; the dtype stays.

    This is scipy.ndimage.minimum_filter, except that NaN in the box gives NaN, and that `cval` is
    rounded and saturated. The time hardly depends on the size.

    Examples
    --------
    >>> ops.Min(hc.open(np.array([[[5, 1, 9, 7]]], "uint8")), (1, 1, 3)).compute()
    array([[[1, 1, 1, 7]]], dtype=uint8)
    """

    greatest: ClassVar[bool] = False


@op("max", example="max 3")
class Max(_Extreme):
    """Take the maximum of a box around each voxel; the dtype stays.

    This is scipy.ndimage.maximum_filter, except that NaN in the box gives NaN, and that `cval` is
    rounded and saturated. The time hardly depends on the size.

    Examples
    --------
    >>> ops.Max(hc.open(np.array([[[5, 1, 9, 7]]], "uint8")), (1, 1, 3)).compute()
    array([[[5, 9, 9, 9]]], dtype=uint8)
    """

    greatest: ClassVar[bool] = True
