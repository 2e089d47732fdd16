"""Label images and further images: what several runs would make, from one reading."""

from itertools import pairwise

import numpy as np
import ome_zarr_models.v05.image_label
import ome_zarr_models.v05.labels
import pytest
import tensorstore as ts
from invoking import PLAN, SOURCE, SPELLING, STORE, refused, run
from reading import all_equal, levels_of, ome_of, opened

import hoaconv
from hoaconv.io.stack import Stack

OPS = "gaussian 1"
LABEL = "gaussian 1 | threshold 30000"
ALSO = "rescale 0 60000"


@pytest.fixture(scope="module")
def made(tiffs, tmp_path_factory):
    """An image with two labels, and another image."""
    folder = tmp_path_factory.mktemp("branches")
    report = hoaconv.stack_to_omezarr(
        tiffs,
        folder / "main.zarr",
        ops=OPS,
        label={"bone": LABEL, "all of it": "threshold 0"},
        also=[f"{folder / 'other.zarr'}={ALSO}"],
        chunks=16,
        shards="none",
    )
    return folder, report


def test_ops_take_voxels_of_another_stack(tiffs, volume, tmp_path):
    hoaconv.stack_to_omezarr(
        tiffs, tmp_path / "o.zarr", ops=f"subtract {tiffs} | add 7 | mask {tiffs} outside=3"
    )
    (got, *_) = levels_of(tmp_path / "o.zarr")
    np.testing.assert_array_equal(got, np.where(volume, 7, 3))


def test_ops_take_voxels_of_an_image_or_of_one_of_its_levels(tiffs, volume, tmp_path):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "a.zarr", chunks=16)
    half = levels_of(tmp_path / "a.zarr")[1]
    words = f"bin 2 | subtract {tmp_path / 'a.zarr' / '1'} | add 7"
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ops=words)
    assert half.shape == (19, 34, 27)
    assert (levels_of(tmp_path / "o.zarr")[0] == 7).all()
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "p.zarr", ops=f"mask {tmp_path / 'a.zarr'}")
    np.testing.assert_array_equal(levels_of(tmp_path / "p.zarr")[0], volume)


def test_an_image_that_is_taken_is_not_replaced(tiffs, tmp_path):
    path = tmp_path / "a.zarr"
    hoaconv.stack_to_omezarr(tiffs, path, chunks=16)
    refused(run(tiffs, path, "--overwrite", "--ops", f"add {path}"), STORE, "would be replaced")
    refused(run(tiffs, path / "0" / "o.zarr", "--ops", f"add {path}"), STORE, "inside the source")
    refused(run(tiffs, tmp_path / "o", "--ops", f"add {path}/9"), SOURCE, "holds no array", "0, 1")


def alone(tiffs, path, ops, **options):
    hoaconv.stack_to_omezarr(tiffs, path, ops=ops, chunks=16, shards="none", **options)
    return levels_of(path)


def test_every_output_is_what_a_run_of_its_own_makes(made, tiffs, tmp_path) -> None:
    folder, _ = made
    all_equal(levels_of(folder / "main.zarr"), alone(tiffs, tmp_path / "m", OPS))
    all_equal(levels_of(folder / "other.zarr"), alone(tiffs, tmp_path / "o", ALSO))
    label = alone(tiffs, tmp_path / "l", LABEL, downsample="mode")
    all_equal(levels_of(folder / "main.zarr" / "labels" / "bone"), label)


def test_labels_shrink_by_the_commonest_value(made) -> None:
    levels = levels_of(made[0] / "main.zarr" / "labels" / "bone")
    for large, small in pairwise(levels):
        want = ts.downsample(ts.array(large), [2, 2, 2], "mode").read().result()
        np.testing.assert_array_equal(small, want)


