"""Python's operators; each calls the NumPy function of its name."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

__all__ = ["Arithmetic", "Comparison"]

Made = TypeVar("Made")


class Arithmetic(ABC, Generic[Made]):
    """The operators ``+ - * /``."""

    __array_ufunc__ = None
    """NumPy leaves operators of its arrays and numbers with such a value to the value."""

    @abstractmethod
    def _with(self, other: Any, name: str, *, swapped: bool = False) -> Made:
        """Return the NumPy function of this and `other`; if `swapped`, of `other` and this.

        Return NotImplemented if `other` has another type: Python then asks the other operand.
        """

    def __add__(self, other: Any) -> Made:
        return self._with(other, "add")

    def __radd__(self, other: Any) -> Made:
        return self._with(other, "add")

    def __sub__(self, other: Any) -> Made:
        return self._with(other, "subtract")

    def __rsub__(self, other: Any) -> Made:
        return self._with(other, "subtract", swapped=True)

    def __mul__(self, other: Any) -> Made:
        return self._with(other, "multiply")

    def __rmul__(self, other: Any) -> Made:
        return self._with(other, "multiply")

    def __truediv__(self, other: Any) -> Made:
        return self._with(other, "divide")

    def __rtruediv__(self, other: Any) -> Made:
        return self._with(other, "divide", swapped=True)


class Comparison(Arithmetic[Made]):
    """The operators ``> >= < <=``, voxel by voxel, and ``+ - * /``."""

    def __gt__(self, other: Any) -> Made:
        return self._with(other, "greater")

    def __ge__(self, other: Any) -> Made:
        return self._with(other, "greater_equal")

    def __lt__(self, other: Any) -> Made:
        return self._with(other, "less")

    def __le__(self, other: Any) -> Made:
        return self._with(other, "less_equal")
