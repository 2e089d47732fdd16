"""Sums and sums of squares against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoaconv.engine.spec import KNOWN, WIDE
from hoaconv.kernels.exact_sums import MAX_VOXELS, accumulate, empty_sums, take_totals
from hoaconv.kernels.rounding import no_extremes

pytestmark = pytest.mark.one_python

shapes = st.tuples(st.integers(1, 5), st.integers(1, 9))


def added(*blocks, limits=(-np.inf, np.inf)):
    dtype = blocks[0].dtype
    sums, counts, extremes = empty_sums(dtype), np.zeros(4, np.int64), no_extremes(dtype)
    for block in blocks:
        accumulate(block, limits, sums, counts, extremes)
    return sums, counts.tolist(), extremes.tolist()


def exactly(block, power):
    return sum(Fraction(v) ** power for v in block.ravel().tolist() if np.isfinite(v))


@given(st.sampled_from(KNOWN).flatmap(lambda dtype: arrays(dtype, shapes)))
def test_any_voxels_are_summed_exactly(block):
    sums, counts, extremes = added(block)
    assert take_totals(sums) == (exactly(block, 1), exactly(block, 2))
    assert not sums.any()
    numbers = block[~np.isnan(block)]
    numbers = numbers if block.dtype in WIDE else numbers.astype(np.float64)
    assert counts[:3] == [block.size, int(np.isnan(block).sum()), int((block == 0).sum())]
    assert extremes == ([numbers.min(), numbers.max()] if numbers.size else [np.inf, -np.inf])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_smallest_and_the_largest_floats(dtype):
    info = np.finfo(dtype)
    values = [info.smallest_subnormal, info.tiny, info.max, -info.max, info.eps, -info.tiny]
    block = np.array([values], dtype)
    assert take_totals(added(block, block)[0]) == (2 * exactly(block, 1), 2 * exactly(block, 2))


def test_the_largest_number_of_voxels_does_not_overflow():
    block = np.full((1, 1 << 14), np.nextafter(2.0, 0))  # every bit of the mantissa is set
    sums = added(block)[0]
    assert block.size << 11 == MAX_VOXELS
    repeated = sums << 11
    assert (repeated >= 0).all()
    assert take_totals(repeated)[1] == (block.size << 11) * Fraction(block[0, 0]) ** 2


def test_part_of_a_plane_and_saturated_voxels():
    plane = np.arange(60, dtype=np.int32).reshape(6, 10)
    sums, counts, extremes = added(plane[1:5, 2:9], limits=(13, 47))
    assert take_totals(sums)[0] == int(plane[1:5, 2:9].sum())
    assert (counts, extremes) == ([28, 0, 0, 4], [12, 48])


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_as_many_large_integers_do_not_overflow(dtype):
    info = np.iinfo(dtype)
    block = np.full((1, 1 << 14), info.min or info.max, dtype)
    repeated = added(block)[0] << 11
    total, squares = take_totals(repeated)
    number, value = block.size << 11, int(block[0, 0])
    assert (total, squares) == (number * value, number * value**2)


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_saturated_integers_have_the_ends_of_the_range(dtype):
    info = np.iinfo(dtype)
    block = np.array([[info.min, info.min + 1, 0, info.max - 1, info.max, info.max]], dtype)
    low = -np.inf if info.min == 0 else float(info.min)  # an unsigned 0 isn't saturated
    _, counts, extremes = added(block, limits=(low, float(info.max)))
    assert counts[3] == 2 + (info.min < 0)
    assert extremes == [info.min, info.max]
