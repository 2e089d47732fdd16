"""Cutouts: NumPy's voxels, at their place, from no more chunks than they touch."""

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeping import decoded_while
from typer.testing import CliRunner

import hoaconv as hc
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError, StoreError
from hoaconv.job.box import Box, Length
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python

SHAPE, CHUNKS = (37, 67, 53), (8, 32, 16)


@pytest.fixture(scope="module")
def store(volume, tmp_path_factory):
    """An image of one level, whose first voxel lies elsewhere than at 0."""
    path = tmp_path_factory.mktemp("cut") / "a.zarr"
    place = {"type": "translation", "translation": [8, 0, -6]}
    steps = [{"type": "scale", "scale": [4, 2, 2]}, place]
    image = {
        "axes": [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"],
        "datasets": [{"path": "0", "coordinateTransformations": steps}],
    }
    group = zarr.create_group(path, attributes={"ome": {"version": "0.5", "multiscales": [image]}})
    group.create_array("0", shape=SHAPE, dtype="uint16", chunks=CHUNKS)[...] = volume
    return path


def touched(box):
    return np.prod([-(-b // c) - a // c for (a, b), c in zip(box, CHUNKS, strict=True)])


sides = [st.tuples(*[st.integers(0, n)] * 2).filter(lambda s: s[0] < s[1]) for n in SHAPE]


@settings(max_examples=25, deadline=None)
@given(box=st.tuples(*sides))
def test_a_crop_straight_behind_a_store_decodes_only_the_chunks_that_it_touches(store, volume, box):
    text = ",".join(f"{a}:{b}" for a, b in box)
    made = []
    count = decoded_while(lambda: made.append((hc.open(store) | f"crop {text}").compute()))
    np.testing.assert_array_equal(made[0], volume[tuple(slice(*side) for side in box)])
    assert count == touched(box)


@pytest.mark.parametrize(
    ("ops", "box"),
    [
        ("add 1 | crop 3:7,:,17:30", ((3, 7), (0, 67), (17, 30))),
        ("threshold otsu | crop :,40:41,:", None),
        ("crop :,10:40,: | crop 20:,3:5,50:", ((20, 37), (13, 15), (50, 53))),
        ("crop 4:12,:,: | transpose zxy", ((4, 12), (0, 67), (0, 53))),
        ("transpose yxz | crop :,3:9,0:8", ((0, 8), (0, 67), (3, 9))),
        ("crop -3:45,60:70,5:6 fill=9", ((34, 37), (60, 67), (5, 6))),
    ],
)
def test_chains_with_crops_read_what_they_need_and_give_numpys_voxels(store, volume, ops, box):
    made, whole = [], hc.open(np.ascontiguousarray(volume))
    count = decoded_while(lambda: made.append((hc.open(store) | ops).compute()))
    np.testing.assert_array_equal(made[0], (whole | ops).compute())
    if box:
        assert count == touched(box)


def test_a_crop_behind_a_filter_reads_all_that_the_filter_needs(store, volume):
    ops = "gaussian 1 | crop 10:12,20:30,7:9"
    expected = (hc.open(volume) | ops).compute()
    np.testing.assert_array_equal((hc.open(store) | ops).compute(), expected)


def test_a_cutout_is_an_image_at_its_place(store, volume, out):
    assert hc.cutout(store, "3:20,:,10:30", out, chunks=8).shape == (17, 67, 20)
    made = hc.open(out)
    np.testing.assert_array_equal(made.compute(), volume[3:20, :, 10:30])
    assert (made.origin, made.voxel_size, made.unit) == ((20, 0, 14), (4, 2, 2), "micrometer")
    again = hc.cutout(out, "0.024mm:32um,:,14um:", out.with_suffix(".npy"))
    assert again.shape == (2, 67, 20)
    np.testing.assert_array_equal(np.load(out.with_suffix(".npy")), volume[4:6, :, 10:30])


def test_only_the_chunks_of_the_box_are_decoded(store, volume, tmp_path):
    count = decoded_while(lambda: hc.cutout(store, "8:10,0:3,20:40", tmp_path / "a.npy"))
    assert count == touched(((8, 10), (0, 3), (20, 40))) == 2
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), volume[8:10, :3, 20:40])


def test_what_lies_beyond_is_filled_on_request_and_placed_rightly(store, volume, out):
    box = "-2:3,-4um:5um,50:60"
    with pytest.raises(PlanError, match=r"voxels 0:37,0:67,0:53, in micrometer 6:154,-1:133,-7:99"):
        hc.cutout(store, box, out)
    assert not out.exists()
    hc.cutout(store, box, out, fill=7)
    expected = np.pad(volume[:3, :3, 50:], ((2, 0), (2, 0), (0, 7)), constant_values=7)
    made = hc.open(out)
    np.testing.assert_array_equal(made.compute(), expected)
    assert made.origin == (0, -4, 94)


def test_a_level_is_cut_in_its_own_voxels_and_the_same_lengths(tiffs, tmp_path):
    hc.stack_to_omezarr(tiffs, tmp_path / "p.zarr", chunks=16, voxel_size=2)
    levels = hc.open(tmp_path / "p.zarr").levels
    report = hc.cutout(tmp_path / "p.zarr", "20um:40um,:,0um:30um", tmp_path / "b.npy", level=1)
    assert report.shape == (5, 34, 8)
    expected = levels[1].compute()[5:10, :, :8]
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), expected)


