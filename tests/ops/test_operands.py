"""Ops that take another volume: numpy's expression on both, saturated; shapes have to agree."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from in_memory import InMemory, Keep

from hoaconv.engine.contract import Op, Zip
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import DTYPES
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.catalogue import lookup
from hoaconv.ops.spelling import parse_op

pytestmark = pytest.mark.one_python

SHAPE = (7, 13, 9)


def noise(dtype, seed=0):
    dtype, rng = np.dtype(dtype), np.random.default_rng(seed)
    if dtype.kind == "f":
        return (rng.normal(0, 100, SHAPE) * (rng.random(SHAPE) > 0.2)).astype(dtype)
    info = np.iinfo(dtype)
    whole = rng.integers(info.min, info.max, SHAPE, dtype, endpoint=True)
    return np.where(rng.random(SHAPE) > 0.3, whole, 0).astype(dtype)


def joined(text, volume, *others):
    op, sink = parse_op(text), Keep()
    plan = Plan.read(InMemory(volume))
    for other in others:
        plan &= Plan.read(InMemory(other))
    run(schedule(plan | op.join() | sink, Limits(1 << 40, 2)))
    return sink.volume


def stored(real, dtype):
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return real.astype(dtype)
    info = np.iinfo(dtype)
    return np.clip(np.rint(np.where(np.isnan(real), 0, real)), info.min, info.max).astype(dtype)


@pytest.mark.parametrize("word", ["add", "subtract", "multiply", "divide"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_arithmetic_is_numpy_in_float64_stored_in_the_first_dtype(word, dtype):
    one, other = noise(dtype), noise("float32", 1)
    with np.errstate(all="ignore"):
        want = stored(getattr(np, word)(one.astype(float), other.astype(float)), dtype)
        got = joined(f"{word} other.tif", one, other)
    np.testing.assert_array_equal(got, want)


def test_a_mask_keeps_what_is_not_0_in_another_volume():
    one, mask = noise("uint16"), noise("uint8", 1)
    got = joined("mask m outside=9", one, mask)
    np.testing.assert_array_equal(got, np.where(mask != 0, one, 9))


def test_where_takes_the_rest_from_a_third_volume():
    one, mask, other = (noise(name, s) for s, name in enumerate(("int16", "float32", "int16")))
    np.testing.assert_array_equal(joined("where m o", one, mask, other), np.where(mask, one, other))


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        ("add o", [SHAPE, (7, 13, 8)], "o is 7 x 13 x 8"),
    ],
)
def test_what_does_not_go_together_is_refused(text, shapes, words):
    with pytest.raises(PlanError, match=words):
        joined(text, *(np.zeros(shape, np.uint8) for shape in shapes))


def test_dtypes_are_not_mixed_in_silence():
    with pytest.raises(PlanError, match=r"o is uint16.*put a cast before"):
        joined("where m o", *(np.zeros(SHAPE, t) for t in (np.uint8, np.uint8, np.uint16)))


@pytest.mark.parametrize("word", ["add", "subtract", "multiply", "divide"])
def test_a_number_and_a_volume_are_ops_of_their_own(word):
    by_number, by_volume = parse_op(f"{word} 2"), parse_op(f"{word} other.zarr")
    assert isinstance(by_number, Op)
    assert not isinstance(by_number, Zip)
    assert isinstance(by_volume, Zip)
    assert not isinstance(by_volume, Op)
    assert by_volume == lookup(word)(Path("other.zarr")) == lookup(word)(value="other.zarr")
    assert (by_number.value, by_volume.others) == (2.0, ("other.zarr",))
    assert str(by_volume) == f"{word} other.zarr"
    for made in (by_number, by_volume):
        assert pickle.loads(pickle.dumps(made)) == parse_op(str(made)) == made


@pytest.mark.parametrize("text", ["add", "add nan", "add inf", "mask", "divide 0"])
def test_what_is_neither_number_nor_path_is_refused(text):
    with pytest.raises(SpellingError):
        parse_op(text)
