"""Planes that pass by: the folds and writers that see them, a band at a time."""

from collections.abc import Sequence
from functools import partial
from threading import get_ident
from typing import Any

from hoaconv.engine.contract import Fold, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec

__all__ = ["Round", "Tap"]


class Tap:
    """A fold's states, one for each thread that takes part, or one that they share."""

    filled = False

    def __init__(self, fold: Fold, spec: Spec) -> None:
        self._fold, self._spec = fold, spec
        self._z = 0
        self._states: dict[int, Any] = {}
        if fold.shared:
            self._states[0] = fold.init(spec)

    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band of the next plane in."""
        self.see(self._z, plane, rows)

    def see(self, z: int, plane: Plane, rows: slice) -> None:
        """Take a band of any plane in; each thread's state lies in its core's cache."""
        thread = 0 if self._fold.shared else get_ident()
        if thread not in self._states:
            self._states[thread] = self._fold.init(self._spec)
        self._fold.step(self._states[thread], plane[rows], z, rows.start)

    def advance(self) -> None:
        """Note that all bands of a plane are taken."""
        self._z += 1

    def __str__(self) -> str:
        return str(self._fold)

    def state(self) -> Any:
        """Return one state that has seen all planes; the threads' own are let go."""
        if not self._states:
            return self._fold.init(self._spec)
        state = self._states.popitem()[1]
        while self._states:
            state = self._fold.merge(state, self._states.popitem()[1])
        return state


class Round:
    """One round of bands for all taps and writers that see the same planes, one after the other.

    A band that the histogram has counted is still in cache when it is copied and downsampled.
    """

    def __init__(self, pool: Pool, rows: tuple[slice, ...]) -> None:
        self._pool, self._rows = pool, rows
        self._takers: list[Tap | Writer] = []
        self._label = ""

    def __call__(self, plane: Plane) -> Plane:
        """Let all see the plane; return it."""
        takers = [taker for taker in self._takers if not taker.filled]
        if takers:
            self._pool.map(self._label, partial(_take, takers, plane), self._rows)
        for taker in self._takers:
            taker.advance()
        return plane

    def add(self, name: str, taker: Tap | Writer) -> "Round":
        """Let another one see the planes, after those before it."""
        self._takers.append(taker)
        self._label = f"{self._label}, {name}" if self._label else name
        return self


def _take(takers: Sequence[Tap | Writer], plane: Plane, rows: slice) -> None:
    for taker in takers:
        taker.take(plane, rows)
