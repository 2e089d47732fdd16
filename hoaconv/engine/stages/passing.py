"""Let folds and writers see the planes that pass, all in one round of bands."""

from typing import Any

from hoaconv.engine.bands import bands
from hoaconv.engine.contract import Writer
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At
from hoaconv.engine.stages.taps import Round, Tap
from hoaconv.engine.stream import map

__all__ = ["let_see"]


def let_see(at: At[Any], planes: Planes, taker: Tap | Writer, running: Running) -> Planes:
    """Return the planes, seen by `taker`; in the round of the one before, if it has one."""
    (before,) = at.stage.inputs
    if before in running.rounds and len(running.readers[before]) == 1:
        running.rounds[at.i] = running.rounds[before].add(str(at.part), taker)
        return planes
    rows = bands(at.taken.plane_shape[0], at.stage.rows)
    running.rounds[at.i] = Round(running.pool, rows).add(str(at.part), taker)
    return map(running.rounds[at.i], planes)
