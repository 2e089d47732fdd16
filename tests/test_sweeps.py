"""Conversions of several sweeps: values found first, planes that wait in scratch."""

import json
import signal
import subprocess
import sys
import time
from threading import Event

import numpy as np
import pytest
import tifffile
from invoking import INTERRUPTED, SOURCE, SPELLING, STORE, refused, run
from reading import all_equal, levels_of
from test_output import start
from waiting_for import wait_until

import hoaconv
from hoaconv.engine import machine
from hoaconv.engine.schedule import GROWTH
from hoaconv.errors import SpellingError, StoreError
from hoaconv.io.packed import PackedFile
from hoaconv.job import tracking
from hoaconv.job.watching import Watcher

pytestmark = pytest.mark.one_python

WIDE = "gaussian 4,0,0 | gaussian 4,0,0 mode=nearest"


def otsu(volume):
    """The greatest value of the lower class, by its definition: most variance between classes."""
    values, counts = np.unique(volume, return_counts=True)
    below, above = np.cumsum(counts)[:-1], counts.sum() - np.cumsum(counts)[:-1]
    total = np.cumsum(values.astype(float) * counts)
    apart = total[:-1] / below - (total[-1] - total[:-1]) / above
    return values[:-1][np.argmax(below * above * apart**2)]


def midway(**options):
    """Options under which WIDE needs a mid-write."""
    return {"ops": WIDE, "workers": 1, "chunks": "8,64,64", "shards": "none", **options}


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """Planes that weigh more than the process: 36 of 1 MB."""
    folder = tmp_path_factory.mktemp("deep")
    rng = np.random.default_rng(2)
    for z in range(36):
        plane = rng.integers(0, 60000, (600, 900), dtype=np.uint16)
        tifffile.imwrite(folder / f"{z:02d}.tif", plane, photometric="minisblack")
    return folder


@pytest.fixture
def steady(monkeypatch):
    """What the process weighs is the same for every plan: among other tests it comes and goes."""
    weight = machine.resident()
    monkeypatch.setattr(machine, "resident", lambda: weight)


def smallest(source, out, **options):
    return hoaconv.plan(source, out, **options).schedule.least


def test_otsu_is_found_in_a_sweep_of_its_own_and_the_report_tells(tiffs, volume, tmp_path):
    report = tmp_path / "r.json"
    made = hoaconv.stack_to_omezarr(tiffs, tmp_path / "o", ops="threshold otsu", report=report)
    want = otsu(volume)
    assert np.array_equal(levels_of(tmp_path / "o")[0], volume > want)
    assert made.found == json.loads(report.read_text())["found"]
    again = run(tiffs, tmp_path / "a", "--ops", "threshold otsu", "--from-report", report)
    assert again.exit_code == 0, again.output
    all_equal(levels_of(tmp_path / "a"), levels_of(tmp_path / "o"))
    plans = [
        hoaconv.plan(tiffs, tmp_path / "p", ops="threshold otsu", from_report=known)
        for known in (None, report)
    ]
    assert [len(plan.sweeps) for plan in plans] == [2, 1]


def test_a_report_without_the_value_or_none_at_all_is_refused(tiffs, tmp_path, out):
    report = tmp_path / "r.json"
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o", ops="threshold li", report=report)
    words = [tiffs, out, "--from-report", report, "--ops"]
    refused(run(*words, "threshold otsu"), SPELLING, "'threshold otsu'", "'threshold li'")
    report.write_text("[]")
    refused(run(*words, "threshold otsu"), SOURCE, report, "--report has written")
    assert not out.exists()


def test_some_slices_give_an_interval_and_all_of_them_the_value(tiffs, volume, tmp_path):
    ops = "normalize"
    some = hoaconv.stack_to_omezarr(tiffs, tmp_path / "s", ops=ops, sample=20)
    every = hoaconv.stack_to_omezarr(tiffs, tmp_path / "e", ops=ops, sample=37)
    (chain,) = some.found
    assert every.found[chain]["mean"] == pytest.approx(volume.mean(), rel=1e-12)
    assert not any(every.intervals.values())
    low, high = some.intervals[chain]["mean"]
    assert low < some.found[chain]["mean"] < high
    plan = hoaconv.plan(tiffs, tmp_path / "p", ops=ops, sample=20)
    assert [sweep.planes for sweep in plan.sweeps] == [20, 37]


def test_two_gaussians_are_two_and_nothing_approximates_them(tiffs, tmp_path):
    ops = "gaussian 1 | gaussian 1.5"
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "both", ops=ops)
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "first", ops="gaussian 1")
    hoaconv.stack_to_omezarr(tmp_path / "first", tmp_path / "second", ops="gaussian 1.5")
    both, second = (levels_of(tmp_path / name)[0] for name in ("both", "second"))
    np.testing.assert_array_equal(both, second)
    noted = hoaconv.plan(tiffs, tmp_path / "p", ops=ops).explain()
    assert "'gaussian 1.5' is a stage of its own: it needs a halo of 6,6,6" in noted


