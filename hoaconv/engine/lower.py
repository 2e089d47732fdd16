"""From schedule to generators: each stage becomes combinators on iterators of planes."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain, count, islice
from threading import get_ident
from typing import Any

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Decode, Fold, Join, Op, Resample, Scan, Sink, Source, Writer
from hoaconv.engine.memory import block_spec, early_folds, lender
from hoaconv.engine.pace import Pulled
from hoaconv.engine.pool import Pool
from hoaconv.engine.schedule import Stage, Sweep
from hoaconv.engine.spec import Plane, Slab
from hoaconv.engine.stream import (
    Window,
    ahead,
    drain,
    flatten,
    gather,
    initialize,
    map,
    tee,
    windowed,
    zip,
)

__all__ = ["Running", "lower"]

Planes = Iterator[Plane]


@dataclass
class Running:
    """What a sweep works with while it runs."""

    sweep: Sweep
    pool: Pool
    buffers: Buffers = field(default_factory=Buffers)
    writers: dict[int, Writer] = field(default_factory=dict)
    taps: dict[int, "Tap"] = field(default_factory=dict)
    on_plane: Callable[[], None] = lambda: None

    @cached_property
    def early(self) -> Mapping[int, tuple[int, ...]]:
        """By source, the folds that see its planes as they are decoded."""
        return early_folds(self.sweep)


class Tap:
    """A fold's states, one for each thread that takes part, or one that they share."""

    filled = False

    def __init__(self, running: Running, stage: Stage) -> None:
        self._fold: Fold = stage.part  # type: ignore[assignment]
        self._spec = running.sweep.spec_in(stage)
        self._z = 0
        self._states: dict[int, Any] = {}
        if self._fold.shared:
            self._states[0] = self._fold.init(self._spec)

    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band of the next plane in."""
        self.see(self._z, plane, rows)

    def see(self, z: int, plane: Plane, rows: slice) -> None:
        """Take a band of any plane in; each thread's state lies in its core's cache."""
        thread = 0 if self._fold.shared else get_ident()
        if thread not in self._states:
            self._states[thread] = self._fold.init(self._spec)
        self._fold.step(self._states[thread], plane[rows], z, rows.start)

    def advance(self) -> None:
        """All bands of a plane are taken."""
        self._z += 1

    def state(self) -> Any:
        """One state that has seen all planes; the threads' own are let go."""
        if not self._states:
            return self._fold.init(self._spec)
        state = self._states.popitem()[1]
        while self._states:
            state = self._fold.merge(state, self._states.popitem()[1])
        return state


class _Pass:
    """Planes on their way through taps and writers: one round of bands for all of them.

    A band that the histogram has counted is still in cache when it is copied and downsampled.
    """

    def __init__(self, running: Running, rows: tuple[slice, ...]) -> None:
        self._pool, self._rows = running.pool, rows
        self._takers: list[Tap | Writer] = []
        self._label = ""

    def __call__(self, plane: Plane) -> Plane:
        takers = [taker for taker in self._takers if not taker.filled]
        if takers:
            self._pool.map(self._label, partial(_take, takers, plane), self._rows)
        for taker in self._takers:
            taker.advance()
        return plane

    def add(self, name: str, taker: Tap | Writer) -> "_Pass":
        """Let another one see the planes, after those before it."""
        self._takers.append(taker)
        self._label = f"{self._label}, {name}" if self._label else name
        return self


def _take(takers: Sequence[Tap | Writer], plane: Plane, rows: slice) -> None:
    for taker in takers:
        taker.take(plane, rows)


def lower(running: Running) -> tuple[Pulled, ...]:
    """The streams that have a pace of their own and those at the ends, in the stages' order.

    Pulling them to their ends, by `hoaconv.engine.pace.pull`, is the run.
    """
    readers = running.sweep.readers
    waiting: defaultdict[tuple[int, int], list[Planes]] = defaultdict(list)
    passes: dict[int, _Pass] = {}
    pulled: list[Pulled] = []
    for i, stage in enumerate(running.sweep.stages):
        taken = [waiting[j, i].pop() for j in stage.inputs]
        made = _lower(running, i, stage, taken, passes)
        if isinstance(stage.part, Resample):
            pulled.append(Pulled(made, stage.inputs[0], i))
            made = pulled[-1].elements(running.sweep.spec_of(stage).planes)
        branches = list(_branches(made, len(readers[i]) + _is_end(running.sweep, i)))
        for j in readers[i]:
            waiting[i, j].append(branches.pop())
        if branches:
            pulled.append(Pulled(drain(branches.pop()), i))
    return tuple(pulled)


def _branches(made: Planes, n: int) -> tuple[Planes, ...]:
    return tee(made, n) if n > 1 else (made,)


def _is_end(sweep: Sweep, i: int) -> bool:
    """Whether a stage's planes are pulled to the last, whatever its readers need of them.

    A tap or a writer has to see them all, even if something behind it leaves some out.
    """
    seen = isinstance(sweep.stages[i].part, Fold | Sink)
    partly = any(isinstance(sweep.stages[j].part, Resample) for j in sweep.behind(i))
    return not sweep.readers[i] or (seen and partly)


def _lower(
    running: Running, i: int, stage: Stage, taken: list[Planes], passes: dict[int, _Pass]
) -> Planes:
    part = stage.part
    if isinstance(part, Source):
        return _read(running, i, part)
    if isinstance(part, Join):
        return map(_Combine(running, stage, part), zip(*taken))
    (planes,) = taken
    if isinstance(part, Op):
        windows = windowed(planes, stage.window, stage.stride, stage.halo[0])
        return flatten(map(_Apply(running, stage, part), windows))
    if isinstance(part, Resample):
        return _resample(running, stage, part, planes)
    if isinstance(part, Scan):
        return _Follow(running, stage, part).all(planes)
    return _pass_on(running, i, stage, planes, passes)


