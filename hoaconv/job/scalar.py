"""A number of a whole volume as a value: it is computed when it is asked for."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.informed import Informed
from hoaconv.engine.plan import Plan
from hoaconv.engine.spec import Spec
from hoaconv.errors import SpellingError
from hoaconv.job.html import table
from hoaconv.job.measuring import measured_together
from hoaconv.job.operators import Arithmetic
from hoaconv.job.output import Output
from hoaconv.job.planned import Planned
from hoaconv.ops.beside import Unknown
from hoaconv.ops.elementwise import COMMUTATIVE, WithScalar
from hoaconv.ops.kinds import exact_number
from hoaconv.ops.terms import Calculation, Term, Value, evaluate, shifted

__all__ = ["Scalar", "is_number"]


@dataclass(frozen=True, eq=False)
class Scalar(Arithmetic["Scalar"], Unknown):
    """A number of one or more volumes that isn't computed yet, such as Otsu's threshold.

    Functions such as `hoaconv.ops.otsu` and methods such as ``volume.max()`` make it. It is an
    operand of all operators of volumes, and of ``+ - * / // % **`` with numbers and other scalars.
    If the voxels of a volume depend on it, an earlier sweep computes it. A comparison with a number
    or another scalar, `round`, `format`, `float` and `int` compute it at once.

    Attributes
    ----------
    term
        The number as an expression of the values that the folds of `asked` measure.
    asked
        Volumes, each with the fold that measures it.

    Examples
    --------
    >>> volume = hc.open(np.arange(24, dtype="uint8").reshape(2, 3, 4))
    >>> 2 * volume.max() + 1
    Scalar((max * 2) + 1 of 2 x 3 x 4 uint8)
    >>> float(2 * volume.max() + 1), (volume >= volume.max()).compute().sum()
    (47.0, np.uint64(1))
    """

    term: Term
    asked: tuple[tuple[Planned, Fold], ...]

    @classmethod
    def of(cls, volume: Planned, fold: Fold, name: str) -> "Scalar":
        """Return the value `name` of what a fold finds in a volume."""
        return cls(Value(0, name), ((volume, fold),))

    def compute(
        self, budget: str | int | None = None, *, workers: int | None = None
    ) -> float | int:
        """Measure the volumes in one sweep, and return the number.

        Parameters
        ----------
        budget
            Memory that the process may hold, in bytes or as text such as ``"8GiB"``. By default
            60 % of the free memory.
        workers
            Number of threads; by default one for each CPU of this process.

        Returns
        -------
        int or float
            An int if the voxels are integers and the number is one of them, or their sum.

        Raises
        ------
        BudgetError
            If the sweep doesn't fit the budget.
        PlanError
            If no voxel has such a value.
        SourceError
            If a voxel can't be read.

        Examples
        --------
        >>> volume = hc.open("slices/")
        >>> (0.5 * (volume.min() + volume.max())).compute(budget="1GiB")
        357.5
        """
        (number,) = _found_together((self,), budget, workers)
        return number

    @property
    def recipe(self) -> tuple[Any, ...]:
        """The term, and of what it is one, as a value that compares and hashes."""
        return (self.term, tuple((volume.recipe, fold) for volume, fold in self.asked))

    @property
    def measured(self) -> tuple[Planned, Fold]:
        """The volume and the fold that find the number, as an output of a job.

        Raises
        ------
        SpellingError
            If it takes several folds or volumes.
        """
        first, *others = ((volume.recipe, fold) for volume, fold in self.asked)
        if any(other != first for other in others):
            raise SpellingError(
                f"{self!r} is made of several measurements: store each under a name of its own"
            )
        return self.asked[0]

    def same_as(self, other: "Scalar") -> bool:
        """Return whether both are found in the same way in the same volumes; nothing is computed.

        Parameters
        ----------
        other
            Another scalar; for any other value the result is False.

        Examples
        --------
        >>> volume = hc.open("slices/")
        >>> volume.max().same_as(volume.max()), volume.max().same_as(volume.min())
        (True, False)
        """
        return isinstance(other, Scalar) and self.recipe == other.recipe

    def __float__(self) -> float:
        return float(self.compute())

    def __int__(self) -> int:
        return int(self.compute())

    def __bool__(self) -> bool:
        return bool(self.compute())

    def __round__(self, digits: int | None = None) -> float | int:
        return round(self.compute(), digits)

    def __format__(self, spec: str) -> str:
        return format(self.compute(), spec) if spec else str(self)

    def __or__(self, other: Any) -> Any:
        """Raise SpellingError: a number takes no ops. Python binds ``|`` tighter than ``>``."""
        if isinstance(other, Output):
            return NotImplemented  # Python then asks the output, which names its path in the error
        raise SpellingError(
            f"{self!r} is a number, which takes no ops and isn't written: put a comparison in "
            "brackets, as in (volume > ops.otsu(volume)) | step"
        )

    def __neg__(self) -> "Scalar":
        return self._with(-1, "multiply")

    def __abs__(self) -> "Scalar":
        return Scalar(Calculation("copysign", self.term, 1.0), self.asked)

    __hash__ = object.__hash__  # two scalars are equal if their numbers are, which takes a sweep

    def __eq__(self, other: object) -> bool:
        return self._compared(other, operator.eq)

    def __ne__(self, other: object) -> bool:
        return self._compared(other, operator.ne)

    def __lt__(self, other: Any) -> bool:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> bool:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> bool:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> bool:
        return self._compared(other, operator.ge)

    def _compared(self, other: Any, function: Callable[[Any, Any], bool]) -> bool:
        """Compare the number with another; NotImplemented for a volume, which compares voxels."""
        if isinstance(other, Scalar):
            return function(*_found_together((self, other), None, None))
        known = isinstance(other, int | float | np.number)
        return function(self.compute(), other) if known else NotImplemented

    def informs(self, volume: Planned, name: str, *, swapped: bool) -> tuple[Plan, Spec]:
        """Return the plan of a NumPy function of each voxel and this number, and its spec."""
        plan = reduce(operator.and_, (asked.plan for asked, _ in self.asked), volume.plan)
        op = WithScalar(name, self.term, swapped and name not in COMMUTATIVE)
        folds = tuple(fold for _, fold in self.asked)
        return plan | Informed(op, folds), op.infer(volume.spec)

    def _with(self, other: Any, name: str, *, swapped: bool = False) -> "Scalar":
        if isinstance(other, Scalar):
            term = Calculation(name, self.term, shifted(other.term, len(self.asked)))
            return Scalar(term, self.asked + other.asked)
        if not is_number(other):
            return NotImplemented  # type: ignore[no-any-return] # Python then asks the other operand
        first = swapped and name not in COMMUTATIVE
        number = exact_number(other)
        one, two = (number, self.term) if first else (self.term, number)
        return Scalar(Calculation(name, one, two), self.asked)

    def __repr__(self) -> str:
        return f"Scalar({self.term} of {' and '.join(self._volumes)})"

    @property
    def _volumes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(volume.summary for volume, _ in self.asked))

    def _repr_html_(self) -> str:
        return table({"scalar": str(self.term), "of": " and ".join(self._volumes)})


def _found_together(
    scalars: Sequence[Scalar], budget: str | int | None, workers: int | None
) -> list[float | int]:
    """Return the numbers of scalars, found in one sweep."""
    asked = [pair for scalar in scalars for pair in scalar.asked]
    keys = [(id(volume.plan.ends[0]), fold) for volume, fold in asked]
    once = dict(zip(keys, asked, strict=True))
    told = measured_together(list(once.values()), budget, workers)
    values = dict(zip(once, (value for value, _ in told), strict=True))
    found = [values[key] for key in keys]
    return [
        evaluate(scalar.term, found[before:])
        for scalar, before in zip(scalars, _before(scalars), strict=True)
    ]


def _before(scalars: Sequence[Scalar]) -> list[int]:
    """Return how many folds the scalars before each one ask."""
    return [sum(len(scalar.asked) for scalar in scalars[:i]) for i in range(len(scalars))]


def is_number(value: Any) -> bool:
    """Return whether a value is one finite number."""
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))