def test_slices_are_cut_into_tiff_and_folders(tiffs, volume, tmp_path):
    hc.cutout(tiffs, (slice(3, 9), slice(None), (2, 40)), tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), volume[3:9, :, 2:40])
    hc.cutout(tiffs, "3:5,0:9,:", tmp_path / "folder")
    np.testing.assert_array_equal(hc.open(tmp_path / "folder").compute(), volume[3:5, :9])


@pytest.mark.parametrize("dst", ["b.jp2", "b.xyz", "b.npz"])
def test_other_outputs_are_refused_with_a_list_of_those_that_there_are(store, tmp_path, dst):
    with pytest.raises(SpellingError, match=r"names no output .*DST\.zarr: an OME-Zarr image"):
        hc.cutout(store, "0:2,:,:", tmp_path / dst)


def test_options_of_another_kind_of_output_are_refused(store, tmp_path):
    with pytest.raises(SpellingError, match=r"a.tif takes no `chunks`"):
        hc.cutout(store, "0:2,:,:", tmp_path / "a.tif", chunks=8)


def test_an_output_that_is_there_stays(store, tmp_path):
    (tmp_path / "a.npy").write_bytes(b"mine")
    with pytest.raises(StoreError, match="overwrite"):
        hc.cutout(store, "0:2,:,:", tmp_path / "a.npy")
    assert (tmp_path / "a.npy").read_bytes() == b"mine"
    hc.cutout(store, "0:2,:,:", tmp_path / "a.npy", overwrite=True)
    assert np.load(tmp_path / "a.npy").shape == (2, 67, 53)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ("1:2,3:4", "three sides"),
        ("1:2,3:4,5", "isn't understood"),
        ("1:2,3:4,a:b", "'a' in the box isn't understood"),
        ("1.5:2,:,:", "1.5 in the box is no whole number.*1.5mm"),
        ("1parsec:2,:,:", "'parsec' in the box is no unit"),
        ((slice(0, 4, 2), slice(None), slice(None)), "has a step"),
        (5, "three sides"),
        ((1.5, 2, 3), "isn't understood"),
    ],
)
def test_boxes_that_are_not_understood(box, words):
    with pytest.raises(SpellingError, match=words):
        Box.parse(box)


def test_boxes_that_hold_nothing(store, tmp_path):
    for box, words in (("5:5,:,:", "no voxel along z"), ("40:50,:,:", "wholly beyond")):
        with pytest.raises(PlanError, match=words):
            hc.cutout(store, box, tmp_path / "a.npy", fill=0)
    with pytest.raises(SpellingError, match="voxel_size"):
        Box.parse("1mm:2mm,:,:").voxels(Spec((4, 5, 6), np.dtype("u1")))
    assert list(tmp_path.iterdir()) == []


@given(
    origin=st.integers(-1000, 1000),
    edge=st.sampled_from([0.1, 0.3, 1, 2.5, 19.57]),
    n=st.integers(1, 500),
    cut=st.tuples(st.integers(0, 500), st.integers(1, 500)),
)
def test_the_place_of_a_voxel_is_the_voxel(origin, edge, n, cut):
    """A box from the centre of voxel a to that of voxel b is the voxels a to b - 1."""
    a, b = min(cut), max(cut) + 1
    spec = Spec((n, 1, 1), np.dtype("u1"), Geometry((edge, 1, 1), "micrometer", (origin, 0, 0)))
    ends = tuple(Length(origin + edge * i, "micrometer") for i in (a, b))
    assert Box((ends, (None, None), (None, None))).voxels(spec)[0] == range(a, b)


def test_the_command_line_takes_boxes_that_begin_before_the_volume(store, tmp_path):
    words = ["cutout", "--fill", "0", str(store), "--", "-1:2,:,:", str(tmp_path / "a.npy")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert np.load(tmp_path / "a.npy").shape == (3, 67, 53)
    result = CliRunner().invoke(app, ["cutout", str(store), "0:99,:,:", str(tmp_path / "b.npy")])
    assert (result.exit_code, "--fill 0" in result.stderr) == (4, True)
