"""What may stand in a plan."""

from abc import ABC
from typing import ClassVar

__all__ = ["Part"]


class Part(ABC):
    """A step of a plan: a source, an op, a fold, a sink and so on.

    Its `kind` names who answers the planner's questions about it: see `hoaconv.engine.stages`.
    """

    kind: ClassVar[str]

    @property
    def halo(self) -> tuple[int, int, int]:
        """Context (z, y, x) that a voxel of the result needs on each side."""
        return (0, 0, 0)
