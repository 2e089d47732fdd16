"""Ops that change the size of voxels: bin and resize."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Resample
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.downsample import MAX_CELL, METHODS, downsample, downsample_bytes
from hoaconv.kernels.interpolate import Neighbours, interpolate, interpolate_bytes, neighbours
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import POSITIVE, Kind, Triple, choice, per_axis, window
from hoaconv.ops.parameters import Declared, param

__all__ = ["Bin", "Resize"]


def _order(value: Any) -> int:
    if str(value) not in ("0", "1"):
        raise ValueError("0, the nearest voxel, or 1, between neighbours")
    return int(value)


ORDER = Kind("0|1", _order, str)
_CELL = window(MAX_CELL, "cell")


@op("bin", example="bin 2")
class Bin(Declared, Resample):
    """Combine each cell of voxels into one voxel, by default their exact mean; the dtype stays.

    In integers the mean is rounded half to even. A cell that the volume doesn't fill combines the
    voxels that exist, as in the pyramid. Voxel size and origin are those of the cells.

    Examples
    --------
    >>> ops.bin(np.array([[[1, 3, 5, 8]]], "uint8"), (1, 1, 2)).compute()
    array([[[2, 6]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True

    factor: Triple[int] = param(_CELL, "voxels of a cell along each axis")
    method: str = param(
        choice(*METHODS), "how they are combined; mode is for labels", default="mean"
    )

    def infer(self, spec: Spec) -> Spec:
        """Return the spec with the lengths divided, rounded up.

        The centre of a new voxel is that of its cell; for nearest, that of the cell's first voxel.
        """
        z, y, x = (-(-n // f) for n, f in zip(spec.shape, self.factor, strict=True))
        middle = 0.0 if self.method == "nearest" else 0.5
        return replace(spec, shape=(z, y, x), geometry=spec.geometry.coarser(self.factor, middle))

    def reach(self, spec: Spec, z: int) -> range:
        """Return the planes of a cell."""
        depth = self.factor[0]
        return range(z * depth, min((z + 1) * depth, spec.planes))

    def chooses(self, spec: Spec) -> range | None:
        """Return all planes, if they aren't binned along z."""
        return range(spec.planes) if self.factor[0] == 1 else None

    def work(self, spec: Spec) -> int:
        """Return the bytes of the sums of a row."""
        return downsample_bytes(spec.shape[2], spec.dtype)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Combine the cells of some rows."""
        depth, fy, fx = self.factor
        count = len(planes)
        taken = [plane[rows.start * fy : rows.stop * fy] for plane in planes]
        downsample(self.method, taken + taken[-1:] * (depth - count), count, fy, fx, out)

    def warm(self, spec: Spec) -> None:
        """Compile for this dtype and number of planes."""
        voxel = np.zeros((1, 1), spec.dtype)
        self.apply(spec, 0, (voxel,), slice(0, 1), np.empty_like(voxel))


@op("resize", example="resize 0.5")
class Resize(Declared, Resample):
    """Resize by linear interpolation; the physical extent and the dtype stay.

    The result is that of scipy.ndimage.zoom with ``grid_mode=True, mode="nearest"``. Integer
    results are rounded half to even, and each axis keeps at least one voxel. The op doesn't smooth:
    to shrink without aliasing, use `gaussian` before it, or `bin`.

    Examples
    --------
    >>> ops.resize(np.array([[[0, 10]]], "uint8"), (1, 1, 2)).compute()
    array([[[ 0,  2,  8, 10]]], dtype=uint8)
    """

    factor: Triple[float] = param(
        per_axis(POSITIVE), "voxels of the result per voxel of the input, along each axis"
    )
    order: int = param(ORDER, "1 interpolates, 0 takes the nearest voxel", default=1)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec with lengths multiplied and rounded; the volume's faces stay in place."""
        z, y, x = (max(1, round(n * f)) for n, f in zip(spec.shape, self.factor, strict=True))
        fewer = [n / count for n, count in zip(spec.shape, (z, y, x), strict=True)]
        return replace(spec, shape=(z, y, x), geometry=spec.geometry.coarser(fewer))

    @property
    def takes_wide(self) -> bool:  # type: ignore[override] # a fact of the class in most others
        """True if it takes the nearest voxel."""
        return self.order == 0

    def _neighbours(self, spec: Spec, axis: int, wanted: slice | None = None) -> Neighbours:
        count = self.infer(spec).shape[axis]
        return neighbours(spec.shape[axis], count, self.order, wanted or slice(0, count))

    def reach(self, spec: Spec, z: int) -> range:
        """Return the planes on both sides, or the nearest plane."""
        at = self._neighbours(spec, 0, slice(z, z + 1))
        return range(int(at.first[0]), int(at.second[0]) + 1)

    def chooses(self, spec: Spec) -> range | None:
        """Return all planes, if their number stays."""
        planes = range(spec.planes)
        return planes if self.infer(spec).planes == spec.planes else None

    def work(self, spec: Spec) -> int:
        """Return the bytes of rows of floats, and of positions."""
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
        """Compile for this dtype; order=0 needs no kernel."""
        if self.order == 0:
            return
        voxel = np.zeros((1, 1), spec.dtype)
        thin = Spec((1, 1, 1), spec.dtype)
        self.apply(thin, 0, (voxel,), slice(0, 1), np.empty_like(voxel))
