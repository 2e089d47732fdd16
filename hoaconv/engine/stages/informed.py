"""Informed ops: the prescan puts the op in their place, and asks other streams for its values."""

from typing import Any, NoReturn

from hoaconv.engine.contract import Fold
from hoaconv.engine.informed import Informed
from hoaconv.engine.part import Part
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages.fused import Unbound
from hoaconv.engine.stages.kind import Kind, Share, inferred
from hoaconv.engine.stages.running import Running
from hoaconv.engine.stages.stage import At
from hoaconv.engine.stages.trial import Trial
from hoaconv.errors import PlanError

__all__ = ["InformedKind"]


class InformedKind(Kind[Informed]):
    """Answers for informed ops, which no schedule has."""

    name = Informed.kind
    takes_all = True
    is_value = True

    def infer(self, part: Informed, inputs: tuple[Spec, ...]) -> Spec:
        """Return the spec of the op's result. Raises PlanError if a fold can't take its input."""
        for fold, spec in zip(part.folds, inputs[1:], strict=True):
            inferred(fold, (spec,))
        return inferred(part.op, inputs[:1])

    def asks(self, part: Informed) -> tuple[tuple[int, Fold], ...]:
        """Return the folds, each with the input that it measures."""
        return tuple(enumerate(part.folds, 1))

    def unbound(self, part: Informed, sought: tuple[str, ...]) -> Part:
        """Return the op that waits for the values."""
        return Unbound(part.op, sought)

    def uses(self, at: At[Informed], share: Share) -> NoReturn:  # noqa: ARG002 - the contract
        """Raise PlanError: the prescan comes first."""
        raise PlanError(f"{at.part} was planned before its values were asked for")

    def lower(self, at: At[Informed], inputs: Any, running: Running) -> NoReturn:  # noqa: ARG002
        """Raise PlanError: the prescan comes first."""
        raise PlanError(f"{at.part} was run before its values were found")

    def trial(self, at: At[Informed], planes: Any, trial: Trial) -> NoReturn:  # noqa: ARG002
        """Raise PlanError: the prescan comes first."""
        raise PlanError(f"{at.part} was tried before its values were asked for")

    def warm(self, part: Informed, inputs: tuple[Spec, ...]) -> None:
        """Compile the kernels of the op and of the folds."""
        part.op.warm(inputs[0])
        for fold, spec in zip(part.folds, inputs[1:], strict=True):
            fold.warm(spec)
