"""The metadata of images of OME-Zarr 0.1 to 0.6."""

import numpy as np
import pytest
import zarr
from sweeping import planes_of

from hoaconv.errors import SourceError
from hoaconv.io.ome_image import OmeImage, kind_in
from hoaconv.io.source import open_volume

pytestmark = pytest.mark.one_python

ZYX = (0, 1, 2)


def scale(*numbers):
    return {"type": "scale", "scale": [*numbers]}


def translation(*numbers):
    return {"type": "translation", "translation": [*numbers]}


NESTED = {"type": "sequence", "transformations": [scale(4, 3, 2), translation(1, 1, 1)]}


def system(name, units="micrometer", axes="zyx"):
    return {"name": name, "axes": [{"name": a, "type": "space", "unit": units} for a in axes]}


def new(*steps, systems=None, more=None, output="physical"):
    """An image of 0.6, whose level 0 has such a transformation."""
    (step,) = steps if len(steps) == 1 else ({"type": "sequence", "transformations": [*steps]},)
    step = {**step, "input": {"path": "0"}, "output": {"name": output} if output else None}
    entry = {
        "coordinateSystems": systems or [system("physical")],
        "datasets": [{"path": "0", "coordinateTransformations": [step]}],
    }
    return entry | ({"coordinateTransformations": more} if more else {})


def old(*steps, **more):
    """An image of 0.4 or 0.5."""
    datasets = [{"path": "0", "coordinateTransformations": [*steps]}]
    return {"axes": system("")["axes"], "datasets": datasets, **more}


def edges_and_origin(entry):
    found = OmeImage(entry).geometry("0", ZYX)
    return None if found is None else (found.edges, found.origin)


@pytest.mark.parametrize(
    ("entry", "edges", "origin"),
    [
        (old(scale(4, 3, 2)), (4, 3, 2), (0, 0, 0)),
        (old(translation(1, 1, 2), scale(4, 3, 2)), (4, 3, 2), (4, 3, 4)),  # Human Organ Atlas
        (old({"type": "identity"}, scale(4, 3, 2)), (4, 3, 2), (0, 0, 0)),
        (old(scale(1, 1, 2), coordinateTransformations=[scale(4, 3, 1)]), (4, 3, 2), (0, 0, 0)),
        (new(scale(4, 3, 2)), (4, 3, 2), (0, 0, 0)),
        (new({"type": "identity"}), (1, 1, 1), (0, 0, 0)),
        (new(translation(30, 20, 10)), (1, 1, 1), (30, 20, 10)),
        (new(scale(4, 3, 2), translation(32, 21, 10)), (4, 3, 2), (32, 21, 10)),
        (new(NESTED, translation(1, 2, 3)), (4, 3, 2), (2, 3, 4)),
        (new(scale(4, 3, 2), output=None), (4, 3, 2), (0, 0, 0)),
    ],
)
def test_what_says_the_same_is_read_the_same(entry, edges, origin):
    assert edges_and_origin(entry) == (edges, origin)


