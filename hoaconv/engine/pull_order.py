"""The order in which streams are pulled: by the planes of their sources they are kept level.

A stream that is cropped or halved gives fewer planes than it takes, so the ends of a sweep can't
be pulled in turns. Each is pulled as soon as it can give a plane without reading on; only when
none can do the sources give one more. So a tee holds for its readers what these keep anyway, and
not what one of them is behind the others.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import ref

import numpy as np

from hoaconv.engine.schedule import Sweep
from hoaconv.engine.stages import Counts

__all__ = ["Pulled", "lags", "pull"]

_END = object()


class Pulled:
    """A stream that is pulled a step at a time; what it makes waits for its readers.

    Parameters
    ----------
    steps
        Gives an element that is ready, or None where the next step will take one.
    takes, gives
        Positions of the stage whose planes it takes, and of the one whose planes it makes; None
        at an end, which makes nothing.
    """

    def __init__(self, steps: Iterator[Any], takes: int, gives: int | None = None) -> None:
        self.takes, self.gives = takes, gives
        self.taken = self.made = 0
        self.hungry = False
        """True if the next step takes a plane."""
        self._steps = steps
        self._waiting: deque[Any] = deque()
        self._reader: Callable[[], Any] = lambda: self

    def step(self) -> bool:
        """Take a step. Return whether there was one left."""
        self.taken += self.hungry
        return self._put(next(self._steps, _END))

    def _put(self, item: Any) -> bool:
        self.hungry = item is None
        if item is _END:
            self.stop()
            return False
        if item is not None:
            self._waiting.append(item)
            self.made += 1
        return True

    def stop(self) -> None:
        """Let go of all that leads here."""
        self._steps = iter(())

    def elements(self, n: int) -> Iterator[Any]:
        """Return the `n` elements that it will have made, for its readers."""
        made = self._elements(n)
        self._reader = ref(made)
        return made

    def _elements(self, n: int) -> Iterator[Any]:
        for _ in range(n):
            yield self._waiting.popleft()

    @property
    def is_wanted(self) -> bool:
        """True if somebody still has what it makes, or it is an end."""
        return self._reader() is not None


def pull(sweep: Sweep, streams: Sequence[Pulled]) -> None:
    """Step all streams to their ends."""
    order = _Order(sweep, streams)
    while order.left:
        order.step()


class _Order:
    """Chooses the stream to step while each source gives no more than `level` planes.

    It is the one furthest behind, so that a tee's readers take its planes in turns; but planes that
    are made already are used first.
    """

    def __init__(self, sweep: Sweep, streams: Sequence[Pulled]) -> None:
        self.left = list(streams)
        self._level = 0
        self._sweep, self._demands = sweep, _demands(sweep)
        self._made = {stream.gives: stream for stream in streams if stream.gives is not None}
        self._known: dict[tuple[int, int], bool] = {}  # of this step: branches ask the same
        self._users = {id(s): self._behind(s) for s in streams}

    def step(self) -> None:
        """Take the next step, or let the sources give one more plane each."""
        self._known.clear()
        ready = [stream for stream in self.left if self._is_ready(stream)]
        if not ready:
            self._level += 1
            return
        stream = min(ready, key=self._progress)
        while users := [s for s in ready if s.takes in self._users[id(stream)]]:
            stream = min(users, key=self._progress)
        if not stream.step():
            self.left.remove(stream)
            self._stop_unwanted()

    def _stop_unwanted(self) -> None:
        """Stop streams that nobody reads any more: a reader may need only a part of them."""
        for stream in reversed(self.left.copy()):
            if not stream.is_wanted:
                stream.stop()
                self.left.remove(stream)

    def _behind(self, stream: Pulled) -> frozenset[int]:
        """Return the stages whose planes come from what a stream gives."""
        given = stream.gives
        return frozenset() if given is None else self._sweep.behind(given) | {given}

    def _planes(self, stream: Pulled) -> int:
        return self._sweep.spec_of(self._sweep.stages[stream.takes]).planes

    def _progress(self, stream: Pulled) -> float:
        return stream.taken / self._planes(stream)

    def _is_ready(self, stream: Pulled) -> bool:
        """Return whether its next step takes nothing, or a plane that can be had, or ends it."""
        return (
            not stream.hungry
            or stream.taken == self._planes(stream)
            or self._can_give(stream.takes, stream.taken + 1)
        )

    def _can_give(self, i: int, k: int) -> bool:
        """Return whether stage `i` can give its first `k` planes."""
        if (i, k) not in self._known:
            self._known[i, k] = self._finds(i, k)
        return self._known[i, k]

    def _finds(self, i: int, k: int) -> bool:
        inputs = self._sweep.stages[i].inputs
        if not inputs:
            return k <= self._level
        if i in self._made:
            return k <= self._made[i].made
        needed = int(self._demands[i][k - 1])
        return all(self._can_give(j, needed) for j in inputs)


def lags(sweep: Sweep) -> list[int]:
    """Return the most planes of each stage that wait at a join for those of another stream.

    Only where the other stream has a pace of its own: one that is cropped at its beginning comes
    later than one that isn't.
    """
    roots = _roots(sweep)
    uneven = [frozenset(j for j in joins if len(roots[j]) > 1) for joins in _level_with(sweep)]
    if not any(uneven):
        return [0] * len(uneven)
    needs = _needs(sweep)
    return [_lag(needs[i], [needs[j] for j in joins]) for i, joins in enumerate(uneven)]


def _lag(own: Counts, others: Sequence[Counts]) -> int:
    made = (np.searchsorted(own, other, side="right") for other in others)
    return max((int((n - np.arange(1, n.size + 1)).max()) for n in made), default=0)


def _level_with(sweep: Sweep) -> list[frozenset[int]]:
    """Return, for each stage, those of several inputs that take one plane for each of its own."""
    found: list[frozenset[int]] = [frozenset()] * len(sweep.stages)
    for i in reversed(range(len(found))):  # readers stand behind
        readers = [j for j in sweep.readers[i] if not sweep.asked[j][0].has_own_pace]
        joins = frozenset(j for j in readers if len(sweep.stages[j].inputs) > 1)
        found[i] = joins.union(*(found[j] for j in readers))
    return found


def _roots(sweep: Sweep) -> list[frozenset[int]]:
    """Return, for each stage, the stages that set its pace."""
    found: list[frozenset[int]] = []
    for i, (kind, at) in enumerate(sweep.asked):
        before = frozenset[int]().union(*(found[j] for j in at.stage.inputs))
        found.append(frozenset({i}) if kind.reads or kind.has_own_pace else before)
    return found


def _needs(sweep: Sweep) -> list[Counts]:
    """Return how many planes the sources have given before each stage gives each of its own."""
    found: list[Counts] = []
    for at, demand in zip(sweep.stages, _demands(sweep), strict=True):
        before = [found[j] for j in at.inputs]
        found.append(np.append(0, np.max(before, axis=0))[demand] if before else demand)
    return found


def _demands(sweep: Sweep) -> list[Counts]:
    """Return how many planes each stage must have taken before it gives each of its own."""
    return [kind.needed(at, np.arange(1, at.given.planes + 1)) for kind, at in sweep.asked]
