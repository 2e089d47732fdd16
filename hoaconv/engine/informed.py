"""An op that depends on values of whole volumes other than the one it changes."""

from dataclasses import dataclass

from hoaconv.engine.contract import Fold, Join, Op
from hoaconv.engine.spec import Plane, Spec

__all__ = ["Informed"]


@dataclass(frozen=True)
class Informed(Join):
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

    op: Op
    folds: tuple[Fold, ...]

    def infer(self, *specs: Spec) -> Spec:
        """Spec of the op's result. Raises PlanError if the op can't take the first stream."""
        return self.op.infer(specs[0])

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:  # noqa: ARG002 - the contract
        """Raise RuntimeError: the pass `measure` puts the op in the place of this."""
        raise RuntimeError(f"{self.op} was applied before its values were found")

    def work(self, *specs: Spec) -> int:
        """Bytes that the op allocates."""
        return self.op.work(specs[0])

    def __str__(self) -> str:
        return str(self.op)
