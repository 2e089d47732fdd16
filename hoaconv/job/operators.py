"""Python's operators; each calls the NumPy function of its name."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

__all__ = ["Arithmetic", "Comparison"]

Made = TypeVar("Made")


class Arithmetic(ABC, Generic[Made]):
    """The operators ``+ - * / // % **``."""

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
        return self._with(other, "add", swapped=True)

    def __sub__(self, other: Any) -> Made:
        return self._with(other, "subtract")

    def __rsub__(self, other: Any) -> Made:
        return self._with(other, "subtract", swapped=True)

    def __mul__(self, other: Any) -> Made:
        return self._with(other, "multiply")

    def __rmul__(self, other: Any) -> Made:
        return self._with(other, "multiply", swapped=True)

    def __truediv__(self, other: Any) -> Made:
        return self._with(other, "divide")

    def __rtruediv__(self, other: Any) -> Made:
        return self._with(other, "divide", swapped=True)

    def __floordiv__(self, other: Any) -> Made:
        return self._with(other, "floor_divide")

    def __rfloordiv__(self, other: Any) -> Made:
        return self._with(other, "floor_divide", swapped=True)

    def __mod__(self, other: Any) -> Made:
        return self._with(other, "remainder")

    def __rmod__(self, other: Any) -> Made:
        return self._with(other, "remainder", swapped=True)

    def __pow__(self, other: Any) -> Made:
        return self._with(other, "power")

    def __rpow__(self, other: Any) -> Made:
        return self._with(other, "power", swapped=True)


class Comparison(Arithmetic[Made]):
    """The operators ``> >= < <= == !=`` and ``& | ^``, voxel by voxel, and those of arithmetic."""

    __hash__ = object.__hash__  # such a value is a key by its identity, since == compares voxels

    def __gt__(self, other: Any) -> Made:
        return self._with(other, "greater")

    def __ge__(self, other: Any) -> Made:
        return self._with(other, "greater_equal")

    def __lt__(self, other: Any) -> Made:
        return self._with(other, "less")

    def __le__(self, other: Any) -> Made:
        return self._with(other, "less_equal")

    def __eq__(self, other: object) -> Made:  # type: ignore[override] # as NumPy's arrays
        return self._compared(other, "equal")

    def __ne__(self, other: object) -> Made:  # type: ignore[override] # as NumPy's arrays
        return self._compared(other, "not_equal")

    def __and__(self, other: Any) -> Made:
        return self._with(other, "bitwise_and")

    def __rand__(self, other: Any) -> Made:
        return self._with(other, "bitwise_and", swapped=True)

    def __xor__(self, other: Any) -> Made:
        return self._with(other, "bitwise_xor")

    def __rxor__(self, other: Any) -> Made:
        return self._with(other, "bitwise_xor", swapped=True)

    def __bool__(self) -> bool:
        raise ValueError(
            "the truth value of a volume is ambiguous: combine masks by & and |, with each "
            "comparison in brackets, as in (volume > 5) & (volume < 10)"
        )

    def _compared(self, other: object, name: str) -> Made:
        """Compare for equality. Raises TypeError where Python would say False by itself."""
        made = self._with(other, name)
        if made is NotImplemented:
            raise TypeError(
                f"the voxels of a volume can't be compared with a {type(other).__name__}; "
                "one.same_as(other) tells whether two volumes are made alike"
            )
        return made
