"""Every op can be said and read back, and every mistake is explained."""

import string
from dataclasses import MISSING, fields

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hoaconv.engine.spec import DTYPES
from hoaconv.errors import SpellingError
from hoaconv.kernels.gaussian import MODES
from hoaconv.kernels.objects import CONNECTIVITIES
from hoaconv.ops.catalogue import catalogue, example, usage
from hoaconv.ops.declare import DTYPE, NUMBER, PER_AXIS, kind_of
from hoaconv.ops.pointwise import Cast, Clip, Threshold
from hoaconv.ops.smooth import Gaussian
from hoaconv.ops.spelling import parse_op, parse_ops, spell, spell_ops

numbers = st.floats(allow_nan=False)
VALUES = {
    NUMBER.name: numbers,
    PER_AXIS.name: st.floats(0, 100) | st.tuples(*[st.floats(0, 100)] * 3),
    DTYPE.name: st.sampled_from([str(dtype) for dtype in DTYPES]),
    "|".join(MODES): st.sampled_from(MODES),
    "voxels": st.integers(1, 10**30) | st.floats(1, 1e30).map(int),
    "|".join(map(str, CONNECTIVITIES)): st.sampled_from(CONNECTIVITIES),
}


@st.composite
def ops(draw):
    """Any op, its values by the kinds of its fields."""
    op = draw(st.sampled_from(list(catalogue().values())))
    values = {
        f.name: draw(VALUES[kind_of(f).name])
        for f in fields(op)
        if f.default is MISSING or draw(st.booleans())
    }
    try:
        return op(**values)
    except SpellingError:
        assume(False)


@given(ops())
def test_what_is_spelled_is_read_back(op):
    assert parse_op(spell(op)) == op


@given(st.lists(ops(), max_size=4))
def test_chains_are_read_back(chain):
    assert parse_ops(spell_ops(chain)) == tuple(chain)


@given(st.text(string.printable, max_size=40))
def test_any_text_is_ops_or_a_spelling_error(text):
    try:
        chain = parse_ops(text)
    except SpellingError:
        return
    assert parse_ops(spell_ops(chain)) == chain


@pytest.mark.parametrize("word", catalogue())
def test_every_example_is_read(word):
    assert parse_op(example(word)).word == word


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("gaussian 1.5 mode=nearest", Gaussian(1.5, mode="nearest")),
        ("gaussian sigma=1,2,3", Gaussian((1, 2, 3))),
        ("gaussian 2 mirror 0 3", Gaussian(2, "mirror", truncate=3)),
        ("  threshold   -5 ", Threshold(-5)),
        ("clip -inf 2e4", Clip(float("-inf"), 20000)),
        ("cast u2", Cast("uint16")),
    ],
)
def test_positions_and_names(text, op):
    assert parse_op(text) == op


def test_the_spelling_leaves_out_what_is_default():
    chain = (Gaussian((2.0, 2, 2), cval=0), Gaussian((0, 1.5, 2), truncate=3.5), Threshold(2e4))
    assert spell_ops(chain) == "gaussian 2 | gaussian 0,1.5,2 truncate=3.5 | threshold 20000"
    assert parse_ops("") == parse_ops("  ") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gausian 1", r"no op 'gausian'; did you mean 'gaussian'\?; the ops are cast, clip"),
        ("gaussian 1 | | threshold 2", r"no op before, after or between two \|"),
        ("| gaussian 1", "no op before"),
        ("gaussian", r"gaussian needs sigma; write it like: gaussian SIGMA \[mode=reflect\]"),
        ("clip", "clip needs lo and hi"),
        ("gaussian 1 trunkate=2", r"no parameter 'trunkate'; did you mean 'truncate'\?; write"),
        ("threshold 1 2", "threshold: '2' is one value too many; write it like: threshold VALUE"),
        ("threshold x", "threshold: value should be a number, not 'x'"),
        ("threshold nan", "should be a number that is one, not 'nan'"),
        ("threshold value=", "value should be a number, not ''"),
        ("threshold 1 value=2", "value is given twice"),
        ("rescale hi=2 1", "'1' must stand before any name=value"),
        ("gaussian 1,2", "sigma should be one number, or three for z,y,x, not '1,2'"),
        ("gaussian 1,,2", "sigma should be a number, not '1,,2'"),
        ("gaussian -1", "sigma should be 0 or more, not -1"),
        ("gaussian inf", "sigma should be 0 or more"),
        ("gaussian 1 truncate=-1", "truncate should be 0 or more"),
        ("gaussian 1 cval=inf", "cval should be finite"),
        ("gaussian 1 mode=wrap", "one of reflect, .*far side .* not 'wrap'"),
        ("gaussian 1 mode=mirrored", "one of reflect, nearest, mirror, constant, not 'mirrored'"),
        ("cast uint64", "dtype should be one of uint8, .*float64, not 'uint64'"),
        ("cast nonsense", "dtype should be one of uint8"),
        ("clip 5 2", "lo should not be above hi, but 5..2"),
        ("rescale 5 5", "lo should be finite and below hi"),
        ("rescale 0 inf", "lo should be finite and below hi"),
    ],
)
def test_mistakes_are_explained(text, message):
    with pytest.raises(SpellingError, match=message):
        parse_ops(text)


def test_an_empty_op_is_explained():
    with pytest.raises(SpellingError, match="write one like"):
        parse_op(" ")


def test_usage_shows_what_must_be_given():
    assert usage("gaussian") == "gaussian SIGMA [mode=reflect] [cval=0] [truncate=4]"
