"""Sums of cells against Python's exact fractions."""

from fractions import Fraction
from math import inf, ldexp, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hoaconv.engine.spec import DTYPES, KNOWN
from hoaconv.kernels.exact import (
    add_exactly,
    add_whole,
    carry,
    deviations,
    limb_counts,
    round_sums,
)

pytestmark = pytest.mark.one_python


def blocks(dtypes):
    shapes = st.tuples(st.integers(1, 6), st.integers(1, 6))
    elements = {"allow_nan": False, "allow_infinity": False}
    return st.sampled_from(dtypes).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            shapes,
            elements=arrays.from_dtype(dtype, **(elements if dtype.kind == "f" else {})),
        )
    )


def cells_of(block, axis):
    """Cells in which the voxels along an axis are summed, by parts of the rows, last part first."""
    across = (0, 1) if axis == 0 else (1, 0)
    count = block.shape[1 - axis]
    sums, squares = (np.zeros((count, limbs), np.int64) for limbs in limb_counts(block.dtype))
    odd = np.zeros(count)
    for y in reversed(range(len(block))):
        cells = slice(None) if axis == 0 else slice(y, y + 1)
        add_exactly(block[y : y + 1], across, sums[cells], squares[cells], odd[cells])
    return sums, squares, odd


def rounded(exact):
    try:
        return float(exact)
    except OverflowError:
        return inf if exact > 0 else -inf


def deviation_of(voxels):
    """The root of an exact variance, also where that is beyond a float's range."""
    mean = sum(voxels) / len(voxels)
    variance = sum((v - mean) ** 2 for v in voxels) / len(voxels)
    half = (variance.numerator.bit_length() - variance.denominator.bit_length()) // 2
    return ldexp(sqrt(variance / Fraction(4) ** half), half)


@settings(max_examples=200, deadline=None)
@given(blocks(KNOWN), st.integers(0, 1))
def test_sums_are_rounded_once_and_deviations_are_those_of_exact_sums(block, axis) -> None:
    sums, squares, odd = cells_of(block, axis)
    made, spread = np.empty(len(sums)), np.empty(len(sums))
    deviations(sums.copy(), squares, block.dtype, block.shape[axis], spread)
    round_sums(sums, block.dtype, made)
    for cell, voxels in enumerate(np.moveaxis(block, axis, 1).tolist()):
        exact = [Fraction(voxel) for voxel in voxels]
        assert made[cell] == rounded(sum(exact))
        want = deviation_of(exact)
        assert abs(spread[cell] - want) <= 2 * np.spacing(want)
    assert not odd.any()


@given(blocks(KNOWN), st.randoms())
def test_no_order_shows(block, random) -> None:
    rows = list(range(len(block)))
    random.shuffle(rows)
    one, other = (carried(cells_of(b, 0)) for b in (block, block[rows]))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def carried(cells):
    for array in cells[:2]:
        carry(array)
    return cells


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_no_number_is_summed_apart(axis) -> None:
    block = np.array([[1, np.inf], [np.nan, -np.inf]], np.float32)
    sums, _, odd = cells_of(block, axis)
    made = np.empty(2)
    round_sums(sums, block.dtype, made)
    assert made.tolist() == [1, 0]
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(odd, np.where(np.isfinite(block), 0, block).sum(axis))


def test_a_sum_beyond_a_float_is_infinite() -> None:
    block = np.full((3, 2), np.finfo(np.float64).max)
    block[:, 1] *= -1
    sums, _, _ = cells_of(block, 0)
    made = np.empty(2)
    round_sums(sums, block.dtype, made)
    assert made.tolist() == [inf, -inf]


@given(blocks([d for d in DTYPES if d.kind in "iu"]), st.integers(0, 1))
def test_whole_sums_are_numpys(block, axis) -> None:
    count, across = block.shape[1 - axis], (0, 1) if axis == 0 else (1, 0)
    sums, squares = np.ones(count, np.int64), np.ones(count if block.itemsize < 4 else 0, np.int64)
    add_whole(block, across, sums, squares)
    wide = block.astype(np.int64)
    assert np.array_equal(sums, 1 + wide.sum(axis))
    if squares.size:
        assert np.array_equal(squares, 1 + (wide**2).sum(axis))
