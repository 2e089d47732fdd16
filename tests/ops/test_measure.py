"""Percentiles against numpy's inverted_cdf; merging in any order is counting at once."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.measure import Histogram, Percentiles, percentile

pytestmark = pytest.mark.one_python

QS = [0, 0.1, 1, 25, 33.3, 50, 66.7, 99, 99.9, 100]


def counted(*blocks):
    fold = Histogram()
    state = fold.init(Spec((1, 1, 1), blocks[0].dtype))
    for block in blocks:
        fold.step(state, block)
    return state


def noise(shape, dtype, seed=0):
    values = np.random.default_rng(seed).normal(60, 25, shape)
    return values.clip(0, 127).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (7, 13), (40, 50)])
def test_percentiles_are_numpys_inverted_cdf(dtype, shape):
    block = noise(shape, dtype)
    state = counted(block)
    for q in QS:
        exact = float(np.percentile(block, q, method="inverted_cdf"))
        if is_exact(dtype) or q in (0, 100):
            assert percentile(state, q) == exact
        else:
            # A bin is a 128th of its value wide, and its lower end stands for it.
            assert exact * (1 - 1 / 128) <= percentile(state, q) <= exact


@given(
    st.lists(st.integers(-128, 127), min_size=1, max_size=50), st.floats(0, 100), st.integers(1, 50)
)
def test_exact_percentiles_for_any_voxels_in_any_parts(voxels, q, cut):
    block = np.array([voxels], np.int8)
    fold = Histogram()
    parts = [counted(block[:, part]) for part in (slice(0, cut), slice(cut, None))]
    exact = np.percentile(block, q, method="inverted_cdf")
    assert percentile(fold.merge(*parts), q) == percentile(fold.merge(*parts[::-1]), q) == exact


def test_finish_is_json_and_says_the_range():
    block = noise((30, 40), np.uint16)
    value = Histogram(percentiles=(1, 99.9)).finish(counted(block[:20], block[20:]))
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value == {
        "count": block.size,
        "nan": 0,
        "min": int(block.min()),
        "max": int(block.max()),
        "percentiles": {
            "1": int(np.percentile(block, 1, method="inverted_cdf")),
            "99.9": int(np.percentile(block, 99.9, method="inverted_cdf")),
        },
    }


def test_the_histogram_itself_stays_at_hand():
    block = noise((30, 40), np.uint8)
    np.testing.assert_array_equal(
        counted(block).histogram, np.bincount(block.ravel(), minlength=256)
    )


def test_nan_is_apart_and_infinities_are_named():
    state = counted(np.array([[np.nan, np.inf, -np.inf, 3, np.nan]], np.float32))
    value = Histogram().finish(state)
    assert (value["count"], value["nan"]) == (5, 2)
    assert (value["min"], value["max"]) == ("-Infinity", "Infinity")
    assert value["percentiles"]["50"] == 3
    assert json.dumps(value, allow_nan=False)


def test_nothing_but_nan_has_no_range():
    state = counted(np.full((2, 2), np.nan))
    value = Histogram().finish(state)
    assert value["min"] is value["max"] is value["percentiles"]["50"] is None
    with pytest.raises(ValueError, match="no voxels"):
        percentile(state, 50)


@pytest.mark.parametrize("q", [-1, 100.5, float("nan")])
def test_refuses_what_is_no_percentile(q):
    with pytest.raises(SpellingError, match=r"lies in 0\.\.100"):
        percentile(counted(noise((2, 2), np.uint8)), q)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_state_is_as_large_as_declared(dtype):
    spec = Spec((1, 1, 1), dtype)
    state = Histogram().init(spec)
    held = state.bins.lanes(0).nbytes + state.bins.total.nbytes + state.extremes.nbytes
    assert held == Histogram().state_bytes(spec)


def test_merging_leaves_both_states_alone():
    one, other = counted(noise((3, 3), np.uint8)), counted(noise((4, 4), np.uint8, 1))
    before = one.bins.total, other.bins.total
    merged = Histogram().merge(one, other)
    Histogram().step(merged, noise((5, 5), np.uint8))
    assert merged.bins.total.sum() == 50
    np.testing.assert_array_equal(one.bins.total, before[0])
    np.testing.assert_array_equal(other.bins.total, before[1])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [1, 7, 300])
def test_bins_are_numpys(dtype, size):
    block = noise((30, 40), dtype)
    value = Histogram(size).finish(counted(block[:11], block[11:]))
    seen, ends = block.astype(np.float64), (float(block.min()), float(block.max()))
    if not is_exact(dtype):  # a voxel is counted where its first 8 bits are
        first = (block.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
        seen = first.astype(np.float64).clip(*ends)
    counts, edges = np.histogram(seen, size, ends)
    assert value["counts"] == counts.tolist()
    np.testing.assert_allclose(value["edges"], edges, rtol=1e-12)
    assert sum(value["counts"]) == block.size


def test_bins_leave_out_what_is_no_finite_number():
    block = np.array([[np.nan, np.inf, -np.inf, 1, 2, 2]], np.float32)
    value = Histogram(2).finish(counted(block))
    assert (value["counts"], value["edges"]) == ([1, 2], [1, 1.5, 2])
    empty = Histogram(2).finish(counted(block[:, :3]))
    assert (empty["counts"], empty["edges"]) == ([], [])


def test_percentiles_by_their_numbers():
    block = noise((30, 40), np.uint16)
    value = Percentiles("1,50,99.9999").finish(counted(block))
    assert value == {
        name: int(np.percentile(block, float(name), method="inverted_cdf"))
        for name in ("1", "50", "99.9999")
    }
    nothing = Percentiles(50).finish(counted(np.full((2, 2), np.nan)))
    assert nothing == {"50": None}
    assert Percentiles((1, 2)) == Percentiles("1,2.0")


@pytest.mark.parametrize(
    "values",
    [
        [1e20],
        [-3.4e38],
        [9.97e36, 9.97e36],
        [1.0, 1.0 + 1e-14],
        [5e-324, 0.0],
        [np.inf, 3.0],
        [7.0],
        [-1.797e308],
        [1.797e308, -1.797e308, 3.0],
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bins_of_ranges_that_hardly_have_a_width(values, dtype) -> None:
    with np.errstate(over="ignore"):
        plane = np.array([values], dtype)
    fold = Histogram(7)
    state = fold.init(Spec((1, *plane.shape), plane.dtype))
    fold.step(state, plane)
    told = fold.finish(state)
    with np.errstate(over="ignore"):  # what float32 can't hold is counted as infinite
        finite = np.isfinite(plane.astype(np.float32)).sum()
    assert sum(told["counts"]) == finite
    if finite:
        assert len(told["edges"]) == 8
        assert np.all(np.diff(told["edges"]) > 0)
