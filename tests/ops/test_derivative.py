"""Against scipy.ndimage in float64 on the whole volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from whole import MODES, SHAPES, noise, result

from hoaconv.engine.spec import DTYPES
from hoaconv.errors import SpellingError
from hoaconv.ops.derivative import GradientMagnitude, Laplace, Sobel

pytestmark = pytest.mark.one_python


def close(got, want, volume):
    """To 1e-5 of the largest voxel, which is what sums of voxels can err by in float32."""
    scale = float(np.abs(volume.astype(np.float64)).max()) + 1
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * scale)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), MODES, st.integers(-9, 9), st.integers(0, 99))
def test_laplace_and_sobel_are_scipy_s(shape, dtype, mode, cval, seed):
    volume = noise(shape, dtype, seed)
    real, ends = volume.astype(np.float64), {"mode": mode, "cval": cval}
    close(result(Laplace(mode, cval), volume), ndimage.laplace(real, **ends), volume)
    parts = [ndimage.sobel(real, axis, mode=mode) for axis in range(3)]
    for axis, part in zip("zyx", parts, strict=True):
        close(result(Sobel(axis, mode), volume) / 32, part / 32, volume)
    close(
        result(Sobel(mode=mode), volume) / 32,
        np.sqrt(sum(p**2 for p in parts)) / 32,
        volume,
    )


@settings(max_examples=25, deadline=None)
@given(
    SHAPES,
    st.sampled_from(DTYPES),
    MODES,
    st.tuples(*[st.sampled_from([0.4, 1, 1.7])] * 3),
    st.integers(0, 99),
)
def test_the_gradient_s_length_is_scipy_s(shape, dtype, mode, sigma, seed):
    volume = noise(shape, dtype, seed)
    want = ndimage.gaussian_gradient_magnitude(
        volume.astype(np.float64), sigma, mode=mode, cval=3, output=np.float64
    )
    close(result(GradientMagnitude(sigma, mode, 3), volume), want, volume)


def test_what_has_no_derivative_is_refused():
    with pytest.raises(SpellingError, match=r"gradient-magnitude: sigma should be above 0\.125"):
        GradientMagnitude((1, 0, 1))


def test_nan_and_infinity_reach_their_neighbours_and_no_further():
    volume = np.zeros((5, 5, 5), np.float32)
    volume[2, 2, 2] = np.nan
    touched = np.isnan(result(Laplace(), volume))
    assert touched.sum() == 7
    assert np.isnan(result(Sobel(), volume)).sum() >= 18
