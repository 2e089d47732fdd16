"""The memory model as arithmetic: planes counted by hand, after Sporring and Stansby (2026)."""

from dataclasses import replace

import numpy as np
import pytest
from in_memory import Add, Box, InMemory, Lag, Lend, Shelf, Spans, Total
from sized import with_sizes

from hoaconv.engine.combine import Combine
from hoaconv.engine.memory import early_folds, lenders
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits
from hoaconv.engine.stages.op import live_planes

READ, OTHER = (Plan.read(InMemory(np.zeros((200, 8, 8), np.int32))) for _ in range(2))


def deep(k):
    """A filter that looks over `k` planes."""
    return Box(((k - 1) // 2, 0, 0))


def planes(plan, stride=1):
    """Planes that all stages hold, without those that are decoded ahead."""
    made = with_sizes(schedule(plan, Limits(1 << 40, 2, 0)), stride, 8, 3)
    (sweep,) = made.sweeps
    plane = sweep.stages[0].given.plane_bytes
    counted = (u for u in sweep.uses if "ahead" in u.what or "planes of output" in u.what)
    sources = sum(kind.reads for kind, _ in sweep.asked)
    return sum(use.nbytes for use in counted) // plane - sources * sweep.ahead


CASES = {
    "(3): one filter": (lambda: READ | deep(5) | Shelf(), 1, 5 + 1),
    "(5): pointwise": (lambda: READ | Add(1) | Shelf(), 1, 1 + 1),
    "(7): a zip": (lambda: READ & OTHER | Combine(np.add) | Shelf(), 1, 1 + 1 + 1),
    "(9): one after the other": (lambda: READ | deep(5) | deep(3) | Shelf(), 1, 5 + 3 + 1),
    "(10): side by side": (
        lambda: (READ | deep(5) | Shelf()) & (READ | deep(3) | Shelf()),
        1,
        6 + 1 + 1,
    ),
    "(10): two alike side by side": (
        lambda: (READ | deep(5) | Shelf()) & (READ | Add(1) | deep(5) | Shelf()),
        1,
        7 + 1 + 5 + 1,
    ),
    "(4): one after the other, stride 16": (
        lambda: READ | deep(13) | deep(5) | Shelf(),
        16,
        28 + 48 + 16,
    ),
    "a scan holds what it gives": (lambda: READ | Lag(4) | Shelf(), 1, 1 + 1),
    "and its sibling waits": (lambda: (READ | Lag(4) | Shelf()) & (READ | Shelf()), 1, 6 + 1),
    "a resample lets go": (lambda: READ | Spans(first=9, length=4) | Shelf(), 1, 4 + 1),
}


@pytest.mark.parametrize("case", CASES)
def test_planes_are_those_of_the_equations(case) -> None:
    plan, stride, want = CASES[case]
    assert planes(plan(), stride) == want


@pytest.mark.parametrize(
    ("stride", "kept", "alive"), [(1, 1, 1), (1, 7, 7), (4, 1, 4), (4, 5, 8), (4, 6, 12)]
)
def test_a_slab_lives_as_long_as_its_last_plane(stride, kept, alive) -> None:
    assert live_planes(stride, kept) == alive


def test_only_the_greatest_of_what_sinks_store_is_held() -> None:
    class Storing(Shelf):
        def storing(self, spec, workers, economy):
            return len(self.ended)

    sinks = [Storing(ended=["x"] * n) for n in (3, 8, 5)]
    plan = READ | sinks[0] | sinks[1] | sinks[2]
    (sweep,) = schedule(plan, Limits(1 << 40, 2, 0)).sweeps
    assert [use.nbytes for use in sweep.uses if use.who == "outputs"] == [8]


def test_places_are_lent_where_planes_only_pass_by() -> None:
    def found(plan):
        (sweep,) = schedule(plan, Limits(1 << 40, 2, 0)).sweeps
        return dict(lenders(sweep)), dict(early_folds(sweep))

    class Shared(Total):
        shared = True

    assert found(READ | Total() | Lend() | Total() | Shelf()) == ({0: 2}, {0: (1,)})
    assert found(READ | Shared() | Total() | Lend()) == ({0: 3}, {0: ()})
    assert found(READ | Lend() | Add(1) | Total() | Shelf()) == ({}, {0: ()})


def test_lent_planes_are_counted_once() -> None:
    class Lending(Lend):
        def lends(self, spec, economy):
            return 198

    (sweep,) = schedule(READ | Lending(), Limits(1 << 40, 2, 0)).sweeps
    assert sweep.uses[2].what == "2 planes: 8 ahead"
    (other,) = schedule(READ | Lend(), Limits(1 << 40, 2, 0)).sweeps
    assert other.uses[2].what == "9 planes: 8 ahead"


def test_the_reserved_bytes_are_a_row() -> None:
    made = schedule(READ | Shelf(), Limits(1 << 40, 2, 12345))
    (sweep,) = made.sweeps
    assert sweep.uses[0].nbytes == 12345
    assert made.projected == sum(use.nbytes for use in sweep.uses)
    assert replace(made.limits, budget=1).reserved == 12345
