"""Strata, half-samples and intervals: by their definitions, and by numpy."""

from math import inf, isclose

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import InMemory, Mean

from hoaconv.engine.passes import schedule
from hoaconv.engine.passes.sample import Pick, draw, halves, strata
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.sampling import PAIRS, Drawn, half_samples, interval, sign
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError
from hoaconv.job.statistics import SUMMARY
from hoaconv.ops.measure import value_ends

seeds = st.integers(0, 1 << 30)


@st.composite
def stacks(draw):
    """How many slices, and how many of them to draw; not all."""
    planes = draw(st.integers(3, 400))
    return planes, draw(st.integers(2, planes - 1))


# Strata


@given(stacks(), seeds)
def test_strata_cover_the_stack_once_and_are_as_equal_as_can_be(stack, phase):
    planes, count = stack
    made = strata(planes, count, phase % count)
    assert [z for one in made for z in one] == list(range(planes))
    assert {len(one) for one in made} <= {planes // count, planes // count + 1}
    assert len(made) == count


@given(stacks(), seeds)
def test_a_sample_has_one_slice_of_each_stratum(stack, seed):
    planes, count = stack
    slices = draw(planes, count, seed)
    assert slices == sorted(set(slices))
    assert set(slices) <= set(range(planes))
    phases = (strata(planes, count, phase) for phase in range(count))
    assert any(all(z in s for z, s in zip(slices, made, strict=True)) for made in phases)
    assert slices == draw(planes, count, seed)


@given(st.integers(1, 50), st.integers(0, 50), seeds)
def test_whoever_asks_for_all_slices_or_more_gets_all(planes, more, seed):
    assert draw(planes, planes + more, seed) == list(range(planes))


@pytest.mark.parametrize(("planes", "count", "most"), [(30, 20, 0.8), (43, 10, 0.27)])
def test_no_slice_is_favoured_much(planes, count, most):
    """Of 30 slices, fixed strata of one and of two would give one in three the chance 1."""
    rounds, drawn = 2000, np.zeros(planes)
    for seed in range(rounds):
        drawn[draw(planes, count, seed)] += 1
    assert drawn.sum() == rounds * count
    assert drawn.max() / rounds < most


@given(st.integers(2, 200))
def test_halves_hold_neighbouring_strata_and_every_slice_once(count):
    made = halves(range(count))
    groups = min(PAIRS, count // 2)
    assert len(made) == 2 * groups + count % 2
    assert sorted(z for half in made for z in half) == list(range(count))
    for g in range(groups):
        pairs = zip(made[2 * g], made[2 * g + 1], strict=True)
        assert all(abs(a - b) == 1 and a // 2 == b // 2 for a, b in pairs)


# Intervals


class Values:
    """What `half_samples` asks of a fold; a state lists slices, each of one voxel."""

    @staticmethod
    def merge(one, other):
        return [*one, *other]

    @staticmethod
    def finish(state):
        if np.isnan(state).all():
            raise PlanError("nothing but NaN")
        return {"mean": float(np.nanmean(state)), "p50": float(np.nanmedian(state)), "word": "no"}


def interval_of(values, of):
    states = [[values[z] for z in half] for half in halves(range(len(values)))]
    whole = Values.finish(values)
    return whole, interval(whole, half_samples(Values, states), Drawn(len(values), of))


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=60), st.integers(0, 500))
def test_the_interval_of_a_mean_is_that_of_the_pairs_differences(values, more):
    """Of a mean the half-samples come to the textbook's sum of squares of collapsed strata."""
    n, groups = len(values), min(PAIRS, len(values) // 2)
    found, made = interval_of(values, n + more)
    made_of = [np.array([values[z] for z in half]) for half in halves(range(n))]
    parts = [(made_of[2 * g] - made_of[2 * g + 1]).sum() for g in range(groups)]
    squares = np.square(np.array(parts, float)) / n**2
    variance = squares.sum() * n / (2 * (n // 2)) * more / (n + more)
    alike = squares.sum() ** 2 / (squares**2).sum() if squares.any() else inf
    freedom = np.clip((3.16 - 2.77 / np.sqrt(groups)) * alike, 1, groups)
    low, high = made["mean"]
    assert isclose((low + high) / 2, found["mean"], abs_tol=1e-9)
    if variance == 0:
        assert high - low < 1e-9
        return
    t = (high - low) / 2 / np.sqrt(variance)
    known = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
    assert known[int(np.ceil(freedom - 1e-9)) - 1] - 1e-6 <= t
    assert t <= known[int(np.floor(freedom + 1e-9)) - 1] + 1e-6


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60))
def test_a_sample_of_all_slices_leaves_nothing_to_guess(values):
    found, made = interval_of(values, len(values))
    for name in ("mean", "p50"):
        assert made[name] == (found[name], found[name])


@given(st.integers(1, PAIRS))
def test_half_samples_are_balanced(pairs):
    """Each pair is cut as often either way, and any two of them as often alike as not."""
    rows = 1 << pairs.bit_length()
    signs = np.array([[sign(row, p) for p in range(pairs)] for row in range(rows)])
    assert not signs.sum(0).any()
    assert np.array_equal(signs.T @ signs, rows * np.eye(pairs))


def test_no_interval_for_what_some_slices_have_no_value_of():
    _, made = interval_of([1.0, np.nan, np.nan, np.nan], 20)
    assert made == {}
    assert interval_of([1.0], 20)[1] == {}
    assert "word" not in interval_of([1.0, 2.0], 20)[1]


@pytest.mark.long
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_intervals_end_where_values_can_be_no_more(dtype, data):
    """Slices of the dtype's ends differ as much as any."""
    held = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(np.float32)
    ends = st.sampled_from([held.min, 0, 1, held.max])
    levels = np.array(data.draw(st.lists(ends, min_size=5, max_size=9)), dtype)
    volume = np.broadcast_to(levels[:, None, None], (len(levels), 2, 3)).copy()
    made = run(schedule(Plan.read(InMemory(volume)) | SUMMARY, Limits(1 << 40, 1, sample=4)))
    (found,), (intervals,) = made.found.values(), made.intervals.values()
    for name, (low, high) in intervals.items():
        least, greatest = value_ends(name, dtype)
        assert least <= low <= found[name] <= high <= greatest
    assert {"mean", "std", "p50", "zeros share"} <= set(intervals)


def test_what_numbers_can_be():
    int16, double = np.dtype("int16"), np.dtype("float64")
    assert value_ends("zeros share", int16) == (0, 1)
    assert value_ends("zeros", int16) == (0, inf)
    assert value_ends("std", int16) == (0, 32767.5)
    assert value_ends("otsu", int16) == (-32768, 32767)
    assert value_ends("std", double)[1] == np.finfo(np.float64).max
    assert Mean().ends("mean", Spec((1, 1, 1), int16)) == (-inf, inf)


# Engine


@pytest.mark.long
@settings(max_examples=20, deadline=None)
@given(st.integers(2, 29), seeds)
def test_the_same_seed_measures_the_same_slices(count, seed):
    volume = np.random.default_rng(1).integers(0, 200, (30, 3, 4), dtype=np.uint8)
    limits = Limits(1 << 40, 1, sample=count, seed=seed)
    one, other = (schedule(Plan.read(InMemory(volume)) | SUMMARY, limits) for _ in range(2))
    slices = [picked(made) for made in (one, other)]
    assert slices[0] == slices[1] == draw(30, count, seed)
    (found,) = run(one).found.values()
    assert found["mean"] == pytest.approx(volume[slices[0]].mean(), rel=1e-12)


def picked(made):
    """The slices that the picks of a schedule take, in order."""
    (sweep,) = made.sweeps
    read = next(stage.part.planes for stage in sweep.stages if stage.kind == "source")
    picks = [stage.part for stage in sweep.stages if isinstance(stage.part, Pick)]
    return sorted(read[z] for pick in picks for z in pick.planes)
