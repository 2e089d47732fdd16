"""A job is a value: it compares, pickles, is planned and run, and makes several outputs at once."""

import copy
import json
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
import zarr

import hoaconv as hc
from hoaconv.errors import BudgetError, SourceError, SpellingError, StoreError
from hoaconv.job.target import Branch, InMemory
from hoaconv.job.watching import Watcher
from hoaconv.ops import Gaussian, Stats

VOLUME = np.random.default_rng(0).integers(0, 60000, (20, 33, 41)).astype("uint16")


@pytest.fixture
def slices(tmp_path):
    folder = tmp_path / "19.57um_slices"
    folder.mkdir()
    for z, plane in enumerate(VOLUME):
        tifffile.imwrite(folder / f"{z:03d}.tif", plane)
    return folder


def level_0(path):
    return zarr.open_array(path / "0", mode="r")[:]


def test_a_volume_and_an_output_are_a_job(slices, tmp_path) -> None:
    out = tmp_path / "smooth.zarr"
    job = hc.open(slices) | Gaussian(1.5) | hc.OmeZarr(out, chunks=16, shards="none")
    assert isinstance(job, hc.Job)
    assert not out.exists()
    plan = job.plan(budget="1TiB")
    assert "gaussian 1.5" in str(plan)
    assert plan.can_run
    assert 0 < plan.projected <= 1 << 40
    assert not out.exists()
    report = job.run(budget="1TiB", workers=1)
    hc.stack_to_omezarr(slices, tmp_path / "b.zarr", ops="gaussian 1.5", chunks=16, shards="none")
    np.testing.assert_array_equal(level_0(out), level_0(tmp_path / "b.zarr"))
    assert report.voxel_size == (19.57,) * 3
    assert report[str(out)] == out
    assert str(out) in str(report)
    assert "<pre>" in report._repr_html_()


def test_jobs_compare_by_what_they_do_and_pickle(slices, tmp_path) -> None:
    def job(sigma, name="o.zarr"):
        return hc.open(slices) | Gaussian(sigma) | hc.OmeZarr(tmp_path / name)

    assert job(1) == job(1)
    assert job(1) != job(2)
    assert job(1) != job(1, "p.zarr")
    assert hc.open(slices).same_as(hc.open(slices))
    assert not hc.open(slices, range=":5").same_as(hc.open(slices))
    again = pickle.loads(pickle.dumps(job(1.5)))
    assert again == job(1.5)
    again.run(workers=1)
    np.testing.assert_array_equal(
        level_0(tmp_path / "o.zarr"), hc.open(slices).gaussian(1.5).compute()
    )


def test_a_source_that_was_written_compares_and_pickles_too(slices, tmp_path) -> None:
    hc.stack_to_omezarr(slices, tmp_path / "a.zarr", levels=2, chunks=8)
    for path in (tmp_path / "a.zarr", tmp_path / "a.zarr" / "1"):
        volume = hc.open(path, range="2:9")
        again = pickle.loads(pickle.dumps(volume))
        assert again.same_as(volume)
        assert volume.same_as(hc.open(path, range="2:9"))
        assert again.origin == volume.origin
        np.testing.assert_array_equal(again.compute(), volume.compute())


def test_what_can_not_be_sent_is_named(slices, tmp_path) -> None:
    out = hc.OmeZarr(tmp_path / "o.zarr")
    for volume, word in (
        (hc.open(VOLUME), "numpy array"),
        (hc.open(slices).map_overlap(lambda block: block), "lambda"),
    ):
        with pytest.raises(pickle.PicklingError, match=word):
            pickle.dumps(volume | out)


def test_several_outputs_come_of_one_sweep(slices, tmp_path) -> None:
    raw = hc.open(slices)
    smooth = raw.gaussian(1)
    main, small = str(tmp_path / "brain.zarr"), str(tmp_path / "small.zarr")
    job = hc.store(
        {main: smooth, f"{main}/labels/tissue": smooth > 30000, small: smooth.bin(2)},
        workers=2,
        chunks=16,
    )
    read = []

    class Counting(Watcher):
        def progress(self, progress) -> None:
            read.append(progress.planes)

    report = job.run(progress=Counting())
    assert len(read) == len(VOLUME)
    assert report.output == main
    want = smooth.compute()
    np.testing.assert_array_equal(level_0(tmp_path / "brain.zarr"), want)
    label = tmp_path / "brain.zarr" / "labels" / "tissue"
    np.testing.assert_array_equal(level_0(label), want > 30000)
    assert level_0(tmp_path / "small.zarr").shape == (10, 17, 21)
    assert zarr.open_group(tmp_path / "brain.zarr" / "labels", mode="r").attrs["ome"]["labels"]


