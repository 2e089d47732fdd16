"""Welford updates against numpy's means and variances."""

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels.welford import welford_update

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_means_and_m2_of_pixels(dtype):
    volume = np.random.default_rng(0).integers(0, 127, (8, 5, 9)).astype(dtype)
    means, m2 = np.zeros((6, 12)), np.zeros((6, 12))
    for z, plane in enumerate(volume):
        welford_update(plane[:, 1:], z + 1, means[1:, 2:10], m2[1:, 2:10])
    wide = volume[..., 1:].astype(np.float64)
    np.testing.assert_allclose(means[1:, 2:10], wide.mean(0), rtol=1e-13)
    np.testing.assert_allclose(m2[1:, 2:10], wide.var(0) * 8, rtol=1e-12)
    for array in (means, m2):
        array[1:, 2:10] = 0
        assert not array.any()
