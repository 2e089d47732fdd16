"""The ops' own duties, and what scans promise; the objects are tested with their kernels."""

import tracemalloc
import weakref
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import InMemory, Keep
from scipy import ndimage

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Scan
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import SpellingError
from hoaconv.ops.catalogue import catalogue
from hoaconv.ops.objects import FillHoles, RemoveSmall
from hoaconv.ops.pointwise import Threshold
from hoaconv.ops.spelling import parse_op

pytestmark = pytest.mark.one_python

SCANS = [
    "remove-small 1",
    "remove-small 9 26",
    "remove-small 1e9",
    "fill-holes 1 26",
    "fill-holes 9",
    "fill-holes 1e9 18",
]
SMALL = 32_768
"""Bytes of Python objects, which a declaration needn't count: views, and freed ones that Python
keeps for later."""


def test_every_scan_has_a_row():
    words = {word for word, op in catalogue().items() if issubclass(op, Scan)}
    assert {text.split()[0] for text in SCANS} == words


def noise(shape, dtype, share, seed):
    rng = np.random.default_rng(seed)
    return ((rng.random(shape) < share) * rng.integers(1, 100, shape)).astype(dtype)


def labelled(mask, connectivity=6):
    rank = {6: 1, 18: 2, 26: 3}[connectivity]
    return ndimage.label(mask, ndimage.generate_binary_structure(3, rank))


def by_labels(op, volume):
    """The op on the whole volume; a hole is what scipy.ndimage fills, whatever its size."""
    mask = volume != 0
    if isinstance(op, RemoveSmall):
        labels, n = labelled(mask, op.connectivity)
        return mask & (np.bincount(labels.ravel(), minlength=n + 1) > op.volume)[labels]
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[op.connectivity])
    labels, n = labelled(ndimage.binary_fill_holes(mask, structure) & ~mask, op.connectivity)
    return mask | ((labels > 0) & (np.bincount(labels.ravel()) <= op.volume)[labels])


def planes_of(op, volume, buffers=None):
    """What a scanner gives, and how many planes it had taken by then."""
    scanner = op.open(Spec(volume.shape, volume.dtype), buffers or Buffers())
    for z, plane in enumerate(volume):
        for given_plane in scanner.take(plane):
            yield given_plane, z + 1
    for given_plane in scanner.end():
        yield given_plane, len(volume)


@pytest.mark.parametrize("text", SCANS)
@settings(max_examples=40, deadline=None)
@given(
    shape=st.just((1, 1, 1)) | st.tuples(st.integers(1, 20), st.integers(1, 9), st.integers(1, 70)),
    dtype=st.sampled_from(DTYPES),
    share=st.sampled_from([0.05, 0.3, 0.7, 0.95]),
    seed=st.integers(0, 99),
)
def test_what_is_streamed_is_the_whole_and_no_later_than_declared(text, shape, dtype, share, seed):
    op, volume = parse_op(text), noise(shape, dtype, share, seed)
    before, spec = volume.copy(), Spec(shape, dtype)
    planes = list(planes_of(op, volume))
    got = np.stack([plane for plane, _ in planes])
    assert Spec(got.shape, got.dtype) == op.infer(spec) == Spec(shape, np.uint8)
    np.testing.assert_array_equal(got, by_labels(op, volume))
    assert max(taken - 1 - z for z, (_, taken) in enumerate(planes)) <= op.delay(spec)
    np.testing.assert_array_equal(volume, before)


@pytest.mark.parametrize("text", SCANS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (60, 40, 129), (12, 300, 200)])
def test_a_scanner_holds_no_more_than_it_declares_whatever_the_mask(text, shape):
    op, spec = parse_op(text), Spec(shape, np.uint8)
    op.warm(spec)
    checkers = (np.indices(shape, np.uint8).sum(0) % 2).astype(np.uint8)
    for volume in (checkers, noise(shape, np.uint8, 0.5, 0), np.zeros(shape, np.uint8)):
        buffers = Buffers()
        tracemalloc.start()
        try:
            deque(planes_of(op, volume, buffers), maxlen=0)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak - buffers.held <= op.state_bytes(spec) + SMALL