def test_a_plan_answers_where_a_run_is_refused(slices, tmp_path) -> None:
    out = tmp_path / "o.zarr"
    job = hc.open(slices) | hc.OmeZarr(out)
    job.run()
    plan = job.plan(budget="1MB")
    assert not plan.can_run
    assert len(plan.refusals) == 2
    assert plan.describe()["can_run"] is False
    assert "can't run here" in str(plan)
    with pytest.raises(StoreError, match="overwrite"):
        job.run()
    with pytest.raises(BudgetError):
        (hc.open(slices) | hc.OmeZarr(tmp_path / "p.zarr")).run(budget="1MB")
    assert not (tmp_path / "p.zarr").exists()


def test_a_job_is_cancelled_from_another_thread(slices, tmp_path) -> None:
    out = tmp_path / "o.zarr"
    begun = threading.Event()

    def slowly(block):
        begun.set()
        time.sleep(0.2)
        return block

    job = hc.open(slices).map_overlap(slowly) | hc.OmeZarr(out)
    threading.Thread(target=lambda: (begun.wait(), job.cancel())).start()
    with pytest.raises(hc.Cancelled) as ended:
        job.run(workers=1)
    assert isinstance(ended.value, Exception)
    assert not out.exists()


def test_outputs_that_mean_nothing_are_refused(slices, tmp_path) -> None:
    with pytest.raises(SpellingError, match="nothing is to be stored"):
        hc.store({})
    with pytest.raises(SpellingError, match="expected a volume"):
        hc.store({"a.zarr": VOLUME})
    with pytest.raises(SpellingError, match="open it first"):
        VOLUME | hc.OmeZarr("a.zarr")
    with pytest.raises(SpellingError, match="downsample method"):
        hc.OmeZarr("a.zarr", downsample="average")
    with pytest.raises(SpellingError, match="hold whole chunks"):
        hc.OmeZarr("a.zarr", chunks=24, shards=64)


def test_no_path_of_this_machine_goes_into_a_store(slices, tmp_path) -> None:
    flat, out = tmp_path / "flat.zarr", tmp_path / "o.zarr"
    hc.stack_to_omezarr(slices, flat)
    hc.stack_to_omezarr(
        slices,
        out,
        ops=f"projection max | add {flat} | threshold otsu",
        also={str(tmp_path / "other.zarr"): f"mask {flat}"},
        label={"m": f"add {flat} | threshold 9"},
        scratch=tmp_path,
        report=tmp_path / "r.json",
    )
    for store in (out, tmp_path / "other.zarr"):
        for file in store.rglob("*"):
            if file.is_file() and file.suffix in (".json", ""):
                assert str(tmp_path).encode() not in file.read_bytes(), file


def test_a_chain_in_memory_is_a_job_too(slices) -> None:
    job = hc.Job((Branch("a", hc.open(slices), InMemory()),))
    np.testing.assert_array_equal(job.run()["a"], VOLUME)
    with pytest.raises(KeyError, match="there are a"):
        job.run()["b"]


