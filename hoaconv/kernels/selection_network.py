"""Selection networks: the value of one rank in each window, by exchanges of whole rows.

An exchange compares two rows voxel by voxel and writes the smaller values to one row and the larger
ones to another. Neighbouring windows overlap, so they share sorted columns and merged lists of
adjacent columns: such a list is computed once and read again at a shift along x. Lists are merged
by Batcher's odd-even merge (D. E. Knuth, "The Art of Computer Programming" 3, 2nd ed., 1998,
section 5.3.4). Values that cannot have the required rank are removed from each list, and exchanges
whose results are not read are removed from the network.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.types import Triple

__all__ = ["UNUSED", "Network", "network"]

UNUSED = -1
"""The index of a row that is not read."""


class _Wire(NamedTuple):
    """A row that is read at a shift along x."""

    row: int
    shift: int


class _List(NamedTuple):
    """Wires in ascending order of their values; the `dropped` smallest values are left out."""

    wires: tuple[_Wire, ...]
    dropped: int

    def shifted(self, shift: int) -> "_List":
        """Return the list of the window at a shift along x."""
        return _List(tuple(_Wire(row, own + shift) for row, own in self.wires), self.dropped)


class _Exchange(NamedTuple):
    """A comparison of two wires, and the rows of its results."""

    a: _Wire
    b: _Wire
    smaller: int
    larger: int
    extra: int = 0
    """Voxels to compute beyond those of the result, which later exchanges read at a shift."""


class _Builder:
    """The exchanges of a network, each of which writes two new rows."""

    def __init__(self, size: Triple, rank: int) -> None:
        self.exchanges: list[_Exchange] = []
        self._size, self._rank = size, rank
        self._rows = size[0] * size[1]
        self._adjacent: dict[int, _List] = {}

    def _exchange(self, a: _Wire, b: _Wire) -> tuple[_Wire, _Wire]:
        """Add an exchange; return the wires of the smaller and the larger values."""
        smaller, larger = self._rows, self._rows + 1
        self._rows += 2
        self.exchanges.append(_Exchange(a, b, smaller, larger))
        return _Wire(smaller, 0), _Wire(larger, 0)

    def _odd_even_merge(self, a: Sequence[_Wire], b: Sequence[_Wire]) -> list[_Wire]:
        """Merge two sorted lists."""
        if not a or not b:
            return [*a, *b]
        if len(a) == len(b) == 1:
            return list(self._exchange(a[0], b[0]))
        even = self._odd_even_merge(a[0::2], b[0::2])
        odd = self._odd_even_merge(a[1::2], b[1::2])
        merged = even[:1]
        for i, wire in enumerate(odd):
            merged += self._exchange(wire, even[i + 1]) if i + 1 < len(even) else [wire]
        return merged + even[len(odd) + 1 :]

    def _prune(self, merged: _List, length: int) -> _List:
        """Remove the values of a list of `length` whose rank in the window is out of question.

        Too many values of the list itself are smaller, or larger.
        """
        z, y, x = self._size
        first = max(0, length - (z * y * x - self._rank))
        wires = merged.wires[max(0, first - merged.dropped) : self._rank + 1 - merged.dropped]
        return _List(wires, max(first, merged.dropped))

    def _merge(self, a: _List, b: _List, length: int) -> _List:
        """Merge two lists that contain `length` values, and prune the result."""
        merged = _List(tuple(self._odd_even_merge(a.wires, b.wires)), a.dropped + b.dropped)
        return self._prune(merged, length)

    def _column(self, first: int, count: int) -> _List:
        """Return the sorted voxels of `count` rows of the window in all its planes, at one x."""
        z, _, _ = self._size
        if count == 1:
            wires = tuple(_Wire(first * z + k, 0) for k in range(z))
            return self._prune(_List(wires, 0), z)
        half = count // 2
        parts = self._column(first, half), self._column(first + half, count - half)
        return self._merge(*parts, z * count)

    def _columns(self, count: int) -> _List:
        """Return the sorted voxels of `count` adjacent columns, which all windows share."""
        z, y, _ = self._size
        if count not in self._adjacent:
            if count == 1:
                merged = self._column(0, y)
            else:
                a, b = self._halves(count)
                merged = self._merge(a, b, z * y * count)
            self._adjacent[count] = merged
        return self._adjacent[count]

    def _halves(self, count: int) -> tuple[_List, _List]:
        """Return the lists of two parts of `count` columns; the first is a power of two wide."""
        left = 1 << (count - 1).bit_length() - 1
        return self._columns(left), self._columns(count - left).shifted(left)

    def result(self) -> _Wire:
        """Return the wire of the required rank."""
        _, y, x = self._size
        if x > 1:
            a, b = self._halves(x)
        elif y > 1:
            a, b = self._column(0, y // 2), self._column(y // 2, y - y // 2)
        else:
            a, b = self._column(0, 1), _List((), 0)
        return self._select(a.wires, b.wires, self._rank - a.dropped - b.dropped)

    def _select(self, a: Sequence[_Wire], b: Sequence[_Wire], rank: int) -> _Wire:
        """Return the value of one rank in the union of two sorted lists.

        Take i of the rank + 1 smallest values from `a` and the others from `b`. Their maximum is at
        least the required value for every i, and equals it for one i: it is the minimum over i.
        """
        maxima = (
            self._maximum([*a[max(0, i - 1) : i], *b[max(0, rank - i) : rank + 1 - i]])
            for i in range(max(0, rank + 1 - len(b)), min(len(a), rank + 1) + 1)
        )
        return reduce(lambda one, other: self._exchange(one, other)[0], maxima)

    def _maximum(self, wires: Sequence[_Wire]) -> _Wire:
        """Return the maximum of one wire or two."""
        return self._exchange(*wires)[1] if len(wires) == 2 else wires[0]


class Network(NamedTuple):
    """The exchanges of a selection network in their order, with rows that are used again."""

    exchanges: np.ndarray[Any, np.dtype[np.int32]]
    """An array (n, 7): row and shift of input a, row and shift of input b, row of the smaller
    values, row of the larger values (`UNUSED` if not read), voxels beyond those of the result."""
    result: tuple[int, int]
    """Row and shift of the required rank."""
    rows: int
    """The number of rows. The first ``z * y`` are input, which is not overwritten: for each y of
    the window its voxels along z, in ascending order."""


@lru_cache(maxsize=16)
def network(size: Triple, rank: int) -> Network:
    """Return the selection network of a rank (0 for the minimum) in windows of `size` (z, y, x).

    Examples
    --------
    >>> network((1, 1, 3), 0).exchanges.tolist()
    [[0, 0, 0, 1, 1, -1, 0], [0, 2, 1, 0, 2, -1, 0]]
    """
    builder = _Builder(size, rank)
    result = builder.result()
    return _allocate_rows(_live(builder.exchanges, result), result, size[0] * size[1])


def _live(exchanges: Sequence[_Exchange], result: _Wire) -> list[_Exchange]:
    """Return the exchanges whose results are read, each with the number of voxels that are read."""
    reach = {result.row: result.shift}
    live = []
    for a, b, smaller, larger, _ in reversed(exchanges):
        extra = max(reach.get(smaller, UNUSED), reach.get(larger, UNUSED))
        if extra == UNUSED:
            continue
        for row, shift in (a, b):
            reach[row] = max(reach.get(row, 0), extra + shift)
        low, high = (row if row in reach else UNUSED for row in (smaller, larger))
        live.append(_Exchange(a, b, low, high, extra))
    return live[::-1]


def _allocate_rows(exchanges: Sequence[_Exchange], result: _Wire, inputs: int) -> Network:
    """Assign each result to a free row, which is never an input of the same exchange."""
    last = {row: i for i, e in enumerate(exchanges) for row, _ in (e.a, e.b)}
    last[result.row] = len(exchanges)
    assigned = {row: row for row in range(inputs)}
    free: list[int] = []
    count = inputs
    table = np.empty((len(exchanges), 7), np.int32)
    for i, (a, b, smaller, larger, extra) in enumerate(exchanges):
        for row in (smaller, larger):
            if row != UNUSED:
                assigned[row] = free.pop() if free else count
                count = max(count, assigned[row] + 1)
        written = (UNUSED if row == UNUSED else assigned[row] for row in (smaller, larger))
        table[i] = (assigned[a.row], a.shift, assigned[b.row], b.shift, *written, extra)
        free += {assigned[row] for row, _ in (a, b) if row >= inputs and last[row] == i}
    return Network(table, (assigned[result.row], result.shift), count)
