"""Kinds of parameters: what is accepted is spelled and read back; bounds are told."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.ops.kinds import (
    ANY_DTYPE,
    DTYPE,
    FINITE,
    FINITE_VOXEL,
    FLAG,
    INTEGER,
    NUMBER,
    PERCENTAGE,
    PERCENTAGES,
    POSITIVE,
    RADII,
    SIGMAS,
    SIZES,
    VOXEL,
    WHOLE,
    WORD,
    bounded,
    choice,
    number_or,
    or_word,
    per_axis,
    window,
)

pytestmark = pytest.mark.one_python

numbers = st.floats(allow_nan=False)
finite = st.floats(allow_nan=False, allow_infinity=False)


def triples(values):
    return values | st.tuples(values, values, values) | st.lists(values, min_size=3, max_size=3)


VALUES = {
    "number": (NUMBER, numbers),
    "finite": (FINITE, finite),
    "voxel": (VOXEL, numbers | st.integers(-(10**30), 10**30)),
    "finite voxel": (FINITE_VOXEL, finite | st.integers(-(10**30), 10**30)),
    "any dtype": (ANY_DTYPE, st.sampled_from([np.uint64, "int64", np.dtype("u1"), float])),
    "positive": (POSITIVE, st.floats(0, 1e300, exclude_min=True)),
    "integer": (INTEGER, st.integers(-(10**30), 10**30)),
    "whole": (WHOLE, st.integers(0, 10**6)),
    "flag": (FLAG, st.booleans()),
    "word": (WORD, st.text("abc-_./0", min_size=1)),
    "percentage": (PERCENTAGE, st.floats(0, 100)),
    "percentages": (PERCENTAGES, st.lists(st.floats(0, 100), min_size=1)),
    "dtype": (DTYPE, st.sampled_from([np.uint8, "int16", np.dtype("float64"), float])),
    "choice": (choice("one", "other"), st.sampled_from(["one", "other"])),
    "number or": (number_or("otsu", percentile=True), numbers | st.sampled_from(["otsu", "p50"])),
    "sigmas": (SIGMAS, triples(st.floats(0, 1e9))),
    "sizes": (SIZES, triples(st.integers(1, 99))),
    "radii": (RADII, triples(st.integers(0, 99))),
    "window": (window(1 << 24), triples(st.integers(1, 256))),
    "or word": (or_word(SIGMAS, "auto", "auto or more"), st.just("auto") | st.floats(0, 9)),
    "per axis": (per_axis(INTEGER), triples(st.integers(-9, 9))),
    "bounded": (bounded(WHOLE, 2, 5), st.integers(2, 5)),
}


@pytest.mark.parametrize("name", VALUES)
@given(data=st.data())
def test_what_is_accepted_is_spelled_and_read_back(name, data):
    kind, values = VALUES[name]
    kept = kind.accept(data.draw(values))
    assert kind.accept(kind.spell(kept)) == kept
    assert kind.accept(kept) == kept
    assert not set(kind.spell(kept)) & set(" |=")


@given(st.integers(-(2**70), 2**70))
def test_a_whole_number_of_a_voxel_is_never_rounded(number):
    spellings = [number, str(number), f" {number:_} "]
    spellings += [np.uint64(number)] if 0 <= number < 2**64 else []
    assert all(VOXEL.accept(spelled) == number for spelled in spellings)
    assert number_or("otsu", number=VOXEL).accept(str(number)) == number


@given(triples(st.floats(0, 9)))
def test_a_value_per_axis_is_kept_as_three(value):
    kept = SIGMAS.accept(value)
    assert len(kept) == 3
    assert kept == (tuple(value) if isinstance(value, tuple | list) else (value,) * 3)
    assert SIGMAS.accept(np.array(kept)) == kept


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (POSITIVE, 0, "above 0"),
        (POSITIVE, "inf", "above 0 and finite"),
        (SIGMAS, "1,-1,1", "0 or more"),
        (SIGMAS, "1,inf,1", "0 or more and finite"),
        (SIGMAS, "1,nan,1", "a number other than NaN"),
        (SIZES, 0, "1 or more"),
        (PERCENTAGE, 101, "a number in 0..100 (100 - q for scipy's -q)"),
        (bounded(WHOLE, 2, 5), 1.5, "a whole number, 0 or more"),
        (window(26), "3", "a window of at most 26 voxels (it has 27)"),
        (or_word(SIGMAS, "auto", "auto or more"), "wide", "auto, or a number"),
        (INTEGER, 1.5, "a whole number"),
        (INTEGER, 10**400, "a number"),
        (FLAG, "perhaps", "true or false"),
        (WORD, "a word", "a word without spaces, | and ="),
        (number_or("mean", number=FINITE), "inf", "a finite number"),
        (number_or("mean"), "man", "a number or mean (did you mean 'mean'?)"),
    ],
)
def test_what_was_expected_is_told(kind, value, expected):
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        kind.accept(value)