def test_labels_are_labels_to_others(made) -> None:
    root = opened(made[0] / "main.zarr")
    ome_zarr_models.v05.labels.Labels.from_zarr(root["labels"])
    assert ome_of(made[0] / "main.zarr" / "labels")["labels"] == ["bone", "all of it"]
    for name in ("bone", "all of it"):
        label = ome_zarr_models.v05.image_label.ImageLabel.from_zarr(root["labels"][name])
        assert label.ome_attributes.image_label.source.image == "../../"
    ome_zarr_models.v05.image.Image.from_zarr(root)


def test_label_metadata_of_ngff_0_4(tiffs, out) -> None:
    hoaconv.stack_to_omezarr(tiffs, out, ngff="0.4", label={"bone": LABEL})
    assert dict(opened(out)["labels"].attrs) == {"labels": ["bone"]}
    mark = dict(opened(out)["labels/bone"].attrs)["image-label"]
    assert mark["version"] == "0.4"
    assert mark["source"] == {"image": "../../"}


def test_the_report_tells_of_every_output(made) -> None:
    folder, report = made
    assert [row["ops"] for row in report.others] == [LABEL, "threshold 0", ALSO]
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert report.files == len(files)
    assert report.bytes_written == sum(p.stat().st_size for p in files)


def test_every_slice_is_decoded_once(tiffs, volume, tmp_path, monkeypatch) -> None:
    decoded, read = [], Stack.read

    def counted(self, z, out):
        decoded.append(z)
        read(self, z, out)

    monkeypatch.setattr(Stack, "read", counted)
    labels = {f"l{i}": f"gaussian {i} | threshold 9000" for i in range(1, 4)}
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o", ops="clip 0 9", label=labels)
    assert sorted(decoded) == list(range(len(volume)))


def test_equal_beginnings_are_done_once(tiffs, out) -> None:
    made = hoaconv.plan(tiffs, out, ops="gaussian 2", label={"a": "gaussian 2 | threshold 9"})
    assert [str(stage.part) for stage in made.sweeps[0].stages].count("gaussian 2") == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--label", "bone"], SPELLING, "NAME="),
        (["--label", "=threshold 1"], SPELLING, "NAME="),
        (["--label", "a/b=threshold 1"], SPELLING, "a/b"),
        (["--label", "..=threshold 1"], SPELLING, ".."),
        (["--label", "zarr.json=threshold 1"], SPELLING, "zarr.json"),
        (["--label", "a=threshold 1", "--label", "A=threshold 1"], SPELLING, "twice"),
        (["--label", "a=threshold 1", "--label", "a=threshold 2"], SPELLING, "twice"),
        (["--label", "a=treshold 1"], SPELLING, "did you mean 'threshold'"),
        (["--label", "a=cast float32"], PLAN, "whole numbers"),
        (["--also", "threshold 1"], SPELLING, "--also"),
    ],
)
def test_branches_that_are_not_understood(tiffs, out, words, code, message) -> None:
    refused(run(tiffs, out, *words), code, message)
    assert not out.exists()


def test_outputs_may_not_lie_inside_each_other(tiffs, out) -> None:
    for other in (out, out / "inner.zarr", out.parent):
        words = "are one folder" if other == out else "lie inside each other"
        refused(run(tiffs, out, "--also", f"{other}=clip 0 1"), STORE, words)
    for one, other in (("a", "b/../a"), ("a", "a/0"), ("a/0", "a")):
        options = [f"--also={out.parent / name}=clip 0 1" for name in (one, other)]
        words = "are one folder" if other == "b/../a" else "lie inside each other"
        refused(run(tiffs, out, *options), STORE, words)


def test_a_failed_run_removes_every_output(make_tiffs, volume, tmp_path, out) -> None:
    src = make_tiffs(tmp_path / "in", volume, compression="lzw")
    bad = src / "slice_0020.tif"
    bad.write_bytes(bad.read_bytes()[:-9] + b"\xff" * 9)
    other = tmp_path / "other.zarr"
    words = ["--label", f"bone={LABEL}", "--also", f"{other}=clip 0 9"]
    refused(run(src, out, *words), SOURCE, "slice_0020.tif")
    assert not out.exists()
    assert not other.exists()


