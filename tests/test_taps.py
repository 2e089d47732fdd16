"""Folds in the chains of a conversion: values in the report, pictures beside the output."""

import json

import numpy as np
import pytest
import tifffile

import hoaconv
from hoaconv.errors import StoreError


def convert(tiffs, out, ops, **options):
    return hoaconv.stack_to_omezarr(
        tiffs, out, ops=ops, workers=2, chunks=16, shards="none", **options
    )


def test_values_are_told_where_they_were_tapped(tiffs, volume, out, tmp_path):
    report = tmp_path / "report.json"
    ops = "stats | threshold 30000 | volume | stats | profile"
    made = convert(tiffs, out, ops, voxel_size="2,0.5,0.5", report=report)
    mask = volume > 30000
    assert list(made.folds) == ["stats", "volume", "stats (2)", "profile", "histogram"]
    assert made.folds["stats"]["sum"] == int(volume.sum(dtype=np.int64))
    assert made.folds["stats (2)"]["sum"] == int(mask.sum())
    assert made.folds["volume"] == {
        "voxels": int(mask.sum()),
        "volume": int(mask.sum()) * 0.5,
        "unit": "micrometer^3",
    }
    assert made.folds["profile"]["mean"] == [float(plane.mean()) for plane in mask]
    assert json.loads(report.read_text())["folds"] == json.loads(json.dumps(made.folds))


def test_a_volume_without_voxel_size_is_told_in_voxels(tiffs, volume, out):
    made = convert(tiffs, out, "volume")
    voxels = int(np.count_nonzero(volume))
    assert made.folds["volume"] == {"voxels": voxels, "volume": None, "unit": None}


def test_pictures_are_written_beside_the_output(tiffs, volume, out, tmp_path):
    other = tmp_path / "other.ome.zarr"
    made = convert(
        tiffs,
        out,
        "projection max | projection mean | add 5 | projection max",
        label={"bone": "threshold 30000 | projection sum"},
        also={other: "projection min"},
    )
    brighter = np.minimum(volume.astype(np.int64) + 5, 65535)
    expected = {
        "o-projection-max": volume.max(0),
        "o-projection-mean": (volume.sum(0, dtype=np.int64) / len(volume)).astype(np.float32),
        "o-projection-max-2": brighter.max(0).astype(np.uint16),
        "o-bone-projection-sum": (volume > 30000).sum(0).astype(np.float64),
        "other-projection-min": volume.min(0),
    }
    assert {file.stem for file in tmp_path.glob("*.tif")} == set(expected)
    for name, picture in expected.items():
        found = tifffile.imread(tmp_path / f"{name}.tif")
        np.testing.assert_array_equal(found, picture, strict=True)
    assert made.folds["projection max (2)"] == {
        "shape": [67, 53],
        "dtype": "uint16",
        "file": str(tmp_path / "o-projection-max-2.tif"),
    }
    told = {row["path"]: row["folds"] for row in made.others}
    assert told[str(other)]["projection min"]["file"] == str(tmp_path / "other-projection-min.tif")
    assert "projection sum" in told[str(out / "labels" / "bone")]


def test_a_picture_replaces_nothing_unasked(tiffs, out, tmp_path):
    picture = tmp_path / "o-projection-max.tif"
    picture.write_bytes(b"mine")
    with pytest.raises(StoreError, match=r"o-projection-max\.tif exists"):
        convert(tiffs, out, "projection max")
    assert not out.exists()
    convert(tiffs, out, "projection max", overwrite=True)
    assert tifffile.imread(picture).shape == (67, 53)


def test_two_pictures_of_one_name_are_refused(tiffs, out, tmp_path):
    with pytest.raises(StoreError, match=r"o-a-projection-max\.tif is the source's or another"):
        convert(
            tiffs,
            out,
            "",
            label={"a": "threshold 9 | projection max"},
            also={tmp_path / "o-a.zarr": "projection max"},
        )
    assert not out.exists()


def test_a_picture_never_replaces_its_source(volume, tmp_path):
    source = tmp_path / "o-projection-max.tif"
    tifffile.imwrite(source, volume, photometric="minisblack")
    before = source.read_bytes()
    with pytest.raises(StoreError, match="is the source's or another"):
        convert(source, tmp_path / "o.zarr", "projection max", overwrite=True)
    assert source.read_bytes() == before


def test_a_histogram_at_the_end_is_the_outputs_own(tiffs, volume, out):
    made = convert(tiffs, out, "histogram | divide 2 | histogram 4")
    assert list(made.folds) == ["histogram", "histogram bins=4"]
    assert sum(made.folds["histogram bins=4"]["counts"]) == volume.size
    attributes = json.loads((out / "zarr.json").read_text())["attributes"]["ome"]
    window = attributes["omero"]["channels"][0]["window"]
    assert window["end"] <= made.folds["histogram bins=4"]["max"] <= 32768
