"""The base of all that may stand in a plan."""

from abc import ABC
from typing import ClassVar

__all__ = ["Part", "named"]


class Part(ABC):
    """A step of a plan: a source, an op, a fold, a sink and so on.

    Its `kind` names who answers the planner's questions about it: see `hoaconv.engine.stages`.
    """

    kind: ClassVar[str]

    takes_wide: ClassVar[bool] = False
    """True if it takes integers of 64 bits and keeps them exact, though float64 rounds them."""

    @property
    def halo(self) -> tuple[int, int, int]:
        """Context (z, y, x) that a voxel of the result needs on each side."""
        return (0, 0, 0)


def named(value: object) -> str:
    """Return the type of a value in words, for an error message."""
    kind = type(value)
    home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    article = "an" if (home or kind.__name__)[0] in "aeiou" else "a"
    return f"{article} {home}{kind.__name__}"
