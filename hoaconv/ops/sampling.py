"""Ops that make fewer or more voxels of the same volume: bin and resize."""

from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Lengths, Resample
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.downsample import MAX_CELL, METHODS, downsample, downsample_bytes
from hoaconv.kernels.interpolate import Neighbours, interpolate, interpolate_bytes, neighbours
from hoaconv.ops.declare import PER_AXIS, SIZES, Declared, Kind, choice, param, register

__all__ = ["Bin", "Resize"]


def _order(value: Any) -> int:
    if str(value) not in ("0", "1"):
        raise ValueError("0, the nearest voxel, or 1, between neighbours")
    return int(value)


ORDER = Kind("0|1", _order, str)


@register("bin 2")
@dataclass(frozen=True)
class Bin(Declared, Resample):
    """Average each cell of voxels to one voxel; exact, rounded half to even.

    A cell at an odd edge averages the voxels that exist, as in the pyramid.
    """

    word: ClassVar[str] = "bin"

    factor: int | tuple[int, int, int] = param(SIZES, "voxels of a cell along each axis")
    method: str = param(choice(*METHODS), "how they become one; mode is for labels", "mean")

    def __post_init__(self) -> None:
        super().__post_init__()
        if prod(self._cell) > MAX_CELL:
            raise SpellingError(
                f"bin: a cell has at most {MAX_CELL} voxels, not {prod(self._cell)}"
            )

    @property
    def _cell(self) -> tuple[int, int, int]:
        z, y, x = self.factor  # type: ignore[misc] # as SIZES has brought it
        return z, y, x

    def infer(self, spec: Spec) -> Spec:
        """Lengths divided and rounded up."""
        z, y, x = (-(-n // f) for n, f in zip(spec.shape, self._cell, strict=True))
        return replace(spec, shape=(z, y, x))

    def reach(self, spec: Spec, z: int) -> range:
        """The planes of a cell."""
        depth = self._cell[0]
        return range(z * depth, min((z + 1) * depth, spec.planes))

    def chooses(self, spec: Spec) -> range | None:
        """All planes, if they aren't binned along z."""
        return range(spec.planes) if self._cell[0] == 1 else None

    def place(self, spec: Spec, edges: Lengths, origin: Lengths) -> tuple[Lengths, Lengths]:  # noqa: ARG002
        """Longer edges; the first centre is that of a cell, or, for nearest, of its first voxel."""
        middle = 0.0 if self.method == "nearest" else 0.5
        return _stretched(edges, origin, self._cell, middle)

    def work(self, spec: Spec) -> int:
        """Sums of a row."""
        return downsample_bytes(spec.shape[2], spec.dtype)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Join the cells of some rows."""
        depth, fy, fx = self._cell
        count = len(planes)
        taken = [plane[rows.start * fy : rows.stop * fy] for plane in planes]
        downsample(self.method, taken + taken[-1:] * (depth - count), count, fy, fx, out)

    def warm(self, spec: Spec) -> None:
        """Compile for this dtype and as many planes."""
        voxel = np.zeros((1, 1), spec.dtype)
        self.apply(spec, 0, (voxel,), slice(0, 1), np.empty_like(voxel))


@register("resize 0.5")
@dataclass(frozen=True)
class Resize(Declared, Resample):
    """Resize by linear interpolation; the physical extent stays the same.

    As scipy.ndimage.zoom with ``grid_mode=True, mode="nearest"``, but integers are rounded half to
    even, and no axis gets shorter than a voxel. To shrink without aliasing smooth first, or bin.
    """

    word: ClassVar[str] = "resize"

    factor: float | tuple[float, float, float] = param(
        PER_AXIS, "how many times as many voxels along each axis"
    )
    order: int = param(ORDER, "1 interpolates, 0 takes the nearest voxel", 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isfinite(f) and f > 0 for f in self.factors):
            raise SpellingError(
                f"resize: factor should be above 0, not {PER_AXIS.spell(self.factor)}"
            )

    @property
    def factors(self) -> Lengths:
        """The factor of each axis, zyx."""
        z, y, x = self.factor  # type: ignore[misc] # as PER_AXIS has brought it
        return z, y, x

    def infer(self, spec: Spec) -> Spec:
        """Lengths multiplied and rounded, at least 1."""
        z, y, x = (max(1, round(n * f)) for n, f in zip(spec.shape, self.factors, strict=True))
        return replace(spec, shape=(z, y, x))

    def _neighbours(self, spec: Spec, axis: int, wanted: slice | None = None) -> Neighbours:
        count = self.infer(spec).shape[axis]
        return neighbours(spec.shape[axis], count, self.order, wanted or slice(0, count))

    def reach(self, spec: Spec, z: int) -> range:
        """The planes on both sides, or the one plane that lies there."""
        at = self._neighbours(spec, 0, slice(z, z + 1))
        return range(int(at.first[0]), int(at.second[0]) + 1)

    def chooses(self, spec: Spec) -> range | None:
        """All planes, if their number stays."""
        planes = range(spec.planes)
        return planes if self.infer(spec).planes == spec.planes else None

    def place(self, spec: Spec, edges: Lengths, origin: Lengths) -> tuple[Lengths, Lengths]:
        """Edges by how many voxels there were for each; the outer sides stay."""
        shapes = zip(spec.shape, self.infer(spec).shape, strict=True)
        z, y, x = (n / count for n, count in shapes)
        return _stretched(edges, origin, (z, y, x), 0.5)

    def work(self, spec: Spec) -> int:
        """Rows of floats, and where the voxels lie."""
        return interpolate_bytes(spec.plane_shape, self.infer(spec).plane_shape)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:
        """Interpolate some rows."""
        along, across = self._neighbours(spec, 1, rows), self._neighbours(spec, 2)
        if self.order == 0:
            for y, row in zip(along.first, out, strict=True):
                np.take(planes[0][y], across.first, out=row, mode="clip")
            return
        weight = self._neighbours(spec, 0, slice(z, z + 1)).weight[0]
        interpolate((planes[0], planes[-1]), float(weight), along, across, out)

    def warm(self, spec: Spec) -> None:
        """Compile for this dtype; the nearest voxel is taken without a kernel."""
        if self.order == 0:
            return
        voxel = np.zeros((1, 1), spec.dtype)
        thin = Spec((1, 1, 1), spec.dtype)
        self.apply(thin, 0, (voxel,), slice(0, 1), np.empty_like(voxel))


def _stretched(
    edges: Lengths, origin: Lengths, factors: Lengths, middle: float
) -> tuple[Lengths, Lengths]:
    """Edges times factors; the first centre moves by `middle` of what its voxel has grown."""
    moved = zip(origin, edges, factors, strict=True)
    z, y, x = (e * f for e, f in zip(edges, factors, strict=True))
    oz, oy, ox = (o + middle * (f - 1) * e for o, e, f in moved)
    return (z, y, x), (oz, oy, ox)
