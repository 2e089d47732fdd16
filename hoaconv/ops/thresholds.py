"""Where a histogram divides into dark and bright, by what others have published.

Each takes the values that occur, ascending, and how many voxels have each, as float64, of at least
two values. It returns the index of the greatest value that is still dark; some value is bright.
"""

from math import log, sqrt
from typing import Any

import numpy as np

__all__ = ["METHODS", "li", "moments", "otsu"]

Flat = np.ndarray[tuple[int], np.dtype[Any]]


def otsu(values: Flat, counts: Flat) -> int:
    """The division with the most variance between its classes; of equal ones the darkest.

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
    """The division with the least cross entropy that is found from the mean on.

    C. H. Li and P. K. S. Tam, "An iterative algorithm for minimum cross entropy thresholding",
    Pattern Recognition Letters 19 (1998), 771-776: t' = (b - f) / (ln b - ln f), where b and f are
    the means of the voxels up to t and above it, counted from the least value. Repeated until the
    division stays.
    """
    counted = values - values[0]
    numbers, sums = np.cumsum(counts), np.cumsum(counts * counted)
    bound, index = sums[-1] / numbers[-1], -1
    for _ in values:  # each division is at least as good as the one before, so it ends earlier
        before = index
        index = min(int(np.searchsorted(counted, bound, side="right")), values.size - 1) - 1
        if index == before:
            break
        dark = sums[index] / numbers[index]
        bright = (sums[-1] - sums[index]) / (numbers[-1] - numbers[index])
        bound = (dark - bright) / (log(dark) - log(bright)) if dark > 0 else 0.0
    return index


def moments(values: Flat, counts: Flat) -> int:
    """The division that keeps the first three moments if all dark, and all bright, became equal.

    W.-H. Tsai, "Moment-preserving thresholding: a new approach", Computer Vision, Graphics, and
    Image Processing 29 (1985), 377-393. With the skewness g the share of dark voxels comes to
    (1 + g / sqrt(g**2 + 4)) / 2; the value whose share is closest is taken.
    """
    centred = values - np.average(values, weights=counts)
    centred /= np.abs(centred).max()
    deviation = sqrt(np.average(centred**2, weights=counts))
    skewness = float(np.average((centred / deviation) ** 3, weights=counts))
    share = (1 + skewness / sqrt(skewness**2 + 4)) / 2
    dark = np.cumsum(counts)[:-1]
    return int(np.argmin(np.abs(dark - share * counts.sum())))


METHODS = {"otsu": otsu, "li": li, "moments": moments}
"""By the words of the op `threshold`."""
