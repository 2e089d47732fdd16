"""Python's operators of volumes and scalars, against NumPy's of arrays and numbers."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoaconv as hc
from hoaconv import ops
from hoaconv.errors import PlanError, SpellingError

ARRAY = np.random.default_rng(0).integers(0, 60000, (6, 9, 7)).astype(np.uint16)

TRUTHS = [
    lambda volume: 10000 < volume < 20000,
    lambda volume: volume > 5 and volume < 10,
    lambda volume: not volume > 5,
    lambda volume: bool(volume == volume),
    lambda volume: bool(volume.max("z")),
]


@pytest.mark.parametrize("truth", TRUTHS)
def test_a_volume_is_neither_true_nor_false(truth) -> None:
    with pytest.raises(ValueError, match=r"ambiguous|isn't computed"):
        truth(hc.open(ARRAY))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["uint8", "int16", "uint32", "float32", "float64"]),
    st.sampled_from([operator.eq, operator.ne, operator.gt, operator.le]),
    st.one_of(st.integers(-9, 300), st.floats(-3, 300, width=32), st.just(np.inf)),
    st.booleans(),
)
def test_comparisons_with_a_number_are_numpys(dtype, function, number, swapped) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(dtype) - (1 if dtype[0] != "u" else 0)
    if dtype[0] == "f":
        array[0, 0, :3] = np.nan, np.inf, -np.inf
    number = number if abs(number) == np.inf else type(number)(number)
    left, right = (number, hc.open(array)) if swapped else (hc.open(array), number)
    want = function(array.astype(np.float64), number)
    want = function(number, array.astype(np.float64)) if swapped else want
    np.testing.assert_array_equal(function(left, right).compute(), want.astype(np.uint8))


def test_volumes_are_compared_voxel_by_voxel_and_jobs_as_values() -> None:
    volume, other = hc.open(ARRAY), hc.open(ARRAY[::-1])
    np.testing.assert_array_equal((volume == other).compute(), ARRAY[::-1] == ARRAY)
    np.testing.assert_array_equal((volume != ARRAY[0]).compute(), ARRAY[0] != ARRAY)
    assert volume.same_as(volume)
    assert not volume.same_as(other)
    assert {volume: 1, other: 2}[other] == 2
    job = volume | ops.Gaussian(1) | hc.OmeZarr("a.zarr")
    assert job == volume | ops.Gaussian(1) | hc.OmeZarr("a.zarr")
    assert job != volume | ops.Gaussian(2) | hc.OmeZarr("a.zarr")
    assert hash(job) == hash(volume | ops.Gaussian(1) | hc.OmeZarr("a.zarr"))


@pytest.mark.parametrize("other", [None, "text", [1, 2]])
def test_what_has_no_voxels_is_not_compared(other) -> None:
    with pytest.raises(TypeError, match="can't be compared"):
        hc.open(ARRAY) == other  # noqa: B015 - it raises
    with pytest.raises(TypeError, match="compute"):
        hc.open(ARRAY).max("z") == other  # noqa: B015 - as above


def test_masks_are_inverted_and_combined_with_numbers_and_arrays() -> None:
    mask, array = hc.open(ARRAY) > 30000, ARRAY > 30000
    other = ARRAY % 2 == 0
    for made, want in (
        (~mask, ~array),
        (~(mask & ~mask), np.ones_like(array)),
        (mask & True, array),
        (True | mask, np.ones_like(array)),
        (mask ^ other, array ^ other),
        (other & mask, array & other),
        (other | mask, array | other),
        (~hc.open(array), ~array),
        (hc.open(ARRAY) & 7, ARRAY & 7),
    ):
        np.testing.assert_array_equal(made.compute(), want)
    for wrong in (
        lambda: ~hc.open(ARRAY),
        lambda: mask & 300,
        lambda: hc.open(ARRAY.astype(float)) & 1,
        lambda: -hc.open(ARRAY),
    ):
        with pytest.raises(PlanError):
            wrong()


def test_a_mask_times_a_volume_has_the_dtype_of_the_volume() -> None:
    volume, mask = hc.open(ARRAY), hc.open(ARRAY) > 30000
    for made in (
        mask * volume,
        volume * mask,
        mask * ARRAY,
        ARRAY * mask,
        ~(volume <= 3e4) * volume,
    ):
        assert made.dtype == np.uint16
        np.testing.assert_array_equal(made.compute(), ARRAY * (ARRAY > 30000))


MORE = [operator.floordiv, operator.mod, operator.pow]


@pytest.mark.parametrize("function", MORE)
def test_more_operators_are_numpys(function) -> None:
    array = ARRAY.astype(np.float64) / 1000 + 1
    for left, right in ((array, 3), (3, array), (array, array[::-1])):
        made = function(*(hc.open(o) if isinstance(o, np.ndarray) else o for o in (left, right)))
        np.testing.assert_allclose(made.compute(), function(left, right), rtol=1e-15)
    signed = hc.open((ARRAY % 200).astype(np.int16) - 100)
    assert np.array_equal((-signed).compute(), -((ARRAY % 200).astype(np.int16) - 100))
    assert np.array_equal(abs(signed).compute(), abs((ARRAY % 200).astype(np.int16) - 100))


def test_a_scalar_compares_rounds_and_shows_itself_as_its_number() -> None:
    volume = hc.open(ARRAY)
    mean, number = volume.mean(), ARRAY.mean()
    assert volume.max() == ARRAY.max()
    assert volume.min() < volume.max()
    assert volume.max() > 3
    assert not volume.max() <= 5
    assert volume.max() == hc.open(ARRAY[::-1]).max()
    assert bool(mean)
    assert (f"{mean:.2f}", round(mean, 1), int(mean)) == (
        f"{number:.2f}",
        round(number, 1),
        int(number),
    )
    assert float(-mean) == -number
    assert float(abs(3 - mean)) == abs(3 - number)
    assert float(mean**0.5) == number**0.5
    assert float(mean // 7) == number // 7
    assert float(mean % 7) == number % 7


def test_an_unknown_number_stays_unknown_beside_a_volume() -> None:
    volume = hc.open(ARRAY)
    for made in (volume == volume.max(), volume.max() == volume):
        np.testing.assert_array_equal(made.compute(), ARRAY.max() == ARRAY)


@pytest.mark.parametrize("number", [float("nan"), 10**400])
def test_a_number_that_is_none_is_refused(number) -> None:
    with pytest.raises(SpellingError, match="operand"):
        hc.open(ARRAY) + number
