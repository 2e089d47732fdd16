"""The radix sort against numpy's stable sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.kernels.radix import sort_by_key, sort_by_key_bytes


@given(
    st.sampled_from(["int16", "int32", "int64"]),
    st.integers(1, 300),
    st.integers(0, 63),
    st.integers(0, 99),
)
def test_values_are_in_the_stable_order_of_their_keys(dtype, size, bits, seed) -> None:
    """Keys have few values or many, also negative ones."""
    rng, limits = np.random.default_rng(seed), np.iinfo(dtype)
    span = rng.integers(limits.min, limits.max, size, dtype, endpoint=True)
    keys = span >> np.dtype(dtype).type(min(bits, limits.bits - 1))
    values = rng.integers(0, 1 << 32, size, np.uint32)
    workspace = np.empty(size, np.uint64), np.empty(size, np.uint64)
    before = keys.copy()
    made = sort_by_key(keys, values, workspace)
    np.testing.assert_array_equal(made, values[np.argsort(keys, kind="stable")])
    np.testing.assert_array_equal(keys, before)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_allocated_bytes_include_the_indices_of_64_bit_keys(dtype) -> None:
    assert sort_by_key_bytes(np.dtype(dtype), 1000) >= (4000 if dtype == "int64" else 0)
