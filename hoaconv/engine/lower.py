"""From schedule to generators: each stage becomes combinators on iterators of planes."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Fold, Join, Op, Sink, Source, Writer
from hoaconv.engine.memory import block_spec
from hoaconv.engine.pool import Pool
from hoaconv.engine.schedule import Schedule, Stage
from hoaconv.engine.spec import Plane, Slab
from hoaconv.engine.stream import Window, ahead, flatten, map, tee, windowed, zip

__all__ = ["Sweep", "lower"]

Planes = Iterator[Plane]


@dataclass
class Sweep:
    """What one run of a schedule works with."""

    schedule: Schedule
    pool: Pool
    buffers: Buffers = field(default_factory=Buffers)
    writers: dict[int, Writer] = field(default_factory=dict)
    taps: dict[int, "Tap"] = field(default_factory=dict)
    on_plane: Callable[[], None] = lambda: None


class Tap:
    """A fold's states, one for each thread that takes part."""

    def __init__(self, sweep: Sweep, stage: Stage) -> None:
        self._fold: Fold = stage.part  # type: ignore[assignment]
        self._spec = sweep.schedule.spec_in(stage)
        self._bands = bands(self._spec.plane_shape[0], stage.rows)
        self._pool = sweep.pool
        self._states: deque[Any] = deque()

    def take(self, plane: Plane) -> Plane:
        """Take a plane in and give it on."""
        self._pool.map(self._fold.word, partial(self._step, plane), self._bands)
        return plane

    def finish(self) -> Mapping[str, Any]:
        """The value of all planes."""
        state = self._fold.init(self._spec)
        while self._states:
            state = self._fold.merge(state, self._states.popleft())
        return self._fold.finish(state)

    def _step(self, plane: Plane, rows: slice) -> None:
        try:
            state = self._states.pop()
        except IndexError:
            state = self._fold.init(self._spec)
        self._fold.step(state, plane[rows])
        self._states.append(state)


def lower(sweep: Sweep) -> tuple[Planes, ...]:
    """The streams at the schedule's ends; pulling them to exhaustion is the run."""
    readers = sweep.schedule.readers
    waiting: dict[tuple[int, int], Planes] = {}
    ends: list[Planes] = []
    for i, stage in enumerate(sweep.schedule.stages):
        taken = [waiting.pop((j, i)) for j in stage.inputs]
        made = _lower(sweep, i, stage, taken)
        if not readers[i]:
            ends.append(made)
            continue
        branches = tee(made, len(readers[i])) if len(readers[i]) > 1 else (made,)
        waiting.update({(i, j): branch for j, branch in zip(readers[i], branches)})
    return tuple(ends)


def _lower(sweep: Sweep, i: int, stage: Stage, taken: list[Planes]) -> Planes:
    part = stage.part
    if isinstance(part, Source):
        return _read(sweep, part)
    if isinstance(part, Join):
        return map(_Combine(sweep, stage, part), zip(*taken))
    (planes,) = taken
    if isinstance(part, Op):
        windows = windowed(planes, stage.window, stage.stride, stage.halo[0])
        return flatten(map(_Apply(sweep, stage, part), windows))
    if isinstance(part, Sink):
        return map(partial(_put, sweep.writers[i]), planes)
    return map(sweep.taps[i].take, planes)


def _read(sweep: Sweep, source: Source) -> Planes:
    def start(z: int) -> Any:
        out = sweep.buffers.take(source.spec.plane_shape, source.spec.dtype)
        return sweep.pool.submit("decode", _decode, source, z, out)

    begun = map(start, range(source.spec.planes))
    return map(partial(_seen, sweep.on_plane), ahead(begun, sweep.schedule.ahead))


def _decode(source: Source, z: int, out: Plane) -> Plane:
    source.read(z, out)
    return out


def _seen(on_plane: Callable[[], None], plane: Plane) -> Plane:
    on_plane()
    return plane


def _put(writer: Writer, plane: Plane) -> Plane:
    writer.put(plane)
    return plane


class _Apply:
    """One op on one window of planes: cut into bands, done by the pool, made into planes."""

    def __init__(self, sweep: Sweep, stage: Stage, op: Op) -> None:
        self._op, self._sweep = op, sweep
        self._given = sweep.schedule.spec_of(stage)
        self._halo = stage.halo[1]
        self._slab = (stage.stride, *self._given.plane_shape)
        self._block = block_spec(sweep.schedule, stage).shape
        self._bands = bands(self._given.plane_shape[0], stage.rows)

    def __call__(self, window: Window) -> Slab:
        depth = window.core.stop - window.core.start
        shape = (depth, *self._given.plane_shape)
        out = self._sweep.buffers.take(shape, self._given.dtype, self._slab)
        self._sweep.pool.map(str(self._op), partial(self._band, window, out), self._bands)
        return out

    def _band(self, window: Window, out: Slab, rows: slice) -> None:
        above = max(0, rows.start - self._halo)
        below = min(self._given.plane_shape[0], rows.stop + self._halo)
        block = self._gather(window.items, slice(above, below))
        core = slice(rows.start - above, rows.stop - above)
        self._op.apply(block, (window.core, core, slice(None)), out[:, rows])

    def _gather(self, planes: tuple[Plane, ...], rows: slice) -> Slab:
        """Rows of the planes as one slab: a view of a single plane, else copied into scratch."""
        if len(planes) == 1:
            return planes[0][None, rows]
        shape = (len(planes), rows.stop - rows.start, planes[0].shape[1])
        block = self._sweep.buffers.take(shape, planes[0].dtype, self._block)
        for plane, place in zip(planes, block):
            place[...] = plane[rows]
        return block


class _Combine:
    """One join of the planes that stand at the same z."""

    def __init__(self, sweep: Sweep, stage: Stage, join: Join) -> None:
        self._join, self._sweep = join, sweep
        self._given = sweep.schedule.spec_of(stage)
        self._bands = bands(self._given.plane_shape[0], stage.rows)

    def __call__(self, planes: tuple[Plane, ...]) -> Plane:
        out = self._sweep.buffers.take(self._given.plane_shape, self._given.dtype)
        self._sweep.pool.map(str(self._join), partial(self._band, planes, out), self._bands)
        return out

    def _band(self, planes: tuple[Plane, ...], out: Plane, rows: slice) -> None:
        self._join.apply(tuple(plane[rows] for plane in planes), out[rows])
