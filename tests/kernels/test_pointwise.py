"""Rounding, saturation, and exact comparisons across dtypes."""

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels.pointwise import above, at_least, at_most, clip, linear, subtract_saturated

pytestmark = pytest.mark.one_python


def slab(values, dtype):
    return np.array(values, dtype).reshape(1, 1, -1)


def cast(block, dtype):
    out = np.empty(block.shape, dtype)
    linear(block, out, 0.0, 1.0, 1.0, 0.0)
    return out.ravel().tolist()


def test_floats_round_half_to_even_saturate_and_nan_becomes_0():
    block = slab([0.5, 1.5, 2.5, -0.5, 254.5, 255.5, 1e30, -np.inf, np.nan], np.float32)
    assert cast(block, np.uint8) == [0, 2, 2, 0, 254, 255, 255, 0, 0]


def test_wide_integers_are_exact_and_saturate():
    block = slab([0, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
    assert cast(block, np.int32) == [0, 2**31 - 1, 2**31 - 1, 2**31 - 1]
    assert cast(block, np.float64) == [0, 2**31 - 1, 2**31, 2**32 - 1]
    assert cast(slab([-5, 2**31 - 1], np.int32), np.uint32) == [0, 2**31 - 1]


def test_nan_and_infinities_stay_in_floats():
    got = cast(slab([np.nan, np.inf, 1e300], np.float64), np.float32)
    assert np.isnan(got[0])
    assert got[1:] == [np.inf, np.inf]


def test_linear_rounds_the_exact_quotient():
    # 5 * 255 / 510 is exactly 2.5: multiplied by a rounded 255 / 510 it need not be a tie.
    out = np.empty((1, 1, 4), np.uint8)
    linear(slab([5, 7, 3, 600], np.uint16), out, 0.0, 510.0, 255.0, 0.0)
    assert out.ravel().tolist() == [2, 4, 2, 255]


@pytest.mark.parametrize(
    ("dtype", "values", "value", "expected"),
    [
        ("uint32", [2999999999, 3000000000, 3000000001], 3e9, [0, 0, 1]),
        ("uint32", [2**32 - 2, 2**32 - 1], 2**32 - 1.5, [0, 1]),
        ("int8", [-128, 0, 127], -128.5, [1, 1, 1]),
        ("int8", [-128, 0, 127], 127, [0, 0, 0]),
        ("uint8", [0, 1, 255], 1e9, [0, 0, 0]),
        ("uint8", [0, 1], -np.inf, [1, 1]),
        ("float32", [0.1, np.nextafter(np.float32(0.1), np.float32(1))], 0.1, [1, 1]),
        ("float32", [0.3, 0.29], 0.3, [1, 0]),
        ("float32", [np.nan, np.inf, 3e38], 1e39, [0, 1, 0]),
        ("float32", [np.nan, -np.inf, 0], -np.inf, [0, 0, 1]),
        ("float64", [0.1, np.nextafter(0.1, 1)], 0.1, [0, 1]),
    ],
)
def test_above_compares_exactly(dtype, values, value, expected):
    block, out = slab(values, dtype), np.full((1, 1, len(values)), 9, np.uint8)
    exact = [float(v) > value for v in block.ravel()]
    above(block, out, value)
    assert out.ravel().tolist() == expected == exact


def test_bounds_are_values_of_the_dtype():
    assert (at_least(0.5, np.dtype("uint8")), at_most(10.5, np.dtype("uint8"))) == (1, 10)
    assert (at_least(-1e9, np.dtype("int16")), at_most(1e9, np.dtype("int16"))) == (-32768, 32767)
    assert (at_least(256, np.dtype("uint8")), at_most(-1, np.dtype("uint8"))) == (None, None)
    assert float(at_least(0.1, np.dtype("float32"))) >= 0.1
    assert float(at_most(0.1, np.dtype("float32"))) <= 0.1


def test_clip_keeps_nan_and_stays_within():
    block, out = slab([np.nan, -1, 0.05, 0.5], np.float32), np.empty((1, 1, 4), np.float32)
    clip(block, out, 0.1, 0.3)
    assert np.isnan(out[0, 0, 0])
    assert (out[0, 0, 1:].astype(np.float64) >= 0.1).all()
    assert (out[0, 0, 1:].astype(np.float64) <= 0.3).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_differences_are_saturated(dtype):
    rng = np.random.default_rng(0)
    if dtype.kind == "f":
        one, other = (rng.normal(0, 9, (3, 5, 40)).astype(dtype) for _ in range(2))
        want = one - other
    else:
        info = np.iinfo(dtype)
        ends = np.array([info.min, info.max, 0, 1, info.max // 2], dtype)
        one, other = (rng.choice(ends, (3, 5, 40)) for _ in range(2))
        want = (one.astype(np.int64) - other).clip(info.min, info.max)
    padded = np.zeros((3, 9, 40), dtype)
    padded[:, 2:7] = one
    subtract_saturated(padded[:, 2:7], other)
    np.testing.assert_array_equal(padded[:, 2:7], want)
    assert not padded[:, [0, 1, 7, 8]].any()
