"""What every registered op promises, checked for every one of them.

An op without a row in ROWS fails: give it some spellings that show its range. What scans promise
of the planes they give is in test_objects.py.
"""

import tracemalloc
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoaconv.engine.contract import Op
from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError
from hoaconv.ops.catalogue import catalogue, example
from hoaconv.ops.spelling import parse_op, spell

ROWS = {
    "cast": ["cast uint8", "cast int16", "cast float32"],
    "clip": ["clip -50 100.5", "clip 3 9e9"],
    "fill-holes": ["fill-holes 50", "fill-holes 1 connectivity=18", "fill-holes 1e9 26"],
    "gaussian": [
        "gaussian 1.5",
        "gaussian 0.7,0,1.2 mode=nearest",
        "gaussian 1 mode=mirror truncate=2",
        "gaussian 0,2,0 mode=constant cval=9",
        "gaussian 2,0.6,1 mode=constant cval=-1e3",
    ],
    "remove-small": ["remove-small 50", "remove-small 7 18", "remove-small 123456789012345678901"],
    "rescale": ["rescale 10 90", "rescale -1e4 3e4 dtype=int16", "rescale 0 7 dtype=float32"],
    "threshold": ["threshold 20", "threshold -0.5"],
}
SPELLINGS = [text for row in ROWS.values() for text in row]
OPS = [text for text in SPELLINGS if isinstance(parse_op(text), Op)]
SMALL = 4096
"""Bytes of Python objects, which a declaration needn't count: views, slices, tuples."""


def test_every_op_has_a_row_and_an_example():
    assert set(ROWS) == set(catalogue())
    for word, row in ROWS.items():
        assert {text.split()[0] for text in [*row, example(word)]} == {word}


def noise(shape, dtype, seed):
    """The whole range of a dtype, with a good share of values that the rows' bounds divide."""
    rng = np.random.default_rng(seed)
    small = rng.normal(30, 60, shape)
    if dtype.kind == "f":
        return np.where(rng.random(shape) < 0.1, small * 1e20, small).astype(dtype)
    info = np.iinfo(dtype)
    large = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    return np.where(rng.random(shape) < 0.2, large, small.clip(info.min, info.max)).astype(dtype)


def accepts(op, dtype):
    try:
        op.infer(Spec((1, 1, 1), dtype))
    except PlanError:
        return False
    return True


def whole(op, volume):
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    op.apply(volume, tuple(slice(0, n) for n in volume.shape), out)
    return out


def cuts(n, size, halo):
    """Block and core of each window along an axis: shorter blocks where the volume ends."""
    for start in range(0, n, size):
        stop = min(start + size, n)
        first = max(0, start - halo)
        yield (
            slice(start, stop),
            slice(first, min(n, stop + halo)),
            slice(start - first, stop - first),
        )


def by_windows(op, volume, stride, rows):
    """The op on every band of every window, into one volume; blocks are cuts or copies."""
    nz, ny, _ = volume.shape
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    halo_z, halo_y, _ = op.halo
    for z, block_z, core_z in cuts(nz, stride, halo_z):
        for y, block_y, core_y in cuts(ny, rows, halo_y):
            block = volume[block_z, block_y]
            block = block.copy() if (z.start + y.start) % 2 else block
            op.apply(block, (core_z, core_y, slice(None)), out[z, y])
    return out


shapes = st.one_of(
    st.just((1, 1, 1)),
    st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 37)),
)


@pytest.mark.parametrize("text", OPS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_window_and_band_give_the_bits_of_the_whole_volume(text, data):
    op = parse_op(text)
    dtype = data.draw(st.sampled_from([d for d in DTYPES if accepts(op, d)]), label="dtype")
    volume = noise(data.draw(shapes, label="shape"), dtype, data.draw(st.integers(0, 99)))
    stride = data.draw(st.integers(1, volume.shape[0]), label="stride")
    rows = data.draw(st.integers(1, volume.shape[1]), label="rows")
    expected = whole(op, volume)
    got = by_windows(op, volume, stride, rows)
    assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("text", OPS)
def test_every_dtype_is_taken_or_refused_by_infer_and_the_result_is_as_inferred(text):
    op = parse_op(text)
    taken = [dtype for dtype in DTYPES if accepts(op, dtype)]
    assert taken
    for dtype in taken:
        given_spec = Spec((3, 4, 5), dtype)
        result = op.infer(given_spec)
        assert result.shape == given_spec.shape
        volume = noise(given_spec.shape, dtype, 1)
        before = volume.copy()
        # Two fills: a voxel that the op leaves alone differs between them.
        one, other = np.full(result.shape, 1, result.dtype), np.full(result.shape, 2, result.dtype)
        for out in (one, other):
            op.apply(volume, (slice(None),) * 3, out)
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(volume, before)


@pytest.mark.parametrize("text", SPELLINGS)
def test_spelling_is_the_inverse_of_parsing(text):
    op = parse_op(text)
    assert parse_op(spell(op)) == op
    assert hash(parse_op(spell(op))) == hash(op)


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_op_is_a_value(text):
    op = parse_op(text)
    with pytest.raises(FrozenInstanceError):
        setattr(op, fields(op)[0].name, 1)
    assert type(op)(**{f.name: getattr(op, f.name) for f in fields(op)}) == op


@pytest.mark.parametrize("text", OPS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (13, 5, 40), (3, 60, 3000)])
def test_apply_allocates_no_more_than_it_declares(text, shape):
    op = parse_op(text)
    for dtype in (d for d in DTYPES if accepts(op, d)):
        spec = Spec(shape, dtype)
        block, out = np.zeros(shape, dtype), np.empty(shape, op.infer(spec).dtype)
        core = tuple(slice(0, n) for n in shape)
        op.apply(block, core, out)
        tracemalloc.start()
        try:
            op.apply(block, core, out)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak <= op.work(spec) + SMALL
