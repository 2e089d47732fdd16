"""Operators of a voxel and a number, against NumPy in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.ops.elementwise import WithNumber, WithScalar
from hoaconv.ops.terms import Calculation, Value

pytestmark = pytest.mark.one_python

COMPARISONS = ["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"]
ALL = (slice(None),) * 3

blocks = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, st.tuples(*[st.integers(1, 4)] * 3))
)


def applied(op, block):
    out = np.empty(block.shape, op.infer(Spec(block.shape, block.dtype)).dtype)
    op.apply(block, ALL, out)
    return out


@settings(max_examples=300, deadline=None)
@given(st.data(), blocks, st.sampled_from(COMPARISONS), st.booleans())
def test_comparisons_are_those_of_float64(data, block, name, swapped) -> None:
    near = st.sampled_from([float(v) for v in block.ravel()]).flatmap(
        lambda v: st.sampled_from([v, np.nextafter(v, np.inf), np.nextafter(v, -np.inf), v + 0.5])
    )
    number = data.draw(st.one_of(near, st.floats()))
    wide = block.astype(np.float64)
    want = getattr(np, name)(*((number, wide) if swapped else (wide, number)))
    made = applied(WithNumber(name, number, swapped), block)
    np.testing.assert_array_equal(made, want.astype(np.uint8), strict=True)


def test_a_term_settles_to_its_number() -> None:
    term = Calculation("multiply", Value(0, "max"), Value(1, "mean"))
    op = WithScalar("divide", term, swapped=True)
    assert str(op) == "divide (max * mean) swapped"
    assert op.settle({"max": 3}, {"mean": 0.5}) == WithNumber("divide", 1.5, swapped=True)
    block = np.ones((1, 1, 1), np.uint8)
    with pytest.raises(RuntimeError, match="before its number is found"):
        op.apply(block, ALL, block)
