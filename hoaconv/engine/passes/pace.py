"""The time that a sweep takes by its sizes, in nominal nanoseconds: memory is weighed against it.

The figures only rank the choices for one sweep, so that memory goes where it saves most time; the
time that a run takes is told by `hoaconv.engine.estimate`. They were measured on two cores of a
virtual machine.
"""

from typing import Any

from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import At, Kind

__all__ = ["nanoseconds"]

DECODE_SLOWLY, DECODE = 18.0, 1.0
"""One thread, for a byte: of JPEG 2000 and the like; of uncompressed slices and chunks."""
COPY = 0.15
"""One thread, for a byte that is gathered into a window: a gaussian of sigma 1.5 takes 40 to 70 %
more time where its windows advance by 1 plane than where they advance by 4."""
WAIT = 0.1
"""Share of the decoding time that workers wait for what is stored, if no plane is decoded ahead; of
the encoding time, if no plane waits to be encoded."""
LAYER = 0.5
"""Share of the time of decoding layers in which nothing else is done."""
TIGHT = 0.1
"""One thread, for a byte: bands are narrow, and little is on its way to disk at once."""
PACK = 0.08
"""One thread, for a byte of level 0: levels from 1 on, a seventh of it, are packed and unpacked."""
SCRATCH = 4.5
"""For a byte that is packed, written to a disk of 500 MB/s, read again and unpacked."""


def nanoseconds(sweep: Sweep) -> float:
    """Return the nominal time of a sweep, as far as its sizes change it."""
    return sum(_stage(sweep, kind, at) for kind, at in sweep.asked)


def _stage(sweep: Sweep, kind: Kind[Any], at: At[Any]) -> float:
    stage, workers, economy = at.stage, sweep.limits.workers, sweep.economy
    shared = 0.0  # one thread's time for each byte, which all workers share
    if economy.packed and kind.packs(at):
        shared += PACK
    if stage.window > 1:
        shared += COPY * stage.window / stage.stride  # the windows that each plane is gathered into
    if economy.tight:
        shared += TIGHT
    waited = kind.through_scratch(at, economy) * SCRATCH
    if per_byte := kind.encoding(at):
        at_once = min(workers, economy.encoders)
        waited += at.taken.nbytes * per_byte * (1 + WAIT / economy.encoders) / at_once
    if kind.reads:
        waited += at.given.nbytes * _reading(sweep, kind, at)
    return waited + at.taken.nbytes * shared / workers


def _reading(sweep: Sweep, kind: Kind[Any], at: At[Any]) -> float:
    """Return the time for a byte of a source: fewer slices ahead than workers keep fewer busy."""
    workers, ahead = sweep.limits.workers, sweep.ahead
    decode = DECODE_SLOWLY if kind.decodes_slowly(at.part) else DECODE
    waits = WAIT / (1 + max(0, ahead + 1 - workers) / workers)
    if kind.has_next_layer(at) and not sweep.economy.next_layer:
        waits += LAYER
    return decode / min(workers, ahead + 1) + decode * waits / workers
