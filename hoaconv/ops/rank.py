"""Ops that choose one of the voxels in a box around each."""

from dataclasses import dataclass
from typing import ClassVar

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.extrema import box_extremum, box_extremum_bytes
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import NUMBER, SIZES, Declared, param, register

__all__ = ["Max", "Min"]


@dataclass(frozen=True)
class _Extreme(Declared, Op):
    """The least or the greatest voxel of a box."""

    greatest: ClassVar[bool]

    size: int | tuple[int, int, int] = param(
        SIZES, "edges of the box in voxels; an even one reaches one further back than ahead"
    )
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(NUMBER, "the value there, for mode=constant", 0.0)

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.size if isinstance(self.size, tuple) else (self.size,) * 3

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the box (z, y, x)."""
        z, y, x = (size // 2 for size in self._sizes)
        return (z, y, x)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Whether the box is one voxel."""
        return self._sizes == (1, 1, 1)

    def work(self, spec: Spec) -> int:
        """Rows of all planes, as many as the box is high, and a few more."""
        return box_extremum_bytes(spec.shape, spec.dtype, self._sizes)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the extremes around ``block[core]`` into `out`."""
        box_extremum(block, core, out, self._sizes, self.greatest, self.mode, self.cval)


@register("min 3")
@dataclass(frozen=True)
class Min(_Extreme):
    """Take the minimum of a box around each voxel; the dtype stays.

    As scipy.ndimage.minimum_filter, but NaN if the box holds one, and `cval` is rounded and
    saturated. What it costs hardly depends on the size.
    """

    word: ClassVar[str] = "min"
    greatest: ClassVar[bool] = False


@register("max 3")
@dataclass(frozen=True)
class Max(_Extreme):
    """Take the maximum of a box around each voxel; the dtype stays.

    As scipy.ndimage.maximum_filter, but NaN if the box holds one, and `cval` is rounded and
    saturated. What it costs hardly depends on the size.
    """

    word: ClassVar[str] = "max"
    greatest: ClassVar[bool] = True
