"""``hoaconv info``: facts of stores and stacks against those of zarr-python and the file system."""

import csv
import json
import shutil
from io import StringIO

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

import hoaconv as hc
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.mark import MARK
from hoaconv.io.stored_objects import count_files, count_objects
from hoaconv.job.facts import KEYS
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python


def told(*words):
    result = CliRunner().invoke(app, ["info", *map(str, words)])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.fixture(scope="module")
def stores(tiffs, tmp_path_factory):
    """A folder of two images, one of each version."""
    folder = tmp_path_factory.mktemp("stores")
    options = {"chunks": 16, "label": {"bright": "threshold 40000"}}
    hc.stack_to_omezarr(tiffs, folder / "b5.zarr", voxel_size="5,2,2", **options)
    hc.stack_to_omezarr(tiffs, folder / "a4.zarr", ngff="0.4", shards="none", **options)
    return folder


@pytest.mark.parametrize(("name", "version"), [("b5", "0.5, zarr v3"), ("a4", "0.4, zarr v2")])
def test_an_image_is_as_zarr_python_sees_it(stores, volume, name, version):
    path = stores / f"{name}.zarr"
    found = hc.info(path)
    group = zarr.open_group(path, mode="r")
    assert found["format"] == f"OME-Zarr {version}"
    assert (found["shape"], found["dtype"]) == (list(volume.shape), "uint16")
    assert (found["axes"], found["labels"]) == (["z", "y", "x"], ["bright"])
    assert len(found["levels"]) == len([key for key in group if key.isdigit()]) > 1
    for row in found["levels"]:
        array = group[row["path"]]
        files = [
            f
            for f in (path / row["path"]).rglob("*")
            if f.is_file() and f.name[0] != "." and f.name != "zarr.json"
        ]
        assert (row["shape"], row["chunks"]) == (list(array.shape), list(array.chunks))
        assert (row["shards"] or row["chunks"]) == list(array.shards or array.chunks)
        assert (row["files"], row["bytes"]) == (len(files), sum(f.stat().st_size for f in files))
        assert (row["missing"], row["lost"], row["estimated"]) == (0, 0, False)
    assert found["codecs"][0] == "blosc-zstd:1:shuffle"
    assert found["window"]["end"] > found["window"]["start"]
    assert set(KEYS) <= set(found.describe())


def test_the_size_and_place_of_voxels_are_told_for_each_level(stores):
    found = hc.info(stores / "b5.zarr")
    assert (found["voxel_size"], found["unit"], found["origin"]) == (
        [5, 2, 2],
        "micrometer",
        [0] * 3,
    )
    assert found["levels"][1]["voxel_size"] == [5, 4, 4]
    assert found["levels"][1]["origin"] == [0, 1, 1]
    assert hc.info(stores / "a4.zarr")["voxel_size"] is None


def test_lost_chunks_are_those_beyond_the_recorded_empty_ones(make_tiffs, volume, tmp_path):
    empty = volume.copy()
    empty[:, :16, :16] = 0
    hc.stack_to_omezarr(
        make_tiffs(tmp_path / "s", empty), tmp_path / "a.zarr", chunks=16, shards="none", levels=1
    )
    found = hc.info(tmp_path / "a.zarr")
    assert (found["missing"], found["lost"]) == (3, 0)
    assert "all were empty when written" in str(found)
    (tmp_path / "a.zarr/0/c/1/2/1").unlink()
    found = hc.info(tmp_path / "a.zarr")
    assert (found["missing"], found["lost"]) == (4, 1)
    assert "1 of them were written and are LOST" in told(tmp_path / "a.zarr")


def test_a_folder_of_stores_is_a_table(stores, tmp_path):
    found = hc.info(stores)
    assert [row["path"] for row in found] == [str(stores / n) for n in ("a4.zarr", "b5.zarr")]
    rows = list(csv.DictReader(StringIO(told(stores, "--csv"))))
    assert [row["shape"] for row in rows] == ["37x67x53"] * 2
    assert [row["voxel_size"] for row in rows] == ["", "5x2x2"]
    assert [row["kind"] for row in json.loads(told(stores, "--json"))] == ["image"] * 2
    assert "b5.zarr" in told(stores)
    shutil.copytree(stores, tmp_path / "c")
    shutil.rmtree(tmp_path / "c/a4.zarr/0")
    broken, whole = hc.info(tmp_path / "c")
    assert (broken["kind"], whole["kind"]) == ("unreadable", "image")
    assert "lacks the array 0" in broken["notes"][0]


def test_slices_are_told_by_their_names(tiffs, jp2s):
    for folder, format, codec in ((tiffs, "TIFF", "none"), (jp2s, "JPEG 2000", "jpeg2000")):
        found = hc.info(folder)
        assert (found["kind"], found["format"], found["codecs"]) == ("slices", format, [codec])
        assert found["shape"] == [37, 67, 53]
        assert found["slices"]["count"] == found["files"] == 37
        assert found["slices"]["last"].startswith("slice_0036")
        assert found["bytes"] > 0
        assert "slice_0000" in told(folder)


