"""Weights of the gaussian and of its derivative against scipy.ndimage."""

import numpy as np
import pytest
from scipy import ndimage

from hoaconv.kernels.gaussian import derivative_weights, gaussian_radius, gaussian_weights

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize(("sigma", "truncate", "radius"), [(1.5, 4, 6), (0.1, 4, 0), (1, 0.5, 1)])
def test_weights_reach_as_far_as_scipys_and_sum_to_one(sigma, truncate, radius):
    weights = gaussian_weights(sigma, truncate)
    assert gaussian_radius(sigma, truncate) == weights.size - 1 == radius
    assert 2 * weights.sum() - weights[0] == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("sigma", [0.4, 1, 2.5])
def test_weights_are_the_response_of_scipys_filters_to_one_voxel(sigma):
    weights = gaussian_weights(sigma, 4)
    radius = weights.size - 1
    voxel = np.zeros(2 * radius + 1)
    voxel[radius] = 1
    for order, half in ((0, weights), (1, -derivative_weights(sigma, weights))):
        response = ndimage.gaussian_filter1d(voxel, sigma, order=order)
        np.testing.assert_allclose(response[radius:], half, rtol=1e-12, atol=1e-15)


def test_a_single_weight_has_the_derivative_0():
    assert derivative_weights(0.1, gaussian_weights(0.1, 4)).tolist() == [0]
