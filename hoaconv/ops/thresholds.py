"""Histogram-based thresholds: Otsu, Li, moment-preserving.

Each method takes the values that occur, at least two in ascending order, and their numbers of
voxels, both float64. It returns the index of the greatest value of the dark class; the bright class
isn't empty.
"""

from math import log, sqrt
from typing import Any

import numpy as np

__all__ = ["METHODS", "li", "li_level", "moments", "otsu"]

Flat = np.ndarray[tuple[int], np.dtype[Any]]


def otsu(values: Flat, counts: Flat) -> int:
    """Return the division of the greatest variance between classes; the darkest of equal ones.

    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9 (1979), 62-66, equation 18.
    """
    centred = values - np.average(values, weights=counts)
    centred /= np.abs(centred).max()  # squares of float32's greatest values are finite then
    sums = np.cumsum(counts * centred)
    dark, total = np.cumsum(counts)[:-1], counts.sum()
    bright = total - dark
    apart = (sums[-1] - sums[:-1]) / bright - sums[:-1] / dark
    return int(np.argmax(dark * bright * apart**2))


def li(values: Flat, counts: Flat) -> int:
    """Return the index of the greatest value up to `li_level`."""
    level = li_level(values, counts)
    return min(max(int(np.searchsorted(values, level, side="right")), 1), values.size - 1) - 1


def li_level(values: Flat, counts: Flat) -> float:
    """Return the threshold of minimum cross entropy that is found from the mean on.

    C. H. Li and P. K. S. Tam, "An iterative algorithm for minimum cross entropy thresholding",
    Pattern Recognition Letters 19 (1998), 771-776: t' = (b - f) / (ln b - ln f), where b and f are
    the means of the voxels up to t and above it, counted from the least value. It is repeated until
    t moves by no more than half the least difference of two values, as in
    ``skimage.filters.threshold_li``.
    """
    counted = values - values[0]
    numbers, sums = np.cumsum(counts), np.cumsum(counts * counted)
    tolerance = float(np.diff(values).min()) / 2
    level, before = float(sums[-1] / numbers[-1]), -2 * tolerance
    while abs(level - before) > tolerance:
        before = level
        index = min(int(np.searchsorted(counted, level, side="right")), values.size - 1) - 1
        dark = float(sums[index] / numbers[index])
        bright = float((sums[-1] - sums[index]) / (numbers[-1] - numbers[index]))
        level = (dark - bright) / (log(dark) - log(bright)) if dark > 0 else 0.0
    return level + float(values[0])


def moments(values: Flat, counts: Flat) -> int:
    """Return the division that preserves the first three moments of the grey values.

    W.-H. Tsai, "Moment-preserving thresholding: a new approach", Computer Vision, Graphics, and
    Image Processing 29 (1985), 377-393: the moments stay if all dark voxels take one value, and all
    bright voxels another. With the skewness g the share of dark voxels is (1 + g / sqrt(g**2 + 4))
    / 2; the value with the closest share is taken.
    """
    centred = values - np.average(values, weights=counts)
    centred /= np.abs(centred).max()
    deviation = sqrt(np.average(centred**2, weights=counts))
    skewness = float(np.average((centred / deviation) ** 3, weights=counts))
    share = (1 + skewness / sqrt(skewness**2 + 4)) / 2
    dark = np.cumsum(counts)[:-1]
    return int(np.argmin(np.abs(dark - share * counts.sum())))


METHODS = {"otsu": otsu, "li": li, "moments": moments}
"""Methods by the words of the op `threshold`."""
