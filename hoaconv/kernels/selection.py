"""Selection networks: the value of one rank in a window, by exchanges of whole rows.

An exchange of two rows puts the lesser voxel of each pair into one row and the greater into
another. Neighbouring windows share the sorted columns that they overlap in, and lists merged from
columns side by side: such a list is made once and read again some voxels further along x. Lists
are merged by Batcher's odd-even merge (Knuth, The Art of Computer Programming 3, 5.3.4). What can
no longer be of the wanted rank is dropped from every list, and what nothing reads isn't made.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np

__all__ = ["NOWHERE", "Network", "network"]

Size = tuple[int, int, int]

NOWHERE = -1
"""In place of a row that nothing reads."""


class _Wire(NamedTuple):
    """A row, read some voxels further along x."""

    row: int
    shift: int


class _List(NamedTuple):
    """Wires in ascending order, of a list whose `dropped` least ones are left out."""

    wires: tuple[_Wire, ...]
    dropped: int

    def at(self, shift: int) -> "_List":
        """The same list of the window so much further along x."""
        return _List(tuple(_Wire(row, at + shift) for row, at in self.wires), self.dropped)


class _Exchange(NamedTuple):
    one: _Wire
    other: _Wire
    lesser: int
    greater: int
    extra: int = 0


class _Builder:
    """Exchanges so far, every one of them into two new rows."""

    def __init__(self, size: Size, rank: int) -> None:
        self.exchanges: list[_Exchange] = []
        self._size, self._rank = size, rank
        self._rows = size[0] * size[1]
        self._side_by_side: dict[int, _List] = {}

    def _exchange(self, one: _Wire, other: _Wire) -> tuple[_Wire, _Wire]:
        lesser, greater = self._rows, self._rows + 1
        self._rows += 2
        self.exchanges.append(_Exchange(one, other, lesser, greater))
        return _Wire(lesser, 0), _Wire(greater, 0)

    def _odd_even(self, a: Sequence[_Wire], b: Sequence[_Wire]) -> list[_Wire]:
        """Two sorted lists as one."""
        if not a or not b:
            return [*a, *b]
        if len(a) == len(b) == 1:
            return list(self._exchange(a[0], b[0]))
        even = self._odd_even(a[0::2], b[0::2])
        odd = self._odd_even(a[1::2], b[1::2])
        merged = even[:1]
        for i, wire in enumerate(odd):
            merged += self._exchange(wire, even[i + 1]) if i + 1 < len(even) else [wire]
        return merged + even[len(odd) + 1 :]

    def _possible(self, merged: _List, length: int) -> _List:
        """Without what too many values of its own list of `length` are below, or above."""
        z, y, x = self._size
        least = max(0, length - (z * y * x - self._rank))
        wires = merged.wires[max(0, least - merged.dropped) : self._rank + 1 - merged.dropped]
        return _List(wires, max(least, merged.dropped))

    def _merge(self, a: _List, b: _List, length: int) -> _List:
        merged = _List(tuple(self._odd_even(a.wires, b.wires)), a.dropped + b.dropped)
        return self._possible(merged, length)

    def _column(self, first: int, count: int) -> _List:
        """The sorted voxels of `count` rows of the window, all its planes."""
        z, _, _ = self._size
        if count == 1:
            wires = tuple(_Wire(first * z + k, 0) for k in range(z))
            return self._possible(_List(wires, 0), z)
        half = count // 2
        parts = self._column(first, half), self._column(first + half, count - half)
        return self._merge(*parts, z * count)

    def _columns(self, count: int) -> _List:
        """The sorted voxels of columns side by side, made once for every place."""
        z, y, _ = self._size
        if count not in self._side_by_side:
            if count == 1:
                made = self._column(0, y)
            else:
                a, b = self._halves(count)
                made = self._merge(a, b, z * y * count)
            self._side_by_side[count] = made
        return self._side_by_side[count]

    def _halves(self, count: int) -> tuple[_List, _List]:
        left = 1 << (count - 1).bit_length() - 1
        return self._columns(left), self._columns(count - left).at(left)

    def result(self) -> _Wire:
        """The wire of the wanted rank."""
        _, y, x = self._size
        if x > 1:
            a, b = self._halves(x)
        elif y > 1:
            a, b = self._column(0, y // 2), self._column(y // 2, y - y // 2)
        else:
            a, b = self._column(0, 1), _List((), 0)
        return self._select(a.wires, b.wires, self._rank - a.dropped - b.dropped)

    def _select(self, a: Sequence[_Wire], b: Sequence[_Wire], rank: int) -> _Wire:
        """The value of one rank in two sorted lists.

        Whatever share of the rank + 1 least values one takes from `a`, the greatest of those
        taken is no less than the wanted one; for the right share it is the wanted one.
        """
        greatest = (
            self._greatest([*a[max(0, i - 1) : i], *b[max(0, rank - i) : rank + 1 - i]])
            for i in range(max(0, rank + 1 - len(b)), min(len(a), rank + 1) + 1)
        )
        return reduce(lambda one, other: self._exchange(one, other)[0], greatest)

    def _greatest(self, ends: Sequence[_Wire]) -> _Wire:
        return self._exchange(*ends)[1] if len(ends) == 2 else ends[0]


class Network(NamedTuple):
    """Exchanges in their order, on rows that serve again once nothing reads what they hold.

    Each of `exchanges` (int32) is: row and shift of one input and of the other, the row for the
    lesser and the row for the greater, NOWHERE if nothing reads it, and how many voxels are made
    beyond those of the result. The first ``z * y`` rows are given and never written: for each y
    of the window its voxels along z, ascending.
    """

    exchanges: np.ndarray[Any, np.dtype[np.int32]]
    result: tuple[int, int]
    """Row and shift of the wanted rank."""
    rows: int
    """How many there are, with those given."""


@lru_cache(maxsize=16)
def network(size: Size, rank: int) -> Network:
    """The exchanges that give the value of a rank (0 is the least) in windows of `size` (z, y, x).

    Examples
    --------
    >>> network((1, 1, 3), 0).exchanges.tolist()
    [[0, 0, 0, 1, 1, -1, 0], [1, 0, 0, 2, 2, -1, 0]]
    """
    builder = _Builder(size, rank)
    result = builder.result()
    return _placed(_needed(builder.exchanges, result), result, size[0] * size[1])


def _needed(exchanges: Sequence[_Exchange], result: _Wire) -> list[_Exchange]:
    """Those whose rows are read later on, with as many voxels as are read."""
    reach = {result.row: result.shift}
    needed = []
    for one, other, lesser, greater, _ in reversed(exchanges):
        extra = max(reach.get(lesser, NOWHERE), reach.get(greater, NOWHERE))
        if extra == NOWHERE:
            continue
        for row, shift in (one, other):
            reach[row] = max(reach.get(row, 0), extra + shift)
        least, most = (row if row in reach else NOWHERE for row in (lesser, greater))
        needed.append(_Exchange(one, other, least, most, extra))
    return needed[::-1]


def _placed(exchanges: Sequence[_Exchange], result: _Wire, given: int) -> Network:
    """Give each row a place that is free: never that of an input of the same exchange."""
    last = {row: i for i, e in enumerate(exchanges) for row, _ in (e.one, e.other)}
    last[result.row] = len(exchanges)
    places = {row: row for row in range(given)}
    free: list[int] = []
    count = given
    table = np.empty((len(exchanges), 7), np.int32)
    for i, (one, other, lesser, greater, extra) in enumerate(exchanges):
        for row in (lesser, greater):
            if row != NOWHERE:
                places[row] = free.pop() if free else count
                count = max(count, places[row] + 1)
        written = (NOWHERE if row == NOWHERE else places[row] for row in (lesser, greater))
        table[i] = (places[one.row], one.shift, places[other.row], other.shift, *written, extra)
        free += {places[row] for row, _ in (one, other) if row >= given and last[row] == i}
    return Network(table, (places[result.row], result.shift), count)
