"""What the library doesn't take is refused by an error of hoaconv that says what to write."""

import re

import numpy as np
import pytest

import hoaconv as hc
from hoaconv import ops
from hoaconv.errors import BudgetError, SourceError, SpellingError, StoreError
from hoaconv.job.arrays import ArraySink

ARRAY = np.random.default_rng(0).integers(0, 60000, (8, 16, 16)).astype("uint16")


def volume():
    return hc.open(ARRAY)


REFUSED = {
    "unit=5": (lambda: hc.open(ARRAY, voxel_size=1, unit=5), "unit 5 is not the name"),
    "unit=''": (lambda: hc.open(ARRAY, voxel_size=1, unit=""), "unit '' is not the name"),
    "voxel_size=True": (lambda: hc.open(ARRAY, voxel_size=True), "voxel size True"),
    "range tuple": (lambda: hc.open("slices", range=(0, 10)), r"range \(0, 10\) is not START"),
    "range number": (lambda: hc.open("slices", range=5), "range 5 is not START"),
    "range range": (lambda: hc.open("slices", range=range(10)), r"range range\(0, 10\) is not"),
    "backwards": (
        lambda: hc.open("slices", range=slice(None, None, -1)),
        r"range slice\(None, None, -1\) is not START",
    ),
    "compressor=None": (lambda: hc.OmeZarr("q.zarr", compressor=None), "write 'none' for no"),
    "downsample=None": (lambda: hc.OmeZarr("q.zarr", downsample=None), "'None' is none of mean"),
    "ngff=None": (lambda: hc.OmeZarr("q.zarr", ngff=None), "NGFF version 'None'"),
    "name=5": (lambda: hc.OmeZarr("q.zarr", name=5), "name 5 is no text"),
    "is_label": (lambda: hc.OmeZarr("q.zarr", is_label=True), "made by that of its image"),
    "levels=True": (lambda: hc.OmeZarr("q.zarr", levels=True), "levels True is not a whole"),
    "workers=True": (lambda: volume().compute(workers=True), "workers True is not a whole"),
    "progress=print": (
        lambda: (volume() | hc.OmeZarr("q.zarr")).run(progress=print),
        "progress is True, False or",
    ),
    "a list": (lambda: hc.store([volume()]), "given by their names, not as a list"),
    "buget": (lambda: hc.store({"f": volume()}, buget=1), "did you mean 'budget'"),
    "one folder": (
        lambda: hc.store({"f.zarr": volume(), "./f.zarr": volume()}),
        "f.zarr, ./f.zarr are one folder",
    ),
    "precedence of >": (
        lambda: volume() > ops.otsu(volume()) | hc.OmeZarr("x.zarr"),
        "Scalar can't be written; if it belongs to a comparison, put that in brackets",
    ),
    "precedence of a number": (
        lambda: volume() > 3 | hc.OmeZarr("x.zarr"),
        "int can't be written; .* brackets",
    ),
    "an array as ops": (
        lambda: hc.stack_to_omezarr("in", "out.zarr", label={"t": volume() > 5}),
        "a list of these, not a Volume; .*hoaconv.store",
    ),
    "stats of an array": (lambda: hc.stats(ARRAY), r"hoaconv\.open\(array\)\.stats\(\)"),
    "plan of a volume": (lambda: hc.plan(volume()), r"the source is a Volume.*job\.plan\(\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_words(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, words = REFUSED[case]
    with pytest.raises((SpellingError, SourceError)) as refused:
        make()
    assert re.search(words, str(refused.value)), refused.value
    assert not list(tmp_path.iterdir())


def test_what_may_be_left_out_may_be_none(tmp_path):
    image = hc.OmeZarr("a.zarr", chunks=None, shards=None, name=None, levels=None, factors=None)
    assert image == hc.OmeZarr("a.zarr")


def test_memory_that_runs_out_is_told(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(ArraySink, "open", full)
    with pytest.raises(BudgetError, match=r"memory has run out.*`budget`"):
        volume().compute(budget="10TiB")


@pytest.mark.parametrize("there", [False, True])
def test_a_label_without_its_image_is_refused(tmp_path, monkeypatch, there):
    monkeypatch.chdir(tmp_path)
    if there:
        (volume() | hc.OmeZarr("lab.zarr")).run(progress=False)
    job = hc.store({"lab.zarr/labels/t": volume() > 5})
    assert not job.plan().can_run
    for one in (job, (volume() > 5) | hc.OmeZarr("lab.zarr/labels/t")):
        with pytest.raises(StoreError, match=r"would be a label image of lab\.zarr"):
            one.run(progress=False)
    assert not (tmp_path / "lab.zarr" / "labels").exists()


def test_a_folder_called_labels_is_any_folder(tmp_path):
    (tmp_path / "labels").mkdir()
    (volume() | hc.OmeZarr(tmp_path / "labels" / "a.zarr")).run(progress=False)
    assert np.array_equal(hc.open(tmp_path / "labels" / "a.zarr").compute(), ARRAY)


def test_images_and_labels_are_keys(tmp_path):
    image = hc.OmeZarr(tmp_path / "lb.zarr", chunks=8)
    mask = image.label("x")
    report = hc.store({image: volume(), mask: volume() > 5, "sum": volume().sum("z")}).run()
    assert np.array_equal(hc.open(tmp_path / "lb.zarr" / "labels" / "x").compute(), ARRAY > 5)
    assert report[image] == report[tmp_path / "lb.zarr"] == tmp_path / "lb.zarr"
    assert mask in report
    assert "nosuch" not in report
    assert list(report) == list(report.keys()) == [name for name, _ in report.items()]
    assert len(report) == 3
    with pytest.raises(KeyError, match="is no output; there are"):
        report[0]
