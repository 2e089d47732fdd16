"""Let the source give only the planes that are wanted, in the order in which they are.

A crop along z then decodes nothing that it drops, and a flip along z, which no sweep could do
otherwise, reads the slices from the last to the first.
"""

from dataclasses import replace
from typing import cast

from hoaconv.engine.contract import Op, Resample, Source
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.schedule import Stage, Sweep
from hoaconv.errors import PlanError

__all__ = ["choose", "keeps_to_z"]


def choose(draft: Sweep) -> Sweep:
    """Move what resamples do to z to the sources, as far as they stand near enough to one.

    Raises
    ------
    PlanError
        If planes would be wanted backwards anywhere else.
    """
    for i, stage in enumerate(draft.stages):
        planes = _chosen(draft, stage)
        if planes is None or planes == range(draft.spec_in(stage).planes):
            continue
        source = _source_before(draft, i)
        if source is not None:
            return choose(_moved(draft, i, source, planes))
        if planes.step < 0:
            raise PlanError(
                f"'{stage.part}' has to come first, in every branch: a sweep goes forward, and "
                "only slices can be read backwards"
            )
    return draft


def _chosen(draft: Sweep, stage: Stage) -> range | None:
    return stage.part.chooses(draft.spec_in(stage)) if isinstance(stage.part, Resample) else None


def _source_before(draft: Sweep, i: int) -> int | None:
    """The source of a stage, if nobody else reads what leads there, and all there keep to z."""
    (before,) = draft.stages[i].inputs
    while len(draft.readers[before]) == 1 and keeps_to_z(draft, draft.stages[before]):
        (before,) = draft.stages[before].inputs
    alone = len(draft.readers[before]) == 1
    return before if alone and isinstance(draft.stages[before].part, Source) else None


def keeps_to_z(draft: Sweep, stage: Stage) -> bool:
    """Whether each plane that a stage gives comes from the plane at the same z alone."""
    if isinstance(stage.part, Op):
        return stage.halo[0] == 0 and stage.part.needs is None
    return _chosen(draft, stage) == range(draft.spec_in(stage).planes)


def _moved(draft: Sweep, i: int, source: int, planes: range) -> Sweep:
    """With a source of these planes alone, and what is left to do of stage `i`."""
    before = cast(Source, draft.stages[source].part)
    stage, stages = draft.stages[i], list(draft.stages)
    placed = draft.spec_of(stages[source]).geometry.along_z(draft.spec_of(stage).geometry)
    stages[source] = replace(stages[source], part=before.choose(planes), geometry=placed)
    within = cast(Resample, stage.part).within()
    if within is not None:
        stages[i] = replace(stage, part=within)
    backwards = ", the last one first" if planes.step < 0 else ""
    reason = (
        f"'{stage.part}' chooses: {len(planes)} of {before.spec.planes} planes are read{backwards}"
    )
    moved = draft.with_stages(tuple(stages)).note(reason)
    return infer(moved if within is not None else moved.without({i}))
