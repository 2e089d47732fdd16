"""Ranges, precision, and the rounding of floats to voxels inside kernels."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from hoaconv.engine.spec import DTYPES, KNOWN, WIDE
from hoaconv.kernels.rounding import (
    as_voxel,
    compute_dtype,
    dtype_range,
    is_wide,
    no_extremes,
    store_row,
)

pytestmark = pytest.mark.one_python

INTEGERS = [dtype for dtype in DTYPES if dtype.kind != "f"]


@njit
def stored(row, lo, hi, out):
    store_row(row, lo, hi, out)


def test_range_is_that_of_the_dtype():
    assert dtype_range(np.dtype("uint32")) == (0, 2**32 - 1)
    assert dtype_range(np.dtype("float64")) == (-np.inf, np.inf)


def test_the_ends_of_an_integer_dtype_are_exact_in_its_compute_dtype():
    for dtype in INTEGERS:
        real = compute_dtype(dtype)
        assert all(real.type(end) == end for end in dtype_range(dtype))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_floats_are_rounded_half_to_even_and_saturated(dtype):
    real = compute_dtype(dtype).type
    lo, hi = dtype_range(dtype)
    row = np.array([0.5, 1.5, 2.5, np.nan, -np.inf, np.inf, hi + 300, lo - 300], real)
    out = np.empty(row.size, dtype)
    stored(row, real(lo), real(hi), out)
    assert out.tolist() == [0, 2, 2, 0, lo, hi, hi, lo]


def test_floats_are_stored_unchanged_in_floats():
    row, out = np.array([np.nan, np.inf, 1e-3, -0.0]), np.empty(4)
    stored(row, -np.inf, np.inf, out)
    assert out.tobytes() == row.tobytes()


def test_rounding_works_in_compiled_kernels_only():
    with pytest.raises(NotImplementedError, match="compiled"):
        store_row(np.zeros(1), 0, 1, np.zeros(1))


def test_wide_are_the_integers_of_64_bits():
    assert [dtype for dtype in KNOWN if is_wide(dtype)] == list(WIDE)


@pytest.mark.parametrize("dtype", [*INTEGERS, *WIDE], ids=str)
@given(st.floats(allow_nan=False) | st.integers(-(2**66), 2**66))
def test_a_number_becomes_the_nearest_voxel_half_to_even(dtype, value):
    info = np.iinfo(dtype)
    clipped = min(max(value, info.min), info.max)
    assert int(as_voxel(value, dtype)) == round(Fraction(clipped))
    assert as_voxel(value, dtype).dtype == dtype


@pytest.mark.parametrize("dtype", KNOWN, ids=str)
def test_every_voxel_lies_between_no_extremes(dtype):
    above, below = no_extremes(dtype).tolist()
    info = np.iinfo(dtype) if dtype.kind != "f" else np.finfo(dtype)
    assert below <= info.min < info.max <= above
