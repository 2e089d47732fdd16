"""Operators of volumes: voxels with a number, with a value of a volume, or with other voxels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, isnan
from typing import Any

import numpy as np

from hoaconv.engine.contract import Core, Join, Op
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.pointwise import (
    apply_binary,
    apply_unary,
    apply_unary_bytes,
    at_least,
    at_most,
)
from hoaconv.kernels.rounding import is_wide
from hoaconv.ops.kinds import exact_number, spell_number
from hoaconv.ops.terms import Term, evaluate, spelled

__all__ = ["BITWISE", "COMMUTATIVE", "COMPARING", "WithNumber", "WithScalar", "WithVolume"]

COMPARING = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
BITWISE = ("bitwise_and", "bitwise_or", "bitwise_xor")
COMMUTATIVE = ("add", "multiply", *BITWISE)

_TURNED = {
    "greater": "less",
    "greater_equal": "less_equal",
    "less": "greater",
    "less_equal": "greater_equal",
}
"""The comparisons that are equal to these if the operands are swapped."""


def _compare(voxels: Slab, out: Slab, name: str, value: float) -> None:
    """Compare voxels with a number, exactly and in their own dtype, which is many times faster.

    The number is rounded to the next value of the dtype on the side that changes no answer.
    """
    bound = (at_most if name in ("greater", "less_equal") else at_least)(value, voxels.dtype)
    if name in ("equal", "not_equal") and (bound is None or bound.item() != value):
        out[...] = name == "not_equal"  # no voxel has this value
    elif bound is None:  # the number lies beyond all values of the dtype
        out[...] = name in ("greater", "less")
    else:
        getattr(np, name)(voxels, bound, out=out.view(np.bool_))


def _result(name: str, spec: Spec) -> Spec:
    """Return uint8 (0 and 1) for comparisons; otherwise the dtype stays.

    Raises
    ------
    PlanError
        For a function of bits, if the voxels aren't integers.
    """
    if name in BITWISE and spec.dtype.kind == "f":
        raise PlanError(f"{name} takes masks or integers, not {spec.dtype}")
    return replace(spec, dtype=np.dtype(np.uint8)) if name in COMPARING else spec


@dataclass(frozen=True)
class WithNumber(Op):
    """An op on each voxel and a number, by a NumPy function, in float64.

    The dtype stays, rounded half to even and saturated. Comparisons return uint8, 0 and 1.

    Attributes
    ----------
    name
        The function's name in NumPy.
    number
        Any number.
    swapped
        True if the number is the first operand: ``5 - volume``.
    """

    name: str
    number: float
    swapped: bool = False
    word = "with-number"

    @property
    def takes_wide(self) -> bool:  # type: ignore[override] # a fact of the class in most others
        """True for comparisons, and bit by bit."""
        return self.name in COMPARING + BITWISE

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the result.

        Raises
        ------
        PlanError
            For a function of bits, if voxels and number aren't integers of one dtype.
        """
        if self.name in BITWISE and spec.dtype.kind != "f":
            ends, whole = np.iinfo(spec.dtype), isfinite(self.number) and int(self.number)
            if not (whole == self.number and ends.min <= whole <= ends.max):
                raise PlanError(f"{self}: the number is no value of {spec.dtype}")
        return _result(self.name, spec)

    def work(self, spec: Spec) -> int:
        """Return the bytes of some rows as float64."""
        return apply_unary_bytes(spec.shape[2])

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the function of ``block[core]`` into `out`."""
        voxels = block[core]
        if self.name in BITWISE:
            getattr(np, self.name)(voxels, voxels.dtype.type(int(self.number)), out=out)
            return
        if self.name in COMPARING and not isnan(self.number):
            name = _TURNED.get(self.name, self.name) if self.swapped else self.name
            _compare(voxels, out, name, self.number)
            return
        with np.errstate(all="ignore"):  # what is divided by 0 is infinite or NaN
            apply_unary(voxels, out, self._change)

    def _change(self, real: Slab) -> None:
        number = float(self.number)
        one, other = (number, real) if self.swapped else (real, number)
        getattr(np, self.name)(one, other, out=real)

    def __str__(self) -> str:
        return f"{self.name} {spell_number(self.number)}{' swapped' if self.swapped else ''}"


@dataclass(frozen=True)
class WithScalar(Op):
    """An op on each voxel and a number that folds compute first; see `WithNumber`.

    Attributes
    ----------
    name, swapped
        As of `WithNumber`.
    term
        The number, in terms of the folds' values.
    """

    name: str
    term: Term
    swapped: bool = False
    word = "with-scalar"

    @property
    def takes_wide(self) -> bool:  # type: ignore[override] # a fact of the class in most others
        """True for comparisons."""
        return self.name in COMPARING

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the result."""
        return _result(self.name, spec)

    def work(self, spec: Spec) -> int:
        """Return the bytes of some rows as float64."""
        return apply_unary_bytes(spec.shape[2])

    def settle(self, *found: Mapping[str, Any]) -> WithNumber:
        """Return the op with a number, given the values of all folds in their order.

        Raises
        ------
        PlanError
            If a fold has found none.
        """
        return WithNumber(self.name, exact_number(evaluate(self.term, found)), self.swapped)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:  # noqa: ARG002 - the contract
        """Raise RuntimeError: `settle` comes first."""
        raise RuntimeError(f"'{self}' can't be applied before its number is found")

    def warm(self, spec: Spec) -> None:
        """Compile nothing."""

    def __str__(self) -> str:
        return f"{self.name} {spelled(self.term)}{' swapped' if self.swapped else ''}"


