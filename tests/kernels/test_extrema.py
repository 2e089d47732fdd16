"""Minimum and maximum filters against scipy.ndimage; NaN and signed zeros as documented."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels.boundary import MODES
from hoaconv.kernels.extrema import box_extremum, footprint_extremum

pytestmark = pytest.mark.one_python

FILTERS = {False: ndimage.minimum_filter, True: ndimage.maximum_filter}
REALS = [dtype for dtype in DTYPES if dtype.kind == "f"]
shapes = st.tuples(st.integers(1, 7), st.integers(1, 12), st.integers(1, 40))
sizes = st.tuples(*[st.integers(1, 9) | st.integers(10, 50)] * 3)
radii_of = st.tuples(*[st.integers(0, 5)] * 3)


def noise(shape, dtype, seed):
    """Return values of the whole range of a dtype, with its ends and infinities."""
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
    """Apply a filter to windows of `stride` planes and bands of `rows` rows."""
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
    """Return a footprint by its definition, voxel by voxel."""
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
def test_a_box_of_any_size_is_scipys(shape, dtype, size, maximum, mode, seed):
    volume = noise(shape, dtype, seed)
    want = FILTERS[maximum](volume, size, mode=mode, cval=7)
    np.testing.assert_array_equal(whole(box_extremum, volume, size, maximum, mode, 7), want)


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
def test_ball_and_cross_are_scipys(shape, dtype, radii, footprint, maximum, mode, seed):
    volume = noise(shape, dtype, seed)
    got = whole(footprint_extremum, volume, radii, footprint, maximum, mode, 7)
    want = FILTERS[maximum](volume, footprint=mask(radii, footprint), mode=mode, cval=7)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("radii", [(3, 3, 3), (5, 5, 5), (6, 14, 14), (0, 13, 13), (9, 6, 18)])
def test_a_ball_contains_the_voxels_on_its_surface(radii):
    volume = np.zeros([2 * r + 1 for r in radii], np.uint8)
    volume[radii] = 1
    got = whole(footprint_extremum, volume, radii, "ball", True, "constant", 0)
    np.testing.assert_array_equal(got, mask(radii, "ball"))


@st.composite
def unordered(draw):
    """Draw floats without a total order of comparison: NaN and zeros of both signs."""
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
    volume, radii, footprint, maximum, mode, stride, rows
):
    if footprint == "box":
        search, parameters = box_extremum, (tuple(2 * r + 1 for r in radii), maximum, mode, 0)
        seen = np.ones(parameters[0], bool)
    else:
        search, parameters = footprint_extremum, (radii, footprint, maximum, mode, 0)
        seen = mask(radii, footprint)
    got = whole(search, volume, *parameters)
    assert got.tobytes() == in_parts(search, volume, radii, stride, rows, *parameters).tobytes()
    spread = ndimage.maximum_filter(np.isnan(volume), footprint=seen, mode=mode, cval=0)
    np.testing.assert_array_equal(np.isnan(got), spread)
    without = np.where(np.isnan(volume), volume.dtype.type(0), volume)
    want = FILTERS[maximum](without, footprint=seen, mode=mode, cval=0)
    np.testing.assert_array_equal(got[~spread], want[~spread])


@pytest.mark.parametrize("maximum", [False, True])
def test_minus_zero_is_less_than_zero(maximum):
    volume = np.array([[[0.0, -0.0, 0.0]]], np.float32)
    got = whole(box_extremum, volume, (1, 1, 3), maximum, "nearest", 0)
    assert (np.signbit(got) == (not maximum)).all()


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
def test_cval_is_rounded_and_saturated(dtype, cval, voxel):
    for volume in (np.full((1, 1, 1), end, dtype) for end in (0, 100)):
        for maximum, choose in ((False, min), (True, max)):
            got = whole(box_extremum, volume, (1, 1, 2), maximum, "constant", cval)
            assert got.item() == choose(volume.item(), np.array(voxel, dtype).item())
            again = whole(footprint_extremum, volume, (0, 1, 0), "cross", maximum, "constant", cval)
            assert again.item() == got.item()
