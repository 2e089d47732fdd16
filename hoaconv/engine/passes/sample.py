"""Measure some slices in place of all, where a sweep measures and writes nothing.

The stack is cut along z into as many strata as slices are asked for, and one slice is drawn at
random from each, with the neighbours that the ops before the fold look at. The strata are paired,
each with the next one, and each half of the pairs of a group is measured by itself: how much the
halves differ tells how far the sample's value may lie from the whole volume's
(`hoaconv.engine.sampling`). The voxels of a slice are alike, so it is slices that count as drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np

from hoaconv.engine.contract import Resample
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.sampling import PAIRS, Drawn
from hoaconv.engine.schedule import Schedule, Sweep
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages import Stage, kind_of
from hoaconv.errors import PlanError

__all__ = ["Pick", "draw", "halves", "sample", "sample_of", "strata"]


@dataclass(frozen=True)
class Pick(Resample):
    """Some planes of those that are read, in order: drawn `of` so many slices."""

    word: ClassVar[str] = "pick"
    takes_wide: ClassVar[bool] = True

    planes: tuple[int, ...]
    of: int

    def infer(self, spec: Spec) -> Spec:
        """Return a spec of as many planes as are picked."""
        return Spec((len(self.planes), *spec.plane_shape), spec.dtype)

    def reach(self, spec: Spec, z: int) -> range:  # noqa: ARG002 - of any input
        """Return the plane itself."""
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
    count, seed = draft.limits.sample, draft.limits.seed
    if count is None:
        return draft
    return replace(draft, sweeps=tuple(_sampled(sweep, count, seed) for sweep in draft.sweeps))


def strata(planes: int, count: int, phase: int = 0) -> tuple[range, ...]:
    """Cut a stack into `count` runs of slices, whose lengths differ by one at the most.

    Parameters
    ----------
    planes, count
        Slices, and strata; no more than slices.
    phase
        0 to `count` - 1: which of the strata are longer. It is drawn at random too, since slices
        in shorter strata have the better chance, and those shouldn't always be the same.

    Examples
    --------
    >>> strata(7, 3)
    (range(0, 2), range(2, 4), range(4, 7))
    """
    cuts = [(i * planes + phase) // count for i in range(count + 1)]
    return tuple(map(range, cuts, cuts[1:]))


def draw(planes: int, count: int, seed: int) -> list[int]:
    """Draw one slice at random from each of `count` strata; in order. All, if there are no more.

    Examples
    --------
    >>> draw(3, 5, seed=0)
    [0, 1, 2]
    """
    if count >= planes:
        return list(range(planes))
    random = np.random.default_rng(seed)
    return [int(random.choice(one)) for one in strata(planes, count, int(random.integers(count)))]


def halves(slices: Sequence[int]) -> list[list[int]]:
    """Deal slices, in the order of their strata, to the halves of `PAIRS` groups of pairs.

    First the two halves of the first group, then those of the second; last the odd slice, if there
    is one. In every other pair of a group the halves change places, so that along a trend the
    differences of its pairs don't add up.

    Examples
    --------
    >>> halves([3, 8, 14, 17, 21])
    [[3], [8], [14], [17], [21]]
    """
    pairs = len(slices) // 2
    groups = min(PAIRS, pairs)
    dealt: list[list[int]] = [[] for _ in range(2 * groups)]
    for p in range(pairs):
        turn, group = divmod(p, groups)
        dealt[2 * group + turn % 2].append(slices[2 * p])
        dealt[2 * group + 1 - turn % 2].append(slices[2 * p + 1])
    return [*dealt, *([z] for z in slices[2 * pairs :])]


def _sampled(sweep: Sweep, count: int, seed: int) -> Sweep:
    if any(kind.stores or isinstance(at.part, Pick) for kind, at in sweep.asked):
        return sweep
    (source,) = _sources(sweep)
    spec = sweep.spec_of(sweep.stages[source])
    if count >= spec.planes:
        return sweep
    reach = max(_contexts(sweep))
    slices = draw(spec.planes, count, seed)
    read, place = _runs(slices, reach, spec.planes)
    stages = list(sweep.stages)
    part: Any = stages[source].part
    stages[source] = replace(stages[source], part=part.choose(read))
    groups = halves([place[z] for z in slices])
    made = sweep.with_stages(tuple(_measured_apart(stages, groups, spec.planes)))
    reason = (
        f"{count} slices of {spec.planes} are measured, one at random from each of as many strata"
    )
    return infer(made.note(reason + (f", each with {reach} on each side" if reach else "")))


def sample_of(sweep: Sweep, places: Sequence[int]) -> Drawn | None:
    """Return the sample that some folds of a sweep see together; None if they see all planes."""
    (pick, *others) = (sweep.stages[sweep.stages[i].inputs[0]].part for i in places)
    if not isinstance(pick, Pick):
        return None
    picks = cast(list[Pick], [pick, *others])
    return Drawn(sum(len(one.planes) for one in picks), pick.of)


def _sources(sweep: Sweep) -> list[int]:
    """Return the only source. Raise PlanError where a sample of slices can't stand in for all."""
    for kind, at in sweep.asked:
        if not kind.is_local(at.part, at.taken):
            raise PlanError(
                f"a sample of slices can't be measured behind '{at.part}', "
                "which needs all of them; drop `sample`"
            )
    sources = [at.i for kind, at in sweep.asked if kind.reads]
    if len(sources) > 1:
        raise PlanError("a sample of slices can't be measured of two stacks; drop `sample`")
    return sources


def _contexts(sweep: Sweep) -> list[int]:
    """Return the planes on each side that each stage's result depends on."""
    contexts: list[int] = []
    for stage in sweep.stages:
        before = max((contexts[j] for j in stage.inputs), default=0)
        contexts.append(stage.halo[0] + before)
    return contexts


def _runs(drawn: list[int], reach: int, planes: int) -> tuple[list[int], dict[int, int]]:
    """Return the slices to read, and the places of the drawn ones in them.

    The context of each drawn slice is read with it. At an end of the volume it is cut as it is in
    the volume.
    """
    near = {z + k for z in drawn for k in range(-reach, reach + 1)}
    read = sorted(z for z in near if 0 <= z < planes)
    place = {z: i for i, z in enumerate(read)}
    return read, {z: place[z] for z in drawn}


def _measured_apart(stages: list[Stage], groups: list[list[int]], of: int) -> list[Stage]:
    """Return every fold as often as there are groups, each behind a pick of its group's slices."""
    made: list[Stage] = []
    place: list[int] = []
    for stage in stages:
        inputs = tuple(place[j] for j in stage.inputs)
        place.append(len(made))
        if not kind_of(stage.part).measures:
            made.append(replace(stage, inputs=inputs))
            continue
        finds = stage.finds or str(stage.part)
        for group in groups:
            made.append(Stage(Pick(tuple(group), of), inputs))
            made.append(replace(stage, inputs=(len(made) - 1,), finds=finds))
    return made
