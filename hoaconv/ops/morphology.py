"""Morphology: minimum and maximum under a footprint, and the ops composed of them.

These ops are the grey-value morphology of scipy.ndimage with a flat footprint. On a mask, a volume
of 0 and 1, they are binary morphology. With mode=constant the voxels beyond the ends are `cval`, by
default 0, as in scipy.ndimage.binary_erosion. Differences are saturated, while scipy wraps them.
"""

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
from hoaconv.ops.declare import abstract_op, op
from hoaconv.ops.kinds import RADII, VOXEL, Triple, choice
from hoaconv.ops.parameters import Declared, param

__all__ = ["Blackhat", "Close", "Dilate", "Erode", "Gradient", "Open", "Tophat"]


@abstract_op
class _Morphology(Declared, Op):
    """An op on the voxels under a footprint."""

    takes_wide: ClassVar[bool] = True
    passes: ClassVar[int] = 1
    """Footprints that the result reaches over, one after the other."""

    radius: Triple[int] = param(
        RADII, "radius of the footprint in voxels; 0 for an axis that isn't filtered"
    )
    footprint: str = param(choice(*FOOTPRINTS), "shape of the footprint", default="box")
    mode: str = param(
        BOUNDARY, "values beyond the volume's ends, as in scipy.ndimage", default="reflect"
    )
    cval: float = param(VOXEL, "value beyond the ends, for mode=constant", default=0.0)

    @property
    def _size(self) -> tuple[int, int, int]:
        z, y, x = (2 * r + 1 for r in self.radius)
        return (z, y, x)

    @property
    def halo(self) -> tuple[int, int, int]:
        """The radii (z, y, x), times the number of passes."""
        z, y, x = (self.passes * r for r in self.radius)
        return (z, y, x)

    def work(self, spec: Spec) -> int:
        """Return the bytes of rows of all planes that the footprint spans, and of a few more."""
        if self.footprint == "box":
            return box_extremum_bytes(spec.shape, spec.dtype, self._size)
        return footprint_extremum_bytes(spec.shape, spec.dtype, self.radius)

    def _least(self, block: Slab, core: Core, out: Slab) -> None:
        self._extreme(block, core, out, False)

    def _greatest(self, block: Slab, core: Core, out: Slab) -> None:
        self._extreme(block, core, out, True)

    def _extreme(self, block: Slab, core: Core, out: Slab, greatest: bool) -> None:
        if self.footprint == "box":
            box_extremum(block, core, out, self._size, greatest, self.mode, self.cval)
        else:
            footprint_extremum(
                block, core, out, self.radius, self.footprint, greatest, self.mode, self.cval
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
        """Return the part of a block that the footprint reaches from the core, and the corein it.

        The part ends where the volume does, so that the mode acts there on what the first pass
        gave.
        """
        seen, within = [], []
        for part, n, radius in zip(core, block.shape, self.radius, strict=True):
            start, stop, _ = part.indices(n)
            first = max(0, start - radius)
            seen.append(slice(first, min(n, stop + radius)))
            within.append(slice(start - first, stop - first))
        return (seen[0], seen[1], seen[2]), (within[0], within[1], within[2])


def _room(block: Slab, part: Core) -> Slab:
    """Return an empty array for a part of the block."""
    z, y, x = (len(range(*p.indices(n))) for p, n in zip(part, block.shape, strict=True))
    return np.empty((z, y, x), block.dtype)


def _nbytes(spec: Spec) -> int:
    """Return the bytes of an array of a block's size."""
    nz, ny, nx = spec.shape
    return nz * ny * nx * spec.dtype.itemsize


class _Flat(_Morphology):
    """An op that changes nothing if the footprint is one voxel."""

    def is_identity(self, spec: Spec) -> bool:  # noqa: ARG002 - for any input
        """Return True if the radius is 0."""
        return self.radius == (0, 0, 0)


@op("erode", example="erode 1")
class Erode(_Flat):
    """Take the minimum under a footprint around each voxel; the dtype stays.

    This is scipy.ndimage.grey_erosion, except that NaN under the footprint gives NaN, and that
    `cval` is rounded and saturated. A ``ball`` of radii r has the offsets d with sum((d / r)**2) <=
    1; a ``cross`` has those of them that lie along one axis. With a ``box`` the time hardly depends
    on the radius.

    Examples
    --------
    >>> ops.erode(np.array([[[0, 1, 1, 1, 0]]], "uint8"), (0, 0, 1)).compute()
    array([[[0, 0, 1, 0, 0]]], dtype=uint8)
    """

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Erode ``block[core]`` into `out`."""
        self._least(block, core, out)


@op("dilate", example="dilate 1")
class Dilate(_Flat):
    """Take the maximum under a footprint around each voxel; the dtype stays.

    This is scipy.ndimage.grey_dilation, with footprints, NaN and `cval` as in `erode`.

    Examples
    --------
    >>> ops.dilate(np.array([[[0, 0, 1, 0, 0]]], "uint8"), (0, 0, 1)).compute()
    array([[[0, 1, 1, 1, 0]]], dtype=uint8)
    """

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Dilate ``block[core]`` into `out`."""
        self._greatest(block, core, out)


class _Double(_Morphology):
    """An op whose second pass takes the result of the first."""

    passes: ClassVar[int] = 2

    def work(self, spec: Spec) -> int:
        """Return the bytes of the first pass's result, besides the rows."""
        return super().work(spec) + _nbytes(spec)


@op("open", example="open 1")
class Open(_Double, _Flat):
    """Erode, then dilate, to remove bright spots smaller than the footprint; the dtype stays.

    This is scipy.ndimage.grey_opening, with footprints, NaN and `cval` as in `erode`.

    Examples
    --------
    >>> ops.open(np.array([[[0, 1, 0, 1, 1, 1]]], "uint8"), (0, 0, 1)).compute()
    array([[[0, 0, 0, 1, 1, 1]]], dtype=uint8)
    """

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Open ``block[core]`` into `out`."""
        self._opened(block, core, out)


@op("close", example="close 1")
class Close(_Double, _Flat):
    """Dilate, then erode, to remove dark spots smaller than the footprint; the dtype stays.

    This is scipy.ndimage.grey_closing, with footprints, NaN and `cval` as in `erode`.

    Examples
    --------
    >>> ops.close(np.array([[[1, 1, 0, 1, 1]]], "uint8"), (0, 0, 1)).compute()
    array([[[1, 1, 1, 1, 1]]], dtype=uint8)
    """

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Close ``block[core]`` into `out`."""
        self._closed(block, core, out)


@op("tophat", example="tophat 3")
class Tophat(_Double):
    """Subtract the opening from the input, to keep small bright spots; the dtype stays, saturated.

    This is scipy.ndimage.white_tophat, with footprints, NaN and `cval` as in `erode`.

    Examples
    --------
    >>> ops.tophat(np.array([[[1, 9, 1, 1, 1]]], "uint8"), (0, 0, 1)).compute()
    array([[[0, 8, 0, 0, 0]]], dtype=uint8)
    """

    def work(self, spec: Spec) -> int:
        """Return the bytes of what is subtracted, besides."""
        return super().work(spec) + _nbytes(spec)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core]`` minus its opening into `out`."""
        opened = _room(block, core)
        self._opened(block, core, opened)
        out[...] = block[core]
        subtract_saturated(out, opened)


@op("blackhat", example="blackhat 3")
class Blackhat(_Double):
    """Subtract the input from its closing, to keep small dark spots; the dtype stays, saturated.

    This is scipy.ndimage.black_tophat, with footprints, NaN and `cval` as in `erode`.

    Examples
    --------
    >>> ops.blackhat(np.array([[[5, 1, 5, 5, 5]]], "uint8"), (0, 0, 1)).compute()
    array([[[0, 4, 0, 0, 0]]], dtype=uint8)
    """

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the closing of ``block[core]`` minus the input into `out`."""
        self._closed(block, core, out)
        subtract_saturated(out, block[core])


@op("gradient", example="gradient 1")
class Gradient(_Morphology):
    """Compute the morphological gradient, maximum minus minimum; the dtype stays, saturated.

    This is scipy.ndimage.morphological_gradient, with footprints, NaN and `cval` as in `erode`.

    Examples
    --------
    >>> ops.gradient(np.array([[[0, 0, 7, 7]]], "uint8"), (0, 0, 1)).compute()
    array([[[0, 7, 7, 0]]], dtype=uint8)
    """

    def work(self, spec: Spec) -> int:
        """Return the bytes of what is subtracted, besides."""
        return super().work(spec) + _nbytes(spec)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the maximum minus the minimum around ``block[core]`` into `out`."""
        eroded = _room(block, core)
        self._least(block, core, eroded)
        self._greatest(block, core, out)
        subtract_saturated(out, eroded)
