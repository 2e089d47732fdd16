"""Small objects, streamed plane by plane, against labels of the whole volume by scipy.ndimage."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels import objects
from hoaconv.kernels.objects import CONNECTIVITIES, finish, follow, give, track, track_bytes

pytestmark = pytest.mark.one_python

shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(60, 140)),
    st.sampled_from([(1, 1, 1), (30, 1, 1), (1, 30, 1), (1, 1, 64), (2, 3, 128)]),
)
volumes = st.sampled_from([1, 2, 3, 5, 9, 30, 10**4, 10**20])


def oracle(volume, most, connectivity, *, holes):
    mask = (volume == 0) if holes else (volume != 0)
    rank = CONNECTIVITIES.index(connectivity) + 1
    labels, n = ndimage.label(mask, ndimage.generate_binary_structure(3, rank))
    small = np.bincount(labels.ravel(), minlength=n + 1) <= most
    small[0] = False
    if holes:
        faces = np.ones(volume.shape, bool)
        faces[1:-1, 1:-1, 1:-1] = False
        small[labels[faces]] = False
    return (mask & ~small[labels]) ^ holes


def streamed(volume, most, connectivity, *, holes):
    """As the scanner does it; planes are decided as early as they should be, at the latest."""
    tracks = track(volume.shape, most, connectivity, holes=holes)
    out, given = np.full(volume.shape, 7, np.uint8), 0
    for z, plane in enumerate(volume):
        undecided = follow(tracks, plane, z, given)
        assert given <= undecided <= z + 1
        assert z + 1 - undecided <= most
        for decided in range(given, undecided):
            give(tracks, decided, out[decided])
        given = undecided
    finish(tracks, given)
    for decided in range(given, len(volume)):
        give(tracks, decided, out[decided])
    return out


@settings(max_examples=1500, deadline=None)
@given(
    shape=shapes,
    share=st.sampled_from([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]),
    seed=st.integers(0, 1 << 30),
    most=volumes,
    connectivity=st.sampled_from(CONNECTIVITIES),
    holes=st.booleans(),
)
@example(shape=(9, 9, 9), share=0.0, seed=0, most=3, connectivity=6, holes=True)
def test_is_what_labels_of_the_whole_volume_say(shape, share, seed, most, connectivity, holes):
    volume = (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)
    got = streamed(volume, most, connectivity, holes=holes)
    np.testing.assert_array_equal(got, oracle(volume, most, connectivity, holes=holes))


def spiral(n):
    """A square spiral in a plane, one voxel wide."""
    plane = np.zeros((n, n), np.uint8)
    y, x, dy, dx = 0, 0, 0, 1
    while not plane[y, x]:
        plane[y, x] = 1
        ahead, beyond = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
        free = min(ahead) >= 0 and max(ahead) < n
        taken = min(beyond) >= 0 and max(beyond) < n and plane[beyond]
        if not free or taken:
            dy, dx = dx, -dy
        y, x = y + dy, x + dx
    return plane


def winding():
    """Objects of one voxel's width that join late, wind back or go on for long."""
    comb = np.zeros((12, 5, 9), np.uint8)
    comb[:, 2, ::2], comb[-2, 2, :] = 1, 1
    coil = np.zeros((14, 11, 13), np.uint8)
    for z in range(0, 14, 2):
        coil[z, 1:-1, 1:-1] = 1
        coil[z + 1, 1 if z % 4 else -2, 1:-1] = 1
    flat = np.pad(spiral(15), 2)[None]
    return {
        "comb": comb,
        "coil": coil,
        "spiral along z, y": np.ascontiguousarray(flat.transpose(1, 2, 0)).repeat(3, 2),
        "spiral along z, x": np.pad(flat.transpose(1, 0, 2), ((0, 0), (1, 1), (0, 0))),
        "diagonal": np.eye(10, dtype=np.uint8)[:, :, None] * np.eye(10, dtype=np.uint8)[:, None],
    }


@pytest.mark.parametrize("name", winding())
@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
@pytest.mark.parametrize("holes", [False, True])
def test_objects_that_wind_are_counted_to_the_voxel(name, connectivity, holes):
    volume = np.ascontiguousarray(winding()[name])
    volume = np.pad(1 - volume, 1, constant_values=1) if holes else volume
    _, n = ndimage.label(volume == 0 if holes else volume)
    assert n
    size = int((volume == 0).sum() if holes else volume.sum())
    for most in (1, size // 2, size - 1, size, size + 1):
        got = streamed(volume, most, connectivity, holes=holes)
        np.testing.assert_array_equal(got, oracle(volume, most, connectivity, holes=holes))


def test_tables_of_wider_integers_give_the_same():
    volume = (np.random.default_rng(3).random((12, 9, 70)) < 0.3).astype(np.uint8)
    with patch.object(objects, "_index", lambda shape, most: np.dtype(np.int64)):
        assert track(volume.shape, 9, 6, holes=False).nodes.dtype == np.int64
        got = streamed(volume, 9, 6, holes=False)
    np.testing.assert_array_equal(got, oracle(volume, 9, 6, holes=False))


def test_tables_are_as_wide_as_counts_and_planes_need():
    for shape, most in [((9, 40_000, 60_000), 9), ((9, 9, 9), 10**20)]:
        wide = objects._index(shape, min(most, int(np.prod(shape)))) == np.int64
        assert wide == (shape[1] > 9)
    assert objects._index((2000, 2000, 2000), 2**30) == np.int64


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_any_dtype_is_a_mask_of_what_is_not_zero(dtype):
    volume = np.random.default_rng(0).integers(0, 3, (6, 7, 70)).astype(dtype) * 40
    if dtype.kind in "if":
        volume = -volume
    if dtype.kind == "f":
        volume[volume == -40] = 1e-30
        volume[2, 3, 4], volume[3, 3, 9], volume[4, 3, 11] = np.nan, np.inf, -0.0
    for holes in (False, True):
        got = streamed(volume, 4, 6, holes=holes)
        np.testing.assert_array_equal(got, oracle(volume, 4, 6, holes=holes))


def test_planes_may_be_cuts_and_so_may_what_is_given():
    volume = (np.random.default_rng(1).random((5, 12, 90)) < 0.2).astype(np.uint16)
    tracks = track((5, 10, 80), 10**6, 26, holes=False)
    for z in range(5):
        follow(tracks, volume[z, 1:-1, 5:-5], z, 0)
    finish(tracks, 0)
    for z in range(5):
        padded = np.full((14, 100), 7, np.uint8)
        give(tracks, z, padded[2:12, 10:90])
        want = oracle(volume[:, 1:-1, 5:-5], 10**6, 26, holes=False)[z]
        np.testing.assert_array_equal(padded[2:12, 10:90], want)
        padded[2:12, 10:90] = 7
        assert (padded == 7).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 129), (40, 64, 64)])
@pytest.mark.parametrize("most", [1, 6, 10**9])
def test_bytes_are_those_of_the_arrays(shape, most):
    for connectivity in CONNECTIVITIES:
        tracks = track(shape, most, connectivity, holes=True)
        arrays = [part for part in tracks if isinstance(part, np.ndarray)]
        held = sum(array.nbytes for array in arrays)
        assert held <= track_bytes(shape, most) <= held + 20 * 3 * 8
