"""The other operand of an operator: a number, a scalar, a volume, or an array of voxels."""

from math import isnan
from typing import Any

import numpy as np

from hoaconv.engine.plan import Plan
from hoaconv.engine.spec import Spec
from hoaconv.errors import SpellingError
from hoaconv.job.arrays import array_plan
from hoaconv.job.chain import for_each_z, spec_at
from hoaconv.job.masks import gives_mask
from hoaconv.job.measured import Measured
from hoaconv.job.planned import Planned
from hoaconv.job.scalar import Scalar
from hoaconv.ops.beside import is_array
from hoaconv.ops.elementwise import BITWISE, COMMUTATIVE, WithNumber, WithVolume
from hoaconv.ops.kinds import exact_number

__all__ = ["combined"]


def combined(
    one: Planned, other: Any, name: str, *, swapped: bool = False
) -> tuple[Plan, Spec] | None:
    """Return the plan and spec of a NumPy function of two operands; None if `other` is none.

    Parameters
    ----------
    one
        A volume.
    other
        A number, a scalar, a volume or an array. A volume or an array of one plane (y, x) is used
        for every z.
    name
        The function's name in NumPy.
    swapped
        Whether `other` is the first operand.

    Raises
    ------
    SpellingError
        If `other` is NaN, too large a number, an array with other than two or three axes, or a
        measurement that isn't computed.
    PlanError
        If the shapes differ.
    """
    if isinstance(other, Scalar):
        if name in BITWISE:
            return None
        return other.informs(one, name, swapped=swapped)
    if isinstance(other, Measured):
        raise SpellingError(
            f"{other!r} isn't computed yet, and no operand of a volume: call its compute() first"
        )
    if is_array(other):
        plan = array_plan(other)
        other = Planned(plan, spec_at(plan))
    if isinstance(other, Planned):
        return _together(*((other, one) if swapped else (one, other)), name)
    number = _number(other)
    if number is None:
        return None
    plan = one.plan | WithNumber(name, number, swapped and name not in COMMUTATIVE)
    return plan, spec_at(plan)


def _together(one: Planned, other: Planned, name: str) -> tuple[Plan, Spec]:
    """Return the function of two volumes, of which one may have a single plane."""
    if name == "multiply" and gives_mask(one.plan) and not gives_mask(other.plan):
        one, other = other, one  # the dtype of the mask would hold nothing but the mask
    pair = for_each_z(one.plan, other.spec) & for_each_z(other.plan, one.spec)
    plan = pair | WithVolume(name)
    return plan, spec_at(plan)


def _number(value: Any) -> float | None:
    """Return a number, a whole one exactly; None for what is no number."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, int | float | np.integer | np.floating | np.bool_):
        return None
    try:
        number = float(value)
    except OverflowError:
        raise SpellingError("the operand is a whole number beyond the range of float64") from None
    if isnan(number):
        raise SpellingError("NaN is no operand: volume != volume marks the voxels that are NaN")
    return exact_number(value)
