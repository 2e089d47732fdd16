"""Reports: where they are written, what is refused before the run, and what is read again."""

import json
import os

import pytest
from invoking import SOURCE, SPELLING, STORE, looks_complete, refused, run

from hoaconv.job import paths


@pytest.mark.parametrize("name", ["r.txt", "r", "/dev/stdout"])
def test_a_report_is_json_by_its_name_at_once_and_always(tiffs, out, tmp_path, name):
    for _ in range(2):
        refused(run(tiffs, out, "--report", tmp_path / name), STORE, "has to end in .json")
        assert not out.exists()


def test_a_report_with_a_long_name(tiffs, out, tmp_path):
    assert run(tiffs, out, "--report", tmp_path / ("r" * 245 + ".json")).exit_code == 0
    refused(
        run(tiffs, tmp_path / "p.zarr", "--report", tmp_path / ("r" * 255 + ".json")),
        STORE,
        "too long",
    )
    assert not (tmp_path / "p.zarr").exists()


def test_a_report_behind_a_link_is_replaced_and_the_link_stays(tiffs, out, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "old.json").write_text("old")
    (tmp_path / "r.json").symlink_to("deep/old.json")
    assert run(tiffs, out, "--report", tmp_path / "r.json").exit_code == 0
    assert (tmp_path / "r.json").is_symlink()
    assert json.loads((tmp_path / "deep" / "old.json").read_text())["output"] == str(out)
    assert os.listdir(tmp_path / "deep") == ["old.json"]


def test_a_report_in_a_folder_where_none_can_be_made_is_written_anew(
    tiffs, out, tmp_path, monkeypatch
):
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "r.json").write_text("old")
    before = (folder / "r.json").stat().st_ino
    access = os.access
    monkeypatch.setattr(
        paths.os, "access", lambda path, mode: os.fspath(path) != str(folder) and access(path, mode)
    )
    assert run(tiffs, out, "--report", folder / "r.json").exit_code == 0
    assert (folder / "r.json").stat().st_ino == before
    assert json.loads((folder / "r.json").read_text())["output"] == str(out)
    other = tmp_path / "p.zarr"
    refused(run(tiffs, other, "--report", folder / "new.json"), STORE, "no permission")
    assert not other.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_in_place_of_a_file_is_refused_instead_of_waited_for(tiffs, out, tmp_path):
    pipe = tmp_path / "p.json"
    os.mkfifo(pipe)
    refused(run(tiffs, out, "--from-report", pipe), SOURCE, "is a pipe")
    refused(run(tiffs, out, "--report", pipe), STORE, "no regular file")
    refused(run(tiffs, out, "--ops-module", pipe), SPELLING, "is a pipe")
    assert not out.exists()


def test_values_of_another_volume_are_taken_with_a_note(tiffs, make_tiffs, volume, out, tmp_path):
    ops = ("--ops", "threshold otsu")
    assert run(tiffs, out, *ops, "--report", tmp_path / "r.json").exit_code == 0
    again = run(tiffs, tmp_path / "a.zarr", *ops, "--from-report", tmp_path / "r.json")
    assert again.exit_code == 0
    assert "another run" not in again.stderr
    other = make_tiffs(tmp_path / "other", volume[:20])
    told = run(
        other,
        tmp_path / "b.zarr",
        *ops,
        "--from-report",
        tmp_path / "r.json",
        "--report",
        tmp_path / "b.json",
    )
    assert told.exit_code == 0
    assert f"its source was {tiffs}, its output 37 x 67 x 53" in " ".join(told.stderr.split())
    notes = json.loads((tmp_path / "b.json").read_text())["notes"]
    assert any("another run" in note for note in notes)
    assert looks_complete(tmp_path / "b.zarr")


def test_notes_of_a_quiet_run_are_in_its_report(tiffs, out, tmp_path):
    assert run(tiffs, out, "-q", "--report", tmp_path / "r.json").exit_code == 0
    notes = json.loads((tmp_path / "r.json").read_text())["notes"]
    assert "voxel size unknown; set it with `voxel_size`" in notes
