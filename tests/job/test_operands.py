"""Volumes and arrays beside a volume: of its shape, or a plane that is used for every z."""

import operator

import numpy as np
import pytest

import hoaconv as hc
from hoaconv import ops
from hoaconv.errors import PlanError, SpellingError

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(0, 60000, (7, 12, 9)).astype(np.float64)
PLANE = RNG.integers(1, 60, (12, 9)).astype(np.float64)

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.gt, operator.eq]


class Counted:
    """An array that counts how often each plane is read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.reads = array, array.shape, array.dtype, []

    def __getitem__(self, key):
        self.reads += range(*key.indices(len(self.array)))
        return self.array[key]


@pytest.mark.parametrize("function", ARITHMETIC)
@pytest.mark.parametrize("swapped", [False, True])
def test_arrays_and_planes_are_operands_as_in_numpy(function, swapped) -> None:
    for other, want in (
        (ARRAY[::-1], ARRAY[::-1]),
        (PLANE, PLANE),
        (hc.open(PLANE[None]), PLANE),
        (hc.open(PLANE[None]).abs().max((1, 1, 1)), PLANE),
    ):
        pair, wanted = (hc.open(ARRAY), other), (ARRAY, want)
        made = function(*(pair[::-1] if swapped else pair))
        expected = function(*(wanted[::-1] if swapped else wanted))
        np.testing.assert_array_equal(made.compute(), expected.astype(made.dtype))


def test_a_plane_is_read_once_and_smoothed_once() -> None:
    told, flat = Counted(ARRAY), Counted(PLANE[None])
    smooth = hc.open(flat).gaussian((0, 1, 1))
    made = (hc.open(told) / smooth).compute()
    np.testing.assert_array_equal(made, ARRAY / smooth.compute())
    assert sorted(told.reads) == list(range(7))
    assert flat.reads == [0, 0]  # once for each of the two


def test_the_left_dtype_wins_and_the_voxel_size_stays() -> None:
    volume = hc.open(ARRAY.astype(np.uint16), voxel_size=(2, 1, 1))
    plane = PLANE.astype(np.float32)
    for made, dtype in ((volume / plane, np.uint16), (plane * volume, np.float32)):
        assert (made.dtype, made.voxel_size, made.shape) == (dtype, (2, 1, 1), ARRAY.shape)


@pytest.mark.parametrize("shape", [(9,), (3, 9), (2, 7, 12, 9), (6, 12, 9)])
def test_arrays_that_do_not_meet_are_refused(shape) -> None:
    with pytest.raises((PlanError, SpellingError), match="shape"):
        hc.open(ARRAY) + np.ones(shape)


def test_what_is_not_computed_yet_is_no_operand() -> None:
    with pytest.raises(SpellingError, match="compute"):
        hc.open(ARRAY) - hc.open(ARRAY).mean("z")
    made = hc.open(ARRAY) - hc.open(ARRAY).mean("z").compute()
    np.testing.assert_allclose(made.compute(), ARRAY - ARRAY.mean(0), atol=1e-9)
