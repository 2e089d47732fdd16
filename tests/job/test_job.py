"""A job is a value: it compares, pickles, is planned and run, and makes several outputs at once."""

import pickle
import threading
import time

import numpy as np
import pytest
import tifffile
import zarr

import hoaconv as hc
from hoaconv.errors import BudgetError, SpellingError, StoreError
from hoaconv.job.target import Branch, InMemory
from hoaconv.job.watching import Watcher
from hoaconv.ops import Gaussian

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
    plan = job.plan(budget="2GiB")
    assert "gaussian 1.5" in str(plan)
    assert plan.can_run
    assert 0 < plan.projected <= 2 << 30
    assert not out.exists()
    report = job.run(budget="2GiB", workers=1)
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
    assert hc.open(slices) == hc.open(slices)
    assert hc.open(slices, range=":5") != hc.open(slices)
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
        assert again == volume == hc.open(path, range="2:9")
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
    with pytest.raises(KeyboardInterrupt):
        job.run(workers=1)
    assert not (out / "zarr.json").exists()


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
