"""Levels and label images that are added to stores, and images without their level 0."""

import json
import os
import shutil
from itertools import pairwise
from threading import Barrier, Thread
from types import SimpleNamespace

import numpy as np
import ome_zarr_models
import ome_zarr_models.v04.image
import ome_zarr_models.v05.image_label
import ome_zarr_models.v05.labels
import pytest
import tensorstore as ts
import zarr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from invoking import PLAN, SOURCE, SPELLING, STORE, refused
from marking import write_mark
from reading import all_equal, levels_of, ome_of, opened, read_by_tensorstore
from typer.testing import CliRunner
from whole import noise

import hoaconv
from hoaconv.errors import PlanError, SourceError, StoreError
from hoaconv.io import addition
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.folder import SCRATCH
from hoaconv.io.mark import MARK
from hoaconv.pyramid.distinct import MOST
from hoaconv.pyramid.metadata import color_of
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python

SHAPE = (21, 34, 27)
ARRAYS = ("zarr.json", ".zarray", ".zattrs")
NGFF = pytest.mark.parametrize("ngff", ["0.5", "0.4"])


def call(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def written(volume, path, *, size=(1.0, 1.0, 1.0), **options):
    """An image, named alike wherever it lies."""
    opened = hoaconv.open(volume, voxel_size=size)
    options = {"chunks": 8, "name": "x"} | options
    return (opened | hoaconv.OmeZarr(path, **options)).run()


def tree(folder):
    """Content of all files by their paths."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def told_of(folder):
    """The NGFF attributes alone."""
    return {name: value for name, value in ome_of(folder).items() if name != "hoaconv"}


def arrays_of(folder):
    """Content of all files but those of the image's group."""
    return {name: data for name, data in tree(folder).items() if "/" in name}


def valid(path):
    """Whether ome-zarr-models takes an image."""
    return type(ome_zarr_models.open_ome_zarr(opened(path))).__name__ == "Image"


@pytest.fixture
def store(tmp_path):
    """An image of level 0 alone."""
    written(noise(SHAPE, "uint16", 1), tmp_path / "s.zarr", levels=1)
    return tmp_path / "s.zarr"


class TestImagesWithoutLevel0:
    @NGFF
    @pytest.mark.parametrize("first", [1, 2])
    @pytest.mark.parametrize("method", ["mean", "nearest"])
    def test_all_but_the_first_levels_are_the_same(self, tmp_path, ngff, first, method):
        volume, size = noise(SHAPE, "uint16", 0), (1.7, 1, 1.1)
        whole, rest = tmp_path / "whole.zarr", tmp_path / "rest.zarr"
        options = {"ngff": ngff, "downsample": method, "size": size}
        written(volume, whole, **options)
        report = written(volume, rest, from_level=first, **options)
        assert report.levels[0]["level"] == first
        skipped = tuple(f"{i}/" for i in range(first))
        kept = {n: d for n, d in arrays_of(whole).items() if not n.startswith(skipped)}
        assert arrays_of(rest) == kept
        one, other = ome_of(whole), ome_of(rest)
        assert other["multiscales"][0]["datasets"] == one["multiscales"][0]["datasets"][first:]
        assert other["omero"]["channels"] == one["omero"]["channels"]
        assert valid(rest)
        all_equal(read_by_tensorstore(rest, ngff), levels_of(whole)[first:])

    def test_it_is_read_as_an_image_whose_voxels_are_larger(self, tmp_path):
        volume = noise(SHAPE, "uint8", 0)
        written(volume, tmp_path / "r.zarr", from_level=1, size=(2, 2, 2))
        read = hoaconv.open(tmp_path / "r.zarr")
        assert (read.shape, read.voxel_size, read.origin) == ((11, 17, 14), (4,) * 3, (1,) * 3)

    def test_labels_begin_at_the_same_level(self, tiffs, tmp_path):
        for name, first in (("a", 0), ("b", 1)):
            hoaconv.stack_to_omezarr(
                tiffs,
                tmp_path / name,
                ops="median 3",
                label={"m": "threshold 30000"},
                chunks=16,
                from_level=first,
            )
        all_equal(levels_of(tmp_path / "b"), levels_of(tmp_path / "a")[1:])
        all_equal(levels_of(tmp_path / "b/labels/m"), levels_of(tmp_path / "a/labels/m")[1:])

    def test_less_memory_is_held_than_with_level_0(self, tmp_path):
        volume = hoaconv.open(np.zeros((64, 512, 512), np.uint16))
        plans = [
            (volume | hoaconv.OmeZarr(tmp_path / "o", from_level=first)).plan(budget="2GiB")
            for first in (0, 1)
        ]
        assert plans[1].projected < plans[0].projected - 64 * 512 * 512

    @pytest.mark.parametrize(
        ("words", "code", "told"),
        [
            (["--from-level", "9"], PLAN, "levels, counted from 0"),
            (["--from-level", "9", "--label", "a=threshold 5"], PLAN, "levels, counted from 0"),
            (["--from-level", "-1"], SPELLING, "whole number of 0 or more"),
            (["--levels", "2", "--from-level", "2"], SPELLING, "ask for more with --levels"),
        ],
    )
    def test_a_level_that_there_is_not_is_refused(self, tiffs, out, words, code, told):
        refused(call("stack-to-omezarr", tiffs, out, *words), code, told)
        assert not out.exists()


class TestAddPyramid:
    @pytest.mark.long
    @settings(max_examples=8, phases=(Phase.explicit, Phase.generate))
    @given(
        shape=st.tuples(*[st.integers(9, 40)] * 3),
        dtype=st.sampled_from(["uint8", "int16", "uint32", "float32", "uint64"]),
        method=st.sampled_from(["mean", "mode", "max", "min", "nearest"]),
        chunks=st.sampled_from([4, 8, (3, 8, 5)]),
        storing=st.sampled_from(
            [
                {"ngff": "0.5"},
                {"ngff": "0.5", "shards": "none", "compressor": "zstd:3"},
                {"ngff": "0.5", "compressor": "none"},
                {"ngff": "0.4"},
                {"ngff": "0.4", "compressor": "gzip:2"},
            ]
        ),
        size=st.sampled_from([(1, 1, 1), (3.3, 1.1, 1.1)]),
        kept=st.integers(1, 2),
    )
    def test_the_levels_are_those_of_stack_to_omezarr(
        self, tmp_path_factory, shape, dtype, method, chunks, storing, size, kept
    ):
        folder, volume = tmp_path_factory.mktemp("law"), noise(shape, dtype, 3)
        if isinstance(chunks, tuple) and storing.get("shards") is None:
            storing = {**storing, "shards": "none"}
        options = {"chunks": chunks, "downsample": method, "size": size, **storing}
        report = written(volume, folder / "whole", **options)
        if len(report.levels) <= kept:
            return
        written(volume, folder / "added", levels=kept, **options)
        hoaconv.add_pyramid(folder / "added")
        assert arrays_of(folder / "added") == arrays_of(folder / "whole")
        assert told_of(folder / "added") == told_of(folder / "whole")
        own, other = (dict(opened(folder / n).attrs)["hoaconv"] for n in ("added", "whole"))
        assert own["levels"] == other["levels"]
        assert valid(folder / "added")

    @NGFF
    @pytest.mark.parametrize("method", ["mean", "max", "mode"])
    def test_levels_are_those_of_tensorstore(self, tmp_path, ngff, method):
        written(noise(SHAPE, "uint16", 2), tmp_path / "s", levels=1, ngff=ngff)
        hoaconv.add_pyramid(tmp_path / "s", downsample=method)
        made = levels_of(tmp_path / "s")
        assert len(made) == 4
        for large, small in pairwise(made):
            steps = [-(-n // m) for n, m in zip(large.shape, small.shape, strict=True)]
            want = ts.downsample(ts.array(large), steps, method).read().result()
            np.testing.assert_array_equal(small, want)
        assert ome_of(tmp_path / "s")["multiscales"][0]["type"] == method

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_an_array_in_a_group_becomes_level_0_of_an_image(self, tmp_path, zarr_format):
        volume, path = noise(SHAPE, "uint16", 4), tmp_path / "g.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=zarr_format, attributes={"own": 1})
        group.create_array("scan", data=volume, chunks=(8, 8, 8))
        before = tree(path / "scan" / ("c" if zarr_format == 3 else ""))
        hoaconv.add_pyramid(path / "scan")
        assert tree(path / "scan" / ("c" if zarr_format == 3 else "")) == before
        if zarr_format == 3:  # OME-NGFF 0.5 wants them
            assert opened(path)["scan"].metadata.dimension_names == ("z", "y", "x")
        assert dict(opened(path).attrs)["own"] == 1
        rows = ome_of(path)["multiscales"][0]["datasets"]
        assert [row["path"] for row in rows] == ["scan", "1", "2", "3"]
        ngff = "0.4" if zarr_format == 2 else "0.5"
        written(volume, tmp_path / "whole", ngff=ngff, shards="none", name="g")
        all_equal(levels_of(path), levels_of(tmp_path / "whole"))
        assert ome_of(path)["omero"] == ome_of(tmp_path / "whole")["omero"]
        assert valid(path)

    def test_level_0_is_read_once_and_not_touched(self, store, monkeypatch):
        taken, read = [], ArrayVolume.read_piece

        def counted(self, planes, piece, out):
            taken.append((tuple(planes), piece))
            read(self, planes, piece, out)

        monkeypatch.setattr(ArrayVolume, "read_piece", counted)
        before = {file: file.stat().st_mtime_ns for file in (store / "0").rglob("*")}
        hoaconv.add_pyramid(store)
        assert {file: file.stat().st_mtime_ns for file in (store / "0").rglob("*")} == before
        assert len(taken) == len({str(one) for one in taken})
        assert sorted(z for planes, piece in taken for z in planes if piece == taken[0][1]) == [
            *range(SHAPE[0])
        ]

    def test_levels_with_other_names_are_continued(self, tmp_path):
        volume, path = noise(SHAPE, "uint8", 4), tmp_path / "s"
        written(volume, path, levels=2)
        for i in (1, 0):
            (path / str(i)).rename(path / f"s{i}")
        text = (path / "zarr.json").read_text()
        for i in (0, 1):
            text = text.replace(f'"path": "{i}"', f'"path": "s{i}"')
        (path / "zarr.json").write_text(text)
        hoaconv.add_pyramid(path)
        assert [r["path"] for r in ome_of(path)["multiscales"][0]["datasets"]] == [
            f"s{i}" for i in range(4)
        ]

    def test_metadata_of_others_are_kept(self, store):
        file = store / "zarr.json"
        whole = json.loads(file.read_text())
        whole["attributes"]["theirs"] = {"a": [1]}
        (image,) = whole["attributes"]["ome"]["multiscales"]
        image["axes"][0]["orientation"] = {"type": "anatomical", "value": "superior-to-inferior"}
        image["coordinateTransformations"] = [{"type": "scale", "scale": [2, 2, 2]}]
        del image["datasets"][0]["coordinateTransformations"][1]
        whole["attributes"]["ome"]["omero"]["channels"][0]["label"] = "theirs"
        file.write_text(json.dumps(whole))
        hoaconv.add_pyramid(store)
        after = json.loads(file.read_text())["attributes"]
        (made,) = after["ome"]["multiscales"]
        assert after["theirs"] == {"a": [1]}
        assert after["ome"]["omero"] == whole["attributes"]["ome"]["omero"]
        assert (made["axes"], made["datasets"][0]) == (image["axes"], image["datasets"][0])
        assert made["coordinateTransformations"] == image["coordinateTransformations"]
        assert made["datasets"][1]["coordinateTransformations"] == [
            {"type": "scale", "scale": [2, 2, 2]},
            {"type": "translation", "translation": [0.5, 0.5, 0.5]},
        ]

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_consolidated_metadata_do_not_hide_new_levels(self, tmp_path, zarr_format):
        written(noise(SHAPE, "uint8", 4), tmp_path / "s", levels=1, ngff=f"0.{zarr_format + 2}")
        zarr.consolidate_metadata(tmp_path / "s", zarr_format=zarr_format)
        hoaconv.add_pyramid(tmp_path / "s")
        assert len(levels_of(tmp_path / "s")) == 4

    def test_overwriting_makes_all_but_level_0_anew(self, tmp_path):
        volume = noise(SHAPE, "uint8", 4)
        written(volume, tmp_path / "s", downsample="max")
        refused(call("add-pyramid", tmp_path / "s"), STORE, "4 levels already", "--overwrite")
        for method in ("min", "mean"):
            options = ["--overwrite", "--downsample", method, "--levels", 3]
            assert call("add-pyramid", tmp_path / "s", *options).exit_code == 0
            written(volume, tmp_path / f"{method}.zarr", downsample=method, levels=3)
            assert arrays_of(tmp_path / "s") == arrays_of(tmp_path / f"{method}.zarr")
            assert ome_of(tmp_path / "s") == ome_of(tmp_path / f"{method}.zarr")

    def test_levels_of_another_making_are_not_continued(self, tmp_path):
        written(noise(SHAPE, "uint8", 4), tmp_path / "s", levels=2, downsample="max")
        told = "levels made by 'max', and the next would be made by 'mean'"
        refused(call("add-pyramid", tmp_path / "s", "--downsample", "mean"), STORE, told)
        written(noise(SHAPE, "uint8", 4), tmp_path / "t", levels=2, factors=(1, 2, 2))
        told = refused(call("add-pyramid", tmp_path / "t"), STORE, "hoaconv would make it 11 x 17")
        assert "--factors" in told
        assert call("add-pyramid", tmp_path / "t", "--factors", "1,2,2").exit_code == 0

    def test_a_label_image_gets_levels_by_mode(self, store):
        hoaconv.add_labels(store, store, name="m", ops="threshold 9000")
        report = hoaconv.add_pyramid(store)
        assert f"hoaconv add-pyramid {store / 'labels' / 'm'}" in report.notes[-1]
        assert len(levels_of(store / "labels/m")) == 1
        hoaconv.add_pyramid(store / "labels/m")
        assert ome_of(store / "labels/m")["multiscales"][0]["type"] == "mode"
        assert "image-label" in ome_of(store / "labels/m")
        assert len(levels_of(store / "labels/m")) == 4


def xyz(folder):
    group = zarr.open_group(folder, mode="w")
    group.create_array("a", data=np.zeros(SHAPE, "u1"), dimension_names=("x", "y", "z"))
    return folder / "a"


def alone(folder):
    zarr.save_array(folder, np.zeros(SHAPE, "u1"))
    return folder


def halves(folder):
    group = zarr.open_group(folder, mode="w")
    group.create_array("a", data=np.zeros(SHAPE, "f2"))
    return folder / "a"


def old(folder):
    written(np.zeros(SHAPE, "u1"), folder, levels=1, ngff="0.4")
    file = folder / ".zattrs"
    file.write_text(file.read_text().replace('"version": "0.4"', '"version": "0.3"'))
    return folder


def stranger(folder):
    written(np.zeros(SHAPE, "u1"), folder, levels=1)
    (folder / "1").mkdir()
    (folder / "1" / "thesis.doc").write_text("mine")
    return folder


def another(folder):
    written(np.zeros(SHAPE, "u1"), folder, levels=1)
    zarr.open_group(folder).create_array("a", data=np.zeros(SHAPE, "u1"))
    return folder / "a"


def flat(folder):
    written(np.zeros(SHAPE, "u1"), folder, levels=2)
    shutil.rmtree(folder / "1")
    zarr.open_group(folder).create_array("1", data=np.zeros(SHAPE[1:], "u1"))
    return folder


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (flat, StoreError, "1 has the axes z 34, y 27"),
        (xyz, StoreError, "the axes x 21, y 34, z 27; hoaconv adds to images with the axes z, y"),
        (alone, StoreError, "hoaconv stack-to-omezarr s s-levels.zarr"),
        (halves, StoreError, "holds float16 voxels, which hoaconv reads as float32"),
        (old, StoreError, "follows OME-NGFF 0.3; hoaconv adds to 0.4 and 0.5"),
        (stranger, StoreError, "exists"),
        (another, StoreError, "whose metadata don't name a; name the image itself"),
        (lambda folder: folder, SourceError, "holds no array"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_can_not_be_added_to_is_refused_and_left_alone(tmp_path, make, error, told):
    path = make(tmp_path / "s")
    before = tree(tmp_path)
    with pytest.raises(error, match=told):
        hoaconv.add_pyramid(path)
    assert tree(tmp_path) == before


class TestAddLabels:
    @NGFF
    def test_labels_lie_on_the_image_and_are_listed(self, tmp_path, ngff):
        volume = noise(SHAPE, "uint16", 1)
        path = tmp_path / "s.zarr"
        written(volume, path, ngff=ngff, size=(1.7, 1, 1))
        before = tree(path)
        for name, over in (("vessels", 30000), ("bone", 50000)):
            words = ["--name", name, "--ops", f"threshold {over}"]
            assert call("add-labels", path, path, *words).exit_code == 0
        after = tree(path)
        assert {name: after[name] for name in before} == before
        assert ome_of(path / "labels")["labels"] == ["vessels", "bone"]
        made, image = levels_of(path / "labels/bone"), levels_of(path)
        assert [one.shape for one in made] == [one.shape for one in image]
        np.testing.assert_array_equal(made[0], volume > 50000)
        for large, small in pairwise(made):
            steps = [-(-n // m) for n, m in zip(large.shape, small.shape, strict=True)]
            want = ts.downsample(ts.array(large), steps, "mode").read().result()
            np.testing.assert_array_equal(small, want)
        one, other = (ome_of(p)["multiscales"][0] for p in (path, path / "labels/bone"))
        assert (one["axes"], one["datasets"]) == (other["axes"], other["datasets"])
        root = opened(path)
        if ngff == "0.5":
            ome_zarr_models.v05.labels.Labels.from_zarr(root["labels"])
            ome_zarr_models.v05.image_label.ImageLabel.from_zarr(root["labels"]["bone"])
        else:
            ome_zarr_models.v04.image.Image.from_zarr(root)
            assert ome_of(path / "labels/bone")["image-label"]["version"] == "0.4"

    def test_a_label_may_be_as_large_as_a_smaller_level(self, store):
        hoaconv.add_pyramid(store, levels=2)
        report = hoaconv.add_labels(store, store, name="m", ops="bin 2 | threshold 30000")
        assert report.notes[-1].startswith("the label is as large as level 1")
        one, other = (ome_of(p)["multiscales"][0] for p in (store, store / "labels/m"))
        assert (
            other["datasets"][0]["coordinateTransformations"]
            == (one["datasets"][1]["coordinateTransformations"])
        )
        assert len(other["datasets"]) == 2

    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint64"])
    def test_each_label_has_its_color(self, tmp_path, dtype):
        volume = np.zeros((5, 30, 40), dtype)
        ids = [1, 2, 7, 100, np.iinfo(dtype).max]
        for i, label in enumerate(ids):
            volume[i, i : i + 4, 3:] = label
        written(volume, tmp_path / "s")
        hoaconv.add_labels(tmp_path / "s", tmp_path / "s", name="ids")
        colors = ome_of(tmp_path / "s/labels/ids")["image-label"]["colors"]
        assert [row["label-value"] for row in colors] == ids
        assert [row["rgba"] for row in colors] == [color_of(label) for label in ids]
        assert color_of(1) == [255, 255, 0, 255]
        assert len({tuple(color_of(label)) for label in range(1, 200)}) > 150

    def test_of_many_labels_the_least_get_colors(self, tmp_path):
        volume = np.arange(40 * 60 * 50, dtype=np.uint32)[::-1].reshape(40, 60, 50)
        written(volume, tmp_path / "s")
        for workers in (1, 2):
            hoaconv.add_labels(
                tmp_path / "s", tmp_path / "s", name="ids", overwrite=True, workers=workers
            )
            colors = ome_of(tmp_path / "s/labels/ids")["image-label"]["colors"]
            assert [row["label-value"] for row in colors] == [*range(1, MOST + 1)]

    def test_a_label_that_is_there_is_replaced_on_demand_alone(self, store):
        hoaconv.add_labels(store, store, name="m", ops="threshold 9000")
        before = tree(store)
        with pytest.raises(StoreError, match="labels/m exists"):
            hoaconv.add_labels(store, store, name="m", ops="threshold 1")
        assert tree(store) == before
        hoaconv.add_labels(store, store / "labels/m", name="m", ops="invert", overwrite=True)
        made = levels_of(store / "labels/m")[0]
        np.testing.assert_array_equal(made, 255 - (levels_of(store)[0] > 9000))
        assert ome_of(store / "labels")["labels"] == ["m"]

    def test_labels_of_others_stay_listed(self, store):
        labels = zarr.open_group(store / "labels", mode="w", zarr_format=3)
        labels.create_group("theirs")
        labels.attrs.update({"ome": {"version": "0.5", "labels": ["theirs"]}, "own": 1})
        hoaconv.add_labels(store, store, name="m", ops="threshold 9000")
        assert dict(opened(store / "labels").attrs) == {
            "ome": {"version": "0.5", "labels": ["theirs", "m"]},
            "own": 1,
        }

    @pytest.mark.parametrize(
        ("words", "code", "told"),
        [
            ([], SPELLING, "as in --name vessels"),
            (["--name", "../x"], SPELLING, "can't be the name of a folder"),
            (["--name", "m", "--ops", "bin 2"], PLAN, "would be 11 x 17 x 14 uint16"),
            (["--name", "m", "--ops", "cast float32"], PLAN, "labels are whole numbers"),
            (["--name", "m", "--from-report", "none.json"], SOURCE, "none.json"),
        ],
    )
    def test_what_is_no_label_of_the_image_is_refused(self, store, words, code, told):
        before = tree(store)
        refused(call("add-labels", store, store, *words), code, told)
        assert tree(store) == before

    def test_an_array_that_is_no_image_has_no_labels(self, tmp_path):
        group = zarr.open_group(tmp_path / "g", mode="w")
        group.create_array("a", data=np.zeros(SHAPE, "u1"))
        with pytest.raises(StoreError, match="no OME-Zarr image yet; make it one with hoaconv add"):
            hoaconv.add_labels(tmp_path / "g/a", tmp_path / "g/a", name="m")

    def test_a_label_alone_names_the_command(self, store, tmp_path):
        told = refused(call("stack-to-omezarr", store, store / "labels/m"), STORE)
        assert "hoaconv add-labels s.zarr SRC --name m" in told

    def test_too_small_a_label_for_all_levels_is_refused(self, tmp_path):
        written(noise((2, 5, 5), "uint8", 1), tmp_path / "s", levels=4)
        with pytest.raises(PlanError, match="too small for the 4 levels"):
            hoaconv.add_labels(tmp_path / "s", tmp_path / "s", name="m", ops="bin 2,3,3 | pad 0")

    def test_two_runs_at_once_lose_no_label(self, store):
        begin, told = Barrier(4), []

        def add(name):
            begin.wait()
            while True:
                try:
                    hoaconv.add_labels(store, store, name=name, ops="threshold 9000", workers=1)
                    return
                except StoreError as error:
                    told.append(str(error))

        names = [f"l{i}" for i in range(4)]
        threads = [Thread(target=add, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(ome_of(store / "labels")["labels"]) == names
        assert all("another run" in text for text in told)


ADD = {
    "pyramid": lambda store: hoaconv.add_pyramid(store, overwrite=True, downsample="min"),
    "label": lambda store: hoaconv.add_labels(store, store, name="m", ops="threshold 9000"),
    "label anew": lambda store: hoaconv.add_labels(
        store, store, name="old", ops="threshold 1", overwrite=True
    ),
}
ADDING = pytest.mark.parametrize("add", ADD.values(), ids=ADD)


@pytest.fixture
def full(store):
    """An image with levels and a label."""
    hoaconv.add_pyramid(store)
    hoaconv.add_labels(store, store, name="old", ops="threshold 30000")
    return store


@ADDING
@pytest.mark.parametrize("error", [KeyboardInterrupt, SourceError("a chunk"), MemoryError])
@pytest.mark.parametrize("planes", [pytest.param(0, marks=pytest.mark.long), 16])
def test_a_run_that_ends_early_leaves_the_store_as_it_was(full, monkeypatch, add, error, planes):
    before, read = tree(full), ArrayVolume.read_piece

    def failing(self, taken, piece, out):
        if taken[0] >= planes:
            raise error
        read(self, taken, piece, out)

    monkeypatch.setattr(ArrayVolume, "read_piece", failing)
    with pytest.raises((KeyboardInterrupt, SourceError, hoaconv.HoaconvError)):
        add(full)
    assert tree(full) == before
    assert not (full / SCRATCH).exists()


@ADDING
@pytest.mark.parametrize("which", range(2))
def test_a_move_that_fails_is_undone(full, monkeypatch, add, which):
    before, calls = tree(full), []

    def failing(kind):
        def move(source, target):
            calls.append(target)
            if len(calls) == which + 1:
                raise OSError(28, "No space left on device")
            getattr(os, kind)(source, target)

        return move

    moving = {kind: failing(kind) for kind in ("rename", "replace")}
    monkeypatch.setattr(addition, "os", SimpleNamespace(**{**vars(os), **moving}))
    with pytest.raises(StoreError, match="No space left"):
        add(full)
    left = {n: d for n, d in tree(full).items() if SCRATCH not in n and MARK not in n}
    assert left == before
    assert (full / MARK).exists()
    monkeypatch.undo()
    add(full)
    assert not (full / MARK).exists()
    assert not (full / SCRATCH).exists()


@ADDING
def test_while_another_run_is_at_work_nothing_is_added(full, add):
    mark = write_mark(full, host="elsewhere")
    before = tree(full)
    with pytest.raises(StoreError, match="being written by another run"):
        add(full)
    assert tree(full) == before
    mark.unlink()


@ADDING
def test_what_a_dead_run_has_left_is_removed(full, add):
    write_mark(full, seconds_ago=9999, host="elsewhere")
    (full / SCRATCH / "new" / "1").mkdir(parents=True)
    (full / SCRATCH / "new" / "1" / "zarr.json").write_text("{}")
    add(full)
    assert not (full / MARK).exists()
    assert not (full / SCRATCH).exists()


@pytest.mark.parametrize("words", [["add-pyramid"], ["add-labels", "--name", "m"]])
def test_a_dry_run_shows_the_plan_and_writes_nothing(store, words):
    before = tree(store)
    done = call(*words, store, *([store] if "--name" in words else []), "--dry-run")
    assert "memory" in done.stdout
    assert done.exit_code == 0
    assert tree(store) == before


def test_scratch_may_lie_elsewhere(store, tmp_path):
    (tmp_path / "fast").mkdir()
    hoaconv.add_pyramid(store, scratch=tmp_path / "fast", report=tmp_path / "r.json")
    assert not list((tmp_path / "fast").iterdir())
    assert json.loads((tmp_path / "r.json").read_text())["files"] > 3


def test_a_store_that_can_not_be_written_is_refused(store):
    if os.access(store, os.W_OK) and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    store.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="can't be written"):
            hoaconv.add_pyramid(store)
    finally:
        store.chmod(0o700)
        shutil.rmtree(store)
