"""Sums in pairs against Python's exact fractions."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hoaconv.kernels.twofold import add_pairs, pair_deviations

pytestmark = pytest.mark.one_python

volumes = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 3), st.integers(1, 4)),
    elements=st.floats(-1e100, 1e100).filter(lambda v: v == 0 or abs(v) > 1e-100),
)


@settings(max_examples=150, deadline=None)
@given(volumes, st.sampled_from([2, 4]))
def test_a_sum_errs_by_106_bits_of_the_magnitudes(volume, columns) -> None:
    sums, odd = added(volume, columns)
    for cell, column in enumerate(volume.reshape(len(volume), -1).T.tolist()):
        exact = [Fraction(voxel) for voxel in column]
        held = Fraction(sums[cell, 0]) + Fraction(sums[cell, 1])
        assert abs(held - sum(exact)) <= len(exact) * sum(map(abs, exact)) / 2**103
    assert not odd.any()


def added(volume, columns):
    count = volume[0].size
    sums, odd = np.zeros((count, columns)), np.zeros(count)
    for plane in volume:
        add_pairs(plane, sums, odd)
    return sums, odd


@pytest.mark.parametrize("mean", [0, 1, 1e6])
def test_a_large_mean_costs_no_digits(mean) -> None:
    volume = np.random.default_rng(0).normal(mean, 1, (50, 3, 4))
    sums, _ = added(volume, 4)
    made = np.empty(12)
    pair_deviations(sums, 50.0, made)
    for cell, column in enumerate(volume.reshape(50, -1).T.tolist()):
        exact = [Fraction(voxel) for voxel in column]
        middle = sum(exact) / 50
        want = sqrt(sum((v - middle) ** 2 for v in exact) / 50)
        assert abs(made[cell] - want) <= 4 * np.spacing(want)


def test_equal_voxels_have_no_deviation_and_huge_ones_an_infinite_one() -> None:
    for value, want in ((0.1, 0.0), (1e200, np.inf)):
        sums, _ = added(np.full((7, 1, 2), value), 4)
        made = np.empty(2)
        pair_deviations(sums, 7.0, made)
        assert made.tolist() == [want, want]
