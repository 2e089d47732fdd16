"""Exact bins against numpy.unique, truncated bins against the order of floats."""

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels import histogram
from hoaconv.kernels.histogram import (
    NAN_BIN,
    BinCounts,
    bin_values,
    count_exact,
    count_truncated,
    is_exact,
)

pytestmark = pytest.mark.one_python

EXACT = [dtype for dtype in DTYPES if is_exact(dtype)]
TRUNCATED = [dtype for dtype in DTYPES if not is_exact(dtype)]


def truncated(block):
    bins, extremes = BinCounts(block.dtype), np.array([np.inf, -np.inf])
    count_truncated(block, bins, extremes)
    return bins.total, extremes


@pytest.mark.parametrize("dtype", EXACT, ids=str)
def test_counts_every_value(dtype):
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    larger = rng.integers(info.min, info.max, (7, 60), dtype, endpoint=True)
    larger[0, :5], larger[1, 3:40] = info.min, info.max
    for block in (larger, larger[2:5, :3], larger[:, 1:54]):
        bins = BinCounts(dtype)
        count_exact(block, bins)
        count_exact(block, bins)
        values, counts = np.unique(block, return_counts=True)
        seen = bins.total
        np.testing.assert_array_equal(bin_values(dtype)[seen > 0], values)
        np.testing.assert_array_equal(seen[seen > 0], 2 * counts)


def test_bins_ascend_with_the_value_and_are_a_128th_wide():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, 4000) * 10.0 ** rng.integers(-30, 30, 4000)
    values = np.sort(values.astype(np.float32))
    ends = bin_values(np.dtype("float32"))
    found = [int(np.flatnonzero(truncated(v.reshape(1, 1))[0])[0]) for v in values]
    assert found == sorted(found)
    low = ends[found]
    assert (np.abs(low) <= np.abs(values)).all()
    assert (np.abs(values - low) <= np.abs(low) / 128).all()


@pytest.mark.parametrize("dtype", TRUNCATED, ids=str)
def test_truncated_bins_hold_every_voxel_and_extremes_are_exact(dtype):
    rng = np.random.default_rng(2)
    block = (rng.normal(0, 8000, (9, 33)) ** 2).astype(dtype)
    bins, extremes = truncated(block[:, 1:])
    assert bins.sum() == block[:, 1:].size
    assert tuple(extremes) == (block[:, 1:].min(), block[:, 1:].max())


def test_every_nan_is_counted_apart_and_infinities_are_the_outermost_bins():
    patterns = np.array([0x7F800001, 0xFF800001, 0x7FC00000, 0xFFC00000], np.uint32)
    block = np.append(patterns.view(np.float32), np.float32([np.inf, -np.inf, 0])).reshape(1, -1)
    bins, extremes = truncated(block)
    assert bins[NAN_BIN] == 4
    assert tuple(extremes) == (-np.inf, np.inf)
    values = bin_values(np.dtype("float32"))
    assert sorted(values[(bins > 0) & ~np.isnan(values)]) == [-np.inf, 0, np.inf]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_bin_overflows(monkeypatch, dtype):
    """The largest 32-bit count is replaced by numbers up to that of a row or two."""
    block = np.random.default_rng(3).integers(0, 3, (9, 33)).astype(dtype)
    expected = np.unique(block, return_counts=True)[1]
    for most in (1, 33, 70):
        monkeypatch.setattr(histogram, "MAX_COUNT", most)
        one, other, extremes = BinCounts(dtype), BinCounts(dtype), np.array([np.inf, -np.inf])
        for bins in (one, other, other):
            count_exact(block, bins) if is_exact(dtype) else count_truncated(block, bins, extremes)
        assert [n for n in (one + other).total.tolist() if n] == (3 * expected).tolist()
        assert [n for n in other.total.tolist() if n] == (2 * expected).tolist()
        assert one.lanes(0).sum() <= 33
