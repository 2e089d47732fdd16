"""The memory model as arithmetic: planes counted by hand, after Sporring and Stansby (2026)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_memory import Add, Box, InMemory, Lag, Lend, Shelf, Spans, Total
from sized import with_sizes

from hoaconv.engine.combine import Combine
from hoaconv.engine.memory import early_folds, lenders
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits

READ, OTHER = (Plan.read(InMemory(np.zeros((200, 8, 8), np.int32))) for _ in range(2))


def deep(k, y=0):
    """A filter that looks over `k` planes."""
    return Box(((k - 1) // 2, y, 0))


def planes(plan, stride=1):
    """Planes of each stage that holds some, without those that are decoded ahead."""
    made = with_sizes(schedule(plan, Limits(1 << 40, 2, 0)), stride, 8, 3)
    (sweep,) = made.sweeps
    plane = sweep.stages[0].given.plane_bytes
    counted = (u for u in sweep.uses if "ahead" in u.what or "planes of output" in u.what)
    return [u.nbytes // plane - sweep.ahead * ("ahead" in u.what) for u in counted]


ROWS = {
    "k = 5": lambda: READ | deep(5) | Shelf(),
    "k = 13": lambda: READ | deep(13) | Shelf(),
    "pointwise": lambda: READ | Add(1) | Shelf(),
    "two volumes, added": lambda: READ & OTHER | Combine(np.add) | Shelf(),
    "k = 5, then l = 3": lambda: READ | deep(5) | deep(3) | Shelf(),
    "k = 13, then l = 5": lambda: READ | deep(13) | deep(5) | Shelf(),
    "k = 5 beside l = 3": lambda: (READ | deep(5) | Shelf()) & (READ | deep(3) | Shelf()),
    "k = 5 beside l = 5": lambda: (READ | deep(5) | Shelf()) & (READ | deep(5, 1) | Shelf()),
}
"""Plans of the table in docs/memory.md."""

PAGE = Path(__file__).parents[2] / "docs" / "memory.md"
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8")
    .partition("| plan | stride | the paper | hoaconv |")[2]
    .partition("\n\n")[0]
    .splitlines()[2:]
]


def test_the_table_has_a_row_for_each_plan() -> None:
    assert [row[0] for row in TABLE] == list(ROWS)


@pytest.mark.parametrize(("plan", "stride", "paper", "ours"), TABLE)
def test_planes_are_those_of_the_table(plan, stride, paper, ours) -> None:
    held = planes(ROWS[plan](), int(stride))
    assert ours == f"{' + '.join(map(str, held))} = {sum(held)}"
    assert sum(held) <= int(paper.split("=")[-1])


@pytest.mark.parametrize(("plan", "stride", "paper"), [row[:3] for row in TABLE])
def test_the_papers_figures_are_those_of_its_equations(plan, stride, paper) -> None:
    depths = [int(word) for word in plan.replace(",", "").split() if word.isdigit()] or [1]
    if plan.startswith("two"):
        held = 2 + 1  # (7), and what (1) adds
    else:
        alone = [2 * (int(stride) + k - 1) - k + 1 for k in depths]  # (4): with it (3) and (5)
        held = sum(alone) - int(stride) * ("then" in plan)  # (9) or (10)
    assert int(paper.split("=")[-1]) == held


@pytest.mark.parametrize(
    ("plan", "want"),
    [
        (READ | Lag(4) | Shelf(), [1, 1]),
        ((READ | Lag(4) | Shelf()) & (READ | Shelf()), [5, 1]),
        (READ | Spans(first=9, length=4) | Shelf(), [4, 1]),
        ((READ | deep(5) | Shelf()) & (READ | Add(1) | deep(5) | Shelf()), [5, 1, 5, 1]),
    ],
    ids=["a scan", "a scan and its sibling", "a resample", "one reads a plane at a time"],
)
def test_other_stages_hold_what_they_give(plan, want) -> None:
    assert planes(plan) == want


@pytest.mark.parametrize(
    ("strides", "want"),
    [
        ((16, 16), [28, 20, 16]),
        ((16, 1), [28, 20, 1]),
        ((1, 16), [13, 20, 16]),
        ((8, 16), [20, 20, 16]),
        ((16, 8), [28, 20, 8]),
        ((4, 6), [16, 12, 6]),
    ],
)
def test_strides_that_differ(strides, want) -> None:
    """Four planes of context and the longer of two steps, or more where the two never meet."""
    assert planes(READ | deep(13) | deep(5) | Shelf(), strides) == want


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