def test_the_coordinate_system_that_levels_lead_to_is_taken():
    systems = [system("world", "meter", "xyz"), system("physical")]
    more = [{"type": "affine", "input": "physical", "output": "world", "affine": []}]
    image = OmeImage(new(scale(4, 3, 2), systems=systems, more=more))
    assert image.axes == ("z", "y", "x")
    assert image.geometry("0", ZYX).unit == "micrometer"
    assert image.notes == (
        "its metadata also lead to another coordinate system (affine), which isn't followed",
    )
    assert OmeImage(new(scale(4, 3, 2), systems=systems, output="world")).axes == ("x", "y", "z")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"type": "rotation", "rotation": [[0, 0, 1], [1, 0, 0], [0, 1, 0]]}, "'rotation'"),
        ({"type": "affine", "affine": []}, "'affine'"),
        ({"type": "mapAxis", "mapAxis": [1, 2, 0]}, "'mapAxis'"),
        ({"type": "byDimension", "transformations": []}, "'byDimension'"),
        ({"type": "displacements", "path": "field"}, "'displacements'"),
        ({"type": "scale", "path": "scales"}, "a scale that an array holds"),
        ({}, "'None'"),
    ],
)
@pytest.mark.parametrize("make", [old, new])
def test_other_transformations_are_told_by_name(tmp_path, volume, step, words, make):
    entry = make(scale(1, 1, 1), step)
    assert words in OmeImage(entry).strange
    assert edges_and_origin(entry) is None
    path = tmp_path / "a.zarr"
    zarr.create_group(path, attributes={"ome": {"version": "0.6", "multiscales": [entry]}})
    zarr.create_array(path / "0", data=volume, chunks=(16, 32, 32))
    with pytest.raises(SourceError, match=rf"places its voxels by .*{words}.*a\.zarr/0"):
        open_volume(path)
    alone = open_volume(path / "0")  # its voxels are what they are
    np.testing.assert_array_equal(planes_of(alone), volume)
    assert alone.geometry.voxel_size is None
    assert words in alone.notes[0]


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_old_images_have_all_five_axes(tmp_path, volume, version):
    path = tmp_path / "a.zarr"
    entry = {"version": version, "name": "old", "datasets": [{"path": "0"}]}
    zarr.create_group(path, zarr_format=2, attributes={"multiscales": [entry]})
    zarr.create_array(path / "0", data=volume[None, None], chunks=(1, 1, 8, 32, 16), zarr_format=2)
    source = open_volume(path)
    assert source.array.axes == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(planes_of(source), volume)
    assert source.geometry.voxel_size is None
    assert source.image_name == "old"


def test_images_of_0_3_name_axes_alone(tmp_path, volume):
    path = tmp_path / "a.zarr"
    entry = {"version": "0.3", "axes": ["x", "y", "z"], "datasets": [{"path": "0"}]}
    zarr.create_group(path, zarr_format=2, attributes={"multiscales": [entry]})
    zarr.create_array(path / "0", data=volume.T, chunks=(16, 32, 8), zarr_format=2)
    np.testing.assert_array_equal(planes_of(open_volume(path)), volume)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"plate": {}}, "a plate of wells"),
        ({"ome": {"well": {}}}, "a well of a plate"),
        ({"ome": {"bioformats2raw.layout": 3}}, "bioformats2raw"),
        ({"ome": {"scene": {}}}, "a scene of several images"),
        ({}, "a zarr group"),
    ],
)
def test_groups_that_hold_images_are_told_by_name(tmp_path, attributes, words):
    path = tmp_path / "a.zarr"
    zarr.create_group(path, attributes=attributes)
    zarr.create_group(path / "B")
    assert kind_in(attributes) is None or words in kind_in(attributes)
    with pytest.raises(SourceError, match=rf"is .*{words}.*B: name"):
        open_volume(path)


def test_an_array_of_one_of_several_images_says_so(tmp_path, volume):
    path = tmp_path / "a.zarr"
    first, second = old(scale(1, 1, 1)), old(scale(2, 2, 2), name="second")
    second["datasets"][0]["path"] = "1"
    zarr.create_group(path, attributes={"ome": {"multiscales": [first, second]}})
    for name in ("0", "1"):
        zarr.create_array(path / name, data=volume, chunks=(16, 32, 32))
    assert open_volume(path).geometry.edges == (1, 1, 1)
    other = open_volume(path / "1")
    assert other.geometry.edges == (2, 2, 2)
    assert "has 2 images; this array is of second" in other.notes[0]


@pytest.mark.parametrize(
    "entry",
    [
        {"datasets": 3},
        {"datasets": [{"path": "0", "coordinateTransformations": 5}], "axes": "zyx"},
        {"datasets": [{"path": "0"}], "coordinateSystems": "all"},
        {"datasets": [{"path": "0"}], "coordinateSystems": [{"axes": 3}]},
        new({"type": "scale", "scale": "a"}),
        new({"type": "sequence", "transformations": 3}),
    ],
)
def test_metadata_of_any_form_raise_nothing(entry):
    image = OmeImage(entry)
    assert image.geometry("0", ZYX) is None


@pytest.mark.parametrize("path", [None, 3, ""])
def test_a_level_needs_a_path(path):
    with pytest.raises(ValueError, match="no path"):
        OmeImage({"datasets": [{"path": path}]})
