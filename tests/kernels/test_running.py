"""Running means and spreads against numpy's two sweeps."""

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels.running import run_on

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_means_and_spreads_of_columns(dtype):
    volume = np.random.default_rng(0).integers(0, 127, (8, 5, 9)).astype(dtype)
    means, spreads = np.zeros((6, 12)), np.zeros((6, 12))
    for z, plane in enumerate(volume):
        run_on(plane[:, 1:], z + 1, means[1:, 2:10], spreads[1:, 2:10])
    wide = volume[..., 1:].astype(np.float64)
    np.testing.assert_allclose(means[1:, 2:10], wide.mean(0), rtol=1e-13)
    np.testing.assert_allclose(spreads[1:, 2:10], wide.var(0) * 8, rtol=1e-12)
    for room in (means, spreads):
        room[1:, 2:10] = 0
        assert not room.any()
