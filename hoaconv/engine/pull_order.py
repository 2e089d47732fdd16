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

__all__ = ["Pulled", "demands", "needs", "pull"]

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
        self._sweep, self._demands = sweep, demands(sweep)
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


def needs(sweep: Sweep, demanded: Sequence[Counts], *, restart: bool = False) -> list[Counts]:
    """Return how many planes the sources have given before each stage gives each of its own.

    Parameters
    ----------
    demanded
        As `demands` returns it.
    restart
        Count from the planes of the last stage before that has a pace of its own, as if it were a
        source.
    """
    found: list[Counts] = []
    for (kind, at), demand in zip(sweep.asked, demanded, strict=True):
        before = [found[j] for j in at.stage.inputs]
        if kind.reads or (restart and kind.has_own_pace):
            found.append(np.arange(1, at.given.planes + 1))
        else:
            found.append(np.append(0, np.max(before, axis=0))[demand])
    return found


def demands(sweep: Sweep) -> list[Counts]:
    """Return how many planes each stage must have taken before it gives each of its own."""
    return [kind.needed(at, np.arange(1, at.given.planes + 1)) for kind, at in sweep.asked]
