"""Lookup tables against numpy indexing."""

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels.lookup import apply_table, pattern_values, tabulate, tabulate_bytes

pytestmark = pytest.mark.one_python

SMALL = [dtype for dtype in DTYPES if dtype.itemsize <= 2]


@pytest.mark.parametrize("dtype", SMALL, ids=str)
def test_a_voxel_is_replaced_by_the_entry_of_its_value(dtype):
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    volume = rng.integers(info.min, info.max, (3, 6, 50), dtype, endpoint=True)
    volume[0, 0, :2] = info.min, info.max
    values = pattern_values(dtype)
    table = (values.astype(np.float32) * 2).astype(np.float32)
    for block in (volume, volume[:2, 1:5], volume[1:2, ::1, 3:40]):
        padded = np.zeros((*block.shape[:2], block.shape[2] + 3), np.float32)
        apply_table(block, padded[..., : block.shape[2]], table)
        np.testing.assert_array_equal(padded[..., :-3], block.astype(np.float32) * 2)
        assert not padded[..., -3:].any()


@pytest.mark.parametrize("dtype", SMALL, ids=str)
def test_pattern_values_are_all_values_once(dtype):
    values = pattern_values(dtype)
    assert values.dtype == dtype
    assert sorted(values.tolist()) == list(range(np.iinfo(dtype).min, np.iinfo(dtype).max + 1))
    np.testing.assert_array_equal(values.view(f"u{dtype.itemsize}"), np.arange(values.size))


def test_a_table_is_rounded_and_saturated_and_without_nan():
    def change(real):
        real *= 0.5
        real[10] = np.nan
        real[11] = np.inf

    table = tabulate(change, np.dtype("uint8"), np.dtype("int8"))
    assert table[[1, 2, 3, 5, 10, 11, 255]].tolist() == [0, 1, 2, 2, 0, 127, 127]
    assert table.nbytes < tabulate_bytes(np.dtype("uint8"), np.dtype("int8"))
