"""What would converting the Human Organ Atlas brain take? Plan it; nothing is read or written.

A source has to say no more than its shape and dtype to be planned.
"""

from pathlib import Path

import numpy as np

from hoaconv.engine.contract import Source
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Spec
from hoaconv.errors import BudgetError
from hoaconv.io.compressor import Compressor
from hoaconv.ops.smooth import Gaussian
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr

RESERVED = 220_000_000  # what Python and the libraries take: measured at the start of a run


class Brain(Source):
    spec = Spec((9080, 7621, 7621), np.dtype("uint16"))
    stored_bytes = 133_000_000_000
    decodes_slowly = True  # JPEG 2000

    def scratch(self) -> int:
        return int(4.2 * 7621 * 7621)  # OpenJPEG decodes to int32

    def read(self, z: int, out: object) -> None:
        raise NotImplementedError

    def __str__(self) -> str:
        return "brain"


def plan(depth: int, *ops: Gaussian) -> Plan:
    planned = Plan.read(Brain())
    for op in ops:
        planned |= op
    return planned | OmeZarr(
        path=Path("brain.zarr"),
        image=ImageInfo("brain", "mean"),
        chunks=(depth, 64, 64),
        shards=(depth, 1024, 1024),
        compressor=Compressor.parse("blosc-zstd:1:shuffle"),
    )


def projected(planned: Plan, gib: int, workers: int) -> str:
    try:
        made = schedule(planned, Limits(gib << 30, workers, RESERVED, tuned=True))
    except BudgetError as error:
        return "needs " + str(error).split("at least ")[1].split(",")[0]
    sweep = made.sweeps[0]
    words = [f"{made.projected / 1e9:.1f} GB", f"{sweep.ahead} ahead"]
    words += [f"{sweep.economy.spilled} in scratch"] * (sweep.economy.spilled > 0)
    words += [f"{len(made.sweeps)} sweeps"] * (len(made.sweeps) > 1)
    return ", ".join(words)


if __name__ == "__main__":
    print("| workers | chunks, op | 8 GiB | 16 GiB | 32 GiB | 128 GiB |")
    for workers in (4, 20):
        for depth in (64, 32, 16):
            for ops in ((), (Gaussian(1.5),)):
                name = f"{depth},64,64" + "".join(f", {op}" for op in ops)
                cells = [projected(plan(depth, *ops), gib, workers) for gib in (8, 16, 32, 128)]
                print(f"| {workers} | {name} | {' | '.join(cells)} |")
