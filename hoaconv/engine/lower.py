"""From schedule to generators: each stage becomes combinators on iterators of planes."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from hoaconv.engine.pull_order import Pulled
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Running
from hoaconv.engine.stream import drain, tee

__all__ = ["lower"]


def lower(sweep: Sweep, running: Running) -> tuple[Pulled, ...]:
    """Return the streams that have a pace of their own and those at the ends, in stages' order.

    Pulling them to their ends, by `hoaconv.engine.pull_order.pull`, is the run.
    """
    waiting: defaultdict[tuple[int, int], list[Iterator[Any]]] = defaultdict(list)
    pulled: list[Pulled] = []
    for i, (kind, at) in enumerate(sweep.asked):
        taken = [waiting[j, i].pop() for j in at.stage.inputs]
        made = kind.lower(at, taken, running)
        del taken
        if kind.has_own_pace:
            pulled.append(Pulled(made, at.stage.inputs[0], i))
            made = pulled[-1].elements(at.given.planes)
        streams = list(_streams(made, sweep.branches(i)))
        for j in sweep.readers[i]:
            waiting[i, j].append(streams.pop())
        if i in sweep.drained:
            pulled.append(Pulled(drain(streams.pop()), i))
    return tuple(pulled)


def _streams(made: Iterator[Any], n: int) -> tuple[Iterator[Any], ...]:
    return tee(made, n) if n > 1 else (made,)
