"""Combinators, on small integers; and what they hold, by weakref."""

import weakref
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.engine.stream import ahead, drain, flatten, fold, gather, map, tee, windowed, zip
from hoaconv.errors import PlanError


class Plane:
    """Something that can be watched dying."""

    def __init__(self, z: int) -> None:
        self.z = z


class Source:
    """Planes, and how many of those given out are alive."""

    def __init__(self, n: int) -> None:
        self.n, self.seen = n, weakref.WeakSet()

    def __iter__(self) -> Iterator[Plane]:
        for z in range(self.n):
            yield self.make(z)

    def make(self, z: int) -> Plane:
        plane = Plane(z)
        self.seen.add(plane)
        return plane

    @property
    def alive(self) -> list[int]:
        return sorted(plane.z for plane in self.seen)


@given(n=st.integers(0, 40), s=st.integers(1, 9), p=st.integers(0, 7), lead=st.integers(0, 8))
def test_cores_partition_the_stream(n: int, s: int, p: int, lead: int) -> None:
    lead = min(lead, s - 1)
    windows = list(windowed(range(n), s + 2 * p, s, p, lead))
    cores = [item for w in windows for item in w.items[w.core]]
    assert cores == list(range(n))
    start = 0
    for i, window in enumerate(windows):
        stop = start + (lead if lead and not i else s)
        assert window.items == tuple(range(max(0, start - p), min(n, stop + p)))
        assert window.items[window.core] == tuple(range(start, min(n, stop)))
        start = stop


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=9))
def test_flatten_keeps_order(groups: list[list[int]]) -> None:
    assert list(flatten(groups)) == [x for group in groups for x in group]


@given(st.lists(st.integers(), max_size=20), st.integers(1, 4))
def test_tee_gives_everyone_everything(items: list[int], n: int) -> None:
    assert [list(branch) for branch in tee(items, n)] == [items] * n


def test_fold_takes_every_element_in_order() -> None:
    assert fold(lambda text, x: text + str(x), "", [1, 2, 3]) == "123"


def test_zip_of_unequal_lengths_is_an_error() -> None:
    with pytest.raises(PlanError, match="unequal"):
        list(zip([1, 2], [1]))
    assert list(zip()) == []


def _done(value: object) -> "Future[object]":
    future: Future[object] = Future()
    future.set_result(value)
    return future


@given(n=st.integers(0, 20), depth=st.integers(0, 6))
def test_ahead_keeps_order_and_its_distance(n: int, depth: int) -> None:
    started: list[int] = []

    def start(i: int) -> "Future[object]":
        started.append(i)
        return _done(i)

    for i, item in enumerate(ahead(map(start, range(n)), depth)):
        assert item == i
        assert len(started) == min(n, i + 1 + depth)


def test_windowed_holds_what_the_next_window_shares() -> None:
    source = Source(20)
    windows = windowed(source, 6, 2, 2)  # enumerate would keep a window of its own
    for i in range(10):
        window = next(windows)
        assert source.alive == list(range(max(0, 2 * i - 2), min(20, 2 * i + 4)))
        assert [plane.z for plane in window.items] == source.alive
        del window
        assert source.alive == list(range(2 * i, min(20, 2 * i + 4)))


def test_map_and_flatten_hold_nothing_that_was_taken() -> None:
    source = Source(12)
    stream = flatten(map(lambda w: list(w.items[w.core]), windowed(source, 3, 3)))
    for z in range(12):
        plane = next(stream)
        assert plane.z == z
        assert source.alive == list(range(z, z - z % 3 + 3))  # what is left of the group
        del plane


def test_tee_holds_what_the_slowest_has_yet_to_take() -> None:
    source = Source(9)
    fast, slow = tee(source, 2)
    for _ in range(5):
        next(fast)
    assert source.alive == [0, 1, 2, 3, 4]
    for _ in range(3):
        next(slow)
    assert source.alive == [3, 4]


def test_a_branch_that_is_dropped_is_held_for_no_longer() -> None:
    source = Source(9)
    fast, slow, unused = tee(source, 3)
    next(slow)
    for _ in range(3):
        next(fast)
    del unused
    assert source.alive == [1, 2]
    del slow
    assert source.alive == []
    assert [plane.z for plane in fast] == [3, 4, 5, 6, 7, 8]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_gather_gives_every_range_and_takes_no_more(steps: list[tuple[int, int]]) -> None:
    start = stop = 0
    ranges: list[range] = []
    for forward, length in steps:
        start, stop = start + forward, max(stop, start + forward + length)
        ranges.append(range(start, stop))
    source = iter(range(100))
    groups = list(gather(source, ranges))
    assert [group for group in groups if group is not None] == [tuple(r) for r in ranges]
    assert groups.count(None) == stop == next(source)


def test_gather_holds_the_range_at_hand_and_takes_after_saying_so() -> None:
    source = Source(20)
    groups = gather(source, [range(3, 5), range(4, 7)])
    for z in range(5):
        assert next(groups) is None
        assert source.alive == [3] * (z == 4)
    assert [plane.z for plane in next(groups)] == [3, 4]
    assert next(groups) is None
    assert source.alive == [4]


def test_drain_takes_all_one_by_one_and_holds_nothing() -> None:
    source = Source(3)
    steps = drain(iter(source))
    assert next(steps) is None
    assert len(list(steps)) == 3
    assert not source.alive


def test_zip_and_fold_hold_nothing() -> None:
    source, other = Source(5), Source(5)
    pairs = zip(source, other)
    for i in range(5):
        pair = next(pairs)
        assert source.alive == other.alive == [i]
        del pair
        assert not source.alive
    last = Source(5)
    assert fold(lambda n, plane: n + len(last.alive), 0, last) == 5


def test_ahead_holds_those_begun() -> None:
    source = Source(10)
    stream = ahead(map(lambda z: _done(source.make(z)), range(10)), 3)
    first = next(stream)
    assert first.z == 0
    assert source.alive == [0, 1, 2, 3]
    del first
    assert source.alive == [1, 2, 3]


def test_what_was_begun_and_nobody_waits_for_is_cancelled() -> None:
    begun: list[Future[object]] = [Future() for _ in range(4)]
    begun[0].set_result("first")
    stream = ahead(begun, 2)
    assert next(stream) == "first"
    del stream
    assert [future.cancelled() for future in begun] == [False, True, True, False]