class TestOptionsOfTheirOwn:
    WORD = "{}[chunks=8 ngff=0.4 levels=2 downsample=max]=bin 2"

    @pytest.mark.parametrize("as_mapping", [True, False])
    def test_another_image_has_chunks_version_and_levels_of_its_own(
        self, tiffs, volume, tmp_path, as_mapping
    ) -> None:
        small = tmp_path / "small.zarr"
        options = {"chunks": 8, "ngff": "0.4", "levels": 2, "downsample": "max"}
        also = {small: {"ops": "bin 2", **options}} if as_mapping else [self.WORD.format(small)]
        hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", chunks=16, also=also)
        hoaconv.stack_to_omezarr(tiffs, tmp_path / "alone", ops="bin 2", name="o", **options)
        made = levels_of(small)
        all_equal(made, levels_of(tmp_path / "alone"))
        assert (len(made), opened(small)["0"].chunks) == (2, (8, 8, 8))
        assert ome_of(small)["multiscales"][0]["version"] == "0.4"
        assert ome_of(tmp_path / "o.zarr")["version"] == "0.5"
        assert opened(tmp_path / "o.zarr")["0"].chunks == (16, 16, 16)
        assert dict(opened(small).attrs)["hoaconv"]["options"]["chunks"] == [8, 8, 8]

    def test_options_that_are_not_given_are_those_of_the_main_image(self, tiffs, tmp_path) -> None:
        also = {tmp_path / "s": {"levels": 1}, tmp_path / "t": "bin 2"}
        hoaconv.stack_to_omezarr(tiffs, tmp_path / "o", chunks=16, ngff="0.4", also=also)
        assert opened(tmp_path / "s")["0"].chunks == (16, 16, 16)
        assert [len(levels_of(tmp_path / name)) for name in "st"] == [1, 3]

    def test_a_path_may_have_brackets(self, tiffs, tmp_path) -> None:
        words = [f"{tmp_path}/a[1].zarr=bin 2", f"{tmp_path}/b[2].zarr[chunks=8]=pad 1:1"]
        hoaconv.stack_to_omezarr(tiffs, tmp_path / "o", also=words)
        assert opened(tmp_path / "b[2].zarr")["0"].chunks == (8, 8, 8)
        assert opened(tmp_path / "a[1].zarr")["0"].chunks != (8, 8, 8)

    def test_a_path_with_spaces_is_not_published(self, tiffs, tmp_path) -> None:
        word = f"{tmp_path}/Ada Lovelace/mine/s.zarr[levels=1]=bin 2"
        hoaconv.stack_to_omezarr(tiffs, tmp_path / "o", also=[word])
        for path in (tmp_path / "o", tmp_path / "Ada Lovelace/mine/s.zarr"):
            told = opened(path).attrs["hoaconv"]
            assert told["options"]["also"] == ["s.zarr[levels=1]=bin 2"]

    @pytest.mark.parametrize(
        ("word", "told"),
        [
            ("s.zarr[chunk=8]=bin 2", "did you mean 'chunks'"),
            ("s.zarr[overwrite=1]=bin 2", "overwrite is no option"),
            ("s.zarr[levels=two]=bin 2", "levels 'two' is not a whole number"),
            ("s.zarr[chunks=8 ngff]=bin 2", "--also is written"),
            ("[chunks=8]=bin 2", "--also is written"),
            ("s.zarr[ngff=0.4 shards=64]=bin 2", "NGFF 0.4 has no shards"),
        ],
    )
    def test_what_is_no_option_is_refused(self, tiffs, out, word, told) -> None:
        refused(run(tiffs, out, "--also", word), SPELLING, told)
        assert not out.exists()
