"""Lazy combinators on iterators of any elements; each states which elements it holds.

A plane takes 100 MB, so a hidden reference is a bug. ``for x in xs: yield f(x)`` has one: `x`
stays alive while the consumer works, and while the next element is made. So `map` is Python's
own, which keeps nothing, and the others drop their reference to an element before they yield it.

The combinators are those of Sporring and Stansby, *Larger than memory image processing* (2026).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

from hoaconv.errors import PlanError

__all__ = [
    "Window",
    "ahead",
    "drain",
    "flatten",
    "fold",
    "gather",
    "initialize",
    "map",
    "tee",
    "windowed",
    "zip",
]

T = TypeVar("T")
S = TypeVar("S")

map = map  # noqa: PLW0127 - Python's own holds nothing, so this module exports it


class Window(NamedTuple):
    """Consecutive elements, and the slice of them that is the core."""

    items: tuple[Any, ...]
    core: slice


def initialize(depth: int, function: Callable[[int], T]) -> Iterator[T]:
    """Return a stream of ``function(0)`` to ``function(depth - 1)``, each made when it is taken.

    It holds nothing, so a stream of planes costs the one that is taken: equation 8 of the paper.

    Examples
    --------
    >>> list(initialize(3, lambda z: z * z))
    [0, 1, 4]
    """
    return map(function, range(depth))


def windowed(items: Iterable[T], w: int, s: int, p: int = 0, lead: int = 0) -> Iterator[Window]:
    """Yield windows of `w` elements that advance by `s`; each begins `p` before its core.

    The cores, `s` elements each, partition the stream; the first one has `lead` elements, if that
    is not 0. A window that would extend beyond either end is shorter there; nothing is padded. It
    holds the w - s elements that the next window shares with the last one.

    A filter of depth k takes windows of w = s + k - 1 planes and makes s of each: equation 4 of the
    paper, and with s = 1 equation 3.

    Examples
    --------
    >>> for window in windowed([1, 2, 3, 4], w=4, s=2, p=1):
    ...     print(window.items, window.items[window.core])
    (1, 2, 3) (1, 2)
    (2, 3, 4) (3, 4)
    """
    source = iter(items)
    held: deque[T] = deque()
    first = core = 0  # positions in the stream of held[0] and of the core's first element
    step = lead or s
    while True:
        _fill(held, source, core + step + w - s - p - first)
        end = first + len(held)
        if core >= end:
            return
        window = [Window(tuple(held), slice(core - first, min(core + step, end) - first))]
        core, step = core + step, s
        while held and first < core - p:
            held.popleft()
            first += 1
        yield window.pop()


def _fill(held: deque[T], source: Iterator[T], size: int) -> None:
    while len(held) < size:
        try:
            held.append(next(source))
        except StopIteration:
            return


def gather(items: Iterable[T], ranges: Iterable[range]) -> Iterator[tuple[T, ...] | None]:
    """Yield the elements of each range as a tuple, and None before each element that is taken.

    The starts and stops of the ranges never decrease. Elements in no range are dropped at once;
    those after the last range are never taken. It holds the elements of the current range.

    Examples
    --------
    >>> [group for group in gather("abcdefg", [range(2, 4), range(3, 5)]) if group]
    [('c', 'd'), ('d', 'e')]
    """
    source = iter(items)
    held: deque[T] = deque()
    first = 0  # position in the stream of held[0]
    for wanted in ranges:
        while True:
            while held and first < wanted.start:
                held.popleft()
                first += 1
            if first + len(held) >= wanted.stop:
                break
            yield None
            held.append(next(source))
        yield tuple(held)


def drain(items: Iterable[object]) -> Iterator[None]:
    """Take and drop every element; yield None before each. It holds nothing."""
    source, end = iter(items), object()
    yield None
    while next(source, end) is not end:
        yield None


def flatten(groups: Iterable[Iterable[T]]) -> Iterator[T]:
    """Yield the elements of the groups, one by one. It holds the rest of the current group.

    Examples
    --------
    >>> list(flatten([(1, 2), (), (3,)]))
    [1, 2, 3]
    """
    rest: deque[T] = deque()
    for group in groups:
        rest.extend(group)
        del group
        while rest:
            yield rest.popleft()


def fold(function: Callable[[S, T], S], state: S, items: Iterable[T]) -> S:
    """Return the state after ``state = function(state, item)`` for every item; hold the state.

    Examples
    --------
    >>> fold(lambda total, item: total + item, 0, [1, 2, 3])
    6
    """
    for item in items:
        state = function(state, item)
        del item
    return state


def zip(*streams: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield tuples of one element from each stream, which it doesn't hold: equation 7 of the paper.

    Raises
    ------
    PlanError
        If one stream ends before another: no element is dropped silently.

    Examples
    --------
    >>> list(zip([1, 2], "ab"))
    [(1, 'a'), (2, 'b')]
    """
    sources = [iter(stream) for stream in streams]
    end = object()
    while True:
        items = tuple(next(source, end) for source in sources)
        if all(item is end for item in items):
            return
        if any(item is end for item in items):
            raise PlanError("streams of unequal length were zipped")
        taken = [items]
        del items
        yield taken.pop()


def tee(items: Iterable[T], n: int) -> tuple[Iterator[T], ...]:
    """Return `n` streams of the same elements. They hold those that some stream hasn't taken yet.

    A stream without references holds no elements.

    Examples
    --------
    >>> one, other = tee([1, 2, 3], 2)
    >>> next(one), next(one), next(other)
    (1, 2, 1)
    """
    source, branches = iter(items), WeakSet[_Branch[T]]()
    return tuple(_Branch(source, branches) for _ in range(n))


class _Branch(Iterator[T]):
    """One stream of a tee; the others refer to it weakly, so that it can be freed."""

    def __init__(self, source: Iterator[T], branches: "WeakSet[_Branch[T]]") -> None:
        self._source, self._branches = source, branches
        self._waiting: deque[T] = deque()
        branches.add(self)

    def __next__(self) -> T:
        if not self._waiting:
            item = next(self._source)
            for branch in self._branches:
                branch._waiting.append(item)
        return self._waiting.popleft()


def ahead(futures: Iterable["Future[T]"], n: int) -> Iterator[T]:
    """Yield results in order, with `n` futures begun after the current one. It holds those `n`.

    `futures` is lazy: taking a future from it starts the work. When this stream ends or is closed,
    futures whose results weren't taken are cancelled.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(ahead(map(lambda x: pool.submit(pow, x, 2), [1, 2, 3]), 2))
    [1, 4, 9]
    """
    source = iter(futures)
    begun: deque[Future[T]] = deque()
    try:
        while True:
            _fill(begun, source, n + 1)
            if not begun:
                return
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()
