"""Joins: the planes that stand at the same z in several streams become one."""

from functools import partial

from hoaconv.engine.bands import bands
from hoaconv.engine.contract import Join, Use
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages.kind import Kind, Share
from hoaconv.engine.stages.memory import in_bands, output
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At
from hoaconv.engine.stages.trial import Trial, Tried, rows_of, timed
from hoaconv.engine.stream import map, zip

__all__ = ["JoinKind"]


class JoinKind(Kind[Join]):
    """Answers for joins."""

    name = Join.kind
    takes_all = True
    is_value = True

    def infer(self, part: Join, inputs: tuple[Spec, ...]) -> Spec:
        """Return the join's result."""
        return part.infer(*inputs)

    def uses(self, at: At[Join], share: Share) -> tuple[Use, ...]:
        """Count planes of output, and what each thread allocates."""
        own = at.part.work(*at.inputs)
        return (output(at, share.kept), in_bands(at, share.workers, own))

    def lower(self, at: At[Join], inputs: list[Planes], running: Running) -> Planes:
        """Return the planes made of tuples of planes."""
        return map(_Combine(at, running), zip(*inputs))

    def trial(self, at: At[Join], planes: list[Plane], trial: Trial) -> Tried:  # noqa: ARG002
        """Try as many rows as there are of all planes."""
        rows = min(rows_of(at.given), *map(len, planes))
        taken, shape = tuple(plane[:rows] for plane in planes), (rows, at.given.shape[2])
        seconds, made = timed(shape, at.given.dtype, lambda out: at.part.apply(taken, out))
        return seconds * at.given.plane_shape[0] / rows, made


class _Combine:
    """One join of the planes that stand at the same z."""

    def __init__(self, at: At[Join], running: Running) -> None:
        self._join, self._pool, self._buffers = at.part, running.pool, running.buffers
        self._given = at.given
        self._bands = bands(self._given.plane_shape[0], at.stage.rows)

    def __call__(self, planes: tuple[Plane, ...]) -> Plane:
        out = self._buffers.take(self._given.plane_shape, self._given.dtype)
        self._pool.map(str(self._join), partial(self._band, planes, out), self._bands)
        return out

    def _band(self, planes: tuple[Plane, ...], out: Plane, rows: slice) -> None:
        self._join.apply(tuple(plane[rows] for plane in planes), out[rows])