@pytest.mark.parametrize("text", SCANS)
def test_planes_are_made_one_by_one_and_forgotten(text):
    op, buffers = parse_op(text), Buffers()
    volume = noise((25, 8, 33), np.uint8, 0.3, 1)
    for plane, _ in planes_of(op, volume, buffers):
        plane[...] = 9  # it is the reader's own
        del plane
    assert buffers.held == 2 * 8 * 33  # the loop of the test itself keeps one
    scanner = op.open(Spec(volume.shape, volume.dtype), buffers)
    taken = volume[0].copy()
    dead = weakref.ref(taken)
    given_planes = scanner.take(taken)
    del taken
    assert dead() is None
    list(given_planes)


def test_the_delay_is_the_volume_or_the_whole():
    assert RemoveSmall(5).delay(Spec((100, 9, 9), np.uint8)) == 5
    assert FillHoles(500).delay(Spec((100, 9, 9), np.uint8)) == 99
    worm = np.zeros((30, 3, 3), np.uint8)
    worm[4:10, 1, 1] = 1
    got = [taken - 1 - z for z, (_, taken) in enumerate(planes_of(RemoveSmall(6), worm))]
    assert got[:4] == [0] * 4  # nothing waits
    assert got[4:10] == [6, 5, 4, 3, 2, 1]  # till the worm has ended
    got = [taken - 1 - z for z, (_, taken) in enumerate(planes_of(RemoveSmall(3), worm))]
    assert got[4:10] == [3, 2, 1, 0, 0, 0]  # till it is too large


def test_state_is_bits_of_what_waits_and_tables_of_a_plane():
    def bytes_a_voxel(volume, planes=9080):
        return RemoveSmall(volume).state_bytes(Spec((planes, 7621, 7621), np.uint16)) / 7621**2

    assert 12 < bytes_a_voxel(1) < 12.5
    assert 0.125 <= (bytes_a_voxel(1001) - bytes_a_voxel(1)) / 1000 < 0.127
    assert bytes_a_voxel(10**9, 3) < 12 + 3 / 8 + 3.1  # and a byte for each step of a walk


def test_the_border_opens_a_hole_and_a_plane_has_none():
    shell = np.ones((3, 3, 3), np.uint8)
    shell[1, 1, 1] = 0
    assert np.stack([p for p, _ in planes_of(FillHoles(1), shell)]).all()
    for face in ((0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2)):
        opened = shell.copy()
        opened[face] = 0
        got = np.stack([p for p, _ in planes_of(FillHoles(100), opened)])
        np.testing.assert_array_equal(got, opened)
    ring = shell[1:2]
    np.testing.assert_array_equal([p for p, _ in planes_of(FillHoles(100), ring)], ring)


def test_runs_between_other_ops():
    volume = np.random.default_rng(0).integers(0, 100, (23, 17, 70), np.uint16)
    sink = Keep()
    plan = Plan.read(InMemory(volume)) | Threshold(70) | RemoveSmall(8) | FillHoles(4, 26) | sink
    run(schedule(plan, Limits(1 << 30, 2, 0)))
    want = by_labels(FillHoles(4, 26), by_labels(RemoveSmall(8), volume > 70))
    np.testing.assert_array_equal(sink.volume, want)


def test_equal_means_equal_in_effect():
    assert RemoveSmall(50) == RemoveSmall("5e1") == RemoveSmall(np.uint16(50), "6")
    assert RemoveSmall(50) != RemoveSmall(50, 18) != FillHoles(50, 18)
    assert str(RemoveSmall(10**6)) == "remove-small 1000000"


@pytest.mark.parametrize("volume", [0, -1, 1.5, "x", "inf", float("nan"), None, (1, 2), "³"])
def test_refuses_what_is_no_volume(volume):
    with pytest.raises(SpellingError, match="remove-small: volume should be a "):
        RemoveSmall(volume)


@pytest.mark.parametrize("connectivity", [1, 8, "faces", 6.5, None])
def test_refuses_what_is_no_connectivity(connectivity):
    with pytest.raises(SpellingError, match=r"connectivity should be 6 \(faces\), 18 .* or 26"):
        FillHoles(9, connectivity)
