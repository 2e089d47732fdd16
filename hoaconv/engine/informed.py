"""An op that depends on values of whole volumes other than the one it changes."""

from dataclasses import dataclass
from typing import ClassVar

from hoaconv.engine.contract import Fold, Op
from hoaconv.engine.part import Part

__all__ = ["Informed"]


@dataclass(frozen=True)
class Informed(Part):
    """Planes of the first stream, changed by an op that the values of the other streams settle.

    An earlier sweep reads each of the other streams into its fold; the sweep of the op itself
    doesn't read them. Their shapes and dtypes are free.

    Attributes
    ----------
    op
        Its `settle` gets the value of each fold as an argument, in their order.
    folds
        A fold for each of the other streams.
    """

    kind: ClassVar[str] = "informed"
    takes_wide: ClassVar[bool] = True  # its op and its folds are asked, each for its own input

    op: Op
    folds: tuple[Fold, ...]

    def __str__(self) -> str:
        return str(self.op)
