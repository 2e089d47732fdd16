"""Against numpy on each voxel's window, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from whole import MODES, SHAPES, noise, result, rounded

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import SpellingError
from hoaconv.ops.local import Std, Uniform

pytestmark = pytest.mark.one_python

PADS = {"reflect": "symmetric", "nearest": "edge", "mirror": "reflect", "constant": "constant"}
"""numpy's names of the modes."""

SIZES = st.tuples(*[st.integers(1, 6)] * 3)
CVALS = st.integers(-9, 300) | st.floats(-1e6, 1e6, width=32)
SEEDS = st.integers(0, 99)


def windows(volume, size, mode="reflect", cval=0):
    """The voxels around each, along axes 3 to 5; of an even size, one more before it."""
    widths = [(n // 2, n - n // 2 - 1) for n in size]
    values = {"constant_values": cval} if mode == "constant" else {}
    padded = np.pad(volume.astype(np.float64), widths, PADS[mode], **values)
    return sliding_window_view(padded, size)


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), SIZES, MODES, st.integers(-9, 300), SEEDS)
def test_uniform_is_the_exact_mean(shape, dtype, size, mode, cval, seed):
    volume = noise(shape, dtype, seed)
    got = result(Uniform(size, mode, cval), volume)
    # Sums of 32-bit integers are exact in float64.
    want = windows(volume, size, mode, cval).sum((3, 4, 5)) / np.prod(size)
    if dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-4)
    else:
        np.testing.assert_array_equal(got, rounded(want, dtype))


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), SIZES, MODES, CVALS, SEEDS)
def test_uniform_is_scipy_s_within_a_grey_value(shape, dtype, size, mode, cval, seed):
    volume = noise(shape, dtype, seed)
    got = result(Uniform(size, mode, cval), volume)
    want = ndimage.uniform_filter(volume.astype(np.float64), size, mode=mode, cval=cval)
    if dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * (np.abs(want).max() + 1))
    else:
        assert np.abs(got - rounded(want, dtype)).max() <= 1


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["int8", "uint16"])
def test_large_windows_of_large_voxels_don_t_overflow(dtype):
    volume = np.full((1, 40, 300), np.iinfo(dtype).max, dtype)
    for size in [(31, 31, 31), (33, 33, 33), (128, 128, 128)]:
        np.testing.assert_array_equal(result(Uniform(size), volume), volume)
        assert not result(Std(size), volume).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinity_reach_their_windows_and_no_further(dtype):
    volume = np.ones((7, 8, 9), dtype)
    volume[3, 4, 5] = np.nan
    volume[0, 0, 0], volume[0, 0, 2] = np.inf, -np.inf
    got = result(Uniform(3), volume)
    seen = windows(volume, (3, 3, 3))
    with np.errstate(invalid="ignore"):
        means, spreads = seen.mean((3, 4, 5)), seen.std((3, 4, 5))
    assert (np.isnan(means).sum(), np.isinf(means).sum()) == (27 + 4, 4 + 8)
    np.testing.assert_array_equal(got, means)
    np.testing.assert_array_equal(result(Std(3), volume), spreads)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), SIZES, MODES, CVALS, SEEDS)
def test_std_is_numpy_s(shape, dtype, size, mode, cval, seed):
    volume = noise(shape, dtype, seed)
    got = result(Std(size, mode, cval), volume)
    assert got.dtype == (np.float64 if dtype == np.float64 else np.float32)
    want = windows(volume, size, mode, cval).std((3, 4, 5))
    # numpy's mean is rounded, so that it finds some 1e-16 of the voxels where there is nothing.
    nothing = 1e-14 * max(np.abs(volume.astype(np.float64)).max(), abs(cval))
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=nothing)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_std_sees_what_is_small_beside_the_mean(dtype):
    top = {"f4": 1e6, "f8": 1e9}.get(dtype.str[1:]) or float(np.iinfo(dtype).max - 1)
    volume = (top + noise((4, 6, 7), "uint8", 0) % 2).astype(dtype)
    want = windows(volume - dtype.type(top), (3, 4, 5)).std((3, 4, 5))
    np.testing.assert_allclose(result(Std((3, 4, 5)), volume), want, rtol=1e-6)
    assert not result(Std(3), np.full((3, 4, 5), top, dtype)).any()


def test_a_window_of_one_voxel_is_the_voxel():
    spec = Spec((2, 3, 4), np.dtype("uint16"))
    assert Uniform(1).is_identity(spec)
    assert not Uniform((1, 1, 2)).is_identity(spec)
    assert Uniform((4, 1, 7)).halo == (2, 0, 3)


def test_work_is_little_beside_a_wide_block():
    spec = Spec((20, 256, 7621), np.dtype("uint16"))
    assert max(Uniform(5).work(spec), Std(5).work(spec)) < spec.nbytes // 10


@pytest.mark.parametrize("op", [Uniform, Std])
def test_windows_whose_sums_may_not_be_exact_are_refused(op):
    assert op(128)
    with pytest.raises(
        SpellingError, match=r"size should be a window of at most 2097152 voxels \(it has 2146689\)"
    ):
        op(129)
