"""A model of many cores: the engine's own code, sources and sinks that sleep instead of computing.

A sleeping thread takes no CPU, so two cores can stand for sixty-four. What remains awake is the
engine: with `cores` cores a run of it should take the seconds slept divided by `cores`. Planes
have as many rows as a Human Organ Atlas slice, so as many bands, and few columns, so that moving
them costs nothing. At a `pace` of 10 everything sleeps a tenth as long as the work would take,
and so the engine has to serve slices ten times as fast.
"""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import perf_counter, process_time, sleep, thread_time
from typing import Any

import numpy as np

from hoaconv.engine import machine
from hoaconv.engine.contract import Source, Writer
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Plane, Spec
from tests.benchmarks.program import Clock, main
from tests.in_memory import Keep

ROWS = 7621
VOXELS = ROWS * ROWS
COLUMNS = 64
DECODE, BANDS, ENCODE = 30e6, 600e6, 250e6
"""Voxels a second of one core: JP2 decoded; counted, copied, downsampled; packed, all levels."""
LAYER, SHARDS = 64, 64
"""Planes of a layer, and its shards, stored one after another, each on all cores."""
QUANTUM = 1 / 12
"""Share of a slice's decoding after which a core is given to whoever waits longest."""


class Cores:
    """So many cores. Who works on one sleeps, and gives it up after every quantum."""

    def __init__(self, count: int, quantum: float) -> None:
        self.count, self.quantum = count, quantum
        self.slept = 0.0
        """Seconds, summed over cores; sleeping takes a little longer than it is asked to."""
        self._free = count
        self._waiting: deque[Lock] = deque()
        self._lock = Lock()

    def work(self, seconds: float) -> None:
        """Occupy a core for so long."""
        while seconds > 0:
            part = min(seconds, self.quantum)
            self._take()
            start = perf_counter()
            sleep(part)
            self._give(perf_counter() - start)
            seconds -= part

    def _take(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def _give(self, slept: float) -> None:
        """Hand the core over: whoever gives it up must not be the first to take it again."""
        with self._lock:
            self.slept += slept
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


@dataclass(frozen=True, eq=False)
class Sleeper(Source):
    """Planes that take as long to decode as JP2 slices."""

    planes: int
    cores: Cores
    seconds: float

    @property
    def spec(self) -> Spec:
        return Spec((self.planes, ROWS, COLUMNS), np.dtype("uint16"))

    @property
    def stored_bytes(self) -> int:
        return 0

    def read(self, z: int, out: Plane) -> None:
        self.cores.work(self.seconds)

    def scratch(self) -> int:
        return 0

    def __str__(self) -> str:
        return "sleeper"


@dataclass(frozen=True, eq=False)
class Bed(Keep):
    """Takes planes, and layers, as long as a pyramid does."""

    cores: Cores | None = None
    pace: float = 1.0

    def open(self, spec: Spec, *_: Any, **__: Any) -> Writer:
        assert self.cores
        return _Layers(spec, self.cores, self.pace)


class _Layers(Writer):
    def __init__(self, spec: Spec, cores: Cores, pace: float) -> None:
        self._spec, self._cores, self._planes = spec, cores, 0
        self._row = VOXELS / BANDS / pace / ROWS
        self._shard = LAYER * VOXELS / ENCODE / pace / SHARDS
        self._encoders = ThreadPoolExecutor(cores.count)

    def take(self, plane: Plane, rows: slice) -> None:
        self._cores.work(self._row * (rows.stop - rows.start))

    def advance(self) -> None:
        self._planes += 1
        if self._planes % LAYER == 0:
            for _ in range(SHARDS):
                self._store_shard()

    def _store_shard(self) -> None:
        pieces = 2 * self._cores.count
        begun: list[Future[None]] = [
            self._encoders.submit(self._cores.work, self._shard / pieces) for _ in range(pieces)
        ]
        for future in begun:
            future.result()

    def close(self, folds: Mapping[str, Any]) -> Mapping[str, Any]:
        self._encoders.shutdown()
        return {}

    def release(self) -> None:
        pass

    def abort(self) -> bool:
        self._encoders.shutdown(cancel_futures=True)
        return True


def _run(
    src: Path, dst: Path, workers: int, clock: Clock, cores: int, slices: int, pace: float
) -> dict[str, float]:
    decode = VOXELS / DECODE / pace
    these = Cores(cores, decode * QUANTUM)
    planned = Plan.read(Sleeper(slices, these, decode)) | Bed(cores=these, pace=pace)
    made = schedule(planned, Limits(machine.memory_limit(), cores, machine.resident()))
    cpu, main_cpu = process_time(), thread_time()
    with clock("sweep"):
        run(made)
    return {
        "ideal": these.slept / cores,
        "cpu a slice": (process_time() - cpu) / slices,
        "main thread a slice": (thread_time() - main_cpu) / slices,
    }


if __name__ == "__main__":
    main(_run, cores=2, slices=256, pace=10.0)
