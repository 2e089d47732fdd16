"""Memory comes back when the last view of it dies, not before."""

import numpy as np

from hoaconv.engine.buffers import Buffers


def test_memory_is_used_again_once_no_view_is_left() -> None:
    buffers = Buffers()
    plane = buffers.take((4, 6), np.uint16)
    assert plane.shape == (4, 6)
    assert plane.flags.c_contiguous
    assert plane.flags.writeable
    address = plane.ctypes.data
    row = plane[1:3][0]  # a view of a view
    del plane
    assert buffers.take((4, 6), np.uint16).ctypes.data != address
    del row
    assert buffers.take((2, 2, 12), np.uint8).ctypes.data == address


def test_held_counts_what_was_needed_at_once() -> None:
    buffers = Buffers()
    for _ in range(10):
        buffers.take((8,), np.float32)
    assert buffers.held == 32
    both = [buffers.take((8,), np.float32) for _ in range(2)]
    assert buffers.held == 64
    buffers.take((3,), np.uint8)
    assert buffers.held == 67
    del both
