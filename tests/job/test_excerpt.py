"""Slices of volumes, against slices of the computed array; what is read is what is needed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoaconv as hc
from hoaconv import ops
from hoaconv.errors import PlanError

ARRAY = np.random.default_rng(0).integers(0, 60000, (40, 9, 8)).astype(np.uint16)


class Counted:
    """An array that tells which planes are read."""

    def __init__(self, array=ARRAY):
        self.array, self.shape, self.dtype, self.reads = array, array.shape, array.dtype, []

    def __getitem__(self, key):
        self.reads += range(*key.indices(len(self.array)))
        return self.array[key]


NEEDED = [
    (lambda v: v, np.s_[::10], [0, 10, 20, 30]),
    (lambda v: v, np.s_[::-13], [0, 13, 26, 39]),
    (lambda v: v.bin(2), 19, [38, 39]),
    (lambda v: v.bin(4), 3, [12, 13, 14, 15]),
    (lambda v: v.bin(2), np.s_[::8], [0, 1, 16, 17, 32, 33]),
    (lambda v: v.resize(0.5), 3, [6, 7]),
    (lambda v: v.resize(2), 10, [4, 5]),
    (lambda v: v.pad(2), 3, [1]),
    (lambda v: v.pad(2), np.s_[1:4], [0, 1]),
    (lambda v: v.flip("z"), np.s_[3:5], [35, 36]),
    (lambda v: v | "crop 5:30,:,:", np.s_[2:4], [7, 8]),
    (lambda v: v.gaussian(1) | "crop 5:30,:,:", 10, range(11, 20)),
    (lambda v: v.bin(2).max(3), 5, range(8, 14)),
    (lambda v: v.max(3), np.s_[5::20], [4, 5, 6, 24, 25, 26]),
    (lambda v: v.max(3), np.s_[::39], [0, 1, 38, 39]),
    (lambda v: v.gaussian(1) - v.gaussian(2), 20, range(12, 29)),
    (lambda v: v.max(3) - v, np.s_[10:30:10], [9, 10, 11, 19, 20, 21]),
    (lambda v: (v > 5) & (v.bin((2, 1, 1)).resize((2, 1, 1)) < 9), 20, range(18, 22)),
    (lambda v: v | "stats" | "add 1", 4, [4]),
    (lambda v: v - v.mean("z").compute(budget="1GiB"), 3, [3]),
]


@pytest.mark.parametrize(("make", "key", "needed"), NEEDED)
def test_a_slice_reads_the_planes_that_it_needs(make, key, needed) -> None:
    told = Counted()
    made = make(hc.open(told))
    told.reads.clear()
    np.testing.assert_array_equal(made[key], make(hc.open(ARRAY)).compute()[key])
    assert sorted(told.reads) == list(needed)


@pytest.mark.parametrize(
    "make",
    [
        lambda v: v > ops.otsu(v),
        lambda v: v | "threshold otsu",
        lambda v: v.clip("p1", v.max()),
        lambda v: (v > ops.otsu(v)) & (v.max(3) > v.mean()),
    ],
)
def test_a_number_of_the_whole_is_found_in_the_whole(make) -> None:
    told = Counted()
    np.testing.assert_array_equal(make(hc.open(told))[3], make(hc.open(ARRAY)).compute()[3])
    assert len(told.reads) <= 40 + 3


def test_a_plane_of_a_flipped_volume_needs_no_reading_backwards() -> None:
    told = Counted()
    smooth = hc.open(told).gaussian(1)
    np.testing.assert_array_equal(smooth.flip("z")[3], hc.open(ARRAY).gaussian(1)[36])
    assert sorted(told.reads) == list(range(32, 40))


def test_a_plane_of_padding_is_had_without_any_other() -> None:
    told = Counted()
    assert not hc.open(told).pad(2)[1].any()
    assert len(told.reads) <= 1


def test_objects_are_followed_through_the_whole() -> None:
    told = Counted()
    made = (hc.open(told) > 30000).remove_small(9)
    np.testing.assert_array_equal(made[3], made.compute()[3])
    assert len(told.reads) <= 2 * 40


def test_a_plane_beside_is_given_for_every_plane() -> None:
    told, flat = Counted(), Counted(ARRAY[:1] % 50 + 1)
    made = hc.open(told) / hc.open(flat).max(3)
    np.testing.assert_array_equal(made[np.s_[5:7]], made.compute()[5:7])
    assert sorted(told.reads) == sorted([5, 6, *range(40)])


STEPS = st.sampled_from(
    [
        *("gaussian 1", "max 3", "median 3", "bin 2", "bin 3,1,1", "resize 1.7", "resize 0.6"),
        *("resize 1.3 order=0", "pad 2", "pad 3,1,1 mode=reflect", "pad 2 mode=mirror", "flip z"),
        *("crop 2:-1,1:,:", "rotate90", "threshold otsu", "add 7", "dilate 1", "flip y"),
    ]
)
INDEX = st.one_of(
    st.integers(0, 3),
    st.builds(slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9)),
    st.builds(slice, st.none(), st.none(), st.sampled_from([-5, -2, -1, 2, 3, 7])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=3), INDEX, st.integers(8, 15), st.booleans())
def test_any_slice_is_that_of_the_array(steps, index, planes, joined) -> None:
    volume = hc.open(ARRAY[:planes, :6, :5])
    try:
        for step in steps:
            volume |= step
        if joined:
            volume = volume - volume.uniform(3)
        whole = volume.compute()
    except PlanError:
        return  # a flip along z that doesn't come first, or a crop that leaves nothing
    if isinstance(index, int) and index >= len(whole):
        return
    np.testing.assert_array_equal(volume[index], whole[index])
