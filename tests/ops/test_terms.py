"""Arithmetic that is written down before its values are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.errors import PlanError
from hoaconv.ops.terms import Calculation, Value, evaluate, number, shifted

pytestmark = pytest.mark.one_python

FUNCTIONS = ("add", "subtract", "multiply", "divide")
FOUND = [{"a": 3, "b": 0.5}, {"a": -2, "b": 1e300}]

leaves = st.one_of(st.floats(-1e6, 1e6), st.builds(Value, st.integers(0, 1), st.sampled_from("ab")))
terms = st.recursive(
    leaves, lambda t: st.builds(Calculation, st.sampled_from(FUNCTIONS), t, t), max_leaves=8
)


def by_numpy(term):
    if isinstance(term, Value):
        return np.float64(FOUND[term.place][term.name])
    if isinstance(term, Calculation):
        return getattr(np, term.function)(by_numpy(term.one), by_numpy(term.other))
    return np.float64(term)


@given(terms)
def test_a_term_is_what_numpy_makes_of_it(term) -> None:
    with np.errstate(all="ignore"):
        want = by_numpy(term)
    np.testing.assert_equal(float(evaluate(term, FOUND)), float(want))
    np.testing.assert_equal(float(evaluate(shifted(term, 3), [{}] * 3 + FOUND)), float(want))


def test_a_term_is_a_value_with_a_text() -> None:
    term = Calculation("add", Calculation("multiply", 0.5, Value(0, "otsu")), 3.0)
    assert str(term) == "(0.5 * otsu) + 3"
    assert term == Calculation("add", Calculation("multiply", 0.5, Value(0, "otsu")), 3.0)
    assert hash(term) == hash(shifted(term, 0))


def test_values_are_read_as_json_spells_them() -> None:
    assert number("sum", 3) == 3
    assert number("max", "Infinity") == math.inf
    assert math.isnan(number("mean", "NaN"))
    with pytest.raises(PlanError, match="no mean"):
        number("mean", None)
