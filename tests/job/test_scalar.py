"""Numbers of whole volumes that are found when they are asked for."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import hoaconv as hc
from hoaconv import ops
from hoaconv.engine.spec import DTYPES
from hoaconv.errors import BudgetError, PlanError, SpellingError
from hoaconv.ops.thresholds import METHODS

pytestmark = pytest.mark.one_python

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(0, 60000, (20, 30, 40)).astype(np.uint16)

volumes = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(
        dtype,
        st.tuples(*[st.integers(1, 5)] * 3),
        elements=st.floats(-1000, 1000, width=8 * dtype.itemsize) if dtype.kind == "f" else None,
    )
)


class Counted:
    """An array that counts how often each plane is read."""

    shape, dtype = ARRAY.shape, ARRAY.dtype

    def __init__(self):
        self.reads = []

    def __getitem__(self, key):
        self.reads += range(*key.indices(len(ARRAY)))
        return ARRAY[key]


@settings(max_examples=40, deadline=None)
@given(volumes, st.sampled_from(["min", "max", "mean", "std", "sum"]))
def test_numbers_are_numpys(array, name) -> None:
    scalar = getattr(hc.open(array), name)()
    want = getattr(array if name in ("min", "max") else array.astype(np.float64), name)()
    slack = 1e-13 * float(np.abs(array.astype(np.float64)).sum()) + 1e-150  # NumPy underflows
    assert float(scalar) == pytest.approx(float(want), rel=1e-13, abs=slack)
    assert float(scalar) == float(scalar.compute(budget="1TiB", workers=1))
    if name in ("min", "max"):
        assert float(scalar) == float(want)


@settings(max_examples=40, deadline=None)
@given(volumes, st.sampled_from(sorted(METHODS)), st.booleans())
def test_a_threshold_gives_the_bits_of_the_op(array, method, smoothed) -> None:
    volume = hc.open(array).median(3) if smoothed else hc.open(array)
    found = getattr(ops, method)(volume)
    by_op = (volume | f"threshold {method}").compute()
    by_operator = (volume > found).compute()
    np.testing.assert_array_equal(by_operator, by_op, strict=True)
    np.testing.assert_array_equal(by_operator, volume.compute() > float(found))


@settings(max_examples=25, deadline=None)
@given(volumes, st.floats(0, 100))
def test_a_percentile_is_that_of_the_op(array, q) -> None:
    volume = hc.open(array)
    found = volume.percentile(q)
    assert np.array_equal((volume > found).compute(), (volume | f"threshold p{q!r}").compute())
    if array.dtype.kind in "iu" and array.itemsize <= 2:
        assert float(found) == np.percentile(array, q, method="inverted_cdf")


COMPARED = [operator.gt, operator.ge, operator.lt, operator.le, operator.eq, operator.ne]
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv]
REST = [operator.floordiv, operator.mod]


@pytest.mark.parametrize("function", [*COMPARED, *ARITHMETIC, *REST])
@pytest.mark.parametrize("dtype", ["uint16", pytest.param("float32", marks=pytest.mark.long)])
def test_a_scalar_is_an_operand_like_the_number_that_it_is(function, dtype) -> None:
    volume = hc.open(ARRAY.astype(dtype))
    smooth = volume.gaussian(1)
    for scalar in (smooth.mean(), 0.5 * ops.otsu(smooth) + 3, volume.max() - volume.min()):
        number = float(scalar)
        for left, right in ((volume, scalar), (scalar, volume)):
            made = function(left, right)
            want = function(*(number if o is scalar else o for o in (left, right)))
            assert made.dtype == want.dtype
            np.testing.assert_array_equal(made.compute(), want.compute(), strict=True)


numbers = st.one_of(st.floats(-100, 100), st.integers(-100, 100))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ARITHMETIC), numbers, st.booleans()), max_size=4),
    st.sampled_from(["min", "max", "mean", "sum"]),
)
def test_arithmetic_of_scalars_is_that_of_floats(steps, name) -> None:
    array = np.arange(1, 61, dtype=np.uint8).reshape(3, 4, 5)
    scalar = getattr(hc.open(array), name)()
    want = np.float64(float(scalar))
    with np.errstate(all="ignore"):
        for function, value, swapped in steps:
            pair = (value, scalar) if swapped else (scalar, value)
            scalar = function(*pair)
            want = function(*((np.float64(value), want) if swapped else (want, value)))
    np.testing.assert_equal(float(scalar), float(want))


def test_a_scalar_of_another_branch_is_found_in_a_sweep_before() -> None:
    told = Counted()
    raw = hc.open(told)
    smooth = raw.gaussian(1.5)
    mask = (raw > ops.otsu(smooth)).compute()
    assert np.array_equal(mask, float(ops.otsu(hc.open(ARRAY).gaussian(1.5))) < ARRAY)
    assert sorted(told.reads) == sorted([*range(20), *range(20)])


def test_a_scalar_of_another_volume_of_another_shape() -> None:
    told = Counted()
    small = hc.open(np.full((2, 3, 4), 7, np.uint8))
    made = (small * (hc.open(told).max() / 1000)).compute()
    assert np.array_equal(made, np.full((2, 3, 4), 255))
    assert sorted(told.reads) == list(range(20))


def test_scalars_of_volumes_of_unlike_shapes_are_found_together() -> None:
    told, small = Counted(), np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    scalar = hc.open(told).max() / hc.open(small).max() - ops.li(hc.open(small))
    assert float(scalar) == ARRAY.max() / 23.0 - float(ops.li(small))
    assert sorted(told.reads) == list(range(20))


def test_scalars_of_a_volume_share_a_sweep() -> None:
    told = Counted()
    volume = hc.open(told)
    float((volume.max() - volume.min()) / volume.mean() + ops.otsu(volume))
    assert sorted(told.reads) == list(range(20))
    told.reads.clear()
    ((volume - volume.min()) / (volume.max() - volume.min())).compute()
    assert len(told.reads) == 2 * 20


def test_a_scalar_of_a_volume_that_depends_on_one() -> None:
    volume = hc.open(ARRAY.astype(np.float32))
    centred = volume - volume.mean()
    made = (centred / centred.max()).compute()
    plain = ARRAY.astype(np.float32)
    want = (plain.astype(np.float64) - ARRAY.mean()).astype(np.float32)
    np.testing.assert_array_equal(made, (want / np.float64(want.max())).astype(np.float32))


def test_integers_stay_integers() -> None:
    volume = hc.open(ARRAY)
    for name in ("min", "max", "sum"):
        value = getattr(volume, name)().compute()
        assert isinstance(value, int)
        assert value == getattr(ARRAY, name)()
    assert isinstance(volume.mean().compute(), float)


def test_nan_and_infinities_count_as_in_numpy() -> None:
    array = np.array([[[1, np.nan, 3]]], np.float32)
    assert np.isnan(float(hc.open(array).max()))
    array[0, 0, 1] = -np.inf
    assert float(hc.open(array).min()) == -np.inf
    assert float(hc.open(array).mean()) == -np.inf
    assert float(ops.percentile(array, 100)) == 3
    nothing = hc.open(np.full((1, 2, 3), np.nan, np.float32))
    with pytest.raises(PlanError, match="every voxel is NaN"):
        (nothing > ops.otsu(nothing)).compute()


def test_a_scalar_is_a_value_that_shows_itself() -> None:
    volume = hc.open(ARRAY)
    scalar = 0.5 * ops.otsu(volume) + 3
    assert repr(scalar) == "Scalar((otsu * 0.5) + 3 of 20 x 30 x 40 uint16)"
    assert "<table>" in scalar._repr_html_()
    assert scalar.same_as(0.5 * ops.otsu(volume) + 3)
    assert not scalar.same_as(ops.otsu(volume) + 3)
    assert repr(volume > scalar) == "Volume(20 x 30 x 40 uint8: greater ((otsu * 0.5) + 3))"


def test_numpy_leaves_scalars_to_themselves() -> None:
    volume = hc.open(ARRAY)
    assert float(np.float64(2) * volume.max()) == 2.0 * ARRAY.max()
    for wrong in ("text", None, np.ones(3), float("nan")):
        with pytest.raises(TypeError):
            volume.max() + wrong


@pytest.mark.parametrize("q", [-1, 101, "high", (1, 2), None])
def test_a_percentile_that_is_none_is_refused(q) -> None:
    with pytest.raises(SpellingError, match=r"0\.\.100"):
        hc.open(ARRAY).percentile(q)


def test_what_does_not_fit_is_refused() -> None:
    large = hc.open(np.broadcast_to(np.uint8(3), (1000, 6000, 6000)))
    with pytest.raises(BudgetError):
        large.gaussian(9).max().compute(budget="300MiB", workers=1)
