"""Voxels at a place in a file: each box is what NumPy would cut out, whole lines are one run."""

from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoaconv.errors import SourceError
from hoaconv.io import file_array
from hoaconv.io.file_array import FileArray, Grid
from hoaconv.io.voxel_bytes import PlainBytes

pytestmark = pytest.mark.one_python

SHAPES = [(3, 5, 7), (1, 1, 1), (2, 1, 9000), (4, 3, 2, 5), (6, 4), (3, 4, 5, 3)]


def stored(folder, shape, dtype="uint16", before=13):
    """An array in a file with other bytes around it, and its voxels."""
    voxels = np.arange(prod(shape)).astype(dtype).reshape(shape)
    path = folder / f"a{len(shape)}.raw"
    path.write_bytes(b"x" * before + voxels.tobytes() + b"end")
    data = PlainBytes(path, before, voxels.nbytes)
    return FileArray("raw", path, path.name, shape, voxels.dtype, data), voxels


@st.composite
def boxes(draw, shape):
    box = []
    for n in shape:
        start = draw(st.integers(0, n - 1))
        box.append(slice(start, draw(st.integers(start + 1, n))))
    return tuple(box)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(["u1", "<u2", ">u2", "<f4", ">f8", "?", "<f2"]))
def test_a_box_is_what_numpy_cuts_out(tmp_path_factory, shape, data, dtype):
    array, voxels = stored(tmp_path_factory.mktemp("a"), shape, dtype)
    box = data.draw(boxes(shape))
    read = array.read(box)
    np.testing.assert_array_equal(read, voxels[box])
    assert read.dtype == voxels.dtype


class Counting(PlainBytes):
    """Notes which bytes are read."""

    def read(self, runs):
        self.seen = [*getattr(self, "seen", []), *((start, len(out)) for start, out in runs)]
        super().read(runs)


@pytest.mark.parametrize("shape", [(3, 50, 70), (2, 300, 5000), (2, 3, 40, 60), (1, 1, 1)])
def test_whole_lines_and_planes_are_one_run_and_no_byte_is_read_twice(tmp_path, monkeypatch, shape):
    monkeypatch.setattr(file_array, "PIECE_BYTES", 1 << 16)
    array, voxels = stored(tmp_path, shape)
    data = Counting(array.path, 13, voxels.nbytes)
    array = FileArray("raw", array.path, "a", shape, voxels.dtype, data)
    counts = [-(-n // c) for n, c in zip(shape, array.chunks, strict=True)]
    for where in np.ndindex(*counts[:-1]):  # pieces have all columns
        sides = zip(where, array.chunks[:-1], shape[:-1], strict=True)
        box = [slice(i * c, min(n, (i + 1) * c)) for i, c, n in sides]
        array.read((*box, slice(0, shape[-1])))
    ends = sorted((start, start + length) for start, length in data.seen)
    assert ends[0][0] == 0
    assert ends[-1][1] == voxels.nbytes
    assert all(end == start for (_, end), (start, _) in pairwise(ends))
    assert len(ends) == prod(counts[:-1])


def test_narrow_boxes_read_lines_once_around_them(tmp_path):
    array, voxels = stored(tmp_path, (3, 4, 5, 3))
    data = Counting(array.path, 13, voxels.nbytes)
    array = FileArray("raw", array.path, "a", voxels.shape, voxels.dtype, data)
    box = (slice(0, 1), slice(0, 4), slice(0, 5), slice(1, 2))  # one of three channels
    np.testing.assert_array_equal(array.read(box), voxels[box])
    assert data.seen == [(0, voxels[0].nbytes)]


def test_a_file_that_is_cut_short_or_changes_is_refused(tmp_path):
    array, voxels = stored(tmp_path, (3, 5, 7))
    whole = tuple(slice(0, n) for n in voxels.shape)
    with pytest.raises(SourceError, match=r"cut short: it has 226 bytes.*promises 10013"):
        PlainBytes(array.path, 13, 10000)
    array.path.write_bytes(b"y" * 400)
    with pytest.raises(SourceError, match="changed while hoaconv ran"):
        array.read(whole)
    array.path.unlink()
    with pytest.raises(SourceError, match="the file is gone"):
        array.read(whole)


@pytest.mark.parametrize(
    ("axes", "edges"), [((0, 1, 2), (3, 2, 2)), ((2, 1, 0), (2, 2, 3)), ((None, 1, 2), (2, 2, 2))]
)
def test_a_grid_is_told_for_the_axes_that_are_taken(axes, edges):
    grid = Grid((3.0, 2.0, 2.0), (7.0, 8.0, 9.0), "micrometer", "header")
    found = grid.geometry(axes)
    assert found.edges == edges
    assert found.origin == tuple(0 if a is None else grid.origin[a] for a in axes)
    assert Grid((3.0, float("nan"), 2.0), (0.0,) * 3, "micrometer", "").geometry(axes) is None
