"""Casts and sums of 64-bit integers against Python's integers (of floats in tests/ops)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from whole import allocated

from hoaconv.engine.spec import KNOWN, WIDE
from hoaconv.kernels.wide import add_whole, convert, convert_bytes

pytestmark = pytest.mark.one_python

INTEGERS = [dtype for dtype in KNOWN if dtype.kind != "f"]
SHAPES = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 9))


def saturated(number, dtype):
    info = np.iinfo(dtype)
    return min(max(number, info.min), info.max)


@given(
    st.sampled_from(WIDE).flatmap(lambda d: arrays.arrays(d, SHAPES)), st.integers(-(2**66), 2**66)
)
def test_a_whole_number_is_added_and_saturated(block, number):
    out = np.empty_like(block)
    add_whole(block, out, number)
    expected = [saturated(int(n) + number, block.dtype) for n in block.ravel()]
    assert out.ravel().tolist() == expected


@given(
    st.sampled_from(INTEGERS).flatmap(lambda d: arrays.arrays(d, SHAPES)), st.sampled_from(INTEGERS)
)
@settings(max_examples=200)
def test_integers_become_others_saturated(block, dtype):
    out = np.empty(block.shape, dtype)
    convert(block, out)
    assert out.ravel().tolist() == [saturated(int(n), dtype) for n in block.ravel()]


@pytest.mark.parametrize("taken", KNOWN, ids=str)
@pytest.mark.parametrize("given", WIDE, ids=str)
def test_no_more_is_allocated_than_declared(taken, given):
    block, out = np.zeros((2, 3, 5000), taken), np.empty((2, 3, 5000), given)
    assert allocated(lambda: convert(block, out)) <= convert_bytes(5000) + 4096
    assert allocated(lambda: convert(out, block)) <= convert_bytes(5000) + 4096
