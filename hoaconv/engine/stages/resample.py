"""Resamples: planes of another number, order or shape, at a pace of their own."""

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import accumulate, count
from typing import Any

import numpy as np

from hoaconv.engine.bands import bands
from hoaconv.engine.contract import Resample, Use
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages.kind import Kind, Share
from hoaconv.engine.stages.memory import in_bands, output
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At, Counts
from hoaconv.engine.stages.trial import Trial, Tried, in_steps, rows_of, timed, whole
from hoaconv.engine.stream import gather, map

__all__ = ["ResampleKind", "longest_reach"]


class ResampleKind(Kind[Resample]):
    """Answers for resamples."""

    name = Resample.kind
    has_own_pace = True
    is_value = True

    def infer(self, part: Resample, inputs: tuple[Spec, ...]) -> Spec:
        """Return the resample's result."""
        return part.infer(*inputs)

    def chooses(self, part: Resample, spec: Spec) -> range | None:
        """Return the planes that it keeps, if it does nothing else to z."""
        return part.chooses(spec)

    def cuts(self, part: Resample, spec: Spec) -> tuple[slice, slice] | None:
        """Return the rows and columns that it keeps, if it does nothing else."""
        return part.cuts(spec)

    def turns(self, part: Resample, spec: Spec) -> tuple[int, int, int] | None:
        """Return the old axes that become z, y, x, if it does nothing else."""
        return part.turns(spec)

    def within(self, part: Resample) -> Resample | None:
        """Return what is left to do with each of the chosen planes."""
        return part.within()

    def is_local(self, part: Resample, spec: Spec) -> bool:
        """Return whether it keeps to z."""
        return self.keeps_to_z(part, spec)

    def needed(self, at: At[Resample], results: Counts) -> Counts:
        """Return how far the results reach."""
        return np.asarray(_reached(at.part, at.taken))[results]

    def keeps(self, at: At[Resample]) -> int:
        """Return the planes of the longest reach."""
        return longest_reach(at.part, at.taken)

    def uses(self, at: At[Resample], share: Share) -> tuple[Use, ...]:
        """Count planes of output, and what each thread allocates."""
        own = at.part.work(at.taken)
        return (output(at, share.kept), in_bands(at, share.workers, own))

    def lower(self, at: At[Resample], inputs: list[Planes], running: Running) -> Iterator[Any]:
        """Return planes of the result, and None before each plane that is taken."""
        reaches = (at.part.reach(at.taken, z) for z in range(at.given.planes))
        return map(_Resampled(at, running), gather(inputs[0], reaches))

    def trial(self, at: At[Resample], planes: list[Plane], trial: Trial) -> Tried:  # noqa: ARG002
        """Try the first rows of a plane in the middle of the result."""
        rows = rows_of(at.given)
        taken = whole(planes[0], at.taken)
        seconds, made = in_steps(rows, 1, partial(_rows, at, taken))
        return seconds * at.given.plane_shape[0] / rows, made

    def warm(self, part: Resample, inputs: tuple[Spec, ...]) -> None:
        """Compile the resample's kernels."""
        part.warm(inputs[0])


@lru_cache(maxsize=256)
def longest_reach(part: Resample, spec: Spec) -> int:
    """Return the planes of the input that a resample holds at once, at most; at least one."""
    longest = max(len(part.reach(spec, z)) for z in range(part.infer(spec).planes))
    return max(1, longest)


@lru_cache(maxsize=256)
def _reached(part: Resample, spec: Spec) -> tuple[int, ...]:
    """Return how many planes of the input the first 0, 1, 2, ... planes of the result reach."""
    reaches = (part.reach(spec, z).stop for z in range(part.infer(spec).planes))
    return (0, *accumulate(reaches, max))


class _Resampled:
    """Planes of a resample, one after the other, each of the input's planes in its reach."""

    def __init__(self, at: At[Resample], running: Running) -> None:
        self._part, self._pool, self._buffers = at.part, running.pool, running.buffers
        self._taken, self._given = at.taken, at.given
        self._bands = bands(self._given.plane_shape[0], at.stage.rows)
        self._z = count()

    def __call__(self, planes: tuple[Plane, ...] | None) -> Plane | None:
        if planes is None:
            return None
        out: Plane = self._buffers.take(self._given.plane_shape, self._given.dtype)
        band = partial(self._band, next(self._z), planes, out)
        self._pool.map(str(self._part), band, self._bands)
        return out

    def _band(self, z: int, planes: tuple[Plane, ...], out: Plane, rows: slice) -> None:
        self._part.apply(self._taken, z, planes, rows, out[rows])


def _rows(at: At[Resample], plane: Plane, rows: int) -> Tried:
    z = at.given.planes // 2
    planes = (plane,) * len(at.part.reach(at.taken, z))
    made, shape = slice(0, rows), (rows, at.given.shape[2])
    return timed(shape, at.given.dtype, lambda o: at.part.apply(at.taken, z, planes, made, o))
