"""Arithmetic on values that folds will find: written down now, evaluated when they are known."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoaconv.errors import PlanError

__all__ = ["Calculation", "Term", "Value", "evaluate", "number", "shifted", "spelled"]

Found = Sequence[Mapping[str, Any]]
"""The values of several folds."""


@dataclass(frozen=True)
class Value:
    """The value that the fold at `place` of several finds under `name`."""

    place: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Calculation:
    """A NumPy function, by its name, of two terms."""

    function: str
    one: "Term"
    other: "Term"

    def __str__(self) -> str:
        one, other, sign = spelled(self.one), spelled(self.other), _SIGNS.get(self.function)
        return f"{one} {sign} {other}" if sign else f"{self.function}({one}, {other})"


Term = float | Value | Calculation
"""A number, or what becomes one."""

_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "remainder": "%",
    "power": "**",
}


def spelled(term: Term) -> str:
    """Return the text of a term, in brackets if it is calculated.

    Examples
    --------
    >>> spelled(Calculation("add", Calculation("multiply", Value(0, "otsu"), 0.5), 3.0))
    '((otsu * 0.5) + 3)'
    """
    if isinstance(term, Calculation):
        return f"({term})"
    return f"{term:g}" if isinstance(term, int | float) else str(term)


def shifted(term: Term, by: int) -> Term:
    """Return the term for folds that stand `by` places further on."""
    if isinstance(term, Value):
        return Value(term.place + by, term.name)
    if isinstance(term, Calculation):
        return Calculation(term.function, shifted(term.one, by), shifted(term.other, by))
    return term


def evaluate(term: Term, found: Found) -> float | int:
    """Return the number that a term is once all folds have found their values.

    A value is as the fold has it. Calculations are done in float64, but those with whole numbers
    that float64 would round are done in whole numbers, if the function has a whole result.

    Raises
    ------
    PlanError
        If a fold has found no value, since no voxel has one.
    """
    if isinstance(term, Value):
        return number(term.name, found[term.place][term.name])
    if isinstance(term, Calculation):
        one, other = (evaluate(part, found) for part in (term.one, term.other))
        if term.function in _WHOLE and _are_wide(one, other):
            whole: int = getattr(operator, _WHOLE[term.function])(int(one), int(other))
            return whole
        with np.errstate(all="ignore"):  # what is divided by 0 is infinite or NaN
            return float(getattr(np, term.function)(np.float64(one), np.float64(other)))
    return term


_WHOLE = {"add": "add", "subtract": "sub", "multiply": "mul"}
"""Functions of whole numbers whose results are whole, and their names in `operator`."""


def _are_wide(*numbers: float) -> bool:
    """Return whether all are whole numbers, and one is an int that float64 may round."""
    small = 1 << 53
    wide = any(isinstance(n, int) and abs(n) >= small for n in numbers)
    return wide and all(isinstance(n, int) or (n.is_integer() and abs(n) < small) for n in numbers)


def number(name: str, value: float | int | str | None) -> float | int:
    """Return a value of a fold as a number; infinities and NaN are spelled there, as in JSON.

    Raises
    ------
    PlanError
        If there is none.
    """
    if value is None:
        raise PlanError(f"the volume has no {name}: no voxel is a finite number")
    return float(value) if isinstance(value, str) else value
