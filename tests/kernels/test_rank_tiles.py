"""Sizes of the tiles of the histogram rank filter."""

import numpy as np
import pytest

from hoaconv.kernels.rank_tiles import POSITION_BITS, Layout, position_bits

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize(
    "size", [(1 << 24, 1, 1), (1, 1 << 24, 1), (1, 1, 1 << 24), (256, 256, 256)]
)
def test_positions_fit_into_their_bits_for_every_window(size):
    layout = Layout.of((4, 128, 4096), size, np.dtype("int16"))
    assert sum(position_bits(layout.context)) <= POSITION_BITS


@pytest.mark.parametrize("dtype", ["int8", "int16", "int64"])
def test_tiles_cover_each_voxel_once_and_bytes_are_those_of_the_arrays(dtype):
    layout = Layout.of((2, 300, 5000), (3, 9, 9), np.dtype(dtype))
    covered = np.zeros((300, 5000), np.uint8)
    for tile in layout.tiles((2, 300, 5000)):
        covered[tile] += 1
    assert (covered == 1).all()
    *arrays, sort = layout.workspace()
    held = sum(array.nbytes for array in (*arrays, *sort))
    assert held <= layout.nbytes