def test_gaps_of_a_stack_are_told_and_no_error(make_tiffs, volume, tmp_path):
    folder = make_tiffs(tmp_path / "s", volume[:6])
    (folder / "slice_0003.tif").unlink()
    (gap,) = hc.info(folder)["slices"]["gaps"]
    assert "1 slice is missing: 3" in gap


@pytest.mark.parametrize(
    ("layout", "about"),
    [
        ({"shape": (700, 700, 300), "chunks": (64,) * 3}, ["levels"]),
        ({"shape": (30, 70, 70), "chunks": (1, 70, 70)}, ["flat chunks"]),
        ({"shape": (30, 70, 1), "chunks": (30, 70, 1)}, []),
        ({"shape": (200, 200, 200), "chunks": (200, 200, 200)}, ["chunks"]),
        (
            {"shape": (20, 70, 70), "chunks": (10,) * 3, "dimension_names": ("x", "y", "z")},
            ["axes"],
        ),
        ({"shape": (20, 70, 70), "chunks": (10,) * 3, "dimension_names": ("z", "y", "x")}, []),
        ({"shape": (20, 70, 70), "chunks": (10,) * 3}, []),
    ],
)
def test_what_could_be_better_is_told_with_a_command(tmp_path, layout, about):
    zarr.create_array(tmp_path / "a.zarr", dtype="uint16", **layout)
    found = hc.info(tmp_path / "a.zarr")
    assert [row["about"] for row in found.advice] == about
    assert all(row["command"].startswith("hoaconv ") for row in found.advice)
    assert all(row["command"] in str(found) for row in found.advice)


def test_many_small_files_are_advised_against(tmp_path):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(11, 10, 10), dtype="u1", chunks=(1, 1, 10)
    )
    array[...] = 1
    assert hc.info(tmp_path / "a.zarr").advice[-1]["about"] == "flat chunks"
    array = zarr.create_array(tmp_path / "b.zarr", shape=(40, 40, 40), dtype="u1", chunks=(4, 4, 4))
    array[...] = 1
    assert hc.info(tmp_path / "b.zarr").advice == ()
    array = zarr.create_array(tmp_path / "d.zarr", shape=(44, 44, 44), dtype="u1", chunks=(4, 4, 4))
    array[...] = 1
    (row,) = hc.info(tmp_path / "d.zarr").advice
    assert (row["about"], "1331 files" in row["what"]) == ("files", True)


def test_an_unfinished_output_is_told(stores, tmp_path):
    shutil.copytree(stores / "b5.zarr", tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / MARK).write_text("{}")
    assert hc.info(tmp_path / "a.zarr")["unfinished"]
    assert "UNFINISHED" in told(tmp_path / "a.zarr")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / MARK).write_text("{}")
    assert hc.info(tmp_path / "b")["kind"] == "unfinished output"


def test_what_cannot_be_read_is_an_error(tmp_path, stores):
    for bad in (tmp_path, tmp_path / "none"):
        with pytest.raises(SourceError):
            hc.info(bad)
    with pytest.raises(SpellingError):
        hc.info("")
    result = CliRunner().invoke(app, ["info", str(tmp_path / "none")])
    assert (result.exit_code, "Traceback" in result.stderr) == (3, False)
    assert CliRunner().invoke(app, ["info", str(stores), "--csv", "--json"]).exit_code == 2
    assert CliRunner().invoke(app, ["info", str(stores / "b5.zarr"), "--csv"]).exit_code == 2


# Counting, in bounded time


@pytest.mark.parametrize("total", [1, 2, 7, 64, 1000])
def test_all_files_are_looked_at_once_if_there_is_time(total):
    seen = []
    found = count_objects(total, lambda i: seen.append(i) or (None if i % 3 == 2 else 5), 60)
    assert sorted(seen) == list(range(total))
    assert found.present == sum(i % 3 != 2 for i in range(total))
    assert (found.nbytes, found.is_estimated) == (5 * found.present, False)
    assert found.first_missing == (2 if total > 2 else None)


def test_without_time_a_part_is_looked_at_all_over_the_array():
    found = count_objects(10**12, lambda i: None if i < 5 * 10**11 else 3, 0.02)
    assert found.is_estimated
    np.testing.assert_allclose(found.present, 5e11, rtol=0.1)
    np.testing.assert_allclose(found.nbytes, 15e11, rtol=0.1)


def test_counting_files_is_given_up_in_time(tmp_path):
    for i in range(300):
        (tmp_path / str(i)).write_bytes(b"12")
    assert count_files(tmp_path, 1000, 60).nbytes == 600
    assert count_files(tmp_path, 1000, -1) is None
