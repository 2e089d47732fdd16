"""Frames cover an array, and no chunk that is read or written lies in two of them."""

from itertools import product
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.io.frames import frames_of


@st.composite
def grids(draw):
    """A shape, and shapes of what is read and written at once."""
    axes = draw(st.integers(2, 5))
    shape = tuple(draw(st.integers(1, 7)) for _ in range(axes))
    chunks = tuple(draw(st.integers(1, 7)) for _ in range(axes))
    units = tuple(draw(st.integers(1, 7)) for _ in range(axes))
    return shape, chunks, units


@given(grids())
def test_frames_cover_an_array_and_divide_no_chunk(grid):
    shape, chunks, units = grid
    seen = np.zeros(shape, int)
    for frame in frames_of(shape, chunks, units, 2):
        box = tuple(
            slice(start, start + length)
            for start, length in zip(frame.starts, frame.lengths, strict=True)
        )
        seen[box] += 1
        for n, start, length, sides in zip(
            shape, frame.starts, frame.lengths, zip(chunks, units, strict=True), strict=True
        ):
            end = start + length
            assert all(start % side == 0 and (end % side == 0 or end == n) for side in sides)
    assert (seen == 1).all()


@given(grids())
def test_what_is_flattened_is_gathered_again(grid):
    shape, chunks, units = grid
    voxels = np.arange(prod(shape)).reshape(shape)
    for frame in frames_of(shape, chunks, units, 2):
        if len(shape) < 3:
            continue
        slab = np.zeros(frame.shape, int)
        for start in range(0, frame.rows, frame.block):
            y = slice(start, min(start + frame.block, frame.rows))
            box = frame.box(slice(0, frame.shape[0]), y, slice(0, frame.shape[2]))
            slab[:, y.start * frame.indices : y.stop * frame.indices] = frame.flat(voxels[box])
        lead = [[slice(i, i + 1) for i in range(n)] for n in frame.lead]
        rows = [slice(i, min(i + 2, frame.rows)) for i in range(0, frame.rows, 2)]
        for *index, y in product(*lead, rows):
            box = frame.box(slice(0, frame.shape[0]), y, slice(0, frame.shape[2]), tuple(index))
            np.testing.assert_array_equal(frame.gathered(slab, tuple(index), y), voxels[box])


def test_a_line_is_swept_in_parts_of_whole_chunks():
    (first, *_, last) = frames = list(frames_of((10**9,), (3000,), (4096,), 2))
    assert len(frames) > 10
    assert first.lengths[0] % 3000 == first.lengths[0] % 4096 == 0
    assert first.lengths[0] * 2 <= 1 << 26
    assert last.starts[0] + last.lengths[0] == 10**9


def test_an_array_without_a_voxel_has_no_frame():
    assert not list(frames_of((4, 0, 3), (1, 1, 1), (1, 1, 1), 2))
