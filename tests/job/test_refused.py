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


def test_a_dtype_that_is_not_taken_names_one_that_is():
    with pytest.raises(SourceError, match=r'holds float16.*array\.astype\("float32"\)'):
        hc.open(ARRAY.astype("float16"))
    assert hc.open(ARRAY.astype("float16").astype("float32")).dtype == "float32"


def test_a_mask_is_not_lost():
    masked = np.ma.masked_greater(ARRAY, 30000)
    with pytest.raises(SourceError, match=r"array\.filled\(0\)"):
        hc.open(masked)
    assert np.array_equal(hc.open(masked.filled(0)).compute(), masked.filled(0))
    assert np.array_equal(hc.open(np.ma.asarray(ARRAY)).compute(), ARRAY)


class Liar:
    shape, dtype = ARRAY.shape, ARRAY.dtype

    def __getitem__(self, key):
        return ARRAY[key] / 3


def test_an_array_of_another_dtype_than_it_says_is_refused():
    with pytest.raises(SourceError, match="are float64, but the array says uint16"):
        hc.open(Liar()).compute()


def test_the_other_byte_order_is_no_other_dtype():
    assert np.array_equal(hc.open(ARRAY.astype(">u2")).compute(), ARRAY)


def test_files_of_numpy_name_the_way_to_open_them(tmp_path):
    np.save(tmp_path / "a.npy", ARRAY)
    with pytest.raises(SourceError, match=r"hoaconv\.open\(numpy\.load"):
        hc.open(tmp_path / "a.npy")
    opened = hc.open(np.load(tmp_path / "a.npy", mmap_mode="r"))
    assert np.array_equal(opened.compute(), ARRAY)


def test_the_budget_may_stand_first(tmp_path):
    plan = (volume() | hc.OmeZarr(tmp_path / "a.zarr")).plan("2GiB")
    assert plan.budget == 2 << 30
    assert plan.smallest_budget == plan.describe()["smallest_budget"]
    assert np.array_equal(volume().compute("2GiB"), ARRAY)


def test_statistics_have_items_and_attributes():
    stats = volume().stats()
    for name in ("mean", "max", "p50", "otsu"):
        assert stats[name] == getattr(stats, name)
    with pytest.raises(KeyError, match="nosuch"):
        stats["nosuch"]
