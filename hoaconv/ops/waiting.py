"""Ops with parameters that may be numbers which are found in an earlier sweep."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from hoaconv.engine.contract import Op
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.beside import Beside, Unknown
from hoaconv.ops.kinds import exact_number
from hoaconv.ops.parameters import Declared
from hoaconv.ops.terms import Calculation, Term, Value, evaluate

__all__ = ["Waiting"]


class Waiting(Declared, Op):
    """An op whose parameters `deferred` may be unknown numbers, and then terms of what folds find.

    Neither halo nor dtype of the result depends on these parameters, so the op can be planned.
    """

    @property
    def unknown(self) -> dict[str, Unknown]:
        """The parameters that are unknown numbers."""
        given = {name: getattr(self, name) for name in self.deferred}
        return {name: value.value for name, value in given.items() if isinstance(value, Beside)}

    @property
    def terms(self) -> dict[str, Term]:
        """The parameters that are terms of what folds find."""
        given = {name: getattr(self, name) for name in self.deferred}
        return {n: value for n, value in given.items() if isinstance(value, Value | Calculation)}

    def settle(self, *found: Mapping[str, Any]) -> Op:
        """Return the op with a number for each term, given the values of all folds in their order.

        Raises
        ------
        PlanError
            If a fold has found no value, or the op can't take it.
        """
        numbers = {name: exact_number(evaluate(term, found)) for name, term in self.terms.items()}
        return self._settled(numbers)

    def _settled(self, numbers: Mapping[str, Any]) -> Self:
        try:
            return replace(self, **numbers)
        except SpellingError as reason:
            told = ", ".join(f"{getattr(self, name)} {value}" for name, value in numbers.items())
            raise PlanError(f"'{self}' can't be done, since the volume has {told}: {reason}") from (
                reason
            )

    def warm(self, spec: Spec) -> None:
        """Compile the kernels, which are the same for any numbers."""
        settled = replace(self, **{name: float(i) for i, name in enumerate(self.deferred, 1)})
        super(Waiting, settled).warm(spec)
