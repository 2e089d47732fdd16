"""Removal of small objects, plane by plane, against scipy.ndimage.label on the whole volume."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels import small_objects
from hoaconv.kernels.small_objects import (
    CONNECTIVITIES,
    flush,
    label_plane,
    labelling_bytes,
    start_labelling,
    write_plane,
)

pytestmark = pytest.mark.one_python

shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(60, 140)),
    st.sampled_from([(1, 1, 1), (30, 1, 1), (1, 30, 1), (1, 1, 64), (2, 3, 128)]),
)
volumes = st.sampled_from([1, 2, 3, 5, 9, 30, 10**4, 10**20])


def oracle(volume, limit, connectivity, *, holes):
    mask = (volume == 0) if holes else (volume != 0)
    rank = CONNECTIVITIES.index(connectivity) + 1
    labels, n = ndimage.label(mask, ndimage.generate_binary_structure(3, rank))
    small = np.bincount(labels.ravel(), minlength=n + 1) <= limit
    small[0] = False
    if holes:
        faces = np.ones(volume.shape, bool)
        faces[1:-1, 1:-1, 1:-1] = False
        small[labels[faces]] = False
    return (mask & ~small[labels]) ^ holes


def streamed(volume, limit, connectivity, *, holes):
    """Label as the scanner does; check that planes are decided as early as promised."""
    state = start_labelling(volume.shape, limit, connectivity, holes=holes)
    out, given = np.full(volume.shape, 7, np.uint8), 0
    for z, plane in enumerate(volume):
        undecided = label_plane(state, plane, z, given)
        assert given <= undecided <= z + 1
        assert z + 1 - undecided <= limit
        for decided in range(given, undecided):
            write_plane(state, decided, out[decided])
        given = undecided
    flush(state, given)
    for decided in range(given, len(volume)):
        write_plane(state, decided, out[decided])
    return out


@settings(max_examples=1500, deadline=None)
@given(
    shape=shapes,
    share=st.sampled_from([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]),
    seed=st.integers(0, 1 << 30),
    limit=volumes,
    connectivity=st.sampled_from(CONNECTIVITIES),
    holes=st.booleans(),
)
@example(shape=(9, 9, 9), share=0.0, seed=0, limit=3, connectivity=6, holes=True)
def test_result_is_that_of_labels_of_the_whole_volume(
    shape, share, seed, limit, connectivity, holes
):
    volume = (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)
    got = streamed(volume, limit, connectivity, holes=holes)
    np.testing.assert_array_equal(got, oracle(volume, limit, connectivity, holes=holes))


def spiral(n):
    """Return a plane with a square spiral, one voxel wide."""
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
    """Return volumes of objects, one voxel wide, that join late, turn back or are long."""
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
    for limit in (1, size // 2, size - 1, size, size + 1):
        got = streamed(volume, limit, connectivity, holes=holes)
        np.testing.assert_array_equal(got, oracle(volume, limit, connectivity, holes=holes))


def test_int64_tables_give_the_same_result():
    volume = (np.random.default_rng(3).random((12, 9, 70)) < 0.3).astype(np.uint8)
    with patch.object(small_objects, "_index_dtype", lambda shape, limit: np.dtype(np.int64)):
        assert start_labelling(volume.shape, 9, 6, holes=False).nodes.dtype == np.int64
        got = streamed(volume, 9, 6, holes=False)
    np.testing.assert_array_equal(got, oracle(volume, 9, 6, holes=False))


def test_tables_are_int64_where_counts_or_planes_need_it():
    for shape, limit in [((9, 40_000, 60_000), 9), ((9, 9, 9), 10**20)]:
        wide = small_objects._index_dtype(shape, min(limit, int(np.prod(shape)))) == np.int64
        assert wide == (shape[1] > 9)
    assert small_objects._index_dtype((2000, 2000, 2000), 2**30) == np.int64


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_voxels_of_any_dtype_other_than_0_are_set(dtype):
    volume = np.random.default_rng(0).integers(0, 3, (6, 7, 70)).astype(dtype) * 40
    if dtype.kind in "if":
        volume = -volume
    if dtype.kind == "f":
        volume[volume == -40] = 1e-30
        volume[2, 3, 4], volume[3, 3, 9], volume[4, 3, 11] = np.nan, np.inf, -0.0
    for holes in (False, True):
        got = streamed(volume, 4, 6, holes=holes)
        np.testing.assert_array_equal(got, oracle(volume, 4, 6, holes=holes))


def test_planes_and_results_may_be_parts_of_larger_arrays():
    volume = (np.random.default_rng(1).random((5, 12, 90)) < 0.2).astype(np.uint16)
    state = start_labelling((5, 10, 80), 10**6, 26, holes=False)
    for z in range(5):
        label_plane(state, volume[z, 1:-1, 5:-5], z, 0)
    flush(state, 0)
    for z in range(5):
        padded = np.full((14, 100), 7, np.uint8)
        write_plane(state, z, padded[2:12, 10:90])
        want = oracle(volume[:, 1:-1, 5:-5], 10**6, 26, holes=False)[z]
        np.testing.assert_array_equal(padded[2:12, 10:90], want)
        padded[2:12, 10:90] = 7
        assert (padded == 7).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 129), (40, 64, 64)])
@pytest.mark.parametrize("limit", [1, 6, 10**9])
def test_bytes_are_those_of_the_arrays(shape, limit):
    for connectivity in CONNECTIVITIES:
        state = start_labelling(shape, limit, connectivity, holes=True)
        arrays = [part for part in state if isinstance(part, np.ndarray)]
        held = sum(array.nbytes for array in arrays)
        assert held <= labelling_bytes(shape, limit) <= held + 20 * 3 * 8
