"""Least and greatest voxels against scipy.ndimage; what it leaves open, against the docstrings."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels.boundary import MODES
from hoaconv.kernels.extrema import box_extreme, footprint_extreme

pytestmark = pytest.mark.one_python

FILTERS = {False: ndimage.minimum_filter, True: ndimage.maximum_filter}
REALS = [dtype for dtype in DTYPES if dtype.kind == "f"]
shapes = st.tuples(st.integers(1, 7), st.integers(1, 12), st.integers(1, 40))
sizes = st.tuples(*[st.integers(1, 9) | st.integers(10, 50)] * 3)
radii_of = st.tuples(*[st.integers(0, 5)] * 3)


def noise(shape, dtype, seed):
    """The whole range of a dtype, its ends included, infinities too."""
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        values = rng.normal(0, 100, shape).astype(dtype)
        values[rng.random(shape) < 0.05] = np.inf
        values[rng.random(shape) < 0.05] = -np.inf
        return values
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    values[rng.random(shape) < 0.1] = info.min
    values[rng.random(shape) < 0.1] = info.max
    return values


def whole(search, volume, *parameters):
    out = np.empty_like(volume)
    search(volume, (slice(None),) * 3, out, *parameters)
    return out


def in_parts(search, volume, halo, stride, rows, *parameters):
    """The same by windows of `stride` planes and bands of `rows` rows."""
    out = np.empty_like(volume)
    nz, ny, _ = volume.shape
    for z, y in product(range(0, nz, stride), range(0, ny, rows)):
        first = max(0, z - halo[0]), max(0, y - halo[1])
        block = volume[first[0] : z + stride + halo[0], first[1] : y + rows + halo[1]]
        given_out = out[z : z + stride, y : y + rows]
        core = tuple(
            slice(start - at, start - at + n)
            for start, at, n in zip((z, y, 0), (*first, 0), given_out.shape, strict=True)
        )
        search(block, core, given_out, *parameters)
    return out


def mask(radii, footprint):
    """The footprint, voxel by voxel, by its definition."""
    offsets = product(*[range(-r, r + 1) for r in radii])
    if footprint == "ball":
        shares = (map(Fraction, offset, [max(r, 1) for r in radii]) for offset in offsets)
        inside = [sum(share**2 for share in three) <= 1 for three in shares]
    else:
        inside = [np.count_nonzero(offset) <= 1 for offset in offsets]
    return np.array(inside).reshape([2 * r + 1 for r in radii])


@settings(max_examples=150, deadline=None)
@given(
    shapes,
    st.sampled_from(DTYPES),
    sizes,
    st.booleans(),
    st.sampled_from(MODES),
    st.integers(0, 99),
)
def test_a_box_is_scipys_of_any_size(shape, dtype, size, greatest, mode, seed):
    volume = noise(shape, dtype, seed)
    want = FILTERS[greatest](volume, size, mode=mode, cval=7)
    np.testing.assert_array_equal(whole(box_extreme, volume, size, greatest, mode, 7), want)


@settings(max_examples=150, deadline=None)
@given(
    shapes,
    st.sampled_from(DTYPES),
    radii_of,
    st.sampled_from(["ball", "cross"]),
    st.booleans(),
    st.sampled_from(MODES),
    st.integers(0, 99),
)
def test_a_ball_and_a_cross_are_scipys(shape, dtype, radii, footprint, greatest, mode, seed):
    volume = noise(shape, dtype, seed)
    got = whole(footprint_extreme, volume, radii, footprint, greatest, mode, 7)
    want = FILTERS[greatest](volume, footprint=mask(radii, footprint), mode=mode, cval=7)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("radii", [(3, 3, 3), (5, 5, 5), (6, 14, 14), (0, 13, 13), (9, 6, 18)])
def test_a_ball_holds_the_voxels_that_lie_just_on_it(radii):
    volume = np.zeros([2 * r + 1 for r in radii], np.uint8)
    volume[radii] = 1
    got = whole(footprint_extreme, volume, radii, "ball", True, "constant", 0)
    np.testing.assert_array_equal(got, mask(radii, "ball"))


@st.composite
def unordered(draw):
    """Floats among which comparing alone doesn't decide: NaN of either sign, zeros of either."""
    dtype = draw(st.sampled_from(REALS))
    values = np.array([np.nan, -np.nan, 0.0, -0.0, 1, -1, np.inf, -np.inf], dtype)
    shape = draw(shapes)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    common = rng.choice([0.0, 0.02, 0.3])
    return rng.choice(values, shape, p=[common / 2] * 2 + [(1 - common) / 6] * 6)


@settings(max_examples=80, deadline=None)
@given(
    unordered(),
    radii_of,
    st.sampled_from(["box", "ball", "cross"]),
    st.booleans(),
    st.sampled_from(MODES),
    st.integers(1, 7),
    st.integers(1, 12),
)
def test_nan_spreads_and_the_bits_are_those_of_the_whole_volume(
    volume, radii, footprint, greatest, mode, stride, rows
):
    if footprint == "box":
        search, parameters = box_extreme, (tuple(2 * r + 1 for r in radii), greatest, mode, 0)
        seen = np.ones(parameters[0], bool)
    else:
        search, parameters = footprint_extreme, (radii, footprint, greatest, mode, 0)
        seen = mask(radii, footprint)
    got = whole(search, volume, *parameters)
    assert got.tobytes() == in_parts(search, volume, radii, stride, rows, *parameters).tobytes()
    spread = ndimage.maximum_filter(np.isnan(volume), footprint=seen, mode=mode, cval=0)
    np.testing.assert_array_equal(np.isnan(got), spread)
    without = np.where(np.isnan(volume), volume.dtype.type(0), volume)
    want = FILTERS[greatest](without, footprint=seen, mode=mode, cval=0)
    np.testing.assert_array_equal(got[~spread], want[~spread])


@pytest.mark.parametrize("greatest", [False, True])
def test_minus_zero_is_less_than_zero(greatest):
    volume = np.array([[[0.0, -0.0, 0.0]]], np.float32)
    got = whole(box_extreme, volume, (1, 1, 3), greatest, "nearest", 0)
    assert (np.signbit(got) == (not greatest)).all()


@pytest.mark.parametrize(
    ("dtype", "cval", "voxel"),
    [
        ("uint8", -5, 0),
        ("uint8", 300, 255),
        ("int16", np.inf, 32767),
        ("int8", -np.inf, -128),
        ("uint32", 2.0**32, 2**32 - 1),
        ("uint16", 2.5, 2),
        ("int32", -3.5, -4),
        ("float32", 1e39, np.inf),
        ("float64", 0.1, 0.1),
    ],
)
def test_the_value_outside_is_rounded_and_saturated(dtype, cval, voxel):
    for volume in (np.full((1, 1, 1), end, dtype) for end in (0, 100)):
        for greatest, choose in ((False, min), (True, max)):
            got = whole(box_extreme, volume, (1, 1, 2), greatest, "constant", cval)
            assert got.item() == choose(volume.item(), np.array(voxel, dtype).item())
            again = whole(footprint_extreme, volume, (0, 1, 0), "cross", greatest, "constant", cval)
            assert again.item() == got.item()
