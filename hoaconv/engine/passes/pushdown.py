"""Let the source give only the planes that are wanted, in the order in which they are.

A crop along z then decodes nothing that it drops, and a flip along z, which no sweep could do
otherwise, reads the slices from the last to the first.
"""

from dataclasses import replace
from typing import cast

from hoaconv.engine.contract import Source
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import kind_of
from hoaconv.errors import PlanError

__all__ = ["pushdown"]


def pushdown(draft: Sweep) -> Sweep:
    """Move what resamples do to z to the sources, as far as they stand near enough to one.

    Raises
    ------
    PlanError
        If planes would be wanted backwards anywhere else.
    """
    for kind, at in draft.asked:
        planes = kind.chooses(at.part, at.taken)
        if planes is None or planes == range(at.taken.planes):
            continue
        source = _source_before(draft, at.i)
        if source is not None:
            return pushdown(_moved(draft, at.i, source, planes))
        if planes.step < 0:
            raise PlanError(
                f"'{at.part}' has to come first, in every branch: a sweep goes forward, and "
                "only slices can be read backwards"
            )
    return draft


def _source_before(draft: Sweep, i: int) -> int | None:
    """Return the source of a stage, if nobody else reads what leads there, and all keep to z."""
    (before,) = draft.stages[i].inputs
    while len(draft.readers[before]) == 1:
        kind, at = draft.asked[before]
        if kind.reads:
            return before
        if not kind.keeps_to_z(at.part, at.taken):
            return None
        (before,) = at.stage.inputs
    return None


def _moved(draft: Sweep, i: int, source: int, planes: range) -> Sweep:
    """Return the sweep with a source of these planes alone, and what is left to do of stage `i`."""
    before = cast(Source, draft.stages[source].part)
    stage, stages = draft.stages[i], list(draft.stages)
    placed = draft.spec_of(stages[source]).geometry.along_z(draft.spec_of(stage).geometry)
    stages[source] = replace(stages[source], part=before.choose(planes), geometry=placed)
    within = kind_of(stage.part).within(stage.part)
    if within is not None:
        stages[i] = replace(stage, part=within)
    backwards = ", the last one first" if planes.step < 0 else ""
    reason = (
        f"'{stage.part}' chooses: {len(planes)} of {before.spec.planes} planes are read{backwards}"
    )
    moved = draft.with_stages(tuple(stages)).note(reason)
    return infer(moved if within is not None else moved.without({i}))