def _pass_on(
    running: Running, i: int, stage: Stage, planes: Planes, passes: dict[int, _Pass]
) -> Planes:
    """Give the planes to a tap or a writer; to the same pass as the one before, if it has one."""
    if any(i in folds for folds in running.early.values()):
        return planes
    (before,) = stage.inputs
    taker = running.writers[i] if isinstance(stage.part, Sink) else running.taps[i]
    if before in passes and len(running.sweep.readers[before]) == 1:
        passes[i] = passes[before].add(str(stage.part), taker)
        return planes
    rows = bands(running.sweep.spec_in(stage).plane_shape[0], stage.rows)
    passes[i] = _Pass(running, rows).add(str(stage.part), taker)
    return map(passes[i], planes)


def _read(running: Running, i: int, source: Source) -> Planes:
    """Planes of a source, each decoded where it is to stay if that can be, and seen by folds."""
    how, place = source.begin(running.buffers), lender(running.sweep, i)
    writer = None if place is None else running.writers[place]
    stages, early = running.sweep.stages, running.early[i]
    label = ", ".join(["decode", *(str(stages[j].part) for j in early)])
    taps = tuple(running.taps[j] for j in early)
    rows = bands(source.spec.plane_shape[0], stages[i].rows)

    def start(z: int) -> Any:
        out = writer.lend(z) if writer else None
        if out is None:
            out = running.buffers.take(source.spec.plane_shape, source.spec.dtype)
        return running.pool.submit(label, _decode, how(z), out, partial(_show, taps, rows, z))

    begun = initialize(source.spec.planes, start)
    return map(partial(_seen, running.on_plane), ahead(begun, running.sweep.ahead))


def _decode(decode: Decode, out: Plane, show: Callable[[Plane], None]) -> Plane:
    decode(out)
    show(out)
    return out


def _show(taps: Sequence[Tap], rows: Sequence[slice], z: int, plane: Plane) -> None:
    for band in rows:
        for tap in taps:
            tap.see(z, plane, band)


def _seen(on_plane: Callable[[], None], plane: Plane) -> Plane:
    on_plane()
    return plane


def _resample(running: Running, stage: Stage, part: Resample, planes: Planes) -> Iterator[Any]:
    """Planes of the result, and None before each plane that is taken."""
    spec = running.sweep.spec_in(stage)
    reaches = (part.reach(spec, z) for z in range(running.sweep.spec_of(stage).planes))
    return map(_Resampled(running, stage, part), gather(planes, reaches))


class _Apply:
    """One op on one window of planes: cut into bands, done by the pool, made into planes."""

    def __init__(self, running: Running, stage: Stage, op: Op) -> None:
        self._op, self._running = op, running
        self._given = running.sweep.spec_of(stage)
        self._halo = stage.halo[1]
        self._slab = (stage.stride, *self._given.plane_shape)
        self._block = block_spec(running.sweep, stage).shape
        self._bands = bands(self._given.plane_shape[0], stage.rows)

    def __call__(self, window: Window) -> Slab:
        depth = window.core.stop - window.core.start
        shape = (depth, *self._given.plane_shape)
        out = self._running.buffers.take(shape, self._given.dtype, self._slab)
        self._running.pool.map(str(self._op), partial(self._band, window, out), self._bands)
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
        block = self._running.buffers.take(shape, planes[0].dtype, self._block)
        for plane, place in zip(planes, block):
            place[...] = plane[rows]
        return block


class _Follow:
    """One scan of all planes, in the thread that runs the sweep."""

    def __init__(self, running: Running, stage: Stage, scan: Scan) -> None:
        self._timed = partial(running.pool.timed, str(scan))
        self._scanner = scan.open(running.sweep.spec_in(stage), running.buffers)

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

    def __init__(self, running: Running, stage: Stage, join: Join) -> None:
        self._join, self._running = join, running
        self._given = running.sweep.spec_of(stage)
        self._bands = bands(self._given.plane_shape[0], stage.rows)

    def __call__(self, planes: tuple[Plane, ...]) -> Plane:
        out = self._running.buffers.take(self._given.plane_shape, self._given.dtype)
        self._running.pool.map(str(self._join), partial(self._band, planes, out), self._bands)
        return out

    def _band(self, planes: tuple[Plane, ...], out: Plane, rows: slice) -> None:
        self._join.apply(tuple(plane[rows] for plane in planes), out[rows])


class _Resampled:
    """Planes of a resample, one after the other, each of the input's planes in its reach."""

    def __init__(self, running: Running, stage: Stage, part: Resample) -> None:
        self._part, self._running = part, running
        self._taken, self._given = running.sweep.spec_in(stage), running.sweep.spec_of(stage)
        self._bands = bands(self._given.plane_shape[0], stage.rows)
        self._z = count()

    def __call__(self, planes: tuple[Plane, ...] | None) -> Plane | None:
        if planes is None:
            return None
        out: Plane = self._running.buffers.take(self._given.plane_shape, self._given.dtype)
        band = partial(self._band, next(self._z), planes, out)
        self._running.pool.map(str(self._part), band, self._bands)
        return out

    def _band(self, z: int, planes: tuple[Plane, ...], out: Plane, rows: slice) -> None:
        self._part.apply(self._taken, z, planes, rows, out[rows])
