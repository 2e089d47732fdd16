"""How long a run will take, from a short trial: a few slices decoded, filtered, packed.

Each part is timed on one thread; decoding, which is most of the work, while all workers decode,
since they share caches and bandwidth, or as many as this machine has CPUs and memory for. A run
then takes the sum of all work, divided by the workers: what the sweep is built for, since no worker
waits for another.

A trial holds little and is short: planes are cut to their first rows, blocks to fewer columns, and
what takes long is tried on a piece. Whole are only the slices that are decoded.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from hoaconv.engine import machine, stop
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Fold, Hold, Join, Op, Resample, Scan, Source
from hoaconv.engine.passes.measure import settled
from hoaconv.engine.pool import in_threads
from hoaconv.engine.schedule import Estimate, Place, Schedule, Stage, Sweep
from hoaconv.engine.spec import Plane, Spec

__all__ = ["estimate"]

LEAST = 3
"""Slices to be decoded: of the beginning, the middle, the end."""

PLANE_BYTES = 1 << 26
"""What a plane, or a block, may take; a larger one is cut."""

WHOLE_BYTES = 4 * PLANE_BYTES
"""What a plane may take that has to be whole, for a resample that makes other planes of it."""

DECODING_BYTES = 1 << 30
"""What slices that are decoded at once may take, if they are more than one."""

LONG = 3.0
"""Seconds: what would take longer is tried on a sixteenth."""

LEAST_COLUMNS = 256

_Tried = tuple[float, Plane]
"""Seconds of one thread for a plane, and such a plane, or its first rows."""


class _TooLargeError(Exception):
    """A trial would hold too much."""


def estimate(schedule: Schedule) -> Estimate | None:
    """Try every stage of every sweep on planes from the beginning, middle and end.

    Takes about as long as decoding three slices, or one where three are decoded at once, filtering
    a band of each and packing three chunks. Writes nothing.

    Returns
    -------
    Estimate or None
        None where planes are too large for a trial.

    Raises
    ------
    SourceError
        If a slice can't be read.
    """
    trial = _Trial(schedule.limits.workers)
    try:
        for k, sweep in enumerate(schedule.sweeps):
            trial.sweep(k, sweep)
    except _TooLargeError:
        return None
    return Estimate(sum(trial.work.values()) / schedule.limits.workers, trial.work)


class _Trial:
    """Stages tried so far, on planes that are made of real ones."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.work: dict[str, float] = {}
        self._found: dict[str, Mapping[str, Any]] = {}
        self._decoded: dict[int, _Tried] = {}
        self._held: dict[Place, _Tried] = {}

    def sweep(self, k: int, sweep: Sweep) -> None:
        """Try every stage, in order."""
        planes: dict[int, Plane] = {}
        for n, stage in enumerate(sweep.stages):
            stop.raise_if_asked()
            seconds, planes[n] = self._try(k, sweep, stage, [planes[i] for i in stage.inputs])
            for i in {i for i in planes if all(j <= n for j in sweep.readers[i])}:
                del planes[i]  # its last reader has it
            who = str(stage.part)
            self.work[who] = self.work.get(who, 0.0) + seconds * sweep.spec_of(stage).planes

    def _try(self, k: int, sweep: Sweep, stage: Stage, taken: list[Plane]) -> _Tried:
        """Seconds of work for a plane, and a plane such as the stage gives."""
        part, spec = settled(stage.part, self._found), sweep.spec_of(stage)
        if stage.after:  # nothing is there yet to be read: unpacking is taken to cost as packing
            return self._held[stage.after]
        if isinstance(part, Source):
            return self._read(part, sweep)
        if isinstance(part, Op | Resample | Scan | Join):
            return _make(part, stage, sweep.spec_in(stage), spec, taken)
        (plane,) = taken
        if isinstance(part, Fold):
            return self._fold(part, stage, spec, plane)
        seconds = part.trial(spec, plane)
        if isinstance(part, Hold):
            self._held[k, stage.inputs[0]] = seconds, plane
        return seconds, plane

    def _read(self, source: Source, sweep: Sweep) -> _Tried:
        if id(source) not in self._decoded:
            wanted = min(self._workers, sweep.ahead)  # as in the run, and as is counted
            self._decoded[id(source)] = _decode(source, min(wanted, _possible(source)))
        return self._decoded[id(source)]

    def _fold(self, fold: Fold, stage: Stage, spec: Spec, plane: Plane) -> _Tried:
        state = fold.init(Spec((spec.planes, *plane.shape), spec.dtype))
        start = perf_counter()
        fold.step(state, plane)
        seconds = (perf_counter() - start) * spec.plane_shape[0] / len(plane)
        if stage.finds is not None:
            self._found[stage.finds] = fold.finish(state)
        return seconds, plane


def _make(
    part: Op | Resample | Scan | Join, stage: Stage, given: Spec, spec: Spec, taken: list[Plane]
) -> _Tried:
    """Seconds for a plane of what makes planes of planes."""
    if isinstance(part, Op):
        return _apply(part, stage, taken[0], spec)
    most = min(_rows(spec), len(taken[0]) if isinstance(part, Scan) else spec.plane_shape[0])
    if isinstance(part, Join):
        most = min(most, *map(len, taken))
        seconds, made = _join(part, taken, spec, most)
    elif isinstance(part, Scan):
        seconds, made = _in_steps(most, 1, partial(_scan, part, given, taken[0]))
    else:
        whole = _whole(taken[0], given)
        seconds, made = _in_steps(most, 1, partial(_resample, part, given, whole, spec))
    return seconds * spec.plane_shape[0] / most, made


