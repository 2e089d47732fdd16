"""The op that puts the axes of a volume into another order."""

from dataclasses import replace
from typing import Any, ClassVar

from hoaconv.engine.contract import Resample
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.rearrange import copy_transposed
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import Kind
from hoaconv.ops.parameters import Declared, param

__all__ = ["ORDER", "Transpose"]


def _order(value: Any) -> str:
    order = value.replace(",", "").lower() if isinstance(value, str) else "".join(map(str, value))
    if sorted(order) != ["x", "y", "z"]:
        raise ValueError("the letters z, y, x in the new order, such as yxz")
    return order


ORDER = Kind("order of z, y, x", _order, str)


@op("transpose", example="transpose yxz")
class Transpose(Declared, Resample):
    """Put the axes into another order: with yxz the new z is the old y, the new y the old x.

    Values and dtype stay; voxel sizes and origins go with their axes. Straight behind a chunked
    array, or behind ops that need no neighbours, each chunk is read once, whatever the order.
    Anywhere else an order that moves z needs the whole volume in memory: the verb ``transpose``
    does it through a scratch file.

    Examples
    --------
    >>> volume = np.array([[[1, 2, 3], [4, 5, 6]]], "uint8")
    >>> ops.transpose(volume, "yxz").compute().tolist()
    [[[1], [2], [3]], [[4], [5], [6]]]
    """

    takes_wide: ClassVar[bool] = True

    order: str = param(ORDER, "the old axes that become z, y and x")

    @property
    def axes(self) -> tuple[int, int, int]:
        """Numbers of the old axes (0 for z) that become z, y, x."""
        z, y, x = ("zyx".index(axis) for axis in self.order)
        return (z, y, x)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec with its axes in the new order."""
        z, y, x = (spec.shape[axis] for axis in self.axes)
        return replace(spec, shape=(z, y, x), geometry=spec.geometry.permuted(self.axes))

    def turns(self, spec: Spec) -> tuple[int, int, int] | None:  # noqa: ARG002 - for any input
        """Return the new order of axes."""
        return self.axes

    def reach(self, spec: Spec, z: int) -> range:
        """Return the same plane; all planes where another axis becomes z."""
        return range(z, z + 1) if self.axes[0] == 0 else range(spec.planes)

    def chooses(self, spec: Spec) -> range | None:
        """Return all planes if z stays."""
        return range(spec.planes) if self.axes[0] == 0 else None

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Gather rows of the result from all planes that it is made of."""
        first, then, _ = self.axes
        if first == 0:
            taken = planes[0] if then == 1 else planes[0].T
            copy_transposed(taken[rows], out)
            return
        for i, plane in enumerate(planes):
            line = plane[z] if first == 1 else plane[:, z]
            if then != 0:
                out[:, i] = line[rows]
            elif rows.start <= i < rows.stop:
                out[i - rows.start] = line
