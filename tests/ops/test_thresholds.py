"""Each method against its definition, worked out on the voxels themselves by brute force."""

from fractions import Fraction
from math import isclose, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.ops.thresholds import METHODS, li, li_level, moments, otsu

pytestmark = pytest.mark.one_python

histograms = st.dictionaries(
    st.integers(-300, 300), st.integers(1, 1000), min_size=2, max_size=12
).map(lambda counts: dict(sorted(counts.items())))


def apply(method, counts):
    index = method(np.array(list(counts), float), np.array(list(counts.values()), float))
    assert 0 <= index < len(counts) - 1
    return index


def divisions(counts):
    """The dark and the bright voxels for each greatest dark value, as (value, count) pairs."""
    pairs = list(counts.items())
    return [(pairs[: i + 1], pairs[i + 1 :]) for i in range(len(pairs) - 1)]


def mean(pairs):
    return Fraction(sum(v * n for v, n in pairs), sum(n for _, n in pairs))


@given(histograms)
def test_otsu_has_the_most_variance_between_the_classes(counts):
    def between(dark, bright):
        n, m = (sum(n for _, n in pairs) for pairs in (dark, bright))
        return n * m * (mean(dark) - mean(bright)) ** 2

    apart = [between(*division) for division in divisions(counts)]
    assert isclose(apart[apply(otsu, counts)], max(apart), rel_tol=1e-12)


def test_of_equal_divisions_otsu_takes_the_darkest():
    assert apply(otsu, {0: 1, 1: 1, 2: 1}) == 0


@given(histograms)
def test_li_is_where_its_iteration_on_voxels_ends(counts):
    voxels = np.repeat(list(counts), list(counts.values())).astype(float)
    voxels -= voxels.min()
    tolerance = np.diff(np.unique(voxels)).min() / 2  # where scikit-image stops
    bound, before = voxels.mean(), -2 * tolerance
    while abs(bound - before) > tolerance:
        before = bound
        dark, bright = voxels[voxels <= bound].mean(), voxels[voxels > bound].mean()
        bound = (dark - bright) / (log(dark) - log(bright)) if dark > 0 else 0
    found = list(counts)[apply(li, counts)] - min(counts)
    np.testing.assert_array_equal(voxels > found, voxels > bound)


@given(histograms)
def test_li_has_less_cross_entropy_than_the_mean(counts):
    least, total = min(counts), mean(list(counts.items()))

    def entropy(dark, bright):
        sums = [(sum((v - least) * n for v, n in c), mean(c) - least) for c in (dark, bright)]
        return -sum(float(s) * log(m) for s, m in sums if m > 0)

    first = sum(value <= total for value in counts) - 1
    options = divisions(counts)
    assert entropy(*options[apply(li, counts)]) <= entropy(*options[first]) + 1e-6


@given(histograms)
def test_moments_solves_tsais_equations(counts):
    pairs, number = list(counts.items()), sum(counts.values())
    m1, m2, m3 = (Fraction(sum(v**k * n for v, n in pairs), number) for k in (1, 2, 3))
    c0 = (m1 * m3 - m2**2) / (m2 - m1**2)
    c1 = (m1 * m2 - m3) / (m2 - m1**2)
    root = sqrt(c1**2 - 4 * c0)
    low, high = (-c1 - root) / 2, (-c1 + root) / 2
    share = (high - m1) / (high - low)
    off = [abs(sum(n for _, n in dark) / number - share) for dark, _ in divisions(counts)]
    assert off[apply(moments, counts)] <= min(off) + 1e-9


@pytest.mark.parametrize("method", METHODS.values())
@pytest.mark.parametrize("counts", [{3: 1, 4: 1}, {-9: 1000, 70: 1}, {0: 1, 65535: 10**14}])
def test_two_values_are_divided_between_them(method, counts):
    assert apply(method, counts) == 0


@pytest.mark.parametrize("method", METHODS.values())
def test_two_humps_are_divided_between_them_at_any_scale(method):
    rng = np.random.default_rng(0)
    voxels = np.append(rng.normal(100, 10, 4000), rng.normal(200, 10, 3000)).round()
    values, counts = np.unique(voxels, return_counts=True)
    for scale in (1, 1e-30, 1e36):
        index = method(values * scale, counts.astype(float))
        assert 120 < values[index] < 180


def test_li_is_the_floor_of_scikit_images() -> None:
    """By skimage's own rule, written out: means of both classes until the level moves no more."""
    rng = np.random.default_rng(5)
    for _ in range(30):
        image = rng.choice([rng.normal(3000, 900), 9000], (40, 40)) + rng.normal(0, 700, (40, 40))
        image = image.clip(0, 65535).astype(np.uint16)
        values, counts = np.unique(image, return_counts=True)
        shifted = image.astype(float) - image.min()
        tolerance = np.diff(values).min() / 2
        level, before = shifted.mean(), -2 * tolerance
        while abs(level - before) > tolerance:
            before = level
            dark, bright = shifted[shifted <= level].mean(), shifted[shifted > level].mean()
            level = (dark - bright) / (np.log(dark) - np.log(bright))
        wanted = level + image.min()
        assert li_level(values.astype(float), counts.astype(float)) == pytest.approx(
            wanted, abs=1e-6
        )
