"""The most planes that live at once, by hand; that as many do is tested where streams are run."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_memory import Add, Box, InMemory, Lag, Shelf, Spans, Total
from sized import leads, strides, with_sizes

from hoaconv.engine.combine import Combine
from hoaconv.engine.kept import kept
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits

READ = Plan.read(InMemory(np.zeros((1500, 2, 3), np.int32)))

parts = st.one_of(
    st.builds(Add, st.integers(0, 3)),
    st.builds(Box, st.tuples(st.integers(0, 9), st.just(0), st.just(0))),
    st.builds(Lag, st.integers(0, 5), st.booleans()),
    st.just(Total()),
)
chains = st.lists(parts, max_size=3)


def swept(plan, stride, lead=None):
    (sweep,) = with_sizes(schedule(plan, Limits(1 << 40, 2, 0)), stride, 2, 3, lead).sweeps
    return sweep


def follow(plan, chain):
    for part in chain:
        plan |= part
    return plan


@given(chains, st.lists(chains, min_size=2, max_size=2), strides, leads)
def test_a_long_volume_keeps_what_a_shorter_one_does(trunk, branches, stride, lead) -> None:
    beginning = follow(READ, trunk)
    one, other = (follow(beginning, chain) for chain in branches)
    sweep = swept((one & other | Combine(np.add) | Shelf()) & (one | Shelf()), stride, lead)
    with patch("hoaconv.engine.kept._shortened", lambda sweep: sweep):
        whole = kept(sweep)
    assert kept(sweep) == whole


BOX, DEEP = Box((2, 0, 0)), Box((6, 0, 0))
CASES = {
    "one reader": (lambda: READ | BOX | Shelf(), [12, 8]),
    "two readers that take turns": (
        lambda: (READ | BOX | Shelf()) & (READ | BOX | Shelf()),
        [12, 8],
    ),
    "one that looks further": (
        lambda: (READ | BOX | Shelf()) & (READ | DEEP | Shelf()),
        [20, 8, 8],
    ),
    "one that waits for the other": (
        lambda: (READ | DEEP) & (READ | Add(1)) | Combine(np.add) | Shelf(),
        [20, 8, 8, 1],
    ),
    "two that the same end waits for": (
        lambda: (READ | DEEP | BOX) & READ | Combine(np.add) | Shelf(),
        [20, 12, 8, 1],
    ),
    "a fold between": (lambda: READ | DEEP | Total() | BOX | Shelf(), [20, 12, 8]),
    "a crop": (lambda: READ | DEEP | Spans(first=30) | Shelf(), [20, 8, 1]),
}


@pytest.mark.parametrize("case", CASES)
def test_planes_that_live_at_once(case) -> None:
    """Strides are 8."""
    plan, want = CASES[case]
    sweep = swept(plan(), 8)
    counts = zip(sweep.asked, kept(sweep), strict=True)
    assert [n for (kind, _), n in counts if not kind.passes_on] == want


def test_no_more_live_than_there_are() -> None:
    short = Plan.read(InMemory(np.zeros((5, 2, 3), np.int32)))
    assert set(kept(swept(short | DEEP | BOX | Shelf(), 16))) == {1, 5}
