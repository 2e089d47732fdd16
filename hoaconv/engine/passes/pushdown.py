"""Let the source give only what is wanted: planes, in the order in which they are, and boxes.

A crop then decodes no slice that it drops, and of a chunked array no chunk that it drops, along y
and x too. A flip along z, which no sweep could do otherwise, reads the slices from the last to the
first.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from hoaconv.engine.contract import Source
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import kind_of
from hoaconv.errors import PlanError

__all__ = ["pushdown"]


def pushdown(draft: Sweep) -> Sweep:
    """Move what resamples choose to the sources, as far as they stand near enough to one.

    Raises
    ------
    PlanError
        If planes would be wanted backwards anywhere else.
    """
    turned = _turned(draft)
    if turned is not None:
        return pushdown(turned)
    for kind, at in draft.asked:
        planes = kind.chooses(at.part, at.taken)
        if planes is None or planes == range(at.taken.planes):
            continue
        source = _source_before(draft, at.i, _keeps_to_z)
        if source is not None:
            return pushdown(_moved(draft, at.i, source, planes))
        if planes.step < 0:
            raise PlanError(
                f"'{at.part}' has to come first, in every branch: a sweep goes forward, and "
                "only slices can be read backwards"
            )
    return _windowed(draft)


def _turned(draft: Sweep) -> Sweep | None:
    """Let a source give planes along another axis, where a transposition stands near enough."""
    for kind, at in draft.asked:
        order = kind.turns(at.part, at.taken)
        source = None if order is None else _source_before(draft, at.i, _keeps_place)
        if order is None or source is None:
            continue
        part = cast(Source, draft.stages[source].part).transposed(order)
        if part is not None:
            reason = f"'{at.part}' is done by the source, which is read in that order"
            return _replaced(draft, at.i, source, part, reason)
    return None


def _windowed(draft: Sweep) -> Sweep:
    """Move boxes that resamples cut out to the sources, where nothing before needs the rest."""
    for kind, at in draft.asked:
        cut = kind.cuts(at.part, at.taken)
        source = None if cut is None else _source_before(draft, at.i, _keeps_place)
        if cut is None or source is None:
            continue
        before = cast(Source, draft.stages[source].part)
        part = before.window(*cut)
        if part is not None:
            (ny, nx), (my, mx) = part.spec.plane_shape, before.spec.plane_shape
            reason = f"'{at.part}' is read alone: {ny} x {nx} of {my} x {mx} voxels of a plane"
            return pushdown(_replaced(draft, at.i, source, part, reason))
    return draft


def _replaced(draft: Sweep, i: int, source: int, part: Source, reason: str) -> Sweep:
    """Return the sweep with a source that does itself what stage `i` did, which is left out."""
    stages = list(draft.stages)
    placed = draft.spec_of(stages[i]).geometry
    stages[source] = replace(stages[source], part=part, geometry=placed)
    return infer(draft.with_stages(tuple(stages)).note(reason).without({i}))


def _keeps_to_z(kind: Any, at: Any) -> bool:
    return bool(kind.keeps_to_z(at.part, at.taken))


def _keeps_place(kind: Any, at: Any) -> bool:
    return bool(kind.keeps_place(at.part, at.taken))


def _source_before(draft: Sweep, i: int, keeps: Callable[[Any, Any], bool]) -> int | None:
    """Return the source of a stage, if nobody else reads what leads there, and all between keep."""
    (before,) = draft.stages[i].inputs
    while len(draft.readers[before]) == 1:
        kind, at = draft.asked[before]
        if kind.reads:
            return before
        if not keeps(kind, at):
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
