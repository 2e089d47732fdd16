"""Morphology against scipy.ndimage on the whole volume; min and max are in tests/kernels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.kernels.boundary import MODES
from hoaconv.ops.morphology import Blackhat, Close, Dilate, Erode, Gradient, Open, Tophat
from hoaconv.ops.rank import Max, Min

pytestmark = pytest.mark.one_python

SCIPYS = {
    Erode: ndimage.grey_erosion,
    Dilate: ndimage.grey_dilation,
    Open: ndimage.grey_opening,
    Close: ndimage.grey_closing,
    Tophat: ndimage.white_tophat,
    Blackhat: ndimage.black_tophat,
    Gradient: ndimage.morphological_gradient,
}
BINARY = {
    Erode: ndimage.binary_erosion,
    Dilate: ndimage.binary_dilation,
    Open: ndimage.binary_opening,
    Close: ndimage.binary_closing,
}
UNSIGNED = [dtype for dtype in DTYPES if dtype.kind == "u"]
shapes = st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 15))
radii = st.tuples(*[st.integers(0, 4)] * 3)
footprints = st.sampled_from(["box", "ball", "cross"])


def result(op, volume):
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    op.apply(volume, tuple(slice(0, n) for n in volume.shape), out)
    return out


def noise(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def mask(radius, footprint):
    if footprint == "box":
        return np.ones([2 * r + 1 for r in radius], bool)
    offsets = np.indices([2 * r + 1 for r in radius]).reshape(3, -1).T - radius
    if footprint == "cross":
        inside = np.count_nonzero(offsets, axis=1) <= 1
    else:  # at most a rounding above 1; the next lattice point is further out by 1 in 4**6
        inside = ((offsets / np.maximum(radius, 1)) ** 2).sum(axis=1) <= 1 + 1e-9
    return inside.reshape([2 * r + 1 for r in radius])


@pytest.mark.parametrize("kind", SCIPYS)
@settings(max_examples=40, deadline=None)
@given(
    shapes,
    st.sampled_from(DTYPES),
    radii,
    footprints,
    st.sampled_from(MODES),
    st.integers(0, 100),
    st.integers(0, 99),
)
def test_is_scipys_but_saturated(kind, shape, dtype, radius, footprint, mode, cval, seed):
    volume = noise(shape, dtype, seed)
    wide = volume if dtype.kind == "f" else volume.astype(np.int64)
    want = SCIPYS[kind](wide, footprint=mask(radius, footprint), mode=mode, cval=cval)
    if dtype.kind != "f":
        want = want.clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
    got = result(kind(radius, footprint, mode, cval), volume)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", SCIPYS)
@settings(max_examples=15, deadline=None)
@given(
    shapes, st.sampled_from(UNSIGNED), radii, footprints, st.sampled_from(MODES), st.integers(0, 99)
)
def test_is_scipys_where_that_does_not_wrap(kind, shape, dtype, radius, footprint, mode, seed):
    if mode == "constant" and kind in (Tophat, Blackhat):
        mode = "nearest"  # with a value beyond the ends, opening may brighten and closing darken
    volume = noise(shape, dtype, seed)
    want = SCIPYS[kind](volume, footprint=mask(radius, footprint), mode=mode)
    np.testing.assert_array_equal(result(kind(radius, footprint, mode), volume), want)


@pytest.mark.parametrize("kind", BINARY)
@settings(max_examples=15, deadline=None)
@given(shapes, radii, footprints, st.integers(0, 99))
def test_a_mask_is_binary_with_zeros_beyond_the_ends(kind, shape, radius, footprint, seed):
    volume = (np.random.default_rng(seed).random(shape) < 0.8).astype(np.uint8)
    want = BINARY[kind](volume, structure=mask(radius, footprint), border_value=0)
    np.testing.assert_array_equal(result(kind(radius, footprint, "constant"), volume), want)


def test_differences_are_saturated():
    volume = np.array([[[-128, 127, -128]]], np.int8)
    assert result(Gradient((0, 0, 1)), volume).tolist() == [[[127, 127, 127]]]
    assert result(Tophat((0, 0, 1)), volume).tolist() == [[[0, 127, 0]]]
    dark = np.full((1, 1, 3), 9, np.uint8)
    closed = Blackhat((0, 0, 1), mode="constant")  # to 0 at the ends, which are then below 0
    assert result(closed, dark).tolist() == [[[0, 0, 0]]]


def test_nan_spreads_over_the_footprint_of_each_pass():
    volume = np.zeros((1, 9, 9), np.float32)
    volume[0, 4, 4] = np.nan
    for kind, reach in ((Erode, 1), (Gradient, 1), (Open, 2), (Close, 2), (Tophat, 2)):
        touched = np.isnan(result(kind((0, 1, 1)), volume))
        assert touched[0, 4 - reach : 5 + reach, 4 - reach : 5 + reach].all()
        assert touched.sum() == (2 * reach + 1) ** 2
    assert np.isnan(result(Blackhat(0), np.full((1, 1, 1), np.inf))).all()


@pytest.mark.parametrize(
    ("op", "halo"),
    [
        (Erode((1, 0, 3)), (1, 0, 3)),
        (Gradient(2, "ball"), (2, 2, 2)),
        (Open((1, 0, 3)), (2, 0, 6)),
        (Tophat(2, "cross"), (4, 4, 4)),
        (Min((1, 4, 5)), (0, 2, 2)),
    ],
)
def test_context_is_what_the_footprints_reach_over(op, halo):
    assert op.halo == halo


def test_what_changes_nothing_is_left_out():
    spec = Spec((3, 4, 5), np.dtype(np.uint8))
    assert all(kind(0).is_identity(spec) for kind in BINARY)
    assert Min(1).is_identity(spec)
    others = (Erode((0, 0, 1)), Max((1, 2, 1)), Tophat(0), Blackhat(0), Gradient(0))
    assert not any(op.is_identity(spec) for op in others)
