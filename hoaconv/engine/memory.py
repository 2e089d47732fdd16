"""The memory model: what every stage of a sweep holds, in bytes, known before the run.

Memory of stages adds up: M{f.g} <= M{f} + M{g} (equations 9 and 10 of J. Sporring and D. Stansby,
*Larger than memory image processing*, 2026). Nothing here is a maximum over stages or a lower
bound; what is measured rather than derived says so. Each kind of stage (`hoaconv.engine.stages`)
tells what it holds: its output, and what it allocates (equation 1). Its input is the output of the
stage before.
"""

from collections.abc import Mapping

from hoaconv.engine.contract import Use
from hoaconv.engine.kept import kept
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Share

__all__ = ["early_folds", "lenders", "uses"]

ENGINE_BYTES = 36_000_000
"""Libraries loaded on first use, threads, what malloc keeps: measured on Linux, up to 20 MB, with 1
to 4 workers, with and without shards."""


ARENA_BYTES = 48_000_000
"""What glibc's malloc keeps for each thread apart, where it isn't tuned for this process, besides
an eighth of what is on its way to disk: measured with 2 to 8 workers, 6 to 57 MB in all."""


def uses(sweep: Sweep) -> tuple[Use, ...]:
    """Return every byte that a sweep holds, consumer by consumer."""
    shares = _shares(sweep)
    reserved = Use("process", "interpreter, libraries, kernels", sweep.limits.reserved)
    engine = Use("engine", "threads and bookkeeping", ENGINE_BYTES)
    asked = list(zip(sweep.asked, shares, strict=True))
    stages = (use for (kind, at), share in asked for use in kind.uses(at, share))
    # Writers store one after the other, so one of them at a time holds as much.
    most = max(kind.storing(at, share) for (kind, at), share in asked)
    storing = (Use("outputs", "on its way to disk", most),) if most else ()
    apart = ARENA_BYTES + most // 8 if most and not sweep.limits.tuned else 0
    malloc = (Use("process", "what malloc keeps for each thread", apart),) if apart else ()
    return (reserved, engine, *stages, *storing, *malloc)


def _shares(sweep: Sweep) -> list[Share]:
    """Return for each stage its share in the sweep."""
    lent = dict.fromkeys(range(len(sweep.stages)), 0)
    for i, j in lenders(sweep).items():
        kind, at = sweep.asked[j]
        lent[i] = kind.lends(at, sweep.economy)
    early = {j for folds in early_folds(sweep).values() for j in folds}
    workers, large = sweep.limits.workers, sweep.keeps_large_blocks
    return [
        Share(workers, sweep.ahead, sweep.economy, planes, lent[i], i in early, large)
        for i, planes in enumerate(kept(sweep))
    ]


def lenders(sweep: Sweep) -> Mapping[int, int]:
    """Return, by source, the sink that lends its planes their places: see `Writer.lend`.

    It is the first one behind a source whose planes only pass by, so that nobody else keeps them.
    """
    found: dict[int, int] = {}
    for i, (kind, _) in enumerate(sweep.asked):
        behind = _alone_behind(sweep, i) if kind.reads else []
        sinks = [j for j in behind if sweep.asked[j][0].stores]
        if sinks:
            found[i] = sinks[0]
    return found


def _alone_behind(sweep: Sweep, i: int) -> list[int]:
    """Return all stages behind stage `i`, if its planes pass through them one after the other."""
    behind: list[int] = []
    while len(readers := sweep.readers[i]) == 1:
        (i,) = readers
        behind.append(i)
    passes = all(sweep.asked[j][0].passes_on for j in behind)
    return behind if passes and not readers else []


def early_folds(sweep: Sweep) -> Mapping[int, tuple[int, ...]]:
    """Return, by source, the folds that see its planes as they are decoded, in any order.

    Threads then needn't meet for each plane. A state that threads share takes planes in order.
    """
    found: dict[int, tuple[int, ...]] = {}
    roots: dict[int, int] = {}
    for i, (kind, at) in enumerate(sweep.asked):
        if kind.reads:
            roots[i], found[i] = i, ()
        elif kind.sees_any_order(at.part) and at.stage.inputs[0] in roots:
            roots[i] = roots[at.stage.inputs[0]]
            found[roots[i]] += (i,)
    return found
