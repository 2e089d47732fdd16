"""The memory model: what every stage of a sweep holds, in bytes, known before the run.

Memory of stages adds up: M{f.g} <= M{f} + M{g} (Sporring and Stansby, 2026). Nothing here is
a maximum over stages or a lower bound; what is measured rather than derived says so.
"""

from math import ceil

from hoaconv.engine.contract import Fold, Join, Op, Resample, Scan, Sink, Source, Use
from hoaconv.engine.pace import lag, longest_reach
from hoaconv.engine.schedule import Stage, Sweep
from hoaconv.engine.spec import Spec

__all__ = ["block_spec", "live_planes", "uses"]

ENGINE_BYTES = 36_000_000
"""Libraries loaded on first use, threads, what malloc keeps: measured on Linux, up to 20 MB, with 1
to 4 workers, with and without shards."""


def uses(schedule: Sweep) -> tuple[Use, ...]:
    """Every byte that the schedule's sweep holds, consumer by consumer."""
    reserved = Use("process", "interpreter, libraries, kernels", schedule.limits.reserved)
    engine = Use("engine", "threads and bookkeeping", ENGINE_BYTES)
    stages = (use for i in range(len(schedule.stages)) for use in _stage_uses(schedule, i))
    return (reserved, engine, *stages, *_storing(schedule))


def _storing(schedule: Sweep) -> tuple[Use, ...]:
    """What the sinks hold while they store: one of them at a time, so the most of any."""
    sinks = [(s.part, schedule.spec_in(s)) for s in schedule.stages if isinstance(s.part, Sink)]
    workers = schedule.limits.workers
    sizes = (sink.storing(spec, workers, schedule.thrift) for sink, spec in sinks)
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


def block_spec(schedule: Sweep, stage: Stage) -> Spec:
    """What one call of an op's `apply` gets: a window of a band and its halo."""
    spec = schedule.spec_in(stage)
    rows = min(stage.rows + 2 * stage.halo[1], spec.plane_shape[0])
    return Spec((min(stage.window, spec.planes), rows, spec.shape[2]), spec.dtype)


def _kept(schedule: Sweep, i: int) -> int:
    """Planes of stage `i` that its readers keep at once.

    One reader keeps its window, or, if planes only flow through it, what its own readers keep.
    Of several, the one that looks furthest ahead, all along its branch, makes the tee keep for the
    others what they have yet to take. So do planes that are made before anybody asks for them.
    """
    stage, readers = schedule.stages[i], schedule.readers[i]
    if len(readers) != 1 or isinstance(stage.part, Resample):
        most = max((_reach(schedule, j) for j in readers), default=1)
        return min(most + lag(schedule, i), schedule.spec_of(stage).planes)
    (reader,) = readers
    part = schedule.stages[reader].part
    if isinstance(part, Resample):
        return _reach(schedule, reader)
    through = isinstance(part, Fold | Sink)
    return _kept(schedule, reader) if through else schedule.stages[reader].window


def _reach(schedule: Sweep, i: int) -> int:
    """How far a stage looks ahead, and its readers: but planes that are resampled are let go."""
    stage = schedule.stages[i]
    if isinstance(stage.part, Resample):
        return longest_reach(stage.part, schedule.spec_in(stage))
    further = max((_reach(schedule, j) for j in schedule.readers[i]), default=0)
    if isinstance(stage.part, Fold | Sink):
        return max(1, further)
    late = stage.part.delay(schedule.spec_in(stage)) if isinstance(stage.part, Scan) else 0
    return stage.window + late + further


def _stage_uses(schedule: Sweep, i: int) -> tuple[Use, ...]:
    stage, who = schedule.stages[i], str(schedule.stages[i].part)
    workers, taken = schedule.limits.workers, schedule.spec_in(stage)
    if isinstance(stage.part, Sink):
        return stage.part.uses(taken, workers, schedule.thrift)
    if isinstance(stage.part, Fold):
        size = stage.part.state_bytes(taken)
        many = 1 if stage.part.shared else workers + 1
        what = "one state of all threads" if stage.part.shared else f"states of {many} threads"
        return (Use(who, what, many * size),)
    planes, bands = _planes_made(schedule, i), (workers + 1) * _band(schedule, stage)
    size = planes * schedule.spec_of(stage).plane_bytes
    if isinstance(stage.part, Source):
        layer, scratch = stage.part.holds(workers), stage.part.scratch()
        # The heap falls into pieces: measured, 0.8 to 2.7 times the scratch with 2 to 16 workers.
        kept = (1 + workers // 4) * scratch if schedule.keeps_large_blocks else 0
        return (
            Use(who, f"{planes} planes: {schedule.ahead} ahead", size),
            Use(who, f"decoding in {workers} workers", workers * scratch),
            *((Use(who, "freed by decoders, kept for the next", kept),) if kept else ()),
            *((Use(who, "the layer being read", layer),) if layer else ()),
        )
    made = Use(who, f"{planes} planes of output", size)
    if isinstance(stage.part, Scan):
        held = f"objects under way, up to {stage.part.delay(taken)} planes"
        return (made, Use(who, held, stage.part.state_bytes(taken)))
    return (made, Use(who, f"bands in {workers + 1} threads", bands))


def _planes_made(schedule: Sweep, i: int) -> int:
    """Planes of a stage that are alive at once."""
    stage, kept = schedule.stages[i], _kept(schedule, i)
    if isinstance(stage.part, Source):
        return min(schedule.ahead + kept, schedule.spec_of(stage).planes)
    return live_planes(stage.stride, kept) if isinstance(stage.part, Op) else kept


def _band(schedule: Sweep, stage: Stage) -> int:
    """What a thread holds while it makes a band."""
    if isinstance(stage.part, Resample):
        return stage.part.work(schedule.spec_in(stage))
    if isinstance(stage.part, Join):
        return stage.part.work(*(schedule.spec_of(schedule.stages[j]) for j in stage.inputs))
    if not isinstance(stage.part, Op):
        return 0
    block = block_spec(schedule, stage)
    return (block.nbytes if stage.window > 1 else 0) + stage.part.work(block)
