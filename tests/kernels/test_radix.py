"""Labels in the order of their keys, against numpy's stable sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.kernels.radix import ascending, ascending_bytes


@given(
    st.sampled_from(["int16", "int32", "int64"]),
    st.integers(1, 300),
    st.integers(0, 63),
    st.integers(0, 99),
)
def test_labels_come_as_numpy_sorts_keys(dtype, size, bits, seed) -> None:
    """Of a few values, or of many; of negative ones too."""
    rng, limits = np.random.default_rng(seed), np.iinfo(dtype)
    span = rng.integers(limits.min, limits.max, size, dtype, endpoint=True)
    keys = span >> np.dtype(dtype).type(min(bits, limits.bits - 1))
    labels = rng.integers(0, 1 << 32, size, np.uint32)
    room = np.empty(size, np.uint64), np.empty(size, np.uint64)
    before = keys.copy()
    made = ascending(keys, labels, room)
    np.testing.assert_array_equal(made, labels[np.argsort(keys, kind="stable")])
    np.testing.assert_array_equal(keys, before)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_what_it_allocates_is_told(dtype) -> None:
    assert ascending_bytes(np.dtype(dtype), 1000) >= (4000 if dtype == "int64" else 0)
