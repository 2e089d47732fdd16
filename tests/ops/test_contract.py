"""What every registered op promises, checked for every one of them.

An op without a row in ROWS fails: give it some spellings that show its range. What is said of
windows and blocks holds for those of the kind `Op`; see test_geometry.py for resamples.
"""

import json
import os
import pickle
from dataclasses import FrozenInstanceError, fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole import allocated

from hoaconv.engine.contract import Fold, Op
from hoaconv.engine.spec import KNOWN, Spec
from hoaconv.engine.stages import inferred
from hoaconv.errors import PlanError
from hoaconv.ops.catalogue import catalogue, example
from hoaconv.ops.spelling import parse_op, spell

pytestmark = pytest.mark.one_python

ROWS = {
    "abs": ["abs"],
    "add": ["add 100", "add -3.5", "add some.zarr"],
    "between": ["between 10 40.5", "between p20 p80", "between -3 p60"],
    "bilateral": [
        "bilateral 0.6 40",
        "bilateral 0.8,0,0.6 9.5 2.5 mode=constant cval=-7.5",
        "bilateral 0.5,1,0 1e9 mode=mirror",
    ],
    "cast": ["cast uint8", "cast int16", "cast float32"],
    "clip": ["clip -50 100.5", "clip 3 9e9", "clip p5 p90"],
    "divide": ["divide 16", "divide -0.3", "divide some"],
    "dilate": ["dilate 1", "dilate 3,1,2 footprint=ball mode=constant cval=-1e9"],
    "equalize": ["equalize"],
    "erode": ["erode 4,2,1", "erode 2 footprint=ball", "erode 2 cross mode=nearest"],
    "exp": ["exp"],
    "gamma": ["gamma 0.5", "gamma 2"],
    "quantize": ["quantize 1", "quantize 3"],
    "blackhat": ["blackhat 1", "blackhat 0,2,1 cross mode=constant cval=40"],
    "bin": ["bin 2", "bin 1,3,2 method=mode"],
    "close": ["close 1", "close 2,1,3 ball mirror"],
    "convolve": ["convolve kernel.npy", "convolve kernel.npy mode=constant cval=70.3"],
    "crop": ["crop 1:5,-9:,:7", "crop :,:,:"],
    "dog": ["dog 0.6", "dog 0,0.4,0.5 high_sigma=1,0.4,0.7 mode=constant cval=-5 truncate=3"],
    "flip": ["flip z", "flip y,x"],
    "fill-holes": ["fill-holes 50", "fill-holes 1 connectivity=18", "fill-holes 1e9 26"],
    "gaussian": [
        "gaussian 1.5",
        "gaussian 0.7,0,1.2 mode=nearest",
        "gaussian 1 mode=mirror truncate=2",
        "gaussian 0,2,0 mode=constant cval=9",
        "gaussian 2,0.6,1 mode=constant cval=-1e3",
    ],
    "gradient": ["gradient 1 mode=mirror", "gradient 1,0,2 ball"],
    "gradient-magnitude": [
        "gradient-magnitude 0.8",
        "gradient-magnitude 0.5,1,0.7 mode=constant cval=-3",
    ],
    "invert": ["invert"],
    "laplace": ["laplace", "laplace mode=constant cval=7.5", "laplace mirror"],
    "log": ["log"],
    "mask": ["mask some.zarr", "mask some outside=3"],
    "lut": ["lut ramp.txt", "lut ramp.txt dtype=float32"],
    "max": ["max 2,4,1 mode=mirror", "max 3 mode=constant cval=30"],
    "min": ["min 3", "min 2,7,12"],
    "median": ["median 3", "median 1,3,3 mode=mirror", "median 2,5,4 mode=constant cval=-7.5"],
    "multiply": ["multiply 0.5", "multiply -3"],
    "non-max-suppression": [
        "non-max-suppression 0.7",
        "non-max-suppression 0.4,0.8,0.5 mode=constant",
        "non-max-suppression 0.5 mirror truncate=3",
        "non-max-suppression 0.3,1,0.6 mode=nearest truncate=2",
    ],
    "normalize": ["normalize", "normalize 30 6.5", "normalize std=4"],
    "percentile": [
        "percentile 20 3",
        "percentile 99.5 2 mode=nearest",
        "percentile 0 3,1,5",
        "percentile 90 3,9,100 mode=constant cval=3",
    ],
    "rescale": [
        "rescale 10 90",
        "rescale -1e4 3e4 dtype=int16",
        "rescale 0 7 dtype=float32",
        "rescale p0.5 p99.5",
    ],
    "sobel": ["sobel", "sobel x", "sobel z mode=constant", "sobel y mode=nearest"],
    "sqrt": ["sqrt"],
    "square": ["square"],
    "structure-tensor": [
        "structure-tensor 0.6",
        "structure-tensor 0.3,1,0.7 azimuth 0.5,0.4,0.8 mode=constant",
        "structure-tensor 0 elevation 0.4 mode=mirror truncate=2",
        "structure-tensor 1.2,0,0.5 azimuth 0.3 mode=nearest truncate=3",
    ],
    "std": ["std 3", "std 2,1,5 mode=constant cval=7", "std 4 mode=constant cval=0.3"],
    "subtract": ["subtract 100", "subtract 0.25"],
    "open": ["open 1,3,2", "open 1 cross nearest", "open 2 ball constant inf"],
    "pad": ["pad 1", "pad 1:2,0,3 mode=mirror", "pad 0,2,2 cval=-1e9"],
    "remove-small": ["remove-small 50", "remove-small 1 18"],
    "resize": ["resize 0.5", "resize 1,2.5,0.3 order=0"],
    "rotate90": ["rotate90", "rotate90 -1", "rotate90 k=2"],
    "tophat": ["tophat 2 ball", "tophat 1"],
    "where": ["where a.zarr b.zarr"],
    "transpose": ["transpose yxz", "transpose zxy"],
    "transpose-xy": ["transpose-xy"],
    "uniform": [
        "uniform 3",
        "uniform 2,7,4 mode=mirror",
        "uniform 1,35,34",
        "uniform 4,3,9 mode=constant cval=-1e3",
    ],
    "unsharp": ["unsharp 1", "unsharp 0,0.7,1.2 2.5 mode=constant cval=9 truncate=2"],
    "threshold": [
        "threshold 20",
        "threshold -0.5",
        "threshold otsu",
        "threshold li",
        "threshold moments",
        "threshold p90",
    ],
}
SPELLINGS = [text for row in ROWS.values() for text in row]
OPS = [text for text in SPELLINGS if isinstance(parse_op(text), Op)]
SMALL = 4096
"""Bytes of Python objects, which a declaration needn't count: views, slices, tuples."""


