"""What operators of volumes do: a voxel with a number, or with the voxel of another volume."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hoaconv.engine.contract import Core, Join, Op
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.pointwise import apply_binary, apply_unary, apply_unary_bytes

__all__ = ["WithNumber", "WithVolume"]

_COMPARING = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
_BITWISE = ("bitwise_and", "bitwise_or", "bitwise_xor")


def _result(name: str, spec: Spec) -> Spec:
    """Of comparisons uint8, 0 and 1; of anything else the dtype stays."""
    return replace(spec, dtype=np.dtype(np.uint8)) if name in _COMPARING else spec


@dataclass(frozen=True)
class WithNumber(Op):
    """Each voxel and a number by a NumPy function, computed in float64.

    The dtype stays, rounded half to even and saturated; of comparisons it is uint8, 0 and 1.

    Attributes
    ----------
    name
        The function's name in NumPy.
    number
        A finite number.
    swapped
        Whether the number is the first operand: ``5 - volume``.
    """

    name: str
    number: float
    swapped: bool = False
    word = "with-number"

    def infer(self, spec: Spec) -> Spec:
        """As the class says."""
        return _result(self.name, spec)

    def work(self, spec: Spec) -> int:
        """Some rows as float64."""
        return apply_unary_bytes(spec.shape[2])

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the function of ``block[core]`` into `out`."""
        with np.errstate(all="ignore"):  # what is divided by 0 is infinite or NaN
            apply_unary(block[core], out, self._change)

    def _change(self, real: Slab) -> None:
        one, other = (self.number, real) if self.swapped else (real, self.number)
        getattr(np, self.name)(one, other, out=real)

    def __str__(self) -> str:
        return f"{self.name} {self.number:g}{' swapped' if self.swapped else ''}"


@dataclass(frozen=True)
class WithVolume(Join):
    """Each voxel of two volumes by a NumPy function.

    Computed in float64; the first volume's dtype stays, rounded half to even and saturated. Of
    comparisons it is uint8, 0 and 1. ``&``, ``|`` and ``^`` take integers of one dtype, bit by bit.
    """

    name: str

    def infer(self, *specs: Spec) -> Spec:
        """As the class says. Raises PlanError for volumes that don't go together."""
        one, other = specs
        if one.shape != other.shape:
            raise PlanError(f"{self}: {one} and {other} have different shapes")
        if self.name in _BITWISE and (one.dtype != other.dtype or one.dtype.kind == "f"):
            raise PlanError(
                f"{self}: the volumes are {one.dtype} and {other.dtype}; take integers of one dtype"
            )
        return _result(self.name, one)

    def work(self, *specs: Spec) -> int:
        """Some rows of each volume as float64."""
        return 0 if self.name in _BITWISE else 2 * apply_unary_bytes(specs[0].shape[2])

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Compute into `out`."""
        function: Any = getattr(np, self.name)
        if self.name in _BITWISE:
            function(*planes, out=out)
            return
        with np.errstate(all="ignore"):
            apply_binary(planes[0], planes[1], out, function)

    def __str__(self) -> str:
        return self.name