def test_a_scalar_behind_a_scalar_is_its_own() -> None:
    volume = hc.open((VOLUME // 500 + 50).astype("uint8"))
    array = volume.compute()
    shifted = array - array.min()
    assert float((volume - volume.min()).max()) == shifted.max()
    report = hc.store({"totals": (volume - volume.min()).max("z")}).run()
    np.testing.assert_array_equal(report["totals"], shifted.max(0))


def test_a_source_that_has_changed_is_another(slices, tmp_path) -> None:
    before = hc.open(slices)
    sent = pickle.dumps(before | hc.OmeZarr(tmp_path / "o.zarr"))
    tifffile.imwrite(slices / "020.tif", VOLUME[0])
    after = hc.open(slices)
    assert not before.same_as(after)
    report = hc.store({"a": before.sum("yx"), "b": after.sum("yx")}).run()
    assert [len(report[name]) for name in "ab"] == [20, 21]
    with pytest.raises(SourceError, match="has changed"):
        pickle.loads(sent)


def test_operands_are_never_replaced(slices, tmp_path) -> None:
    flat, whole = tmp_path / "flat.zarr", tmp_path / "whole.zarr"
    hc.stack_to_omezarr(slices, flat, range=":1")
    with pytest.raises(StoreError, match="would be replaced"):
        hc.stack_to_omezarr(slices, flat, ops=f"add {flat}", overwrite=True)
    hc.stack_to_omezarr(slices, whole)
    array = zarr.open_array(whole / "0", mode="r")
    with pytest.raises(StoreError, match="would be replaced"):
        (hc.open(array) | hc.OmeZarr(whole, overwrite=True)).run()
    np.testing.assert_array_equal(level_0(whole), VOLUME)


def test_labels_belong_to_an_image_and_take_its_options(slices, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    volume = hc.open(slices)
    mask = volume > 9
    image = hc.OmeZarr("a.zarr", ngff="0.4", factors=3)
    hc.store({image: volume, f"{tmp_path}/a.zarr/labels/x/": mask}).run()
    assert (tmp_path / "a.zarr" / "labels" / "x" / ".zattrs").is_file()
    with pytest.raises(SpellingError, match="has no image"):
        (mask | hc.OmeZarr("b.zarr").label("x")).plan()
    both = {"c.zarr": volume, "c.zarr/labels/x": mask, "c.zarr/labels/X": mask}
    with pytest.raises(StoreError, match="two labels"):
        hc.store(both).run()
    for outputs in ({5: volume}, {"d.zarr": volume, 5: mask}):
        with pytest.raises(SpellingError, match="expected the path"):
            hc.store(outputs)
    with pytest.raises(SpellingError, match="no option"):
        hc.store({"d.zarr": volume}, bogus=3)


def test_two_jobs_are_one_if_nothing_is_lost(slices) -> None:
    volume = hc.open(slices)
    one = hc.store({"max": volume.max("z")}, budget="1TiB")
    assert (one & hc.store({"min": volume.min("z")})).running == one.running
    with pytest.raises(SpellingError, match="two outputs are called max"):
        one & hc.store({"max": volume.min("z")})
    with pytest.raises(SpellingError, match="limits that differ"):
        one & hc.store({"min": volume.min("z")}, budget="1GiB")


def test_notes_of_a_source_are_told_of_measurements_too(slices) -> None:
    (slices / "003.tif").unlink()
    assert any("missing" in note for note in hc.stats(slices, allow_gaps=True).notes)


def test_a_report_tells_what_was_measured(slices, tmp_path) -> None:
    job = hc.store({"stats": Stats(hc.open(slices))})
    report = job.run(report=tmp_path / "r.json")
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["measurements"]["stats"]["max"] == VOLUME.max()
    assert f"max {VOLUME.max()}" in str(report)
    assert "written" not in str(report)


def test_a_job_that_is_cancelled_before_or_after_a_run_runs(slices) -> None:
    job = hc.store({"max": hc.open(slices).max("z")})
    for _ in range(2):
        job.cancel()
        np.testing.assert_array_equal(job.run()["max"], VOLUME.max(0))


def test_a_cancelled_run_in_an_executor_is_an_error_of_its_future(slices) -> None:
    begun = threading.Event()

    def slowly(block):
        begun.set()
        time.sleep(0.2)
        return block

    job = hc.store({"max": hc.open(slices).map_overlap(slowly).max("z")})
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(job.run, workers=1)
        begun.wait()
        job.cancel()
        assert isinstance(future.exception(), hc.Cancelled)


def test_a_job_is_a_key_and_its_copy_is_itself(slices) -> None:
    job = hc.open(VOLUME) | hc.OmeZarr("o.zarr")
    assert copy.deepcopy(job) is copy.copy(job) is job
    one, other = (hc.open(slices) | hc.OmeZarr("o.zarr") for _ in range(2))
    assert {one: 1}[other] == 1


def test_scratch_serves_jobs_that_write_nothing(tmp_path) -> None:
    deep = hc.open(np.ones((30, 400, 400), "uint16")).gaussian(4).gaussian(4.1)
    job = hc.store({"max": deep.max("z")})
    least = job.plan().least
    assert job.plan(scratch=tmp_path).least < least
    assert job.run(scratch=tmp_path, budget=job.plan(scratch=tmp_path).least)["max"].all()
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_budget_that_a_plan_tells_is_enough(slices, tmp_path) -> None:
    job = hc.open(slices) | "gaussian 1.5" | hc.OmeZarr(tmp_path / "o.zarr", overwrite=True)
    for _ in range(3):
        least = job.plan(budget="2GiB").describe()["smallest_budget"]
        assert job.plan(budget=least).can_run
        assert job.run(budget=least).projected <= least


def test_a_store_names_the_folder_of_a_pattern(slices, tmp_path) -> None:
    hc.stack_to_omezarr(f"{slices}/*.tif", tmp_path / "a.zarr")
    told = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["hoaconv"]
    assert told["source"] == "19.57um_slices/*.tif"
    assert str(tmp_path) not in json.dumps(told)


def test_a_report_never_replaces_metadata(slices, tmp_path) -> None:
    hc.stack_to_omezarr(slices, tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="metadata of a store"):
        hc.stack_to_omezarr(slices, tmp_path / "b.zarr", report=tmp_path / "a.zarr" / "zarr.json")
    assert hc.open(tmp_path / "a.zarr").shape == VOLUME.shape


@pytest.mark.long
def test_a_label_whose_layers_wait_in_scratch_replaces_an_old_one(tmp_path) -> None:
    path = str(tmp_path / "b.zarr")
    noise = np.random.default_rng(0).integers(0, 255, (70, 1500, 1400)).astype("uint8")
    small, large = hc.open(np.ones((8, 8, 8), "uint8")), hc.open(noise)
    hc.store({path: small, f"{path}/labels/t": small > 0}).run()
    job = hc.store({path: large, f"{path}/labels/t": large > 100}, overwrite=True, levels=1)
    plan = job.plan(budget="1MB", workers=2)
    assert plan.sweeps[0].economy.spilled
    assert not plan.can_run
    job.run(budget=plan.smallest_budget, workers=2)
    np.testing.assert_array_equal(hc.open(f"{path}/labels/t/0").compute(), noise > 100)
    assert hc.open(path).shape == noise.shape
