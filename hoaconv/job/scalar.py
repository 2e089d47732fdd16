"""A number of a whole volume as a value: it is computed when it is asked for."""

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.informed import Informed
from hoaconv.engine.plan import Plan
from hoaconv.engine.spec import Spec
from hoaconv.job.html import table
from hoaconv.job.measuring import measured_together
from hoaconv.job.operators import Arithmetic
from hoaconv.job.planned import Planned
from hoaconv.ops.elementwise import WithScalar
from hoaconv.ops.terms import Calculation, Term, Value, evaluate, shifted

__all__ = ["Scalar", "is_number"]


@dataclass(frozen=True)
class Scalar(Arithmetic["Scalar"]):
    """A number of one or more volumes that isn't computed yet, such as Otsu's threshold.

    Functions such as `hoaconv.ops.otsu` and methods such as ``volume.max()`` make it. It is an
    operand of all operators of volumes, and of ``+ - * /`` with numbers and other scalars. If the
    voxels of a volume depend on it, an earlier sweep computes it.

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
        keys = [(id(volume.plan.ends[0]), fold) for volume, fold in self.asked]
        once = dict(zip(keys, self.asked, strict=True))
        told = measured_together(list(once.values()), budget, workers)
        values = dict(zip(once, (value for value, _ in told), strict=True))
        return evaluate(self.term, [values[key] for key in keys])

    def __float__(self) -> float:
        return float(self.compute())

    def informs(self, volume: Planned, name: str, *, swapped: bool) -> tuple[Plan, Spec]:
        """Return the plan of a NumPy function of each voxel and this number, and its spec."""
        plan = reduce(and_, (asked.plan for asked, _ in self.asked), volume.plan)
        op = WithScalar(name, self.term, swapped)
        folds = tuple(fold for _, fold in self.asked)
        return plan | Informed(op, folds), op.infer(volume.spec)

    def _with(self, other: Any, name: str, *, swapped: bool = False) -> "Scalar":
        if isinstance(other, Scalar):
            term = Calculation(name, self.term, shifted(other.term, len(self.asked)))
            return Scalar(term, self.asked + other.asked)
        if not is_number(other):
            return NotImplemented  # type: ignore[no-any-return] # Python then asks the other operand
        one, two = (float(other), self.term) if swapped else (self.term, float(other))
        return Scalar(Calculation(name, one, two), self.asked)

    def __repr__(self) -> str:
        return f"Scalar({self.term} of {' and '.join(self._volumes)})"

    @property
    def _volumes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(volume.summary for volume, _ in self.asked))

    def _repr_html_(self) -> str:
        return table({"scalar": str(self.term), "of": " and ".join(self._volumes)})


def is_number(value: Any) -> bool:
    """Return whether a value is one finite number."""
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))
