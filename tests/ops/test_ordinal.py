"""Against scipy.ndimage on the whole volume, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from whole import MODES, SHAPES, noise, result

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.ops.ordinal import Median, Percentile

pytestmark = pytest.mark.one_python

SIZES = st.tuples(*[st.integers(1, 5)] * 3)
SEEDS = st.integers(0, 99)


@settings(max_examples=80, deadline=None)
@given(SHAPES, SIZES, st.sampled_from(DTYPES), MODES, st.integers(0, 99), SEEDS)
def test_the_median_is_scipy_s(shape, size, dtype, mode, cval, seed):
    volume = noise(shape, dtype, seed)
    want = ndimage.median_filter(volume, size, mode=mode, cval=cval)
    np.testing.assert_array_equal(result(Median(size, mode, cval), volume), want)


@settings(max_examples=80, deadline=None)
@given(SHAPES, SIZES, st.floats(0, 100), st.sampled_from(DTYPES), MODES, SEEDS)
def test_a_percentile_is_scipy_s(shape, size, percentile, dtype, mode, seed):
    volume = noise(shape, dtype, seed)
    want = ndimage.percentile_filter(volume, percentile, size, mode=mode, cval=7)
    np.testing.assert_array_equal(result(Percentile(percentile, size, mode, 7), volume), want)


@pytest.mark.parametrize("percentile", [0, 3.7, 29, 57, 58, 99.999, 100])
def test_no_percentile_is_a_rank_off(percentile):
    """As 29 percent of 100 voxels, which is 28.999999999999996 if multiplied otherwise."""
    volume = np.random.default_rng(0).permutation(120).astype(np.uint16).reshape(1, 10, 12)
    want = ndimage.percentile_filter(volume, percentile, (1, 10, 10))
    np.testing.assert_array_equal(result(Percentile(percentile, (1, 10, 10)), volume), want)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(3, 5, 7), (5, 23, 24), (1, 1, 3001), (14, 14, 14)])
def test_large_windows_are_scipy_s_too(dtype, size):
    volume = noise((3, 40, 45), dtype, 1)
    np.testing.assert_array_equal(result(Median(size), volume), ndimage.median_filter(volume, size))


@pytest.mark.parametrize("size", [3, 15])
def test_nan_ranks_above_all_else(size):
    volume = np.full((size,) * 3, -np.inf, np.float32)
    middle = (size // 2,) * 3
    volume.ravel()[: size**3 // 2] = -np.nan
    assert result(Median(size), volume)[middle] == -np.inf
    volume.ravel()[size**3 // 2] = np.nan
    assert np.isnan(result(Median(size), volume)[middle])
    assert np.isnan(result(Percentile(100, size), volume)[middle])
    assert result(Percentile(0, size), volume)[middle] == -np.inf


def test_single_voxels_are_left_out():
    spec = Spec((4, 5, 6), np.dtype("uint16"))
    assert Median(1).is_identity(spec)
    assert Percentile(100, 1).is_identity(spec)
    assert not Median((1, 1, 2)).is_identity(spec)


def test_halo_and_rank_of_even_windows():
    assert Median((4, 1, 2)).halo == (2, 0, 1)
    assert Median((4, 1, 2)).rank == 4
