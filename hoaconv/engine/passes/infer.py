"""Shape and dtype of what flows, stage by stage; what can't be is refused here."""

from dataclasses import replace

from hoaconv.engine.contract import Fold, Join, Op, Resample, Scan, Sink, Source
from hoaconv.engine.schedule import Stage, Sweep
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError

__all__ = ["infer"]

REACH = 1 << 16
"""Voxels that an op may look far, along each axis."""


def infer(draft: Sweep) -> Sweep:
    """Set every stage's spec.

    Raises
    ------
    PlanError
        If a part refuses what it would get.
    """
    for i, stage in enumerate(draft.stages):
        stages = (*draft.stages[:i], replace(stage, spec=_spec(draft, stage)))
        draft = draft.with_stages(stages + draft.stages[i + 1 :])
    return draft


def _spec(draft: Sweep, stage: Stage) -> Spec:
    if isinstance(stage.part, Source):
        spec = stage.part.spec
        return replace(spec, geometry=stage.geometry) if stage.geometry else spec
    spec = draft.spec_in(stage)
    if isinstance(stage.part, Fold):
        return spec
    if isinstance(stage.part, Join):
        return stage.part.infer(*(draft.spec_of(draft.stages[i]) for i in stage.inputs))
    if isinstance(stage.part, Sink | Resample | Scan):
        return stage.part.infer(spec)
    _check_reach(stage.part)
    return _same_shape(stage.part, spec, stage.part.infer(spec))


def _check_reach(op: Op) -> None:
    """Refuse what would look over more voxels than any volume has: weights alone fill memory."""
    if max(op.halo) > REACH:
        raise PlanError(
            f"{op} would look {max(op.halo)} voxels far, and ops look at most {REACH} voxels far"
        )


def _same_shape(op: Op | Scan, taken: Spec, given: Spec) -> Spec:
    if taken.shape != given.shape:
        raise PlanError(f"{op} turns {taken} into {given}; an op must keep the shape")
    return given
