"""Morphology: the least and the greatest voxel under a footprint, and what is made of them.

As scipy.ndimage has it for grey values, with a flat footprint. A mask is a volume of 0 and 1, on
which all of this does what binary morphology does; mode=constant has 0 beyond the ends, as
scipy.ndimage.binary_erosion does. Differences are saturated where scipy's wrap.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.extrema import (
    FOOTPRINTS,
    box_extremum,
    box_extremum_bytes,
    footprint_extremum,
    footprint_extremum_bytes,
)
from hoaconv.kernels.pointwise import subtract_saturated
from hoaconv.ops.boundary import BOUNDARY
from hoaconv.ops.declare import NUMBER, RADII, Declared, choice, param, register

__all__ = ["Blackhat", "Close", "Dilate", "Erode", "Gradient", "Open", "Tophat"]

Radii = tuple[int, int, int]


@dataclass(frozen=True)
class _Morphology(Declared, Op):
    """What can be made of the voxels under a footprint."""

    passes: ClassVar[int] = 1
    """Footprints that the result reaches over, one after the other."""

    radius: int | tuple[int, int, int] = param(
        RADII, "of the footprint in voxels; 0 leaves an axis alone"
    )
    footprint: str = param(choice(*FOOTPRINTS), "its shape", "box")
    mode: str = param(BOUNDARY, "what lies beyond the volume's ends", "reflect")
    cval: float = param(NUMBER, "the value there, for mode=constant", 0.0)

    @property
    def _radii(self) -> Radii:
        return self.radius if isinstance(self.radius, tuple) else (self.radius,) * 3

    @property
    def _size(self) -> tuple[int, int, int]:
        z, y, x = (2 * r + 1 for r in self._radii)
        return (z, y, x)

    @property
    def halo(self) -> tuple[int, int, int]:
        """The radii (z, y, x), twice where the result of a footprint goes through another."""
        z, y, x = (self.passes * r for r in self._radii)
        return (z, y, x)

    def work(self, spec: Spec) -> int:
        """Rows of all planes, as many as the footprint is high, and a few more."""
        if self.footprint == "box":
            return box_extremum_bytes(spec.shape, spec.dtype, self._size)
        return footprint_extremum_bytes(spec.shape, spec.dtype, self._radii)

    def _least(self, block: Slab, core: Core, out: Slab) -> None:
        self._extreme(block, core, out, False)

    def _greatest(self, block: Slab, core: Core, out: Slab) -> None:
        self._extreme(block, core, out, True)

    def _extreme(self, block: Slab, core: Core, out: Slab, greatest: bool) -> None:
        if self.footprint == "box":
            box_extremum(block, core, out, self._size, greatest, self.mode, self.cval)
        else:
            footprint_extremum(
                block, core, out, self._radii, self.footprint, greatest, self.mode, self.cval
            )

    def _opened(self, block: Slab, core: Core, out: Slab) -> None:
        seen, within = self._seen(block, core)
        eroded = _room(block, seen)
        self._least(block, seen, eroded)
        self._greatest(eroded, within, out)

    def _closed(self, block: Slab, core: Core, out: Slab) -> None:
        seen, within = self._seen(block, core)
        dilated = _room(block, seen)
        self._greatest(block, seen, dilated)
        self._least(dilated, within, out)

    def _seen(self, block: Slab, core: Core) -> tuple[Core, Core]:
        """What the footprint reaches over from the core, in the block; and the core in that.

        It ends where the volume does, so that there the mode acts on what the first pass gave.
        """
        seen, within = [], []
        for part, n, radius in zip(core, block.shape, self._radii, strict=True):
            start, stop, _ = part.indices(n)
            first = max(0, start - radius)
            seen.append(slice(first, min(n, stop + radius)))
            within.append(slice(start - first, stop - first))
        return (seen[0], seen[1], seen[2]), (within[0], within[1], within[2])


def _room(block: Slab, part: Core) -> Slab:
    """Scratch for a part of the block."""
    z, y, x = (len(range(*p.indices(n))) for p, n in zip(part, block.shape, strict=True))
    return np.empty((z, y, x), block.dtype)


def _nbytes(spec: Spec) -> int:
    """Bytes of scratch of a block's size."""
    nz, ny, nx = spec.shape
    return nz * ny * nx * spec.dtype.itemsize


