"""Estimate the time of a run from a short trial: a few slices are decoded, filtered, packed.

Each part is timed on one thread; decoding, which is most of the work, while all workers decode,
since they share caches and bandwidth, or as many as this machine has CPUs and memory for. A run
then takes the sum of all work, divided by the workers: what the sweep is built for, since no worker
waits for another.

A trial holds little and is short: planes are cut to their first rows, blocks to fewer columns, and
what takes long is tried on a piece. Whole are only the slices that are decoded.
"""

from dataclasses import replace

from hoaconv.engine import stop
from hoaconv.engine.schedule import Estimate, Schedule, Sweep
from hoaconv.engine.spec import Plane
from hoaconv.engine.stages.trial import TooLargeError, Trial

__all__ = ["estimate"]


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
    trial, work = Trial(schedule.limits.workers), dict[str, float]()
    packed: dict[int, int] = {}
    try:
        for trial.sweep, sweep in enumerate(schedule.sweeps):
            trial.ahead = sweep.ahead
            _try_all(sweep, trial, work, packed)
    except TooLargeError:
        return None
    sizes = tuple(packed[id(sink)] for sink in schedule.sinks)
    return Estimate(sum(work.values()) / schedule.limits.workers, work, sizes)


def _try_all(sweep: Sweep, trial: Trial, work: dict[str, float], packed: dict[int, int]) -> None:
    """Try every stage, in order; add the seconds of all its planes to its `work`.

    Note, by the identity of a sink, how many bytes it will write.
    """
    planes: dict[int, Plane] = {}
    for n, (kind, at) in enumerate(sweep.asked):
        stop.raise_if_asked()
        bound = replace(at, stage=replace(at.stage, part=kind.bound(at.part, trial.found)))
        taken = [planes[i] for i in at.stage.inputs]
        seconds, planes[n] = kind.trial(bound, taken, trial)
        if kind.is_output:
            packed[id(at.part)] = kind.packed_bytes(bound, taken)
        for i in {i for i in planes if all(j <= n for j in sweep.readers[i])}:
            del planes[i]  # its last reader has it
        who = str(at.part)
        work[who] = work.get(who, 0.0) + seconds * at.given.planes
