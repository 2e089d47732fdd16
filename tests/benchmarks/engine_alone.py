"""What the engine itself takes: a real conversion of planes with hardly anything in them.

Planes have the rows of a Human Organ Atlas slice, so its bands, few columns, and only zeros. The
CPU seconds of the whole process, a slice, are then more than what Python can't do in parallel.
The seconds of the sweep's own thread for one call that writes chunks are found apart.
"""

from dataclasses import dataclass
from pathlib import Path
from time import process_time, thread_time

import numpy as np

from hoaconv.engine import machine
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Source
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.run import run, warm
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Plane, Spec
from hoaconv.io.compressor import Compressor
from hoaconv.ops.measure import Histogram
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr
from tests.benchmarks.program import Clock, main

ROWS, COLUMNS = 7621, 64
CORES = 20
CHUNK, EDGE = 128, 1024
CALLS = (EDGE // CHUNK) ** 2
"""Chunks of the layer by which a call is timed; each has the bytes that are worth one."""


@dataclass(frozen=True)
class Blank(Source):
    """Planes of zeros."""

    planes: int

    @property
    def spec(self) -> Spec:
        return Spec((self.planes, ROWS, COLUMNS), np.dtype("uint16"))

    @property
    def stored_bytes(self) -> int:
        return 0

    def read(self, z: int, out: Plane) -> None:
        out.fill(0)

    def scratch(self) -> int:
        return 0

    def __str__(self) -> str:
        return "blank"


def _sink(path: Path, chunk: int, shard: int, levels: int | None) -> OmeZarr:
    return OmeZarr(
        path=path,
        image=ImageInfo("blank", "mean"),
        chunks=(chunk,) * 3,
        shards=(chunk, shard, shard) if shard else None,
        compressor=Compressor.parse("blosc-zstd:1:shuffle"),
        level_count=levels,
        provenance=dict.fromkeys(("version", "source", "ops", "options"), ""),
    )


def _call(path: Path) -> float:
    """Seconds of the sweep's thread for one call."""
    spec = Spec((CHUNK, EDGE, EDGE), np.dtype("uint16"))
    plane = np.zeros(spec.plane_shape, spec.dtype)
    with Pool(CORES) as pool:
        writer = _sink(path, CHUNK, 0, 1).open(spec, pool, Buffers(), Economy())
        for _ in range(CHUNK):
            writer.take(plane, slice(0, EDGE))
            start = thread_time()
            writer.advance()
        seconds = thread_time() - start  # of the last one, which writes the layer
        writer.close({})
        writer.release()
    return seconds / CALLS


def _run(src: Path, dst: Path, workers: int, clock: Clock, slices: int) -> dict[str, float]:
    planned = Plan.read(Blank(slices)) | Histogram() | _sink(dst, 64, 1024, None)
    warm(planned)
    made = schedule(planned, Limits(machine.memory_limit(), CORES, machine.resident()))
    cpu, main_cpu = process_time(), thread_time()
    with clock("sweep"):
        run(made)
    cpu, main_cpu = process_time() - cpu, thread_time() - main_cpu
    return {
        "cpu a slice": cpu / slices,
        "main thread a slice": main_cpu / slices,
        "call": _call(dst.with_name("calls.zarr")),
    }


if __name__ == "__main__":
    main(_run, slices=256)
