"""Flat views reach each row of an array and copy nothing."""

import numpy as np
import pytest

from hoaconv.kernels.rows import flat_rows, row_view

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize(
    "cut",
    [
        np.s_[:, :, :],
        np.s_[1:3, 2:5, 1:7],
        np.s_[::2, ::3, :4],
        np.s_[2:3, 1:2, 3:4],
        np.s_[1, 2:4, :5],
        np.s_[:, 3:4, 2:],
    ],
)
def test_each_row_is_where_the_steps_say(cut):
    whole = np.arange(4 * 6 * 8).reshape(4, 6, 8)
    part = whole[cut]
    flat, z_step, y_step = flat_rows(part)
    assert np.shares_memory(flat, whole)
    slab = part if part.ndim == 3 else part[np.newaxis]
    for z, y in np.ndindex(slab.shape[:2]):
        begin = z * z_step + y * y_step
        np.testing.assert_array_equal(flat[begin : begin + slab.shape[2]], slab[z, y])
        np.testing.assert_array_equal(row_view(flat_rows(part), z, y, slab.shape[2]), slab[z, y])


@pytest.mark.parametrize("cut", [np.s_[:, :, ::2], np.s_[:, :, ::-1], np.s_[:, ::-1], np.s_[::-1]])
def test_rows_that_are_not_contiguous_are_refused(cut):
    with pytest.raises(ValueError, match="contiguous and in order"):
        flat_rows(np.zeros((4, 6, 8), np.uint16)[cut])
