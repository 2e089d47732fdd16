"""Boxes in any order of axes are copied as NumPy copies them."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.io.reordering import copy_reordered


@given(
    shape=st.tuples(*[st.integers(1, 140)] * 3).filter(lambda s: np.prod(s) < 200_000),
    order=st.sampled_from(list(permutations(range(3)))),
    dtype=st.sampled_from(["u1", "u2", "f4", "i8"]),
    inner=st.booleans(),
)
def test_a_copy_is_numpys(shape, order, dtype, inner):
    stored = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    part = stored.transpose(order)
    whole = np.zeros([n + 3 for n in part.shape], dtype)
    out = whole[1:-2, 2:-1, 1:-2] if inner else np.zeros(part.shape, dtype)
    copy_reordered(part, out)
    np.testing.assert_array_equal(out, part)
    if inner:
        assert np.count_nonzero(whole) == np.count_nonzero(part)


@pytest.mark.parametrize("step", [-1, 2])
def test_views_with_steps_are_copied_too(step):
    part = np.arange(5 * 70 * 66).reshape(5, 70, 66).transpose(2, 0, 1)[::step, :, ::step]
    out = np.empty(part.shape, part.dtype)
    copy_reordered(part, out)
    np.testing.assert_array_equal(out, part)
