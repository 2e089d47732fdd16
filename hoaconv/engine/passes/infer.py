"""Shape, dtype and geometry of what flows, stage by stage; what can't be is refused here."""

from dataclasses import replace

from hoaconv.engine.schedule import Sweep
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages import Stage, inferred

__all__ = ["infer"]


def infer(draft: Sweep) -> Sweep:
    """Set every stage's spec.

    Raises
    ------
    PlanError
        If a part refuses what it would get.
    """
    stages: list[Stage] = []
    for stage in draft.stages:
        inputs = tuple(stages[i].given for i in stage.inputs)
        stages.append(replace(stage, spec=_spec(stage, inputs)))
    return draft.with_stages(tuple(stages))


def _spec(stage: Stage, inputs: tuple[Spec, ...]) -> Spec:
    spec = inferred(stage.part, inputs)
    return replace(spec, geometry=stage.geometry) if stage.geometry else spec