@pytest.mark.parametrize("own", [False, True])
def test_a_mid_write_gives_the_same_bits_and_leaves_nothing(steady, deep, tmp_path, own):
    options = midway(scratch=tmp_path / "s" if own else None)
    if own:
        (tmp_path / "s").mkdir()
    least = smallest(deep, tmp_path / "p", **options)
    assert least < hoaconv.plan(deep, tmp_path / "p", **options).projected
    made = hoaconv.plan(deep, tmp_path / "p", budget=least, **options)
    assert len(made.sweeps) > 1
    assert "wait in scratch for the next sweep" in made.explain()
    hoaconv.stack_to_omezarr(deep, tmp_path / "tight", budget=least, **options)
    hoaconv.stack_to_omezarr(deep, tmp_path / "plenty", **options)
    all_equal(levels_of(tmp_path / "tight"), levels_of(tmp_path / "plenty"))
    assert not own or not list((tmp_path / "s").iterdir())
    hidden = [p.name for p in (tmp_path / "tight").iterdir() if p.name.startswith(".")]
    assert not hidden


def test_a_scratch_that_fills_up_leaves_neither_planes_nor_a_store(
    steady, deep, tmp_path, out, monkeypatch
):
    place = tmp_path / "s"
    place.mkdir()
    put, calls = PackedFile.put, []

    def full(self, rows):
        calls.append(self.path)
        if len(calls) > 20:
            raise StoreError(f"{self.path} can't be written: No space left on device")
        return put(self, rows)

    monkeypatch.setattr(PackedFile, "put", full)
    options = midway(scratch=place)
    with pytest.raises(StoreError, match="No space left"):
        hoaconv.stack_to_omezarr(deep, out, budget=smallest(deep, out, **options), **options)
    assert calls[0].is_relative_to(place)
    assert not list(place.iterdir())
    assert not out.exists()


def test_a_place_without_room_or_that_is_no_folder_is_refused(
    steady, deep, tmp_path, out, monkeypatch
):
    options = midway()
    words = [deep, out, "--ops", WIDE, "--workers", "1", "--chunks", "8,64,64", "--shards", "none"]
    (tmp_path / "file").write_text("")
    refused(run(*words, "--scratch", tmp_path / "file"), STORE, tmp_path / "file", "folder")
    least = smallest(deep, out, **options)
    monkeypatch.setattr("hoaconv.io.scratch.ScratchFolder.free", lambda self: 1000)
    with pytest.raises(StoreError, match=r"1\.00 kB free"):
        hoaconv.stack_to_omezarr(deep, out, budget=least, **options)
    assert not out.exists()


def test_a_signal_during_a_mid_write_leaves_nothing(deep, tmp_path, out):
    place = tmp_path / "s"
    place.mkdir()
    words = ["--ops", WIDE, "--chunks", "8,64,64", "--shards", "none", "--scratch", place]
    words = [str(word) for word in [deep, out, "--workers", "1", *words]]
    plan = [sys.executable, "-m", "hoaconv", "plan", "--json", *words]
    told = subprocess.run(plan, capture_output=True, check=True)
    least = json.loads(told.stdout)["smallest_budget"] - GROWTH + (4 << 20)
    process = start(*words, "--budget", least)
    try:
        wait_until(lambda: any(p.is_file() for p in place.rglob("*")))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == INTERRUPTED
    assert not list(place.iterdir())
    assert not out.exists()


def test_ops_that_need_a_value_refuse_an_empty_sample(tiffs, out):
    refused(run(tiffs, out, "--ops", "threshold otsu", "--sample", "0"), SPELLING, "sample 0")
    with pytest.raises(SpellingError, match="sample"):
        hoaconv.stack_to_omezarr(tiffs, out, ops="threshold otsu", sample=-3)


def test_a_run_without_a_slice_for_a_while_says_so(monkeypatch) -> None:
    told = []

    class Told(Watcher):
        def note(self, text: str) -> None:
            told.append(text)

    monkeypatch.setattr(tracking, "STILL_SECONDS", 0.05)
    size = tracking.PlaneSize(128, 64)
    with tracking.tracked(Told(), size, [3], Event()) as tell:
        tell()
        time.sleep(0.3)
    assert "after 1 of 3" in told[0]
    assert "a disk may not answer" in told[0]
    told.clear()
    with tracking.tracked(Told(), size, [3], Event()) as tell:
        for _ in range(3):
            tell()
        time.sleep(0.3)
    assert not told
