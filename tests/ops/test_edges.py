"""Against scipy.ndimage and numpy in float64 on the whole volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from whole import MODES, SHAPES, noise, result

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.ops.derivative import GradientMagnitude
from hoaconv.ops.edges import Bilateral, NonMaxSuppression, StructureTensor

pytestmark = pytest.mark.one_python

NUMPY_MODES = {"reflect": "symmetric", "nearest": "edge", "mirror": "reflect"}


def eigen(volume, op):
    """Eigenvalues, rising, and eigenvectors as columns, of the tensors; scipy step by step."""
    real, ends = volume.astype(np.float64), {"mode": op.mode, "truncate": op.truncate}
    parts = [
        ndimage.gaussian_filter(real, op.gradient_sigma, order=order, **ends)
        for order in np.eye(3, dtype=int)
    ]
    tensor = np.array(
        [[ndimage.gaussian_filter(a * b, op.sigma, **ends) for b in parts] for a in parts]
    )
    return np.linalg.eigh(np.moveaxis(tensor, (0, 1), (-2, -1)))


SIGMAS = st.tuples(*[st.sampled_from([0, 0.5, 1, 1.3])] * 3)
INNER = st.tuples(*[st.sampled_from([0.4, 0.8, 1])] * 3)


@settings(max_examples=40, deadline=None)
@given(
    SHAPES,
    st.sampled_from(DTYPES),
    SIGMAS,
    INNER,
    MODES,
    st.sampled_from([2, 4]),
    st.integers(0, 99),
)
def test_the_structure_tensor_is_that_of_numpy_and_scipy(
    shape, dtype, sigma, inner, mode, truncate, seed
):
    volume = noise(shape, dtype, seed)
    coherence, azimuth, elevation = (
        StructureTensor(sigma, output, inner, mode, truncate)
        for output in ("coherence", "azimuth", "elevation")
    )
    values, vectors = eigen(volume, coherence)
    l3, l2, l1 = np.moveaxis(values, -1, 0)
    total = l1 + l2 + l3
    there = total > 1e-9 * total.max()
    want = np.divide(l1 - l3, l1 + l3, out=np.zeros(shape), where=there)
    # Differences of voxels lose a few of float32's digits, least ones are 0 to 1e-6 of the sum.
    np.testing.assert_allclose(result(coherence, volume)[there], want[there], atol=2e-5)

    y, x = (np.radians(result(azimuth, volume)), np.radians(result(elevation, volume)))
    along = np.stack([np.sin(x), np.cos(x) * np.sin(y), np.cos(x) * np.cos(y)], axis=-1)
    defined = there & ((l1 - l3) * (l2 - l3) > 1e-2 * total**2)
    cosines = np.abs((along * vectors[..., 0]).sum(axis=-1))
    np.testing.assert_allclose(cosines[defined], 1, atol=1e-5)


def weighted(volume, op):
    """The bilateral filter in float64, an offset at a time."""
    real, radii = volume.astype(np.float64), op.halo
    ends = {"constant_values": op.cval} if op.mode == "constant" else {}
    padded = np.pad(real, [(r, r) for r in radii], NUMPY_MODES.get(op.mode, op.mode), **ends)
    norm, total = np.zeros(volume.shape), np.zeros(volume.shape)
    for offset in np.ndindex(*(2 * r + 1 for r in radii)):
        near = padded[tuple(slice(o, o + n) for o, n in zip(offset, volume.shape, strict=True))]
        apart = [(o - r) / s for o, r, s in zip(offset, radii, op.sigma, strict=True) if s]
        weight = np.exp(
            -0.5 * sum(a**2 for a in apart) - 0.5 * ((near - real) / op.sigma_color) ** 2
        )
        norm += weight
        total += weight * near
    return total / norm


@settings(max_examples=60, deadline=None)
@given(
    SHAPES,
    st.sampled_from(DTYPES),
    st.tuples(*[st.sampled_from([0, 0.5, 1])] * 3),
    st.sampled_from([1e-3, 0.02, 0.3, 50]),
    st.sampled_from([1, 2]),
    MODES,
    st.integers(0, 99),
)
def test_bilateral_is_the_weighted_mean(shape, dtype, sigma, share, truncate, mode, seed):
    volume = noise(shape, dtype, seed)
    scale = 2 * float(np.abs(volume.astype(np.float64)).max()) + 17
    op = Bilateral(sigma, share * scale, truncate, mode, cval=17)
    want = weighted(volume, op)
    rounding = 0 if dtype.kind == "f" else 0.5
    error = 1e-6 if dtype.itemsize <= 2 or dtype == np.float32 else 1e-14
    assert np.abs(result(op, volume) - want).max() <= rounding + error * scale


def test_an_edge_stays_and_noise_goes():
    noisy = np.random.default_rng(0).normal(1000, 10, (9, 20, 20)).astype(np.uint16)
    noisy[:, :, 10:] += 10000
    smooth = result(Bilateral(2, 50, truncate=2), noisy)
    for half in (slice(10), slice(10, 20)):
        assert smooth[:, :, half].std() < noisy[:, :, half].std() / 4
        assert abs(smooth[:, :, half].mean() - noisy[:, :, half].mean()) < 1


def test_bilateral_of_nan_and_infinity():
    volume = np.random.default_rng(0).normal(size=(7, 7, 7)).astype(np.float32)
    volume[1, 1, 1], volume[5, 5, 5] = np.nan, np.inf
    got = result(Bilateral(0.4, 2), volume)
    assert np.isnan(got[:3, :3, :3]).all()
    assert np.isnan(got).sum() == 27
    assert got[5, 5, 5] == np.inf
    assert np.isfinite(got).sum() == volume.size - 28
    volume[5, 5, 4] = np.inf
    assert np.isnan(result(Bilateral(0.4, 2), volume)[5, 5, 4:6]).all()
    np.testing.assert_array_equal(result(Bilateral(1e-9, 2), volume), volume)
    far = np.array([[[0, 1e30, -3e38, 3e38]]], np.float32)
    np.testing.assert_array_equal(result(Bilateral(1, 1e-300), far), far)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from(DTYPES), INNER, MODES, st.sampled_from([2, 4]), st.integers(0, 99))
def test_edges_are_thinned_as_by_scipy_step_by_step(shape, dtype, sigma, mode, truncate, seed):
    volume = noise(shape, dtype, seed)
    op = NonMaxSuppression(sigma, mode, truncate)
    real, ends = volume.astype(np.float64), {"mode": mode, "truncate": truncate}
    parts = np.array(
        [
            ndimage.gaussian_filter(real, sigma, order=order, **ends)
            for order in np.eye(3, dtype=int)
        ]
    )
    length = np.sqrt((parts**2).sum(axis=0))
    step = parts / np.maximum(np.abs(parts).max(axis=0), 1e-300)
    padded = np.pad(length, 1, NUMPY_MODES.get(mode, mode))
    ahead, behind = (
        ndimage.map_coordinates(padded, np.indices(shape) + 1 + sign * step, order=1)
        for sign in (1, -1)
    )
    got, scale = result(op, volume), length.max()
    assert got.dtype == op.infer(Spec(shape, volume.dtype)).dtype
    plain = result(GradientMagnitude(sigma, mode, 0, truncate), volume)
    assert np.where(got == 0, plain, got).tobytes() == plain.tobytes()
    # Rounding decides between lengths that are about alike.
    sure = np.minimum(np.abs(length - ahead), np.abs(length - behind)) > 1e-3 * scale
    sure &= length > 1e-3 * scale
    kept = (length > ahead) & (length > behind)
    np.testing.assert_array_equal(got[sure] > 0, kept[sure])
    assert sure.mean() > 0.75 or min(shape) < 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("rising", [True, False])
def test_an_edge_is_one_voxel_thick_and_lies_on_its_dark_side(dtype, axis, rising):
    steps = np.where(np.arange(12) < 5, 20, 110)[:: 1 if rising else -1].astype(dtype)
    shape = [1, 1, 1]
    shape[axis] = 12
    volume = np.broadcast_to(steps.reshape(shape), (12, 12, 12)).copy()
    edge = result(NonMaxSuppression(1), volume) > 0
    place = [slice(None)] * 3
    place[axis] = 4 if rising else 7
    assert edge[tuple(place)].all()
    assert edge.sum() == 144


def test_a_ball_s_surface_is_found_where_it_is():
    at = np.indices((41, 41, 41)) - 20
    radius = np.sqrt((at**2).sum(axis=0))
    ball = np.where(radius < 13, 50000, 1000).astype(np.uint16)
    edge = result(NonMaxSuppression(1.5), ball) > 5000
    assert np.abs(radius[edge] - 13).max() < 1.2
    # It is closed, and no thicker than a surface in steps of voxels need be.
    assert ndimage.label(~edge)[1] == 2
    assert edge.sum() < 1.7 * 4 * np.pi * 13**2


def test_no_edge_where_nothing_changes_nor_a_plateau_of_them_on_a_ramp():
    assert not result(NonMaxSuppression(1), np.full((5, 6, 7), 9, np.uint16)).any()
    # Differences along z come first, and are exact: rounding makes no edge.
    ramp = np.broadcast_to(np.arange(0, 4000, 100)[:, None, None], (40, 9, 9)).astype(np.uint16)
    edge = result(NonMaxSuppression(0.5), ramp).any(axis=(1, 2))
    assert edge.sum() == 1
    assert edge[:3].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e25])
def test_thin_edges_are_undefined_as_far_as_the_halo_reaches(value):
    volume = np.random.default_rng(0).normal(size=(15, 15, 15)).astype(np.float32)
    want = result(NonMaxSuppression(0.5), volume)
    volume[7, 7, 7] = value
    op = NonMaxSuppression(0.5)
    got = result(op, volume)
    near = np.zeros(volume.shape, bool)
    near[tuple(slice(7 - r, 8 + r) for r in op.halo)] = True
    assert np.isnan(got[near]).any()
    np.testing.assert_array_equal(got[~near], want[~near])


def fibre(direction, n=41):
    """A bright straight fibre through the middle of a cube; `direction` is z, y, x."""
    direction = np.array(direction) / np.linalg.norm(direction)
    at = np.moveaxis(np.indices((n, n, n)) - n // 2, 0, -1)
    across = at - (at @ direction)[..., None] * direction
    return (60000 * np.exp(-0.5 * (across**2).sum(axis=-1) / 3**2)).astype(np.uint16)


@pytest.mark.parametrize(
    ("direction", "azimuth", "elevation"),
    [
        ((0, 0, 1), 0, 0),
        ((0, 1, 0), 90, 0),
        ((1, 0, 0), None, 90),
        ((0, 1, 1), 45, 0),
        ((0, -1, 1), -45, 0),
        ((0, -3, -1), 71.565, 0),
        ((1, 0, 1), 0, 45),
        ((-1, 1, 1), 45, -35.264),
        ((-1, -1, -1), 45, 35.264),
    ],
)
def test_angles_are_those_of_a_fibre(direction, azimuth, elevation):
    volume = fibre(direction)
    core = (slice(19, 22), slice(19, 22), slice(None))

    def told(output):
        out = np.empty((3, 3, 41), np.float32)
        StructureTensor(2, output).apply(volume, core, out)
        return out[..., 19:22]

    # Along z, rounding decides on the sign.
    got = np.abs(told("elevation")) if elevation == 90 else told("elevation")
    np.testing.assert_allclose(got, elevation, atol=0.3)
    if azimuth is not None:
        # Axes of azimuth 90 and -90 are one: rounding decides which it is.
        off = (told("azimuth") - azimuth + 90) % 180 - 90
        np.testing.assert_allclose(off, 0, atol=0.3)
    assert (told("coherence") > 0.9).all()


def test_what_has_no_direction_is_0():
    flat = np.full((7, 8, 9), 500, np.uint16)
    sheet = np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None] ** 2, (9, 9, 9)).copy()
    for output in ("coherence", "azimuth", "elevation"):
        assert not result(StructureTensor(1, output), flat).any()
    for output in ("azimuth", "elevation"):
        assert not result(StructureTensor(1, output), sheet).any()
    np.testing.assert_allclose(result(StructureTensor(1), sheet), 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e25])
def test_what_is_beyond_squaring_spreads_as_far_as_the_weights_reach(value):
    volume = np.random.default_rng(0).normal(size=(15, 15, 15)).astype(np.float32)
    volume[7, 7, 7] = value
    op = StructureTensor(0.3, gradient_sigma=0.4)
    for output in ("coherence", "azimuth", "elevation"):
        untold = np.isnan(result(StructureTensor(0.3, output, 0.4), volume))
        near = np.zeros(volume.shape, bool)
        near[tuple(slice(7 - r, 8 + r) for r in op.halo)] = True
        assert untold[7, 7, 6]
        assert not untold[~near].any()