class _Flat(_Morphology):
    """One that leaves voxels alone where the footprint is a single one."""

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Whether the radius is 0."""
        return self._radii == (0, 0, 0)


@register("erode 1")
@dataclass(frozen=True)
class Erode(_Flat):
    """Take the minimum under a footprint around each voxel; the dtype stays.

    As scipy.ndimage.grey_erosion, but NaN if the footprint holds one, and `cval` is rounded and
    saturated. A ball of radii r holds the offsets d with sum((d / r)**2) <= 1, a cross those along
    an axis. With a box the radius costs hardly anything.
    """

    word: ClassVar[str] = "erode"

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Erode ``block[core]`` into `out`."""
        self._least(block, core, out)


@register("dilate 1")
@dataclass(frozen=True)
class Dilate(_Flat):
    """Take the maximum under a footprint around each voxel; the dtype stays.

    As scipy.ndimage.grey_dilation; the footprint, NaN and `cval` as for `erode`.
    """

    word: ClassVar[str] = "dilate"

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Dilate ``block[core]`` into `out`."""
        self._greatest(block, core, out)


class _Double(_Morphology):
    """One whose second pass takes what the first has given, over a footprint more."""

    passes: ClassVar[int] = 2

    def work(self, spec: Spec) -> int:
        """What the first pass gives, besides the rows."""
        return super().work(spec) + _nbytes(spec)


@register("open 1")
@dataclass(frozen=True)
class Open(_Double, _Flat):
    """Erode, then dilate: removes bright spots smaller than the footprint; the dtype stays.

    As scipy.ndimage.grey_opening; the footprint, NaN and `cval` as for `erode`.
    """

    word: ClassVar[str] = "open"

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Open ``block[core]`` into `out`."""
        self._opened(block, core, out)


@register("close 1")
@dataclass(frozen=True)
class Close(_Double, _Flat):
    """Dilate, then erode: removes dark spots smaller than the footprint; the dtype stays.

    As scipy.ndimage.grey_closing; the footprint, NaN and `cval` as for `erode`.
    """

    word: ClassVar[str] = "close"

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Close ``block[core]`` into `out`."""
        self._closed(block, core, out)


@register("tophat 3")
@dataclass(frozen=True)
class Tophat(_Double):
    """Subtract the opening from the input: bright spots stay; the dtype stays, saturated.

    As scipy.ndimage.white_tophat; the footprint, NaN and `cval` as for `erode`.
    """

    word: ClassVar[str] = "tophat"

    def work(self, spec: Spec) -> int:
        """What is subtracted, besides."""
        return super().work(spec) + _nbytes(spec)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core]`` less itself opened into `out`."""
        opened = _room(block, core)
        self._opened(block, core, opened)
        out[...] = block[core]
        subtract_saturated(out, opened)


@register("blackhat 3")
@dataclass(frozen=True)
class Blackhat(_Double):
    """Subtract the input from its closing: dark spots stay; the dtype stays, saturated.

    As scipy.ndimage.black_tophat; the footprint, NaN and `cval` as for `erode`.
    """

    word: ClassVar[str] = "blackhat"

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core]`` closed, less itself, into `out`."""
        self._closed(block, core, out)
        subtract_saturated(out, block[core])


@register("gradient 1")
@dataclass(frozen=True)
class Gradient(_Morphology):
    """Compute the morphological gradient, maximum minus minimum; the dtype stays, saturated.

    As scipy.ndimage.morphological_gradient; the footprint, NaN and `cval` as for `erode`.
    """

    word: ClassVar[str] = "gradient"

    def work(self, spec: Spec) -> int:
        """What is subtracted, besides."""
        return super().work(spec) + _nbytes(spec)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the greatest less the least around ``block[core]`` into `out`."""
        eroded = _room(block, core)
        self._least(block, core, eroded)
        self._greatest(block, core, out)
        subtract_saturated(out, eroded)
