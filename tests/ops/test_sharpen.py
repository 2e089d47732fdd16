"""Against scipy.ndimage and scikit-image in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.filters import difference_of_gaussians, unsharp_mask
from whole import MODES, SHAPES, noise, result, rounded

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import SpellingError
from hoaconv.ops.sharpen import DifferenceOfGaussians, Unsharp

pytestmark = pytest.mark.one_python

SIGMAS = st.tuples(*[st.sampled_from([0.0, 0.4, 1, 1.7])] * 3)
SEEDS = st.integers(0, 99)


def blurred(volume, sigma, **ends):
    return ndimage.gaussian_filter(volume.astype(np.float64), sigma, **ends)


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), SIGMAS, MODES, st.integers(-9, 9), SEEDS)
def test_dog_is_the_difference_of_two_gaussians(shape, dtype, low, mode, cval, seed):
    volume, high = noise(shape, dtype, seed), tuple(sigma + 0.5 for sigma in low)
    got = result(DifferenceOfGaussians(low, high, mode, cval), volume)
    assert got.dtype == (np.float64 if dtype == np.float64 else np.float32)
    ends = {"mode": mode, "cval": cval}
    want = blurred(volume, low, **ends) - blurred(volume, high, **ends)
    # Single precision errs by what smoothing sums up, not by what is left of it.
    scale = np.abs(volume.astype(np.float64)).max() + abs(cval)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=3e-6 * scale)


def test_the_wide_gaussian_is_scikit_image_s_by_default():
    volume = noise((6, 20, 21), "float64", 0)
    got = result(DifferenceOfGaussians((0.5, 1, 2), mode="nearest"), volume)
    np.testing.assert_allclose(got, difference_of_gaussians(volume, (0.5, 1, 2)), atol=1e-9)
    assert DifferenceOfGaussians(1).halo == DifferenceOfGaussians(1, 1.6).halo == (6, 6, 6)
    assert DifferenceOfGaussians(1) == DifferenceOfGaussians("1", "auto")


def test_differences_of_wide_integers_are_taken_before_rounding():
    volume = (noise((4, 9, 8), "uint8", 0) + np.uint32(4e9)).astype(np.uint32)
    want = blurred(volume, 0.5) - blurred(volume, 0.8)
    got = result(DifferenceOfGaussians(0.5), volume)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), SIGMAS, st.floats(-2, 5), MODES, SEEDS)
def test_unsharp_adds_what_a_gaussian_takes_away(shape, dtype, sigma, amount, mode, seed):
    volume = noise(shape, dtype, seed)
    got = result(Unsharp(sigma, amount, mode, 5), volume)
    real = volume.astype(np.float64)
    want = rounded(real + amount * (real - blurred(volume, sigma, mode=mode, cval=5)), dtype)
    if dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * (np.abs(real).max() + 5))
    else:
        # Single precision may land on the other side of a tie.
        assert np.abs(got - want).max() <= 1


def test_unsharp_is_scikit_image_s():
    volume = noise((6, 20, 21), "float64", 0)
    want = unsharp_mask(volume, 1.5, 2, preserve_range=True)
    np.testing.assert_allclose(result(Unsharp(1.5, 2), volume), want, atol=1e-9)


@pytest.mark.parametrize("op", [DifferenceOfGaussians((0.3, 0, 0.3)), Unsharp((0.3, 0, 0.3))])
def test_nan_and_infinity_spread_as_far_as_the_weights(op):
    volume = np.ones((7, 7, 7), np.float32)
    volume[3, 3, 3] = np.nan
    rz, ry, rx = op.halo
    touched = np.isnan(result(op, volume))
    assert touched.sum() == touched[3 - rz : 4 + rz, 3 - ry : 4 + ry, 3 - rx : 4 + rx].size
    volume[3, 3, 3] = np.inf
    assert not np.isfinite(result(op, volume)[3, 3, 3])


def test_scratch_is_rows_and_two_planes_of_a_block():
    spec = Spec((30, 256, 2048), np.dtype("uint16"))
    for op in (DifferenceOfGaussians(1), Unsharp(1)):
        assert op.work(spec) < spec.nbytes // 5
        assert op.infer(spec).shape == spec.shape


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DifferenceOfGaussians(2, 1), "high_sigma should be above low_sigma, .* 1 and 2"),
        (lambda: DifferenceOfGaussians(0), "above low_sigma, but they are 0 and 0"),
        (lambda: DifferenceOfGaussians((1, 2, 3), (2, 1, 4)), "are 2,1,4 and 1,2,3"),
        (lambda: DifferenceOfGaussians(-1, 1), "low_sigma should be 0 or more, not -1"),
        (lambda: DifferenceOfGaussians(1, "wide"), "should be auto, or a number, not 'wide'"),
        (lambda: DifferenceOfGaussians(1, truncate=0), "dog: truncate should be above 0, not 0"),
        (lambda: Unsharp(float("inf")), "unsharp: sigma should be 0 or more and finite, not inf"),
        (lambda: Unsharp(1, float("inf")), "amount should be a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(SpellingError, match=message):
        make()