@dataclass(frozen=True)
class WithVolume(Join):
    """An op on the voxels of two volumes, by a NumPy function, in float64.

    The result has the first volume's dtype, rounded half to even and saturated. Comparisons return
    uint8, 0 and 1. ``&``, ``|`` and ``^`` combine the bits of integers of one dtype. The voxel size
    is the first volume's, or the other's if that of the first isn't known. Integers of 64 bits are
    compared exactly with other integers, and with nothing else.
    """

    name: str

    @property
    def takes_wide(self) -> bool:  # type: ignore[override] # a fact of the class in most others
        """True for comparisons, and bit by bit."""
        return self.name in COMPARING + BITWISE

    def infer(self, *specs: Spec) -> Spec:
        """Return the spec of the result. Raises PlanError for volumes that don't go together."""
        one, other = specs
        if one.shape != other.shape:
            raise PlanError(
                f"{self}: {one} and {other} have different shapes; take volumes of one shape, or "
                "a single plane, which is used for every z"
            )
        if self.name in BITWISE and (one.dtype != other.dtype or one.dtype.kind == "f"):
            raise PlanError(
                f"{self}: the volumes are {one.dtype} and {other.dtype}; take integers of one dtype"
            )
        if any(is_wide(spec.dtype) for spec in specs) and {"f"} & {s.dtype.kind for s in specs}:
            raise PlanError(
                f"{self}: {one.dtype} and {other.dtype} can't be compared exactly; cast one of them"
            )
        placed = one if one.geometry.voxel_size else replace(one, geometry=other.geometry)
        return _result(self.name, placed)

    def work(self, *specs: Spec) -> int:
        """Return the bytes of some rows of each volume as float64."""
        return 0 if self.name in BITWISE else 2 * apply_unary_bytes(specs[0].shape[2])

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Compute into `out`."""
        function: Any = getattr(np, self.name)
        if self.name in BITWISE:
            function(*planes, out=out)
            return
        if any(is_wide(plane.dtype) for plane in planes):
            function(*planes, out=out.view(np.bool_))
            return
        with np.errstate(all="ignore"):
            apply_binary(planes[0], planes[1], out, function)

    def __str__(self) -> str:
        return self.name
