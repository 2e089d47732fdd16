"""The memory model: what every stage of a sweep holds, in bytes, known before the run.

Memory of stages adds up: M{f.g} <= M{f} + M{g} (Sporring and Stansby, 2026). Nothing here is
a maximum over stages or a lower bound; what is measured rather than derived says so.
"""

from math import ceil

from hoaconv.engine.contract import Fold, Join, Op, Scan, Sink, Source, Use
from hoaconv.engine.schedule import Schedule, Stage
from hoaconv.engine.spec import Spec

__all__ = ["block_spec", "live_planes", "uses"]

ENGINE_BYTES = 36_000_000
"""Libraries loaded on first use, threads, what malloc keeps: measured on Linux, up to 20 MB, with 1
to 4 workers, with and without shards."""


def uses(schedule: Schedule) -> tuple[Use, ...]:
    """Every byte that the schedule's sweep holds, consumer by consumer."""
    reserved = Use("process", "interpreter, libraries, kernels", schedule.limits.reserved)
    engine = Use("engine", "threads and bookkeeping", ENGINE_BYTES)
    stages = (use for i in range(len(schedule.stages)) for use in _stage_uses(schedule, i))
    return (reserved, engine, *stages, *_storing(schedule))


def _storing(schedule: Schedule) -> tuple[Use, ...]:
    """What the sinks hold while they store: one of them at a time, so the most of any."""
    sinks = [(s.part, schedule.spec_in(s)) for s in schedule.stages if isinstance(s.part, Sink)]
    limits = schedule.limits
    sizes = (sink.storing(spec, limits.workers, lean=schedule.lean) for sink, spec in sinks)
    most = max(sizes, default=0)
    return (Use("outputs", "chunks of one layer on their way to disk", most),) if most else ()


def live_planes(stride: int, kept: int) -> int:
    """Planes alive of a stage that makes `stride` at once, of which readers keep `kept`.

    They are made as one slab, which lives as long as any of its planes: the newest slab, and
    those that the planes still kept when it is made lie in.

    Examples
    --------
    >>> live_planes(4, 1), live_planes(4, 2), live_planes(1, 7)
    (4, 8, 7)
    """
    return stride * (ceil((kept - 1) / stride) + 1)


def block_spec(schedule: Schedule, stage: Stage) -> Spec:
    """What one call of an op's `apply` gets: a window of a band and its halo."""
    spec = schedule.spec_in(stage)
    rows = min(stage.rows + 2 * stage.halo[1], spec.plane_shape[0])
    return Spec((min(stage.window, spec.planes), rows, spec.shape[2]), spec.dtype)


def _kept(schedule: Schedule, i: int) -> int:
    """Planes of stage `i` that its readers keep at once.

    One reader keeps its window, or, if planes only flow through it, what its own readers keep.
    Of several, the one that looks furthest ahead, all along its
    branch, makes the tee keep for the others what they have yet to take.
    """
    readers = schedule.readers[i]
    if len(readers) == 1:
        (reader,) = readers
        through = isinstance(schedule.stages[reader].part, Fold | Sink)
        return _kept(schedule, reader) if through else schedule.stages[reader].window
    return max((_reach(schedule, j) for j in readers), default=1)


def _reach(schedule: Schedule, i: int) -> int:
    further = (_reach(schedule, j) for j in schedule.readers[i])
    stage = schedule.stages[i]
    late = stage.part.delay(schedule.spec_in(stage)) if isinstance(stage.part, Scan) else 0
    return stage.window + late + max(further, default=0)


def _stage_uses(schedule: Schedule, i: int) -> tuple[Use, ...]:
    stage, who = schedule.stages[i], str(schedule.stages[i].part)
    workers, spec = schedule.limits.workers, schedule.spec_of(stage)
    kept = _kept(schedule, i)
    if isinstance(stage.part, Source):
        planes = min(schedule.ahead + kept, spec.planes)
        return (
            Use(who, f"{planes} planes: {schedule.ahead} ahead", planes * spec.plane_bytes),
            Use(who, f"decoding in {workers} workers", workers * stage.part.scratch()),
        )
    if isinstance(stage.part, Op):
        planes = live_planes(stage.stride, kept)
        return (
            Use(who, f"{planes} planes of output", planes * spec.plane_bytes),
            Use(who, f"bands in {workers + 1} threads", (workers + 1) * _band(schedule, stage)),
        )
    if isinstance(stage.part, Scan):
        taken = schedule.spec_in(stage)
        held = f"objects under way, up to {stage.part.delay(taken)} planes"
        return (
            Use(who, f"{kept} planes of output", kept * spec.plane_bytes),
            Use(who, held, stage.part.state_bytes(taken)),
        )
    if isinstance(stage.part, Join):
        specs = (schedule.spec_of(schedule.stages[j]) for j in stage.inputs)
        own = (workers + 1) * stage.part.work(*specs)
        return (
            Use(who, f"{kept} planes of output", kept * spec.plane_bytes),
            Use(who, f"bands in {workers + 1} threads", own),
        )
    if isinstance(stage.part, Fold):
        size = (workers + 1) * stage.part.state_bytes(schedule.spec_in(stage))
        return (Use(who, f"states of {workers + 1} threads", size),)
    return stage.part.uses(schedule.spec_in(stage), workers)


def _band(schedule: Schedule, stage: Stage) -> int:
    block = block_spec(schedule, stage)
    gathered = block.nbytes if stage.window > 1 else 0
    return gathered + (stage.part.work(block) if isinstance(stage.part, Op) else 0)
