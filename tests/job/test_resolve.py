"""A plan tells why a job can't run here, in the words with which the run refuses."""

import json

import numpy as np
import pytest
from invoking import STORE
from typer.testing import CliRunner

import hoaconv as hc
from hoaconv.terminal.app import app

REFUSED = {
    "inside the source": ("{src}/in.zarr", {}),
    "around the source": ("{src}/..", {"overwrite": True}),
    "no folder for scratch": ("o.zarr", {"scratch": "/nonexistent/x"}),
    "scratch in the source": ("o.zarr", {"scratch": "{src}"}),
    "no report of JSON": ("o.zarr", {"report": "x.txt"}),
    "a report where there is no folder": ("o.zarr", {"report": "nosuch/x.json"}),
    "exists": ("there.zarr", {}),
    "another format": ("o.tif", {}),
    "a name that is too long": ("o" * 300 + ".zarr", {}),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.zarr").mkdir()
    (tmp_path / "there.zarr" / "zarr.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("case", REFUSED)
def test_a_plan_tells_what_a_run_refuses(case, here, tiffs):
    dst, options = REFUSED[case]
    dst = dst.format(src=tiffs)
    options = {n: v.format(src=tiffs) if isinstance(v, str) else v for n, v in options.items()}
    plan = hc.plan(tiffs, dst, **options)
    assert not plan.can_run
    with pytest.raises(hc.HoaconvError) as refused:
        hc.stack_to_omezarr(tiffs, dst, **options)
    assert str(refused.value) == plan.refusals[0]
    assert sorted(path.name for path in here.iterdir()) == ["there.zarr"]


@pytest.mark.parametrize("case", REFUSED)
def test_the_command_plan_ends_well_where_a_run_does_not(case, here, tiffs):
    dst, options = REFUSED[case]
    words = [str(tiffs), dst.format(src=tiffs)]
    for name, value in options.items():
        words += [f"--{name}", *([] if value is True else [value.format(src=tiffs)])]
    told = CliRunner().invoke(app, ["plan", *words, "--json"])
    assert told.exit_code == 0, told.stderr
    said = json.loads(told.stdout)
    assert said["can_run"] is False
    ran = CliRunner().invoke(app, ["stack-to-omezarr", *words])
    assert ran.exit_code == STORE
    assert " ".join(said["refusals"][0].split()) in " ".join(ran.stderr.split())


def test_an_image_that_would_replace_its_own_source(here):
    array = np.ones((8, 16, 16), "uint16")
    (hc.open(array) | hc.OmeZarr("b.zarr")).run(progress=False)
    job = hc.open("b.zarr") | hc.OmeZarr("b.zarr", overwrite=True)
    plan = job.plan()
    assert not plan.can_run
    with pytest.raises(hc.HoaconvError) as refused:
        job.run(progress=False)
    assert str(refused.value) in plan.refusals
    assert np.array_equal(hc.open("b.zarr").compute(), array)


def test_several_reasons_are_all_told(here, tiffs):
    plan = hc.plan(tiffs, "there.zarr", scratch="/nonexistent/x", report="x.txt", budget="1MB")
    assert len(plan.refusals) == 4
    assert all(text in str(plan) for text in plan.refusals[:3])


def failing(block):
    raise ValueError("the op fails")


def late(block):
    if block[:, 0, 0].max() >= 40:
        raise ValueError("the op fails late")
    return block


@pytest.mark.parametrize("label", [False, True])
@pytest.mark.parametrize("fails", [failing, late])
def test_a_run_that_fails_before_it_writes_leaves_the_image_that_it_was_to_replace(
    here, fails, label
):
    array = np.broadcast_to(np.arange(48, dtype="uint16")[:, None, None], (48, 20, 20))
    volume = hc.open(array)

    def outputs(made):
        return {"o.zarr": made, **({"o.zarr/labels/t": made} if label else {})}

    hc.store(outputs(volume), chunks=8).run(progress=False)
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*") if path.is_file()}
    again = hc.store(outputs(volume.map_overlap(fails)), chunks=8, overwrite=True)
    with pytest.raises(ValueError, match="the op fails"):
        again.run(progress=False)
    if fails is failing:
        assert before == {path: path.stat().st_mtime_ns for path in before}
        assert np.array_equal(hc.open("o.zarr").compute(), array)
    else:
        assert not (here / "o.zarr").exists()
    hc.store(outputs(volume.add(1)), chunks=8, overwrite=True).run(progress=False)
    assert np.array_equal(hc.open("o.zarr").compute(), array + 1)
    if label:
        assert np.array_equal(hc.open("o.zarr/labels/t").compute(), array + 1)
