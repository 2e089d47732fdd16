"""The memory model: what every stage of a sweep holds, in bytes, known before the run.

Memory of stages adds up: M{f.g} <= M{f} + M{g} (Sporring and Stansby, 2026). Nothing here is
a maximum over stages or a lower bound; what is measured rather than derived says so.
"""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import cast

from hoaconv.engine.contract import Fold, Join, Op, Resample, Scan, Sink, Source, Use
from hoaconv.engine.pace import lags, longest_reach
from hoaconv.engine.schedule import Stage, Sweep
from hoaconv.engine.spec import Spec

__all__ = ["block_spec", "early_folds", "lender", "live_planes", "uses"]

ENGINE_BYTES = 36_000_000
"""Libraries loaded on first use, threads, what malloc keeps: measured on Linux, up to 20 MB, with 1
to 4 workers, with and without shards."""


def uses(schedule: Sweep) -> tuple[Use, ...]:
    """Every byte that the schedule's sweep holds, consumer by consumer."""
    reserved = Use("process", "interpreter, libraries, kernels", schedule.limits.reserved)
    engine = Use("engine", "threads and bookkeeping", ENGINE_BYTES)
    kept = _kept(schedule)
    stages = (use for i, n in enumerate(kept) for use in _stage_uses(schedule, i, n))
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


def lender(sweep: Sweep, i: int) -> int | None:
    """The sink that takes a source's planes as they are, if nobody else keeps them.

    It lends them their places: see `Writer.lend`.
    """
    behind = []
    while len(readers := sweep.readers[i]) == 1:
        (i,) = readers
        behind.append(i)
    ends = [j for j in behind if isinstance(sweep.stages[j].part, Sink)]
    alone = all(isinstance(sweep.stages[j].part, Fold | Sink) for j in behind) and not readers
    return ends[0] if ends and alone else None


def early_folds(sweep: Sweep) -> Mapping[int, tuple[int, ...]]:
    """By source, the folds that see its planes as they are decoded, in any order.

    Threads then needn't meet for each plane. A state that threads share takes planes in order.
    """
    found: dict[int, tuple[int, ...]] = {}
    roots: dict[int, int] = {}
    for i, stage in enumerate(sweep.stages):
        if isinstance(stage.part, Source):
            roots[i], found[i] = i, ()
        elif isinstance(stage.part, Fold) and not stage.part.shared:
            (before,) = stage.inputs
            if before in roots:
                roots[i] = roots[before]
                found[roots[i]] += (i,)
    return found


def _kept(schedule: Sweep) -> list[int]:
    """Planes of each stage that its readers keep at once.

    One reader keeps its window, or, if planes only flow through it, what its own readers keep.
    Of several, the one that looks furthest ahead, all along its branch, makes the tee keep for the
    others what they have yet to take. So do planes that are made before anybody asks for them.
    """
    reaches, late = _reaches(schedule), lags(schedule)
    kept = [0] * len(schedule.stages)
    for i in reversed(range(len(kept))):  # readers stand behind
        stage, readers = schedule.stages[i], schedule.readers[i]
        if len(readers) != 1 or isinstance(stage.part, Resample):
            most = max((reaches[j] for j in readers), default=1)
            kept[i] = min(most + late[i], schedule.spec_of(stage).planes)
            continue
        (reader,) = readers
        part = schedule.stages[reader].part
        if isinstance(part, Resample):
            kept[i] = reaches[reader]
        elif isinstance(part, Fold | Sink):
            kept[i] = kept[reader]
        else:
            kept[i] = schedule.stages[reader].window
    return kept


def _reaches(schedule: Sweep) -> list[int]:
    """How far each stage looks ahead, and its readers: but planes that are resampled are let go."""
    reaches = [0] * len(schedule.stages)
    for i in reversed(range(len(reaches))):
        stage = schedule.stages[i]
        further = max((reaches[j] for j in schedule.readers[i]), default=0)
        if isinstance(stage.part, Resample):
            reaches[i] = longest_reach(stage.part, schedule.spec_in(stage))
        elif isinstance(stage.part, Fold | Sink):
            reaches[i] = max(1, further)
        else:
            late = stage.part.delay(schedule.spec_in(stage)) if isinstance(stage.part, Scan) else 0
            reaches[i] = stage.window + late + further
    return reaches


def _stage_uses(schedule: Sweep, i: int, kept: int) -> tuple[Use, ...]:
    stage, who = schedule.stages[i], str(schedule.stages[i].part)
    taken = schedule.spec_in(stage)
    if isinstance(stage.part, Sink):
        return stage.part.uses(taken, schedule.limits.workers, schedule.thrift)
    if isinstance(stage.part, Fold):
        many = _states(schedule, i, stage.part)
        what = "one state of all threads" if stage.part.shared else f"states of {many} threads"
        return (Use(who, what, many * stage.part.state_bytes(taken)),)
    if isinstance(stage.part, Source):
        return tuple(_source_uses(schedule, i, stage.part, kept))
    planes = live_planes(stage.stride, kept) if isinstance(stage.part, Op) else kept
    made = Use(who, f"{planes} planes of output", planes * schedule.spec_of(stage).plane_bytes)
    if isinstance(stage.part, Scan):
        held = f"objects under way, up to {stage.part.delay(taken)} planes"
        return (made, Use(who, held, stage.part.state_bytes(taken)))
    threads = min(schedule.limits.workers + 1, _bands_of(schedule.spec_of(stage), stage))
    return (made, Use(who, f"bands in {threads} threads", threads * _band(schedule, stage)))


def _bands_of(spec: Spec, stage: Stage) -> int:
    """Bands of a plane, each of which one thread makes, or takes."""
    return ceil(spec.plane_shape[0] / max(1, stage.rows))


def _states(schedule: Sweep, i: int, fold: Fold) -> int:
    """States of a fold: of each thread that sees a plane as it is decoded, or ever takes a band."""
    if fold.shared:
        return 1
    workers, spec = schedule.limits.workers, schedule.spec_in(schedule.stages[i])
    if any(i in folds for folds in early_folds(schedule).values()):
        return min(workers, spec.planes)
    return min(workers + 1, spec.planes * _bands_of(spec, schedule.stages[i]))


def _source_uses(schedule: Sweep, i: int, source: Source, kept: int) -> Iterator[Use]:
    who, spec, workers = str(source), schedule.spec_of(schedule.stages[i]), schedule.limits.workers
    decoders = min(workers, schedule.ahead + 1, spec.planes)
    planes = min(schedule.ahead + kept, spec.planes - _lent(schedule, i))
    ahead = min(schedule.ahead, spec.planes)
    yield Use(who, f"{planes} planes: {ahead} ahead", planes * spec.plane_bytes)
    yield Use(who, f"decoding in {decoders} workers", decoders * source.scratch())
    # The heap falls into pieces: measured, 0.8 to 2.7 times the scratch with 2 to 16 workers. But
    # no more pieces come than slices.
    pieces = min(1 + decoders // 4, spec.planes - decoders)
    if schedule.keeps_large_blocks and pieces:
        yield Use(who, "freed by decoders, kept for the next", pieces * source.scratch())
    if layer := source.holds(workers):
        yield Use(who, "the layer being read", layer)


def _lent(schedule: Sweep, i: int) -> int:
    """Planes of a source that are decoded where a sink keeps them, however early they come."""
    j = lender(schedule, i)
    if j is None:
        return 0
    sink, spec = schedule.stages[j].part, schedule.spec_of(schedule.stages[i])
    return min(cast(Sink, sink).lends(spec, schedule.thrift), spec.planes)


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
