"""What every registered fold promises, checked for every one of them.

A fold without a row in ROWS fails: give it some spellings that show its range.
"""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import InMemory, Keep

from hoaconv.engine.contract import Fold
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import DTYPES, KNOWN, Spec
from hoaconv.ops.catalogue import catalogue, example
from hoaconv.ops.spelling import parse_op, spell
from hoaconv.ops.summary import Summary

pytestmark = pytest.mark.one_python

ROWS = {
    "histogram": ["histogram", "histogram 16", "histogram percentiles=3"],
    "percentiles": ["percentiles 0,50,99.9"],
    "profile": ["profile"],
    "projection": [f"projection {method}" for method in ("max", "mean", "min", "sum", "std")],
    "stats": ["stats"],
    "volume": ["volume"],
}
SPELLINGS = [text for row in ROWS.values() for text in row]
FOLDS = [*map(parse_op, SPELLINGS), Summary(16, (1.0, 50.0), ("otsu", "li"))]
"""Also the one that has no spelling."""

SMALL = 16384
"""Bytes of Python objects, which a declaration needn't count: views, slices, tuples."""


def test_every_fold_has_a_row_and_an_example():
    assert set(ROWS) == {word for word, fold in catalogue().items() if issubclass(fold, Fold)}
    for word, row in ROWS.items():
        assert {text.split()[0] for text in [*row, example(word)]} == {word}


def noise(shape, dtype, seed):
    """Values whose sums round differently in each order, with some that are no number."""
    rng = np.random.default_rng(seed)
    if dtype.kind != "f":
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
        return np.where(rng.random(shape) < 0.2, values, values // 16)
    values = (rng.normal(0, 1, shape) * 10.0 ** rng.integers(-12, 12, shape)).astype(dtype)
    odd = rng.choice([np.nan, np.inf, -np.inf, 0.0, 1e-42], shape).astype(dtype)
    return np.where(rng.random(shape) < rng.choice([0, 0.05]), odd, values)


def bits(drawn):
    """Of a picture; NaN is NaN, whatever its sign."""
    return drawn.shape, str(drawn.dtype), np.where(drawn == drawn, drawn, np.nan).tobytes()


def told(fold, state):
    """The value as JSON, and the bits of the picture."""
    drawn = fold.draw(state)
    assert (drawn is None) != fold.draws
    value = json.dumps(fold.finish(state), allow_nan=False)
    return value, None if drawn is None else bits(drawn)


def whole(fold, volume):
    state = fold.init(Spec(volume.shape, volume.dtype))
    for z, plane in enumerate(volume):
        fold.step(state, plane, z, 0)
    return told(fold, state)


shapes = st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 15))


@pytest.mark.parametrize("fold", FOLDS, ids=str)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_value_is_the_same_whoever_sees_which_band(fold, data):
    dtype = data.draw(st.sampled_from(KNOWN if fold.takes_wide else DTYPES), label="dtype")
    volume = noise(data.draw(shapes, label="shape"), dtype, data.draw(st.integers(0, 99)))
    rows = data.draw(st.integers(1, volume.shape[1]), label="rows")
    count = 1 if fold.shared else data.draw(st.integers(1, 4), label="workers")
    states = [fold.init(Spec(volume.shape, dtype)) for _ in range(count)]
    for z, plane in enumerate(volume):
        bands = range(0, volume.shape[1], rows)
        for y in data.draw(st.permutations(bands)):
            worker = data.draw(st.integers(0, count - 1))
            fold.step(states[worker], plane[y : y + rows], z, y)
    while len(states) > 1:
        one = states.pop(data.draw(st.integers(0, len(states) - 1)))
        other = states.pop(data.draw(st.integers(0, len(states) - 1)))
        states.append(fold.merge(one, other))
    assert told(fold, states[0]) == whole(fold, volume)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_run_gives_the_same_whatever_its_bands_and_workers(dtype):
    volume = noise((7, 300, 31), np.dtype(dtype), 3)
    folds = [parse_op(text) for text in SPELLINGS]
    expected = {spell(fold): whole(fold, volume) for fold in folds}
    for workers in (1, 3):
        plan, sink = Plan.read(InMemory(volume)), Keep()
        for fold in folds:
            plan |= fold
        outcome = run(schedule(plan | sink, Limits(1 << 30, workers, 0)))
        values = outcome.outputs[sink]["folds"]
        pictures = {name: bits(drawn) for name, drawn in outcome.pictures[sink].items()}
        got = {name: (json.dumps(value), pictures.get(name)) for name, value in values.items()}
        assert got == expected
        np.testing.assert_array_equal(sink.volume, volume)


def test_a_fold_that_stands_twice_is_told_twice():
    volume, sink = np.arange(24, dtype=np.uint8).reshape(2, 3, 4), Keep()
    chain = Plan.read(InMemory(volume)) | parse_op("stats") | parse_op("add 10")
    outcome = run(schedule(chain | parse_op("stats") | sink, Limits(1 << 30, 1, 0)))
    folds = outcome.outputs[sink]["folds"]
    assert {name: value["min"] for name, value in folds.items()} == {"stats": 0, "stats (2)": 10}


@pytest.mark.parametrize(
    ("fold", "dtype"),
    [(fold, dtype) for fold in FOLDS for dtype in (KNOWN if fold.takes_wide else DTYPES)],
    ids=str,
)
def test_a_state_is_no_larger_than_declared(fold, dtype):
    volume = noise((4, 60, 700), dtype, 0)
    spec = Spec(volume.shape, dtype)
    fold.warm(spec)
    tracemalloc.start()
    try:
        state = fold.init(spec)
        for z, plane in enumerate(volume):
            fold.step(state, plane[:30], z, 0)
            fold.step(state, plane[30:], z, 30)
        fold.draw(state)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= fold.state_bytes(spec) + SMALL


def test_a_shared_state_is_counted_once():
    volume = np.zeros((3, 40, 50), np.uint8)
    plan = Plan.read(InMemory(volume)) | parse_op("projection std") | parse_op("volume") | Keep()
    made = schedule(plan, Limits(1 << 30, 4, 0))
    held = {use.who: use.nbytes for use in made.sweeps[0].uses}
    assert held["projection std"] == parse_op("projection std").state_bytes(Spec((3, 40, 50), "u1"))
    assert held["volume"] == 5 * parse_op("volume").state_bytes(Spec((3, 40, 50), "u1"))


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_fold_is_a_value_and_its_spelling_is_read_back(text):
    fold = parse_op(text)
    assert parse_op(spell(fold)) == fold
    assert hash(parse_op(spell(fold))) == hash(fold)
