"""All names that plans, and parts of your own, need: they can be imported from here in one line.

`schedule`, `run` and `estimate` are modules of the package, too, so that the package itself can't
offer the functions under these names.
"""

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.combine import Combine
from hoaconv.engine.contract import (
    Core,
    Economy,
    Fold,
    Join,
    LayeredSource,
    Op,
    Part,
    Piece,
    Resample,
    Scan,
    Scanner,
    Sink,
    Source,
    Use,
    Writer,
)
from hoaconv.engine.estimate import estimate
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.run import Outcome, run, warm
from hoaconv.engine.schedule import Estimate, Limits, Schedule
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.engine.stages import At, Kind, Running, Share, register

__all__ = [
    "At",
    "Buffers",
    "Combine",
    "Core",
    "Economy",
    "Estimate",
    "Fold",
    "Join",
    "Kind",
    "LayeredSource",
    "Limits",
    "Op",
    "Outcome",
    "Part",
    "Piece",
    "Plan",
    "Plane",
    "Pool",
    "Resample",
    "Running",
    "Scan",
    "Scanner",
    "Schedule",
    "Share",
    "Sink",
    "Slab",
    "Source",
    "Spec",
    "Use",
    "Writer",
    "estimate",
    "register",
    "run",
    "schedule",
    "warm",
]
