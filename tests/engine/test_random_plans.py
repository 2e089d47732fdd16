"""Plans at random, with branches, resamples, scans, values found first: any budget, same bits."""

import pickle
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import (
    Add,
    Box,
    Desk,
    InMemory,
    Lag,
    Shelf,
    Slope,
    Spans,
    SubtractMost,
    Tray,
    box_sum,
    span_sums,
)

from hoaconv.engine.passes import PASSES, schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.errors import PlanError
from hoaconv.io.scratch import ScratchFolder

pytestmark = pytest.mark.one_python

VOLUME = np.random.default_rng(2).integers(0, 50, (24, 18, 5), dtype=np.int32)

parts = st.one_of(
    st.builds(Add, st.integers(0, 3)),
    st.builds(Box, st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2))),
    st.builds(Spans, st.integers(0, 5), st.integers(1, 3), st.integers(1, 4), st.integers(1, 2)),
    st.builds(Lag, st.integers(0, 5), st.booleans()),
    st.just(SubtractMost()),
)
chains = st.lists(parts, max_size=3)


def applied(volume, part):
    """What a part makes of a whole volume."""
    match part:
        case Add():
            return volume + part.value
        case Box():
            return box_sum(volume, part.radius)
        case Spans():
            return span_sums(volume, part)
        case Lag():
            return volume.cumsum(axis=0, dtype=np.int32)
        case _:
            return volume - max(0, volume.max())


def branching(trunk, branches, source=None, sinks=None):
    """A plan that reads once and ends in a sink for each branch."""
    sinks = sinks or [Shelf() for _ in branches]
    stem = reduce(Plan.__or__, trunk, Plan.read(source or InMemory(VOLUME)))
    ends = [reduce(Plan.__or__, b, stem) | s for b, s in zip(branches, sinks, strict=True)]
    return reduce(Plan.__and__, ends), sinks


@pytest.mark.long
@settings(max_examples=80)
@given(
    chains,
    st.lists(chains, min_size=1, max_size=3),
    st.floats(0, 1),
    st.integers(1, 3),
)
def test_every_budget_that_fits_gives_the_same_planes(trunk, branches, share, workers) -> None:
    plan, sinks = branching(trunk, branches)
    most = schedule(plan, Limits(1 << 40, workers, 0, Desk()))
    budget = int(most.least + share * max(0, most.projected - most.least))
    made = schedule(plan, Limits(budget, workers, 0, Desk()))
    assert all(sweep.projected <= budget for sweep in made.sweeps)
    run(made)
    for branch, sink in zip(branches, sinks, strict=True):
        assert np.array_equal(sink.volume, reduce(applied, [*trunk, *branch], VOLUME))


@pytest.mark.long
@settings(max_examples=30)
@given(chains, st.lists(chains, min_size=1, max_size=3))
def test_every_pass_is_idempotent(trunk, branches) -> None:
    plan, _ = branching(trunk, branches)
    desk = Desk()
    least = schedule(plan, Limits(1 << 40, 2, 0, desk)).least
    for limits in (Limits(1 << 40, 2), Limits(least, 2, 0, desk)):
        draft = Schedule.draft(plan, limits)
        for step in PASSES:
            draft = step(draft)
            assert step(draft) == draft, step


@pytest.mark.long
@settings(max_examples=30)
@given(chains, st.lists(chains, min_size=1, max_size=3), st.booleans(), st.none() | st.just(7))
def test_a_schedule_is_a_value_that_pickles_and_runs(trunk, branches, short, sample) -> None:
    """Made twice it is the same, and so is what comes out of a pickle, mid-writes included."""
    source = Slope((24, 18, 5))
    trays = [Tray(f"tray {i}") for i in range(len(branches))]
    plan, _ = branching(trunk, branches, source, trays)
    try:
        ample = schedule(plan, Limits(1 << 40, 2, 0, Desk(), sample))
    except PlanError:  # what a sample can't stand in for
        assert sample
        return
    limits = Limits(ample.least if short else 1 << 40, 2, 0, Desk(), sample)
    made = schedule(plan, limits)
    assert made == schedule(plan, limits)
    sent = pickle.loads(pickle.dumps(made))
    assert sent == made
    assert sent.describe() == made.describe()
    if sample:
        return
    outputs = run(sent).outputs
    for branch, tray in zip(branches, trays, strict=True):
        want = reduce(applied, [*trunk, *branch], source.volume)
        assert np.array_equal(outputs[tray]["volume"], want)


def test_planning_touches_no_file_and_a_sent_schedule_makes_its_own(tmp_path) -> None:
    scratch = ScratchFolder(tmp_path / "scratch", shared=True)
    source, tray = Slope((24, 18, 5)), Tray("tray")
    plan = Plan.read(source) | Box((6, 1, 1)) | Box((6, 1, 2)) | tray
    least = schedule(plan, Limits(1 << 40, 2, 0, scratch)).least
    made = schedule(plan, Limits(least, 2, 0, scratch))
    assert len(made.sweeps) == 2
    assert made == schedule(plan, Limits(least, 2, 0, scratch))
    assert not list(tmp_path.iterdir())
    sent = pickle.loads(pickle.dumps(made))
    assert sent == made
    want = box_sum(box_sum(source.volume, (6, 1, 1)), (6, 1, 2))
    for one in (made, sent, made):
        assert np.array_equal(run(one).outputs[tray]["volume"], want)
    assert not list(tmp_path.iterdir())
