"""Index maps against numpy.pad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.kernels.boundary import (
    MODES,
    OUTSIDE,
    boundary_indices,
    context_positions,
    context_range,
    index_maps,
    pad_ends,
)
from hoaconv.kernels.rearrange import NUMPY_MODES

pytestmark = pytest.mark.one_python


def padded(n, radius, mode):
    values = {"constant_values": OUTSIDE} if mode == "constant" else {}
    return np.pad(np.arange(n), radius, NUMPY_MODES[mode], **values)


@given(st.integers(1, 9), st.integers(0, 30), st.sampled_from(MODES))
def test_indices_beyond_the_ends_are_those_of_numpy(n, radius, mode):
    positions = context_positions(slice(0, n), n, radius)
    np.testing.assert_array_equal(boundary_indices(positions, n, mode), padded(n, radius, mode))


@given(st.integers(1, 9), st.integers(0, 4), st.data())
def test_the_context_range_is_the_part_of_the_positions_in_the_block(n, radius, data):
    start = data.draw(st.integers(0, n - 1))
    part = slice(start, data.draw(st.integers(start + 1, n)))
    positions = context_positions(part, n, radius)
    inside = positions[(positions >= 0) & (positions < n)]
    assert list(range(*context_range(part, n, radius))) == inside.tolist()


@pytest.mark.parametrize("mode", MODES)
def test_a_padded_row_is_that_of_numpy(mode):
    row, radius = np.array([3.0, 1, 4, 1, 5]), 7
    *_, x_map = index_maps((1, 1, 5), (slice(None),) * 3, (0, 0, radius), mode)
    line = np.zeros(row.size + 2 * radius)
    line[radius:-radius] = row
    pad_ends(line, x_map, radius, row.size, -2.5)
    expected = np.append(row, -2.5)[padded(row.size, radius, mode)]
    np.testing.assert_array_equal(line, expected)
