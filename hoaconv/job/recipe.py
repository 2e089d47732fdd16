"""Values that compare by what they are made of, not by what they would compute."""

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["ByRecipe"]


class ByRecipe(ABC):
    """A value made of volumes, whose own ``==`` compares voxels: it compares by its recipe."""

    @property
    @abstractmethod
    def recipe(self) -> tuple[Any, ...]:
        """All that the value is made of; no volume is among it, but their recipes are."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ByRecipe):
            return NotImplemented
        return type(self) is type(other) and self.recipe == other.recipe

    def __hash__(self) -> int:
        return hash(self.recipe)
