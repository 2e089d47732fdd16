"""The most planes of each stage that live at once.

A stage with one reader makes planes when the reader asks for them, and keeps those of the reader's
window: they are the reader's input and the stage's output, and count once (equation 9 of Sporring
and Stansby, 2026). Where a stream has several readers, they share its planes (equation 10), which
wait for the last of them. Streams are pulled as soon as their sources have given enough
(`hoaconv.engine.pull_order`), so what each of them has taken by then follows from the planes that
the sources have given.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hoaconv.engine.leads import keeper, waiting
from hoaconv.engine.pull_order import demands, needs
from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Counts

__all__ = ["kept"]


def kept(sweep: Sweep) -> list[int]:
    """Return the most planes of each stage that live at once, those that it makes included."""
    alone = [i for i, (kind, _) in enumerate(sweep.asked) if kind.has_own_pace]
    several = [i for i in range(len(sweep.stages)) if sweep.branches(i) > 1]
    shared = _shared(sweep, {*alone, *several})
    found = [0] * len(sweep.stages)
    for i in reversed(range(len(found))):  # readers stand behind
        stage, j = sweep.stages[i], keeper(sweep, i)
        if i in shared:
            planes = shared[i]
        elif j is not None:
            kind, at = sweep.asked[j]
            planes = kind.keeps(at) + waiting(stage, at.stage)
        else:  # they go to folds and sinks, and then to several readers or to none
            planes = max([stage.stride, *(found[k] for k in sweep.readers[i])])
        found[i] = min(planes, stage.given.planes)
    return found


def _shared(sweep: Sweep, wanted: Collection[int]) -> dict[int, int]:
    """Return the most planes that live at once of stages whose planes wait for somebody.

    Before a stream takes its next plane, nobody has taken more than what is there as soon as it can
    take it: what it comes from gives no more until then. It keeps the planes from the first one of
    its windows on.
    """
    found = dict.fromkeys(wanted, 1)
    if not found:
        return found
    demanded, roots = demands(sweep), _roots(sweep)
    by_level, by_root = (needs(sweep, demanded, restart=restart) for restart in (False, True))
    for stream in _pulled(sweep, demanded):
        needed = by_root if len(roots[stream.reads]) == 1 else by_level
        for i, first in _first_kept(sweep, stream):
            if i in found:
                made = np.searchsorted(needed[i], needed[stream.reads][: stream.takes], "right")
                found[i] = max(found[i], int((made - first).max(initial=1)))
    return found


def _roots(sweep: Sweep) -> list[frozenset[int]]:
    """Return, for each stage, the stages that set its pace."""
    found: list[frozenset[int]] = []
    for i, (kind, at) in enumerate(sweep.asked):
        before = frozenset[int]().union(*(found[j] for j in at.stage.inputs))
        found.append(frozenset({i}) if kind.reads or kind.has_own_pace else before)
    return found


class _Stream(NamedTuple):
    """A stream that is pulled: the stage that it reads, planes that it takes, and keeps."""

    reads: int
    takes: int
    keeps: int


def _pulled(sweep: Sweep, demanded: Sequence[Counts]) -> Iterator[_Stream]:
    for i, (kind, at) in enumerate(sweep.asked):
        if i in sweep.drained:
            yield _Stream(i, at.given.planes, 1)
        if kind.has_own_pace:
            yield _Stream(at.stage.inputs[0], int(demanded[i][-1]), kind.keeps(at))


def _first_kept(sweep: Sweep, stream: _Stream) -> Iterator[tuple[int, Counts]]:
    """Yield each stage before a stream, and the first of its planes that the stream keeps.

    There is a number for each plane that the stream takes, just before it takes it.
    """
    z = np.arange(stream.takes)
    taken, first = {stream.reads: z}, {stream.reads: np.maximum(z - stream.keeps + 1, 0)}
    for i in reversed(range(stream.reads + 1)):  # inputs stand before
        if i not in taken:
            continue
        yield i, first[i]
        kind, at = sweep.asked[i]
        if kind.has_own_pace:
            continue  # its input is taken by a stream of its own
        results = np.arange(1, at.given.planes + 1)
        before = np.append(0, kind.taken(at, results))[taken[i]]
        kept_from = np.append(0, kind.dropped(at, results))[taken[i]]
        if kind.passes_on:
            kept_from = first[i]
        for j in at.stage.inputs:
            taken[j] = np.maximum(taken.get(j, 0), before)
            first[j] = np.minimum(first.get(j, kept_from), kept_from)
