"""Separable convolution against scipy.ndimage in float64, rounded as hoaconv rounds."""

import numpy as np
import pytest
from scipy import ndimage

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels.boundary import MODES
from hoaconv.kernels.gaussian import gaussian_weights
from hoaconv.kernels.separable import convolve_separable, convolve_separable_bytes

pytestmark = pytest.mark.one_python


def noise(shape, dtype, seed=0):
    """Return values of the whole range of an integer dtype, or around zero."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 1000, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def whole(volume, sigmas, mode="reflect", cval=0.0, truncate=4.0):
    out = np.empty_like(volume)
    weights = tuple(gaussian_weights(sigma, truncate) for sigma in sigmas)
    core = tuple(slice(0, n) for n in volume.shape)
    convolve_separable(volume, core, out, weights, mode, cval)
    return out


def oracle(volume, sigmas, mode="reflect", cval=0.0, truncate=4.0):
    exact = ndimage.gaussian_filter(
        volume.astype(np.float64), sigmas, mode=mode, cval=cval, truncate=truncate
    )
    if volume.dtype.kind == "f":
        return exact
    info = np.iinfo(volume.dtype)
    return np.clip(np.rint(exact), info.min, info.max)


def assert_near(got, exact):
    if got.dtype.kind == "f":
        # Single precision: 3 * 13 additions of values around 1000.
        np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())
    else:
        # Single precision may land on the other side of a tie, so one grey value.
        assert np.abs(got.astype(np.float64) - exact).max() <= 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_result_is_scipys_for_every_dtype(dtype):
    volume = noise((9, 14, 40), dtype)
    assert_near(whole(volume, (1.5, 1.5, 1.5)), oracle(volume, (1.5, 1.5, 1.5)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 33), (5, 2, 3), (20, 21, 22)])
def test_result_is_scipys_for_every_mode_even_where_the_weights_reach_over_the_whole_volume(
    shape, mode
):
    volume = noise(shape, np.uint16)
    got = whole(volume, (2, 1.2, 3), mode, cval=70000.5)
    assert_near(got, oracle(volume, (2, 1.2, 3), mode, cval=70000.5))


@pytest.mark.parametrize("sigmas", [(0, 0, 0), (0, 1, 0), (2, 0, 0.1), (0, 0, 5)])
def test_an_axis_of_sigma_0_is_left_alone(sigmas):
    volume = noise((6, 7, 50), np.float32)
    assert_near(whole(volume, sigmas), oracle(volume, sigmas))
    if sigmas == (0, 0, 0):
        np.testing.assert_array_equal(whole(volume, sigmas), volume)


def test_truncate_is_scipys():
    volume = noise((12, 12, 12), np.float32)
    assert_near(whole(volume, (2, 2, 2), truncate=1.3), oracle(volume, (2, 2, 2), truncate=1.3))


def test_a_constant_volume_stays_and_extremes_do_not_wrap():
    for value in (0, 1, 32767, 65535):
        volume = np.full((5, 6, 70), value, np.uint16)
        np.testing.assert_array_equal(whole(volume, (1.5, 1.5, 1.5)), volume)
    assert whole(np.zeros((3, 3, 3), np.uint8), (1, 1, 1), "constant", -900).max() == 0
    assert whole(np.zeros((3, 3, 3), np.uint8), (1, 1, 1), "constant", 9e9).min() == 255


def test_the_mean_of_noise_is_kept_so_nothing_is_truncated():
    volume = noise((20, 60, 60), np.uint8)
    difference = whole(volume, (1.5, 1.5, 1.5)).mean() - oracle(volume, (1.5, 1.5, 1.5)).mean()
    assert abs(difference) < 0.01


def test_nan_spreads_as_far_as_the_weights_reach():
    volume = np.zeros((5, 5, 40), np.float32)
    volume[2, 2, 20] = np.nan
    got = np.isnan(whole(volume, (0, 0, 1)))
    expected = np.zeros_like(got)
    expected[2, 2, 16:25] = True
    np.testing.assert_array_equal(got, expected)


def test_block_and_out_may_be_parts_of_larger_arrays():
    volume = noise((8, 20, 30), np.uint16)
    padded = np.full((9, 25, 64), 7, np.uint16)
    out = padded[:8, 2:22, 3:33]
    weights = (gaussian_weights(1, 4),) * 3
    larger = np.zeros((8, 40, 50), np.uint16)
    larger[:, 5:25, 10:40] = volume
    core = (slice(0, 8), slice(0, 20), slice(0, 30))
    convolve_separable(larger[:, 5:25, 10:40], core, out, weights, "reflect", 0)
    np.testing.assert_array_equal(out, whole(volume, (1, 1, 1)))
    out[...] = 7
    assert (padded == 7).all()


def test_refuses_rows_that_are_not_contiguous():
    volume = np.zeros((4, 5, 6), np.uint16).transpose(2, 1, 0)
    with pytest.raises(ValueError, match="contiguous"):
        whole(volume, (1, 1, 1))


def test_the_workspace_does_not_grow_with_the_planes():
    radii = (6, 6, 6)
    one = convolve_separable_bytes((13, 256, 2048), np.dtype("uint16"), radii)
    assert one < 20 * 2048 * 4
    assert convolve_separable_bytes((26, 256, 2048), np.dtype("uint16"), radii) - one < 1024
