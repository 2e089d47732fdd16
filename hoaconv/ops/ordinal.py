"""Rank filters: the median or a percentile of a window around each voxel."""

from abc import abstractmethod
from math import prod
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.rank_histogram import histogram_rank_filter, histogram_rank_filter_bytes
from hoaconv.kernels.rank_network import network_rank_filter, network_rank_filter_bytes
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE_VOXEL, PERCENTAGE, Triple, window
from hoaconv.ops.parameters import Declared, param

__all__ = ["Median", "Percentile"]

_LARGEST, _LARGEST_OF_BYTES = 1300, 250
"""Bytes of a window that a network selects from, of voxels of several bytes and of one: for larger
ones histograms that slide are faster."""


_WINDOW = window(1 << 24)
"""At most 256 x 256 x 256 voxels."""


class _Ranked(Declared, Op):
    """An op that takes the voxel of one rank in each window. NaN ranks above all numbers."""

    takes_wide: ClassVar[bool] = True

    size: Triple[int]
    mode: str
    cval: float

    @property
    @abstractmethod
    def rank(self) -> int:
        """Number of voxels in the window that rank lower."""

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the window (z, y, x); an even window reaches one voxel less far behind a voxel."""
        z, y, x = (n // 2 for n in self.size)
        return (z, y, x)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Return True if the window is one voxel."""
        return prod(self.size) == 1

    def _slides(self, dtype: np.dtype[Any]) -> bool:
        largest = _LARGEST_OF_BYTES if dtype.itemsize == 1 else _LARGEST
        return prod(self.size) * dtype.itemsize > largest

    def work(self, spec: Spec) -> int:
        """Return the bytes of rows that windows span and of the network, or of a sorted tile."""
        if self._slides(spec.dtype):
            return histogram_rank_filter_bytes(spec.shape, spec.dtype, self.size)
        return network_rank_filter_bytes(spec.shape, spec.dtype, self.size, self.rank)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the ranked voxels of the windows around ``block[core]`` into `out`."""
        ranked = histogram_rank_filter if self._slides(block.dtype) else network_rank_filter
        ranked(block, core, out, self.size, self.rank, self.mode, self.cval)


@op("median", example="median 3")
class Median(_Ranked):
    """Replace each voxel by the median of its window; the dtype stays.

    The result is that of scipy.ndimage.median_filter: if the window has an even number of voxels,
    the median is the upper of the two in the middle. NaN ranks above all numbers.

    Examples
    --------
    >>> ops.median(np.array([[[1, 90, 2, 3]]], "uint8"), (1, 1, 3)).compute()
    array([[[1, 2, 3, 3]]], dtype=uint8)
    """

    size: Triple[int] = param(_WINDOW, "edges of the window in voxels")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(
        FINITE_VOXEL, "value beyond the ends, for mode=constant; rounded and saturated", default=0.0
    )

    @property
    def rank(self) -> int:
        """The middle; the upper one of two."""
        return prod(self.size) // 2


@op("percentile", example="percentile 20 3")
class Percentile(_Ranked):
    """Replace each voxel by a percentile of its window; the dtype stays.

    The result is that of scipy.ndimage.percentile_filter: a voxel of the window, without
    interpolation. NaN ranks above all numbers.

    Examples
    --------
    >>> volume = hc.open(np.array([[[1, 90, 2, 3]]], "uint8"))
    >>> (volume | ops.Percentile(100, (1, 1, 3))).compute()
    array([[[90, 90, 90,  3]]], dtype=uint8)
    """

    percentile: float = param(PERCENTAGE, "0 gives the least voxel of the window, 100 the greatest")
    size: Triple[int] = param(_WINDOW, "edges of the window in voxels")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(
        FINITE_VOXEL, "value beyond the ends, for mode=constant; rounded and saturated", default=0.0
    )

    @property
    def rank(self) -> int:
        """The share of the window, rounded down, computed bit for bit as scipy does."""
        voxels = prod(self.size)
        return voxels - 1 if self.percentile == 100 else int(voxels * self.percentile / 100.0)
