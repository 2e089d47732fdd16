"""Ops that give the voxel of one rank among those around: the median, a percentile."""

from abc import abstractmethod
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.rank_histogram import histogram_rank_filter, histogram_rank_filter_bytes
from hoaconv.kernels.rank_network import network_rank_filter, network_rank_filter_bytes
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import FINITE, NUMBER, SIZES, Declared, Kind, param, register, spell_number

__all__ = ["PERCENTAGE", "Median", "Percentile"]

_LARGEST, _LARGEST_OF_BYTES = 1300, 250
"""Bytes of a window that a network selects from, of voxels of several bytes and of one: for larger
ones histograms that slide are faster."""

_MOST = 1 << 24
"""Voxels of a window: 256 x 256 x 256."""


def _window(value: Any) -> tuple[int, int, int]:
    size: tuple[int, int, int] = SIZES.accept(value)
    if prod(size) > _MOST:
        raise ValueError(f"a window of at most {_MOST} voxels (256,256,256)")
    return size


_WINDOW = Kind(SIZES.name, _window, SIZES.spell)


def _percentage(value: Any) -> float:
    number: float = NUMBER.accept(value)
    if not 0 <= number <= 100:
        raise ValueError("a number in 0..100 (100 - q for scipy's -q)")
    return number


PERCENTAGE = Kind("number in 0..100", _percentage, spell_number)


class _Ranked(Declared, Op):
    """The voxel of one rank in each window, of the input's dtype. NaN ranks above all else."""

    size: int | tuple[int, int, int]
    mode: str
    cval: float

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.size if isinstance(self.size, tuple) else (self.size,) * 3

    @property
    @abstractmethod
    def rank(self) -> int:
        """How many voxels of the window come before it."""

    @property
    def halo(self) -> tuple[int, int, int]:
        """Half the window; behind a voxel an even one reaches one less far."""
        z, y, x = (n // 2 for n in self._sizes)
        return (z, y, x)

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Whether windows are single voxels."""
        return prod(self._sizes) == 1

    def _slides(self, dtype: np.dtype[Any]) -> bool:
        largest = _LARGEST_OF_BYTES if dtype.itemsize == 1 else _LARGEST
        return prod(self._sizes) * dtype.itemsize > largest

    def work(self, spec: Spec) -> int:
        """Rows that windows reach over and those of the network, or a tile that is sorted."""
        if self._slides(spec.dtype):
            return histogram_rank_filter_bytes(spec.shape, spec.dtype, self._sizes)
        return network_rank_filter_bytes(spec.shape, spec.dtype, self._sizes, self.rank)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the ranked voxels of the windows around ``block[core]`` into `out`."""
        ranked = histogram_rank_filter if self._slides(block.dtype) else network_rank_filter
        ranked(block, core, out, self._sizes, self.rank, self.mode, self.cval)


@register("median 3")
@dataclass(frozen=True)
class Median(_Ranked):
    """Replace each voxel by the median of its window, as scipy.ndimage.median_filter.

    Of an even number of voxels it is the upper one in the middle. NaN ranks above all else.
    """

    word: ClassVar[str] = "median"

    size: int | tuple[int, int, int] = param(_WINDOW, "edges of the window in voxels")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant; rounded and saturated", 0.0)

    @property
    def rank(self) -> int:
        """The middle; the upper one of two."""
        return prod(self._sizes) // 2


@register("percentile 20 3")
@dataclass(frozen=True)
class Percentile(_Ranked):
    """Replace each voxel by a percentile of its window, as scipy.ndimage.percentile_filter.

    The result is a voxel of the window; nothing is interpolated. NaN ranks above all else.
    """

    word: ClassVar[str] = "percentile"

    percentile: float = param(PERCENTAGE, "0 gives the least voxel of the window, 100 the greatest")
    size: int | tuple[int, int, int] = param(_WINDOW, "edges of the window in voxels")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(FINITE, "the value there, for mode=constant; rounded and saturated", 0.0)

    @property
    def rank(self) -> int:
        """The share of the window, rounded down; computed as scipy does, to the last bit."""
        voxels = prod(self._sizes)
        return voxels - 1 if self.percentile == 100 else int(voxels * self.percentile / 100.0)