def _in_steps(size: int, least: int, trial: Callable[[int], _Tried]) -> _Tried:
    """Seconds for `size` rows or columns: of a trial of them all, or of a sixteenth if it is long.

    The plane is what was made; it may be less than was asked for.
    """
    few = min(size, max(least, size // 16))
    if few < size:
        seconds, made = trial(few)
        stop.raise_if_asked()
        if seconds * size / few > LONG:
            return seconds * size / few, made
    return trial(size)


def _rows(spec: Spec) -> int:
    """Rows of a plane that a trial has memory for."""
    rows = PLANE_BYTES // (spec.shape[2] * spec.dtype.itemsize)
    if rows < 1:
        raise _TooLargeError
    return min(rows, spec.plane_shape[0])


def _whole(plane: Plane, spec: Spec) -> Plane:
    """A plane of which only the first rows are there, made whole by them."""
    if plane.shape == spec.plane_shape:
        return plane
    if spec.plane_bytes > WHOLE_BYTES:
        raise _TooLargeError
    return np.resize(plane, spec.plane_shape)


def _timed(shape: tuple[int, int], dtype: np.dtype[Any], make: Callable[[Plane], object]) -> _Tried:
    """Seconds that it takes to make a plane, and the plane."""
    out = np.zeros(shape, dtype)
    start = perf_counter()
    make(out)
    return perf_counter() - start, out


def _possible(source: Source) -> int:
    """Planes that this machine can decode at once: a run is often planned on a smaller one."""
    each = source.spec.plane_bytes + source.scratch()
    free = machine.memory_limit() - machine.resident()
    if each > max(free, DECODING_BYTES):
        raise _TooLargeError
    return max(1, min(machine.cpus(), free // (2 * each), DECODING_BYTES // each))


def _decode(source: Source, at_once: int) -> _Tried:
    """Seconds of one thread for a plane while so many decode; and the plane that varies most."""
    if source.together > 1:
        at_once = 1  # planes of one group have all threads
    count = min(-(-LEAST // at_once) * at_once, source.spec.planes)
    places = np.linspace(0, source.spec.planes - 1, count).astype(int).tolist()
    tried = in_threads("decode", partial(_read_rows, source), places, at_once)
    seconds = sum(took for took, _ in tried) / len(tried)
    with np.errstate(all="ignore"):  # infinities among the voxels
        most = max((plane for _, plane in tried), key=lambda plane: float(plane.std()))
    return seconds / source.together, most


def _read_rows(source: Source, z: int) -> _Tried:
    """Seconds to decode a plane; its first rows, of which several are kept."""
    spec = source.spec
    seconds, plane = _timed(spec.plane_shape, spec.dtype, partial(source.read, z))
    rows = _rows(spec)
    return seconds, plane if rows == len(plane) else plane[:rows].copy()


def _apply(op: Op, stage: Stage, plane: Plane, spec: Spec) -> _Tried:
    """One band of one window, and a plane of such bands."""
    rows, columns = _block(op, stage, plane)
    band = partial(_band, op, stage.halo, plane, spec.dtype, rows)
    seconds, out = _in_steps(columns, LEAST_COLUMNS, band)
    shares = spec.plane_shape[0] / rows * spec.shape[2] / columns
    y, x = (np.arange(n) % m for n, m in zip((_rows(spec), spec.shape[2]), out.shape, strict=True))
    return seconds * shares, np.ascontiguousarray(out[np.ix_(y, x)])


def _block(op: Op, stage: Stage, plane: Plane) -> tuple[int, int]:
    """Rows and columns of a band that a trial has memory for."""
    rows, columns = min(stage.rows, len(plane)), plane.shape[1]
    while True:
        shape = (2 * stage.halo[0] + 1, rows + 2 * stage.halo[1], columns)
        block = Spec(shape, plane.dtype)
        if block.nbytes + op.work(block) <= 2 * PLANE_BYTES:
            return rows, columns
        if columns > LEAST_COLUMNS:
            columns = max(LEAST_COLUMNS, columns // 2)
        elif rows > 1:
            rows //= 2
        else:
            raise _TooLargeError


def _band(
    op: Op,
    halo: tuple[int, int, int],
    plane: Plane,
    dtype: np.dtype[Any],
    rows: int,
    columns: int,
) -> _Tried:
    halo_z, halo_y, _ = halo
    tall = rows + 2 * halo_y
    block = np.repeat(np.resize(plane[:tall, :columns], (1, tall, columns)), 2 * halo_z + 1, axis=0)
    core = (slice(halo_z, halo_z + 1), slice(halo_y, halo_y + rows), slice(None))
    return _timed((rows, columns), dtype, lambda out: op.apply(block, core, out[None]))


def _join(part: Join, taken: list[Plane], spec: Spec, rows: int) -> _Tried:
    planes = tuple(plane[:rows] for plane in taken)
    return _timed((rows, spec.shape[2]), spec.dtype, lambda out: part.apply(planes, out))


def _resample(part: Resample, given: Spec, plane: Plane, spec: Spec, rows: int) -> _Tried:
    """The first rows of a plane in the middle of the result."""
    z = spec.planes // 2
    planes = (plane,) * len(part.reach(given, z))
    made = slice(0, rows)
    shape = (rows, spec.shape[2])
    return _timed(shape, spec.dtype, lambda out: part.apply(given, z, planes, made, out))


def _scan(part: Scan, spec: Spec, plane: Plane, rows: int) -> _Tried:
    """A volume of one plane, whose result is another volume's any plane."""
    thin = Spec((1, rows, spec.shape[2]), spec.dtype)
    scanner = part.open(thin, Buffers())
    start = perf_counter()
    (made,) = (*scanner.take(plane[:rows]), *scanner.end())
    return perf_counter() - start, made
