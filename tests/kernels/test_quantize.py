"""Rounding away of bits, against Python's exact numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from whole import noise

from hoaconv.engine.spec import KNOWN
from hoaconv.kernels.quantize import most_bits, quantize

pytestmark = pytest.mark.one_python


def rounded(volume, bits):
    out = np.empty_like(volume)
    quantize(volume, out, bits)
    return out


def nearest(value: int, bits: int) -> int:
    """Python rounds a fraction half to even."""
    return round(Fraction(value, 1 << bits)) << bits


@given(st.sampled_from([d for d in KNOWN if d.kind != "f"]), st.data())
def test_integers_become_the_nearest_multiple_and_saturate(dtype, data) -> None:
    bits = data.draw(st.integers(1, most_bits(dtype)))
    info = np.iinfo(dtype)
    near = data.draw(st.lists(st.integers(info.min, info.max), min_size=1, max_size=20))
    values = [*near, info.min, info.max, info.max - (1 << bits - 1), info.max + 1 - (1 << bits - 1)]
    volume = np.array(values, dtype).reshape(1, 1, -1)
    want = [min(nearest(int(v), bits), info.max) for v in values]
    made = rounded(volume, bits)
    assert made.ravel().tolist() == want
    assert max(abs(a - int(b)) for a, b in zip(want, values, strict=True)) <= 1 << bits - 1
    np.testing.assert_array_equal(rounded(made, bits), made)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(data=st.data())
def test_floats_lose_the_last_bits_of_their_mantissa(dtype, data) -> None:
    kind = np.dtype(dtype)
    bits = data.draw(st.integers(1, most_bits(kind)))
    width = 8 * kind.itemsize
    given = data.draw(st.lists(st.floats(width=width), min_size=1, max_size=20))
    info = np.finfo(kind)
    volume = np.array([*given, info.max, -info.max, 0.0, -0.0, np.inf, np.nan], kind)
    made = rounded(volume.reshape(1, 1, -1), bits).ravel()
    whole = np.isfinite(volume)
    assert np.array_equal(made[~whole], volume[~whole], equal_nan=True)
    unsigned = np.dtype(f"u{kind.itemsize}")
    infinite = int(np.array(np.inf, kind).view(unsigned))
    for before, after in zip(np.abs(volume[whole]), np.abs(made[whole]), strict=True):
        number = int(before.view(unsigned))
        assert int(after.view(unsigned)) == min(nearest(number, bits), infinite - 1)
    assert np.array_equal(np.signbit(made), np.signbit(volume))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_rows_that_do_not_follow_each_other(dtype) -> None:
    volume = noise((4, 9, 12), dtype, 0)
    out = np.empty((2, 12, 12), dtype)[:, 2:9]
    quantize(volume[1:3, 1:8, :], out, 3)
    np.testing.assert_array_equal(out, rounded(volume[1:3, 1:8].copy(), 3))
