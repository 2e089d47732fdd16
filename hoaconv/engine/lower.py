"""From schedule to generators: each stage becomes combinators on iterators of planes."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from threading import get_ident
from typing import Any

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Fold, Join, Op, Scan, Sink, Source, Writer
from hoaconv.engine.memory import block_spec
from hoaconv.engine.pool import Pool
from hoaconv.engine.schedule import Schedule, Stage
from hoaconv.engine.spec import Plane, Slab
from hoaconv.engine.stream import Window, ahead, flatten, initialize, map, tee, windowed, zip

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
        self._states: dict[int, Any] = {}

    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band in; each thread's state lies in its core's cache."""
        thread = get_ident()
        if thread not in self._states:
            self._states[thread] = self._fold.init(self._spec)
        self._fold.step(self._states[thread], plane[rows])

    def advance(self) -> None:
        """Nothing is left to do for a plane."""

    def finish(self) -> Mapping[str, Any]:
        """The value of all planes."""
        if not self._states:
            return self._fold.finish(self._fold.init(self._spec))
        state = self._states.popitem()[1]
        while self._states:
            state = self._fold.merge(state, self._states.popitem()[1])
        return self._fold.finish(state)


class _Pass:
    """Planes on their way through taps and writers: one round of bands for all of them.

    A band that the histogram has counted is still in cache when it is copied and downsampled.
    """

    def __init__(self, sweep: Sweep, rows: tuple[slice, ...]) -> None:
        self._pool, self._rows = sweep.pool, rows
        self._takers: list[Tap | Writer] = []
        self._label = ""

    def __call__(self, plane: Plane) -> Plane:
        self._pool.map(self._label, partial(self._take, plane), self._rows)
        for taker in self._takers:
            taker.advance()
        return plane

    def _take(self, plane: Plane, rows: slice) -> None:
        for taker in self._takers:
            taker.take(plane, rows)

    def add(self, name: str, taker: Tap | Writer) -> "_Pass":
        """Let another one see the planes, after those before it."""
        self._takers.append(taker)
        self._label = f"{self._label}, {name}" if self._label else name
        return self


def lower(sweep: Sweep) -> tuple[Planes, ...]:
    """The streams at the schedule's ends; pulling them to exhaustion is the run."""
    readers = sweep.schedule.readers
    waiting: defaultdict[tuple[int, int], list[Planes]] = defaultdict(list)
    passes: dict[int, _Pass] = {}
    ends: list[Planes] = []
    for i, stage in enumerate(sweep.schedule.stages):
        taken = [waiting[j, i].pop() for j in stage.inputs]
        made = _lower(sweep, i, stage, taken, passes)
        if not readers[i]:
            ends.append(made)
            continue
        branches = tee(made, len(readers[i])) if len(readers[i]) > 1 else (made,)
        for j, branch in zip(readers[i], branches):
            waiting[i, j].append(branch)
    return tuple(ends)


def _lower(
    sweep: Sweep, i: int, stage: Stage, taken: list[Planes], passes: dict[int, _Pass]
) -> Planes:
    part = stage.part
    if isinstance(part, Source):
        return _read(sweep, part)
    if isinstance(part, Join):
        return map(_Combine(sweep, stage, part), zip(*taken))
    (planes,) = taken
    if isinstance(part, Op):
        windows = windowed(planes, stage.window, stage.stride, stage.halo[0])
        return flatten(map(_Apply(sweep, stage, part), windows))
    if isinstance(part, Scan):
        return _Follow(sweep, stage, part).all(planes)
    return _pass_on(sweep, i, stage, planes, passes)


def _pass_on(
    sweep: Sweep, i: int, stage: Stage, planes: Planes, passes: dict[int, _Pass]
) -> Planes:
    """Give the planes to a tap or a writer; to the same pass as the one before, if it has one."""
    (before,) = stage.inputs
    taker = sweep.writers[i] if isinstance(stage.part, Sink) else sweep.taps[i]
    if before in passes and len(sweep.schedule.readers[before]) == 1:
        passes[i] = passes[before].add(str(stage.part), taker)
        return planes
    rows = bands(sweep.schedule.spec_in(stage).plane_shape[0], stage.rows)
    passes[i] = _Pass(sweep, rows).add(str(stage.part), taker)
    return map(passes[i], planes)


def _read(sweep: Sweep, source: Source) -> Planes:
    def start(z: int) -> Any:
        out = sweep.buffers.take(source.spec.plane_shape, source.spec.dtype)
        return sweep.pool.submit("decode", _decode, source, z, out)

    begun = initialize(source.spec.planes, start)
    return map(partial(_seen, sweep.on_plane), ahead(begun, sweep.schedule.ahead))


def _decode(source: Source, z: int, out: Plane) -> Plane:
    source.read(z, out)
    return out


def _seen(on_plane: Callable[[], None], plane: Plane) -> Plane:
    on_plane()
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


class _Follow:
    """One scan of all planes, in the thread that runs the sweep."""

    def __init__(self, sweep: Sweep, stage: Stage, scan: Scan) -> None:
        self._timed = partial(sweep.pool.timed, str(scan))
        self._scanner = scan.open(sweep.schedule.spec_in(stage), sweep.buffers)

    def all(self, planes: Planes) -> Planes:
        yield from chain.from_iterable(map(self._take, planes))
        yield from self._give(self._timed(self._scanner.end))

    def _take(self, plane: Plane) -> Planes:
        return self._give(self._timed(partial(self._scanner.take, plane)))

    def _give(self, decided: Planes) -> Planes:
        """The same planes; the time in which they are made is told to the pool."""
        made: list[Plane] = []
        while True:
            self._timed(partial(made.extend, islice(decided, 1)))
            if not made:
                return
            yield made.pop()


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
