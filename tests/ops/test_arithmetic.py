"""Each op against the numpy expression in float64, rounded half to even and saturated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import SpellingError
from hoaconv.ops.arithmetic import (
    Abs,
    Add,
    Divide,
    Exp,
    Gamma,
    Invert,
    Log,
    Multiply,
    Sqrt,
    Square,
    Subtract,
)

pytestmark = pytest.mark.one_python

NAN, INF = np.nan, np.inf


def result(op, volume):
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    op.apply(volume, (slice(None),) * 3, out)
    return out


def voxels(dtype, seed=0):
    """Both ends of a dtype, what lies around 0 and anything between; of a float also no numbers."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        odd = [NAN, INF, -INF, 0.0, -0.0, 1e-40, 3e38, -1.5, 2.5, 700, -800]
        return np.append(odd, rng.normal(0, 300, 49)).astype(dtype).reshape(3, 4, 5)
    info = np.iinfo(dtype)
    some = rng.integers(info.min, info.max, 54, dtype, endpoint=True)
    ends = np.array([info.min, info.min + 1, 0, 1, info.max - 1, info.max], dtype)
    return np.append(ends, some).reshape(3, 4, 5)


def stored(real, dtype):
    if dtype.kind == "f":
        return real.astype(dtype)
    return np.clip(np.rint(real), np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def check(op, volume, expression):
    given = op.infer(Spec(volume.shape, volume.dtype)).dtype
    with np.errstate(all="ignore"):
        expected = stored(expression(volume.astype(np.float64)), given)
    got = result(op, volume)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


KEEPING = [
    (Add(2.5), lambda v: v + 2.5),
    (Subtract(-70000), lambda v: v - -70000),
    (Multiply(0.5), lambda v: v * 0.5),
    (Divide(-3), lambda v: v / -3),
    (Square(), np.square),
    (Abs(), np.abs),
]
REAL = [(Sqrt(), np.sqrt), (Log(), np.log), (Exp(), np.exp)]


def words(rows):
    """Names of tests: a function's own differs from process to process."""
    return [str(op) for op, _ in rows]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("op", "expression"), KEEPING, ids=words(KEEPING))
def test_keeps_the_dtype(op, expression, dtype):
    volume = voxels(dtype)
    assert op.infer(Spec(volume.shape, dtype)) == Spec(volume.shape, dtype)
    check(op, volume, expression)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("op", "expression"), REAL, ids=words(REAL))
def test_gives_float32_or_float64(op, expression, dtype):
    volume = voxels(dtype)
    assert op.infer(Spec(volume.shape, dtype)).dtype == ("f8" if dtype == "f8" else "f4")
    check(op, volume, expression)


@given(
    st.sampled_from(DTYPES),
    st.sampled_from([Add, Subtract, Multiply, Divide]),
    st.floats(-1e6, 1e6).filter(bool),
    st.integers(0, 9),
)
def test_arithmetic_with_any_number(dtype, op, value, seed):
    sums = {
        Add: lambda v: v + value,
        Subtract: lambda v: v - value,
        Multiply: lambda v: v * value,
        Divide: lambda v: v / value,
    }
    check(op(value), voxels(dtype, seed), sums[op])


def test_results_are_rounded_half_to_even_and_saturated():
    volume = np.array([[[1, 3, 5, 250]]], np.uint8)
    assert result(Divide(2), volume).tolist() == [[[0, 2, 2, 125]]]
    assert result(Add(0.5), volume).tolist() == [[[2, 4, 6, 250]]]
    assert result(Add(10), volume).tolist() == [[[11, 13, 15, 255]]]
    assert result(Subtract(4), volume).tolist() == [[[0, 0, 1, 246]]]
    assert result(Square(), volume).tolist() == [[[1, 9, 25, 255]]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("power", [0.5, 1, 2.2])
def test_gamma_is_relative_to_an_integers_whole_range(dtype, power):
    def expression(real):
        if dtype.kind == "f":
            return np.power(real, power)
        least, greatest = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
        span = greatest - least
        return np.power((real - least) / span, power) * span + least

    check(Gamma(power), voxels(dtype), expression)


def test_gamma_leaves_the_ends_alone_and_brightens_below_1():
    volume = np.array([[[0, 64, 255]]], np.uint8)
    assert result(Gamma(0.5), volume).tolist() == [[[0, 128, 255]]]
    assert result(Gamma(1), volume).tolist() == volume.tolist()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_invert_twice_is_nothing_for_integers_and_is_exact(dtype):
    volume = voxels(dtype)
    once = result(Invert(), volume)
    if dtype.kind == "f":
        np.testing.assert_array_equal(once, 1 - volume)
        return
    least, greatest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    assert once.ravel().tolist() == [least + greatest - int(v) for v in volume.ravel()]
    np.testing.assert_array_equal(result(Invert(), once), volume)


def test_the_least_of_a_signed_dtype_has_no_magnitude_in_it():
    assert result(Abs(), np.array([[[-128, -127, 127]]], np.int8)).tolist() == [[[127, 127, 127]]]


@pytest.mark.parametrize(
    ("op", "taken", "expected"),
    [
        (Sqrt(), [NAN, INF, -1, 4], [NAN, INF, NAN, 2]),
        (Log(), [NAN, INF, -1, 0], [NAN, INF, NAN, -INF]),
        (Exp(), [NAN, INF, -INF, 1e3], [NAN, INF, 0, INF]),
        (Gamma(0.5), [NAN, INF, -1, 9], [NAN, INF, NAN, 3]),
        (Gamma(2), [NAN, INF, -INF, -3], [NAN, INF, INF, 9]),
        (Multiply(0), [NAN, INF, -INF, 9], [NAN, NAN, NAN, 0]),
        (Square(), [NAN, INF, -INF, 1e30], [NAN, INF, INF, INF]),
        (Invert(), [NAN, INF, -INF, 0.25], [NAN, -INF, INF, 0.75]),
        (Abs(), [NAN, INF, -INF, -2], [NAN, INF, INF, 2]),
    ],
    ids=str,
)
def test_what_is_no_number(op, taken, expected):
    volume = np.array(taken, np.float32).reshape(1, 1, -1)
    np.testing.assert_array_equal(result(op, volume).ravel(), expected)


@pytest.mark.parametrize("width", [1, 7, (1 << 14) + 3])
def test_rows_of_any_width(width):
    volume = np.arange(2 * 5 * width, dtype=np.uint32).reshape(2, 5, width)
    check(Sqrt(), volume, np.sqrt)


@pytest.mark.parametrize("value", [0, -1, INF, NAN, "half", None])
def test_refuses_what_is_no_power(value):
    with pytest.raises(SpellingError, match="gamma: value should be"):
        Gamma(value)


def test_refuses_what_can_not_be_computed_with():
    with pytest.raises(SpellingError, match="divide: value should be a number other than 0"):
        Divide(0)
    with pytest.raises(
        SpellingError,
        match="add: value should be a finite number, or a path without spaces, not 'inf'",
    ):
        Add("inf")
    with pytest.raises(SpellingError, match="path without spaces"):
        Add("an other")
