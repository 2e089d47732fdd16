"""How long a run will take, from a short trial: a few slices decoded, filtered, packed.

Each part is timed on one thread; decoding, which is most of the work, while all workers decode,
since they share caches and bandwidth, or as many as this machine has CPUs and memory for. A run
then takes the sum of all work, divided by the workers: what the sweep is built for, since no worker
waits for another.
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

_Tried = tuple[float, Plane]
"""Seconds of one thread for a plane, and such a plane."""


def estimate(schedule: Schedule) -> Estimate:
    """Try every stage of every sweep on planes from the beginning, middle and end.

    Takes about as long as decoding three slices, or one where three are decoded at once, filtering
    a band of each and packing three chunks. Writes nothing.

    Raises
    ------
    SourceError
        If a slice can't be read.
    """
    trial = _Trial(schedule.limits.workers)
    for k, sweep in enumerate(schedule.sweeps):
        stop.raise_if_asked()
        trial.sweep(k, sweep)
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
        planes: list[Plane] = []
        for stage in sweep.stages:
            seconds, plane = self._try(k, sweep, stage, [planes[i] for i in stage.inputs])
            planes.append(plane)
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
        state = fold.init(spec)
        start = perf_counter()
        fold.step(state, plane)
        seconds = perf_counter() - start
        if stage.finds is not None:
            self._found[stage.finds] = fold.finish(state)
        return seconds, plane


def _make(
    part: Op | Resample | Scan | Join, stage: Stage, given: Spec, spec: Spec, taken: list[Plane]
) -> _Tried:
    """Seconds for a plane of what makes planes of planes."""
    if isinstance(part, Join):
        return _timed(spec, lambda out: part.apply(tuple(taken), out))
    (plane,) = taken
    if isinstance(part, Op):
        return _apply(part, stage, plane, spec)
    if isinstance(part, Resample):
        return _resample(part, given, plane, spec)
    return _scan(part, given, plane)


def _timed(spec: Spec, make: Callable[[Plane], object]) -> _Tried:
    """Seconds that it takes to make a plane, and the plane."""
    out = np.zeros(spec.plane_shape, spec.dtype)
    start = perf_counter()
    make(out)
    return perf_counter() - start, out


def _possible(source: Source) -> int:
    """Planes that this machine can decode at once: a run is often planned on a smaller one."""
    each = source.spec.plane_bytes + source.scratch()
    free = machine.memory_limit() - machine.resident()
    return max(1, min(machine.cpus(), free // (2 * each)))


def _decode(source: Source, at_once: int) -> _Tried:
    """Seconds of one thread for a plane while so many decode; and the plane that varies most."""
    if source.together > 1:
        at_once = 1  # planes of one group have all threads
    count = min(-(-LEAST // at_once) * at_once, source.spec.planes)
    places = np.linspace(0, source.spec.planes - 1, count).astype(int).tolist()
    tried = in_threads(
        "decode", lambda z: _timed(source.spec, partial(source.read, z)), places, at_once
    )
    seconds = sum(took for took, _ in tried) / len(tried)
    with np.errstate(all="ignore"):  # infinities among the voxels
        most = max((plane for _, plane in tried), key=lambda plane: float(plane.std()))
    return seconds / source.together, most


def _apply(op: Op, stage: Stage, plane: Plane, spec: Spec) -> _Tried:
    """One band of one window, and a plane of such bands."""
    rows = min(stage.rows, len(plane))
    halo_z, halo_y, _ = stage.halo
    tall = np.resize(plane, (rows + 2 * halo_y, plane.shape[1]))
    block = np.repeat(tall[None], 2 * halo_z + 1, axis=0)
    core = (slice(halo_z, halo_z + 1), slice(halo_y, halo_y + rows), slice(None))
    band = Spec((1, rows, plane.shape[1]), spec.dtype)
    seconds, out = _timed(band, lambda out: op.apply(block, core, out[None]))
    return seconds * spec.plane_shape[0] / rows, np.resize(out, spec.plane_shape)


def _resample(part: Resample, given: Spec, plane: Plane, spec: Spec) -> _Tried:
    """A plane in the middle of the result."""
    z = spec.planes // 2
    planes = (plane,) * len(part.reach(given, z))
    rows = slice(0, spec.plane_shape[0])
    return _timed(spec, lambda out: part.apply(given, z, planes, rows, out))


def _scan(part: Scan, spec: Spec, plane: Plane) -> _Tried:
    """A volume of one plane, whose result is another volume's any plane."""
    thin = Spec((1, *spec.plane_shape), spec.dtype)
    scanner = part.open(thin, Buffers())
    start = perf_counter()
    (made,) = (*scanner.take(plane), *scanner.end())
    return perf_counter() - start, made
