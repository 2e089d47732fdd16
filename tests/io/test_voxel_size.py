from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.engine.geometry import Geometry
from hoaconv.io.voxel_size import (
    choose,
    from_imagej,
    from_metres,
    from_name,
    from_ome,
    from_ome_zarr,
    from_tiff_tags,
    unit_name,
)

OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels {}>'
    "</Pixels></Image></OME>"
)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("um", "micrometer"),
        ("µm", "micrometer"),
        ("μm", "micrometer"),
        ("\\u00B5m", "micrometer"),
        ("micron", "micrometer"),
        ("Microns", "micrometer"),
        ("micrometre", "micrometer"),
        ("mm", "millimeter"),
        ("nanometers", "nanometer"),
        ("inch", "inch"),
        ("cm", "centimeter"),
        ("pixel", None),
        ("", None),
        ("reference frame", None),
    ],
)
def test_units_in_the_spelling_of_ome(text, unit):
    assert unit_name(text) == unit


@pytest.mark.parametrize(
    ("path", "edge", "unit"),
    [
        ("19.57um_S-20-29_brain_complete-organ_jp2_", 19.57, "micrometer"),
        ("LADAF/2.5mm_heart_jp2_", 2.5, "millimeter"),
        ("650nm_roi", 650.0, "nanometer"),
        ("kidney_25.08um", 25.08, "micrometer"),
        ("6.05um_kidney/slices", 6.05, "micrometer"),
        ("6.05um_kidney/slices/slice_0001", 6.05, "micrometer"),
    ],
)
def test_folder_name_and_those_above_it(path, edge, unit):
    assert from_name(Path("/data") / path) == Geometry((edge,) * 3, unit, told_by="folder name")


@pytest.mark.parametrize(
    "path", ["brain", "S-20-29", "v2.1nmr", "12mmol", "x9um", "0um_a", "6um/a/b/c"]
)
def test_other_names_say_nothing(path):
    assert from_name(Path("/data") / path) is None


@given(st.floats(0.01, 1000))
def test_points_per_metre_give_micrometer_back(edge):
    size = from_metres(1e6 / edge, 1e6 / edge, "JP2 resolution box")
    if size is not None:  # a few edges are 72, 96, 150 or 300 dots an inch
        assert size.edges == pytest.approx((edge,) * 3, rel=1e-5)
        assert size.unit == "micrometer"


@pytest.mark.parametrize("dpi", [1, 72, 96, 150, 300])
def test_print_resolutions_are_no_voxel_sizes(dpi):
    assert from_metres(dpi / 0.0254, dpi / 0.0254, "JP2 resolution box") is None
    assert from_metres(round(dpi / 0.0254), round(dpi / 0.0254), "box") is None or dpi == 1
    assert from_tiff_tags(dpi, dpi, 2) is None


def test_tiff_tags_need_a_unit_of_length():
    assert from_tiff_tags(5e2, 5e2, 3).edges == (20.0, 20.0, 20.0)
    assert "z taken equal to y" in from_tiff_tags(5e2, 5e2, 3).told_by
    assert from_tiff_tags(5e2, 5e2, 1) is None
    assert from_tiff_tags(0.0, 5e2, 3) is None
    assert from_tiff_tags(1, 1, 3) is None


def test_unequal_y_and_x_leave_z_unknown():
    assert from_tiff_tags(500, 250, 3) is None
    size = from_imagej({"unit": "um", "spacing": 4.0}, 0.5, 0.25)
    assert size == Geometry((4.0, 2.0, 4.0), "micrometer", told_by="ImageJ metadata")


def test_imagej_without_a_unit_or_with_pixels_says_nothing():
    assert from_imagej({"spacing": 2.0}, 1, 1) is None
    assert from_imagej({"unit": "pixel", "spacing": 2.0}, 1, 1) is None
    assert from_imagej({"unit": "mm"}, 0, 0) is None
    assert from_imagej({"unit": "mm", "spacing": -2.0}, 2, 2).edges == (2.0, 0.5, 0.5)


def test_ome_converts_to_the_unit_of_x():
    attributes = (
        'PhysicalSizeX="2" PhysicalSizeXUnit="µm" PhysicalSizeY="2000" PhysicalSizeYUnit="nm" '
        'PhysicalSizeZ="0.005" PhysicalSizeZUnit="mm"'
    )
    assert from_ome(OME.format(attributes)) == Geometry(
        (5.0, 2.0, 2.0), "micrometer", told_by="OME-XML"
    )
    assert from_ome(OME.format('PhysicalSizeX="3" PhysicalSizeY="3"')).edges == (3.0, 3.0, 3.0)


@pytest.mark.parametrize(
    "xml",
    [
        "<OME",
        OME.format(""),
        OME.format('PhysicalSizeX="a" PhysicalSizeY="1"'),
        OME.format('PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1"'),
        OME.format('PhysicalSizeX="-1" PhysicalSizeY="-1"'),
    ],
)
def test_ome_that_says_nothing(xml):
    assert from_ome(xml) is None


def test_first_origin_wins_and_a_conflict_is_told():
    box = Geometry((19.5742,) * 3, "micrometer", told_by="JP2 resolution box")
    cut = Geometry((19.57,) * 3, "micrometer", told_by="folder name")
    wrong = Geometry((25.0,) * 3, "micrometer", told_by="folder name")
    assert choose([None, box, cut]) == (box, ())
    assert choose([box, Geometry((0.0195742,) * 3, "millimeter", told_by="OME-XML")]) == (box, ())
    chosen, (note,) = choose([box, None, wrong])
    assert chosen == box
    assert "19.5742" in note
    assert "25" in note
    assert choose([None]) == (None, ())


@pytest.mark.parametrize(
    ("own", "common", "edges", "origin"),
    [
        ([("scale", 2), ("translation", 3)], [], 2, 3),
        ([("translation", 3), ("scale", 2)], [], 2, 6),
        ([("scale", 2), ("translation", 3)], [("scale", 10), ("translation", 1)], 20, 31),
        ([("scale", 2)], [("translation", 1)], 2, 1),
    ],
)
def test_transformations_of_ome_zarr_are_taken_in_their_order(own, common, edges, origin):
    def steps(pairs):
        return [{"type": kind, kind: [value] * 3} for kind, value in pairs]

    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": steps(own)}]
    image = {"axes": axes, "datasets": datasets, "coordinateTransformations": steps(common)}
    placed = from_ome_zarr(image, "0", (0, 1, 2))
    assert (placed.edges, placed.origin) == ((edges,) * 3, (origin,) * 3)
