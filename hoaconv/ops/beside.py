"""Values of another volume in an op's parameters: its voxels, or a number that isn't known yet."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

__all__ = ["Beside", "Subject", "Unknown", "is_array"]


class Subject(ABC):
    """A volume, which an op or fold is applied to when it is called with it."""

    @abstractmethod
    def applied(self, step: Any) -> Any:
        """Return what an op makes of the volume, or what a fold measures of it."""

    @property
    @abstractmethod
    def recipe(self) -> tuple[Any, ...]:
        """All that the volume is made of, as a value that compares and hashes."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """Shape, dtype and ops in one line."""


class Unknown(ABC):
    """A number of whole volumes that a sweep finds first.

    Attributes
    ----------
    term
        The number, a `hoaconv.ops.terms.Term` of the values of `asked`.
    asked
        Volumes, and the fold that measures each.
    """

    term: Any
    asked: tuple[tuple[Any, Any], ...]

    @property
    @abstractmethod
    def recipe(self) -> tuple[Any, ...]:
        """All that the number is made of, as a value that compares and hashes."""


@dataclass(frozen=True, eq=False)
class Beside:
    """A volume, an array or an unknown number as a parameter: it compares by what it is made of.

    Their own ``==`` compares voxels, or computes. Arrays are equal if they are the same object.
    """

    value: Any

    @property
    def _key(self) -> Any:
        return self.value.recipe if isinstance(self.value, Subject | Unknown) else id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Beside) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        if isinstance(self.value, Subject):
            return f"({self.value.summary})"
        if isinstance(self.value, Unknown):
            return f"({self.value.term})"
        return f"({' x '.join(map(str, self.value.shape))} {self.value.dtype} array)"


def is_array(value: Any) -> bool:
    """Return whether a value is an array with axes, of NumPy or another library."""
    known = all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__"))
    return known and not isinstance(value, Subject) and len(value.shape) > 0
