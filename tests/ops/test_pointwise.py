"""Each op against NumPy's own words for it."""

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops import Quantize
from hoaconv.ops.pointwise import Between, Cast, Clip, Rescale, Threshold

pytestmark = pytest.mark.one_python


def result(op, volume):
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    op.apply(volume, (slice(None),) * 3, out)
    return out


def ramp(dtype):
    return np.linspace(0, 100, 60).reshape(3, 4, 5).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_against_numpy(dtype):
    volume = ramp(dtype)
    np.testing.assert_array_equal(result(Threshold(40), volume), volume > 40)
    np.testing.assert_array_equal(result(Between(20, 60), volume), (volume >= 20) & (volume <= 60))
    np.testing.assert_array_equal(result(Clip(20, 60), volume), np.clip(volume, 20, 60))
    np.testing.assert_array_equal(result(Cast("uint8"), volume), np.rint(volume))
    window = np.clip(np.rint((volume.astype(float) - 10) * 255 / 80), 0, 255)
    np.testing.assert_array_equal(result(Rescale(10, 90), volume), window)


def test_rescale_spreads_over_the_whole_range_of_each_dtype():
    volume = np.array([[[0, 5, 10, 20, 40]]], np.uint16)
    assert result(Rescale(10, 20), volume).tolist() == [[[0, 0, 0, 255, 255]]]
    assert result(Rescale(10, 20, "int8"), volume).tolist() == [[[-128, -128, -128, 127, 127]]]
    assert result(Rescale(10, 20, "uint16"), volume).tolist() == [[[0, 0, 0, 65535, 65535]]]
    assert result(Rescale(0, 40, "float32"), volume).tolist() == [[[0, 0.125, 0.25, 0.5, 1]]]
    assert result(Rescale(10, 20, "float64"), volume).tolist() == [[[-1, -0.5, 0, 1, 3]]]


@pytest.mark.parametrize(
    ("op", "dtype"), [(Threshold(1), "uint8"), (Cast("i4"), "int32"), (Rescale(0, 1), "uint8")]
)
def test_infer_gives_the_result_dtype_and_keeps_the_shape(op, dtype):
    assert op.infer(Spec((2, 3, 4), np.dtype("float32"))) == Spec((2, 3, 4), np.dtype(dtype))


def test_cast_is_equal_by_meaning():
    assert Cast("uint8") == Cast(np.uint8) == Cast("u1") == Cast(np.dtype("uint8"))
    with pytest.raises(SpellingError, match="not None"):
        Cast(None)


@pytest.mark.parametrize("bounds", [(0.2, 0.8), (300, 400), (-9, -1)])
def test_clip_refuses_bounds_that_hold_no_value_of_the_dtype(bounds):
    with pytest.raises(PlanError, match="clip: uint8 has no value in"):
        Clip(*bounds).infer(Spec((1, 1, 1), np.dtype("uint8")))
    assert Clip(*bounds).infer(Spec((1, 1, 1), np.dtype("float32")))


def test_clip_takes_bounds_beyond_the_dtype():
    volume = ramp("uint8")
    np.testing.assert_array_equal(result(Clip(-np.inf, 1e9), volume), volume)


def test_between_compares_exactly_and_may_mark_nothing():
    volume = np.array([[[np.nan, -np.inf, 0.1, 0.3, np.inf]]], np.float32)
    assert result(Between(-np.inf, 0.2), volume).tolist() == [[[0, 1, 1, 0, 0]]]
    assert result(Between(0.3, np.inf), volume).tolist() == [[[0, 0, 0, 1, 1]]]
    assert result(Between(0.3, 0.3), volume).tolist() == [
        [[0, 0, 0, 0, 0]]
    ]  # as float32 it is more
    whole = ramp("uint8")
    for bounds in ((0.2, 0.8), (300, 400), (-9, -1)):
        assert not result(Between(*bounds), whole).any()


@pytest.mark.parametrize(("dtype", "most"), [("uint8", 6), ("int64", 62), ("float32", 22)])
def test_quantize_leaves_some_bits(dtype, most):
    spec = Spec((1, 1, 1), np.dtype(dtype))
    assert Quantize(most).infer(spec) == spec
    for bits in (0, most + 1):
        with pytest.raises(PlanError, match=f"1 to {most} bits of {dtype}"):
            Quantize(bits).infer(spec)
