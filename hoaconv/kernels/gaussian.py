"""Weights of the gaussian and of its first derivative, as in scipy.ndimage."""

from math import exp

import numpy as np

from hoaconv.kernels.types import Vector

__all__ = ["derivative_weights", "gaussian_radius", "gaussian_weights"]


def gaussian_radius(sigma: float, truncate: float) -> int:
    """Return the radius in voxels of a gaussian that is truncated at `truncate` times `sigma`.

    It is that of scipy.ndimage.gaussian_filter.
    """
    return int(min(truncate * sigma + 0.5, 1e18))  # plans refuse far smaller radii


def gaussian_weights(sigma: float, truncate: float) -> Vector:
    """Return the weights of a gaussian at the distances 0, 1, ..., radius.

    Returns
    -------
    float64 array (radius + 1,)
        The weights of both sides sum to 1.
    """
    radius = gaussian_radius(sigma, truncate)
    if radius == 0:
        return np.ones(1)
    half = np.array([exp(-0.5 * (k / sigma) ** 2) for k in range(radius + 1)])
    return np.asarray(half / (2 * half.sum() - half[0]))


def derivative_weights(sigma: float, weights: Vector) -> Vector:
    """Return the weights of the first derivative of a gaussian at the distances 0, 1, ..., radius.

    They are those of scipy.ndimage.gaussian_filter1d with ``order=1``: a voxel of higher index than
    the centre has a positive weight, one of lower index a negative weight.

    Parameters
    ----------
    sigma : float
        Standard deviation of the gaussian in voxels.
    weights : float64 array (radius + 1,)
        `gaussian_weights` of the same `sigma`.
    """
    if weights.size == 1:
        return np.zeros(1)
    return np.asarray(np.arange(weights.size) / sigma**2 * weights)