@pytest.fixture(scope="module", autouse=True)
def _here():
    """Where the table lies that a row names."""
    before = Path.cwd()
    os.chdir(Path(__file__).parent)
    yield
    os.chdir(before)


def test_every_op_has_a_row_and_an_example():
    assert set(ROWS) == {word for word, op in catalogue().items() if not issubclass(op, Fold)}
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
        inferred(op, (Spec((1, 1, 1), dtype),))
    except PlanError:
        return False
    return True


def settled(text, dtype):
    """The op with its file's content and what it needs of a volume, found in two states."""
    op = parse_op(text).resolved()
    fold = op.needs
    if fold is None:
        return op
    volume = noise((6, 20, 30), dtype, 0)
    states = [fold.init(Spec(volume.shape, dtype)) for _ in range(2)]
    for z, plane in enumerate(volume):
        fold.step(states[z % 2], plane)
    found = fold.finish(fold.merge(*states))
    return op.settle(json.loads(json.dumps(found, allow_nan=False)))


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
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_any_window_and_band_give_the_bits_of_the_whole_volume(text, data):
    op = parse_op(text).resolved()
    dtype = data.draw(st.sampled_from([d for d in KNOWN if accepts(op, d)]), label="dtype")
    op = settled(text, dtype)
    volume = noise(data.draw(shapes, label="shape"), dtype, data.draw(st.integers(0, 99)))
    stride = data.draw(st.integers(1, volume.shape[0]), label="stride")
    rows = data.draw(st.integers(1, volume.shape[1]), label="rows")
    expected = whole(op, volume)
    got = by_windows(op, volume, stride, rows)
    assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("text", OPS)
def test_every_dtype_is_taken_or_refused_by_infer_and_the_result_is_as_inferred(text):
    op = parse_op(text).resolved()
    taken = [dtype for dtype in KNOWN if accepts(op, dtype)]
    assert taken
    for dtype in taken:
        given_spec = Spec((3, 4, 5), dtype)
        result = op.infer(given_spec)
        assert result.shape == given_spec.shape
        volume = noise(given_spec.shape, dtype, 1)
        before = volume.copy()
        found = settled(text, dtype)
        assert found.infer(given_spec) == result
        assert (found.halo, found.needs) == (op.halo, None)
        # Two fills: a voxel that the op leaves alone differs between them.
        one, other = np.full(result.shape, 1, result.dtype), np.full(result.shape, 2, result.dtype)
        for out in (one, other):
            found.apply(volume, (slice(None),) * 3, out)
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(volume, before)


@pytest.mark.parametrize("text", [text for text in OPS if parse_op(text).needs])
def test_what_is_not_settled_can_be_warmed_but_not_applied(text):
    op = parse_op(text)
    for dtype in (d for d in KNOWN if accepts(op, d)):
        spec = Spec((3, 4, 5), dtype)
        op.warm(spec)
        assert op.work(spec) >= 0
        with pytest.raises(RuntimeError, match="can't be applied before the volume's"):
            op.apply(noise(spec.shape, dtype, 1), (slice(None),) * 3, np.empty(spec.shape))


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_op_is_resolved_once_and_pickled_with_what_it_holds(text):
    op = parse_op(text).resolved() if text in OPS else parse_op(text)
    assert text not in OPS or op.resolved() is op
    assert spell(op) == spell(parse_op(text))
    sent = pickle.loads(pickle.dumps(op))
    assert (sent, hash(sent)) == (op, hash(op))


@pytest.mark.parametrize("text", SPELLINGS)
def test_spelling_is_the_inverse_of_parsing(text):
    op = parse_op(text)
    assert parse_op(spell(op)) == op
    assert hash(parse_op(spell(op))) == hash(op)


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_op_is_a_value(text):
    op = parse_op(text)
    with pytest.raises(FrozenInstanceError):
        op.word = "other"
    assert type(op)(**{f.name: getattr(op, f.name) for f in fields(op)}) == op


@pytest.mark.parametrize("text", OPS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (13, 5, 40), (3, 20, 3000)])
def test_apply_allocates_no_more_than_it_declares(text, shape):
    op = parse_op(text)
    for dtype in (d for d in KNOWN if accepts(op, d)):
        op, spec = settled(text, dtype), Spec(shape, dtype)
        block, out = np.zeros(shape, dtype), np.empty(shape, op.infer(spec).dtype)
        core = tuple(slice(0, n) for n in shape)
        assert allocated(partial(op.apply, block, core, out)) <= op.work(spec) + SMALL
