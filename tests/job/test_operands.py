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


def test_a_plane_of_another_shape_is_told_as_it_is() -> None:
    for make in (operator.add, lambda volume, plane: volume.divide(plane)):
        with pytest.raises(PlanError, match="1 x 3 x 4 float64"):
            make(hc.open(ARRAY), np.ones((3, 4)))


def test_a_mask_of_one_plane_is_a_mask() -> None:
    mask = (hc.open(ARRAY) > 9) & (PLANE > 30)
    np.testing.assert_array_equal((~mask).compute(), ~((ARRAY > 9) & (PLANE > 30)))


def test_what_is_not_computed_yet_is_no_operand() -> None:
    with pytest.raises(SpellingError, match="compute"):
        hc.open(ARRAY) - hc.open(ARRAY).mean("z")
    made = hc.open(ARRAY) - hc.open(ARRAY).mean("z").compute()
    np.testing.assert_allclose(made.compute(), ARRAY - ARRAY.mean(0), atol=1e-9)


OPERANDS = [
    (lambda volume, plane: volume.divide(plane), ARRAY / PLANE),
    (lambda volume, plane: volume.divide(hc.open(plane[None])), ARRAY / PLANE),
    (ops.Divide, ARRAY / PLANE),
    (lambda volume, plane: ops.divide(volume, hc.open(plane[None])), ARRAY / PLANE),
    (lambda volume, plane: volume | ops.Divide(hc.open(plane[None])), ARRAY / PLANE),
    (lambda volume, plane: volume.subtract(ARRAY / 2), ARRAY - ARRAY / 2),
    (lambda volume, plane: volume.mask(volume > 5000), np.where(ARRAY > 5000, ARRAY, 0)),
    (lambda volume, plane: ops.mask(volume, volume > 5000), np.where(ARRAY > 5000, ARRAY, 0)),
    (lambda volume, plane: volume | ops.Mask(plane > 30), np.where(PLANE > 30, ARRAY, 0)),
    (lambda volume, plane: ops.Mask(volume, ARRAY > 9, 3), np.where(ARRAY > 9, ARRAY, 3)),
    (
        lambda volume, plane: volume.where(volume > 5000, volume + 7),
        np.where(ARRAY > 5000, ARRAY, ARRAY + 7),
    ),
]


@pytest.mark.parametrize(("make", "want"), OPERANDS)
def test_ops_take_volumes_and_arrays(make, want) -> None:
    np.testing.assert_array_equal(make(hc.open(ARRAY), PLANE).compute(), want)


def test_ops_with_volumes_compare_by_what_these_are_made_of() -> None:
    volume = hc.open(ARRAY)
    assert ops.Mask(volume > 5) == ops.Mask(volume > 5) != ops.Mask(volume > 6)
    assert ops.Divide(PLANE) == ops.Divide(PLANE) != ops.Divide(PLANE.copy())
    assert volume.mask(volume > 5).same_as(volume | ops.Mask(volume > 5))
    assert str(ops.Mask(volume > 5)) == "mask (7 x 12 x 9 uint8: greater 5)"


@pytest.mark.parametrize("value", [3, None, [1, 2]])
def test_what_is_no_volume_is_no_mask(value) -> None:
    with pytest.raises(SpellingError, match="a volume, an array"):
        hc.open(ARRAY).mask(value)


WAITING = [
    (lambda v: v.threshold(ops.otsu(v)), lambda v: v | "threshold otsu"),
    (lambda v: v | ops.Threshold(ops.otsu(v)), lambda v: v | "threshold otsu"),
    (
        lambda v: v.clip(v.min() + 9, v.max() / 2),
        lambda v: v.clip(ARRAY.min() + 9, ARRAY.max() / 2),
    ),
    (lambda v: v.rescale("p1", v.max()), lambda v: v | "rescale p1 p100"),
    (lambda v: v.between(v.mean(), 50000), lambda v: v.between(ARRAY.mean(), 50000)),
    (lambda v: v.normalize(v.mean(), v.std()), lambda v: v | "normalize"),
    (lambda v: v.subtract(v.min()).divide(v.max()), lambda v: (v - v.min()) / v.max()),
]


@pytest.mark.parametrize(("make", "want"), WAITING)
def test_an_op_waits_for_its_numbers(make, want) -> None:
    told = Counted(ARRAY)
    made = make(hc.open(told))
    assert told.reads == []
    np.testing.assert_allclose(made.compute(), want(hc.open(ARRAY)).compute(), rtol=1e-12)
    assert sorted(told.reads) == sorted([*range(7)] * 2)


WRONG = [
    lambda v: v.gaussian(v.std()),
    lambda v: v.gaussian((1, v.std(), 1)),
    lambda v: v.gamma(v.mean()),
    lambda v: v.percentile(v.mean()),
    lambda v: v.gaussian(v),
]


@pytest.mark.parametrize("make", WRONG)
def test_a_number_that_is_needed_before_is_refused_and_nothing_is_read(make) -> None:
    told = Counted(ARRAY)
    with pytest.raises(SpellingError):
        make(hc.open(told))
    assert told.reads == []


def test_numbers_that_are_found_and_do_not_go_together_are_refused() -> None:
    volume = hc.open(ARRAY)
    with pytest.raises(PlanError, match="lo should"):
        volume.clip(volume.max(), volume.min()).compute()


def test_kernels_and_tables_are_arrays_too(tmp_path) -> None:
    volume = hc.open(ARRAY)
    kernel = np.array([[0, 1, 0], [1, 2, 3], [0, 1, 0]])
    table = np.arange(256)[::-1].astype(np.uint8)
    np.save(tmp_path / "kernel.npy", kernel)
    np.save(tmp_path / "table.npy", table)
    made = volume.convolve(kernel).compute()
    np.testing.assert_array_equal(made, volume.convolve(tmp_path / "kernel.npy").compute())
    small = (ARRAY % 256).astype(np.uint8)
    made = hc.open(small).lut(table).compute()
    np.testing.assert_array_equal(made, table[small])
    np.testing.assert_array_equal(made, hc.open(small).lut(tmp_path / "table.npy").compute())
    assert ops.Convolve(kernel) == ops.Convolve(kernel.copy()) != ops.Convolve(kernel + 1)
    assert str(ops.Convolve(kernel)) == "convolve (3 x 3 array)"
    for wrong in (np.ones(3), np.ones((3, 3), complex), np.full((3, 3), np.nan)):
        with pytest.raises(SpellingError, match="convolve"):
            volume.convolve(wrong)
