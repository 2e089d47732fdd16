"""Measure some slices in place of all, where a sweep measures and writes nothing.

Slices are drawn at random without replacement, each with the neighbours that the ops before the
fold look at. They are dealt to groups at random, and each group is measured by itself: how much
the groups differ tells how far the sample's value may lie from the whole volume's
(`hoaconv.engine.sampling`). The voxels of a slice are alike, so it is slices that count as drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np

from hoaconv.engine.contract import Fold, Op, Resample, Scan, Sink, Source
from hoaconv.engine.passes.choose import keeps_to_z
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.schedule import Schedule, Stage, Sweep
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError

__all__ = ["GROUPS", "Pick", "measured_share", "sample"]

GROUPS = 10
SEED = 0


@dataclass(frozen=True)
class Pick(Resample):
    """Some planes of those that are read, in order: drawn `of` so many slices."""

    word: ClassVar[str] = "pick"

    planes: tuple[int, ...]
    of: int

    def infer(self, spec: Spec) -> Spec:
        """As many planes as are picked."""
        return Spec((len(self.planes), *spec.plane_shape), spec.dtype)

    def reach(self, spec: Spec, z: int) -> range:  # noqa: ARG002 - of any input
        """The plane itself."""
        return range(self.planes[z], self.planes[z] + 1)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Copy it."""
        out[...] = planes[0][rows]

    def __str__(self) -> str:
        return f"{len(self.planes)} of {self.of} slices, drawn"


def sample(draft: Schedule) -> Schedule:
    """Let every sweep that writes nothing read no more slices than were asked for.

    Raises
    ------
    PlanError
        If what is to be measured depends on more than some neighbouring slices.
    """
    count = draft.limits.sample
    if count is None:
        return draft
    return replace(draft, sweeps=tuple(_sampled(sweep, count) for sweep in draft.sweeps))


def _sampled(sweep: Sweep, count: int) -> Sweep:
    if any(isinstance(stage.part, Sink | Pick) for stage in sweep.stages):
        return sweep
    (source,) = _sources(sweep)
    spec = sweep.spec_of(sweep.stages[source])
    if count >= spec.planes:
        return sweep
    reach = max(_context(sweep, i) for i in range(len(sweep.stages)))
    order = np.random.default_rng(SEED).permutation(spec.planes)[:count]
    read, place = _runs(sorted(order), reach, spec.planes)
    stages = list(sweep.stages)
    part: Any = stages[source].part
    stages[source] = replace(stages[source], part=part.choose(read))
    groups = [sorted(place[z] for z in order[g::GROUPS]) for g in range(min(GROUPS, count))]
    drawn = sweep.with_stages(tuple(_measured_apart(stages, groups, spec.planes)))
    reason = f"{count} slices of {spec.planes} are measured, drawn at random"
    return infer(drawn.note(reason + (f", each with {reach} on each side" if reach else "")))


def measured_share(sweep: Sweep, places: Sequence[int]) -> float:
    """How much of the volume some folds of a sweep see together."""
    (pick, *others) = (sweep.stages[sweep.stages[i].inputs[0]].part for i in places)
    if not isinstance(pick, Pick):
        return 1.0
    picks = cast(list[Pick], [pick, *others])
    return sum(len(one.planes) for one in picks) / pick.of


def _sources(sweep: Sweep) -> list[int]:
    """The only source; refuses what a sample of slices can't stand in for."""
    for stage in sweep.stages:
        if isinstance(stage.part, Resample | Scan) and not keeps_to_z(sweep, stage):
            raise PlanError(
                f"a sample of slices can't be measured behind '{stage.part}', "
                "which needs all of them; drop --sample"
            )
    sources = [i for i, stage in enumerate(sweep.stages) if isinstance(stage.part, Source)]
    if len(sources) > 1:
        raise PlanError("a sample of slices can't be measured of two stacks; drop --sample")
    return sources


def _context(sweep: Sweep, i: int) -> int:
    """Planes on each side that a stage's result depends on."""
    stage = sweep.stages[i]
    own = stage.halo[0] if isinstance(stage.part, Op) else 0
    return own + max((_context(sweep, j) for j in stage.inputs), default=0)


def _runs(drawn: list[int], reach: int, planes: int) -> tuple[list[int], dict[int, int]]:
    """Slices to read, and where in these the drawn ones stand.

    Wherever slices are left out the next one's context begins anew. At an end of the volume the
    context is cut as it is in the volume.
    """
    near = {z + k for z in drawn for k in range(-reach, reach + 1)}
    read = sorted(z for z in near if 0 <= z < planes)
    place = {z: i for i, z in enumerate(read)}
    return read, {z: place[z] for z in drawn}


def _measured_apart(stages: list[Stage], groups: list[list[int]], of: int) -> list[Stage]:
    """Every fold as often as there are groups, each behind a pick of its group's slices."""
    made: list[Stage] = []
    place: list[int] = []
    for stage in stages:
        inputs = tuple(place[j] for j in stage.inputs)
        place.append(len(made))
        if not isinstance(stage.part, Fold):
            made.append(replace(stage, inputs=inputs))
            continue
        finds = stage.finds or str(stage.part)
        for group in groups:
            made.append(Stage(Pick(tuple(group), of), inputs))
            made.append(replace(stage, inputs=(len(made) - 1,), finds=finds))
    return made
