"""An output folder is claimed, finished or given up; nothing of the user's is lost."""

import ctypes
import errno
import json
import os
import re
import subprocess
import sys
from time import sleep
from types import SimpleNamespace

import pytest
from marking import unreadable, write_mark, zarr_at

from hoaconv.errors import StoreError
from hoaconv.io import folder, mark
from hoaconv.io.folder import Claim, check_free
from hoaconv.io.mark import MARK, read_mark

pytestmark = pytest.mark.oldest


def test_a_claim_marks_the_folder_until_it_is_finished(tmp_path) -> None:
    claim = Claim(tmp_path / "a" / "b.zarr", overwrite=False)
    assert "pid" in json.loads((claim.path / MARK).read_text())
    for overwrite in (False, True):
        with pytest.raises(StoreError, match=f"another run.*{os.getpid()}"):
            check_free(claim.path, overwrite=overwrite)
    claim.finish()
    assert not list(claim.path.iterdir())


def test_what_was_taken_over_is_left_alone_and_told(tmp_path) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    (claim.path / MARK).write_text('{"token": "somebody else"}')
    (claim.path / "theirs").write_text("x")
    claim.abandon(["0", "zarr.json"])
    for told in (claim.check, claim.finish):
        with pytest.raises(StoreError, match="somebody else"):
            told()
    assert len(list(claim.path.iterdir())) == 2


@pytest.mark.parametrize("pid", [os.getpid(), os.getppid(), 1], ids=["own", "parent", "first"])
def test_a_mark_of_a_dead_run_whose_number_lives_on_is_no_obstacle(tmp_path, pid) -> None:
    (tmp_path / "x.zarr").mkdir()
    write_mark(tmp_path / "x.zarr", pid=pid, start=12.5, token="dead")
    Claim(tmp_path / "x.zarr", overwrite=True).finish()
    assert not list((tmp_path / "x.zarr").iterdir())


def test_a_run_that_began_at_the_same_moment_keeps_its_mark(tmp_path, monkeypatch) -> None:
    first = Claim(tmp_path / "x.zarr", overwrite=False)
    monkeypatch.setattr(folder, "check_free", lambda *_, **__: None)  # it looked before
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="another run"):
            Claim(tmp_path / "x.zarr", overwrite=overwrite)
    first.check()
    first.finish()


def test_an_interrupt_while_erasing_lets_go_of_the_folder(tmp_path, monkeypatch) -> None:
    path = zarr_at(tmp_path / "x.zarr")

    def interrupted(_):
        raise KeyboardInterrupt

    claim = Claim(path, overwrite=True)
    monkeypatch.setattr(folder.shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        claim.begin()
    assert "part of what was in" in caught.value.__notes__[0]
    monkeypatch.undo()
    assert not claim.abandon(["0", "zarr.json"])
    with pytest.raises(StoreError, match="did not finish"):
        check_free(path, overwrite=False)
    Claim(path, overwrite=True).finish()


def test_two_outputs_in_a_new_folder_leave_nothing(tmp_path) -> None:
    claims = [Claim(tmp_path / "new" / name, overwrite=False) for name in ("a", "b")]
    for claim in claims:
        claim.abandon(["0", "zarr.json"])
    assert not (tmp_path / "new" / "a").exists()
    assert not (tmp_path / "new" / "b").exists()


def test_giving_up_removes_what_was_made_and_no_more(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    claim = Claim(tmp_path / "a" / "b" / "c.zarr", overwrite=False)
    zarr_at(claim.path)
    claim.abandon(["0", "zarr.json"])
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
    assert not list((tmp_path / "a").iterdir())


def test_a_disk_that_takes_half_a_mark_keeps_nothing(tmp_path, monkeypatch) -> None:
    def half(self, text, **_):
        self.write_bytes(text.encode()[:110])
        raise OSError(27, "File too large")

    monkeypatch.setattr("pathlib.Path.write_text", half)
    with pytest.raises(StoreError, match="File too large"):
        Claim(tmp_path / "x.zarr", overwrite=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["new/" + "x" * 300, "new/../" + "x" * 300])
def test_a_name_that_the_disk_refuses_leaves_no_folder_above_it(tmp_path, name) -> None:
    with pytest.raises(StoreError, match="can't be made"):
        Claim(tmp_path / name, overwrite=False)
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_free_and_stays_when_the_run_gives_up(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    Claim(tmp_path / "out", overwrite=False).abandon(["0", "zarr.json"])
    assert not list((tmp_path / "out").iterdir())


def test_what_exists_is_refused_unless_overwriting(tmp_path) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    with pytest.raises(StoreError, match="overwrite=True"):
        check_free(path, overwrite=False)
    Claim(path, overwrite=True).finish()
    assert not list(path.iterdir())


def test_what_is_replaced_stays_until_something_is_written(tmp_path) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    before = sorted(path.rglob("*"))
    assert not Claim(path, overwrite=True).abandon(["0", "zarr.json"])
    assert sorted(path.rglob("*")) == before


def test_a_store_whose_replacement_has_failed_leaves_no_empty_folder(tmp_path) -> None:
    claim = Claim(zarr_at(tmp_path / "x.zarr"), overwrite=True)
    claim.begin()
    assert claim.abandon(["0", "zarr.json"])
    assert not list(tmp_path.iterdir())


def test_the_claim_on_a_folder_is_found_until_it_ends(tmp_path) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    (tmp_path / "link").symlink_to(claim.path)
    assert Claim.on(tmp_path / "link") is claim
    claim.finish()
    assert Claim.on(claim.path) is None


def test_overwriting_takes_zarr_stores_and_unfinished_runs_only(tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    with pytest.raises(StoreError, match="not a zarr store"):
        Claim(tmp_path / "photos", overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").exists()
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / "zarr.json").write_text("{}")
    (tmp_path / "x.zarr" / "thesis.doc").write_text("precious")
    with pytest.raises(StoreError, match=r"thesis\.doc"):
        Claim(tmp_path / "x.zarr", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        check_free(tmp_path / "file", overwrite=True)


def test_a_killed_run_can_be_overwritten(tmp_path) -> None:
    code = "import sys; from pathlib import Path; from hoaconv.io.folder import Claim; "
    code += "Claim(Path(sys.argv[1]), overwrite=False)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.zarr")], check=True)
    with pytest.raises(StoreError, match="did not finish"):
        Claim(tmp_path / "x.zarr", overwrite=False)
    Claim(tmp_path / "x.zarr", overwrite=True).finish()
    assert not list((tmp_path / "x.zarr").iterdir())


def test_a_link_inside_is_removed_not_followed(tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    path = zarr_at(tmp_path / "x.zarr")
    (path / "1").symlink_to(outside)
    Claim(path, overwrite=True).finish()
    assert (outside / "precious").exists()


HERE = pytest.mark.parametrize("changed", [{"host": "other"}, {"place": "other"}])


@HERE
def test_a_live_run_of_another_host_or_container_is_not_replaced(tmp_path, changed) -> None:
    (tmp_path / "0").mkdir()
    write_mark(tmp_path, seconds_ago=100, pid=1, **changed)
    for overwrite in (False, True):
        with pytest.raises(StoreError, match=r"another run.*sign of life"):
            Claim(tmp_path, overwrite=overwrite)
    assert (tmp_path / "0").exists()


@HERE
def test_a_run_of_another_host_whose_heart_has_stopped_is_replaced(tmp_path, changed) -> None:
    write_mark(tmp_path, seconds_ago=700, pid=1, **changed)
    with pytest.raises(StoreError, match="did not finish"):
        Claim(tmp_path, overwrite=False)
    Claim(tmp_path, overwrite=True).finish()


def test_a_live_run_renews_its_mark(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("hoaconv.io.mark.BEAT_SECONDS", 0.01)
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    os.utime(claim.path / MARK, (1.0, 1.0))
    for _ in range(500):
        if (claim.path / MARK).stat().st_mtime > 1:
            break
        sleep(0.01)
    assert (claim.path / MARK).stat().st_mtime > 1
    claim.finish()


ODD_MARKS = {
    "empty": b"",
    "no JSON": b"{",
    "nested": b"[" * 100_000,
    "list": b"[1]",
    "no text": b"\xff\xfe",
    "other fields": b'{"host": "a"}',
}


@pytest.mark.parametrize("content", ODD_MARKS.values(), ids=ODD_MARKS)
def test_a_mark_that_can_not_be_read_may_be_new_and_is_dead_later(tmp_path, content) -> None:
    (tmp_path / MARK).write_bytes(content)
    with pytest.raises(StoreError, match=r"can't be read as a mark; .*remove it"):
        Claim(tmp_path, overwrite=True)
    os.utime(tmp_path / MARK, (1.0, 1.0))
    Claim(tmp_path, overwrite=True).finish()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pid", [-1, 0, 1 << 40, True, "7", None])
def test_a_mark_with_an_odd_process_number_is_none(tmp_path, pid) -> None:
    write_mark(tmp_path, seconds_ago=1000, pid=pid)
    assert read_mark(tmp_path) is None
    Claim(tmp_path, overwrite=True).finish()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_place_of_the_mark_does_not_hang(tmp_path) -> None:
    os.mkfifo(tmp_path / MARK)
    os.utime(tmp_path / MARK, (1.0, 1.0))
    Claim(tmp_path, overwrite=True).finish()
    assert not list(tmp_path.iterdir())


def test_a_folder_in_place_of_the_mark_is_told(tmp_path) -> None:
    (tmp_path / MARK).mkdir()
    os.utime(tmp_path / MARK, (1.0, 1.0))
    with pytest.raises(StoreError, match=f"holds {MARK}, .*move that away"):
        Claim(tmp_path, overwrite=True)
    assert (tmp_path / MARK).is_dir()


def test_where_no_links_can_be_made_marks_are_written(tmp_path, monkeypatch) -> None:
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    claim.check()
    claim.finish()
    assert not list(claim.path.iterdir())


def test_what_others_put_into_the_folder_meanwhile_stays(tmp_path) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    zarr_at(claim.path)
    (claim.path / "notes.txt").write_text("precious")
    assert claim.abandon(["0", "zarr.json"])
    assert [entry.name for entry in claim.path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kind", ["store", "unfinished"])
def test_folders_that_are_no_part_of_a_store_are_not_erased(tmp_path, kind) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    (path / "photos").mkdir()
    (path / "photos" / "cat.jpg").write_text("meow")
    if kind == "unfinished":
        (path / "zarr.json").unlink()
        write_mark(path, pid=1, start=12.5)
    with pytest.raises(StoreError, match="photos"):
        Claim(path, overwrite=True)
    assert (path / "photos" / "cat.jpg").exists()
    assert (path / "0" / "c" / "1").exists()


def test_a_claim_that_was_refused_says_nothing_of_removing(tmp_path) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    claim.path.rename(tmp_path / "moved")
    assert not claim.abandon(["0"])
    with pytest.raises(StoreError, match="it is gone"):
        claim.check()
    assert (tmp_path / "moved" / MARK).exists()


def test_a_complete_output_whose_mark_can_not_be_removed_is_told_so(tmp_path, monkeypatch) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    zarr_at(claim.path)

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(StoreError, match="is complete, but its mark"):
        claim.finish()
    monkeypatch.undo()
    assert (claim.path / "zarr.json").exists()
    Claim(claim.path, overwrite=True).finish()  # the run is over, though its process lives


@pytest.mark.skipif(sys.platform != "linux", reason="no syncfs here")
def test_a_disk_that_fails_at_the_end_is_told(tmp_path, monkeypatch) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)

    def failing(*_):
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(folder.ctypes, "CDLL", lambda *_, **__: SimpleNamespace(syncfs=failing))
    with pytest.raises(StoreError, match=r"error \(Input/output error\).*overwrite=True"):
        claim.finish()
    assert (claim.path / MARK).exists()
    monkeypatch.undo()
    Claim(claim.path, overwrite=True).finish()  # the run is over, though its process lives


def test_a_link_to_itself_is_no_output(tmp_path) -> None:
    (tmp_path / "x.zarr").symlink_to(tmp_path / "x.zarr")
    with pytest.raises(StoreError, match="leads nowhere"):
        check_free(tmp_path / "x.zarr", overwrite=True)


def kept(path):
    return sorted(str(entry.relative_to(path)) for entry in path.rglob("*") if entry.is_file())


PRECIOUS = [
    "README_measurements.xlsx",
    "LICENSE.key",
    ".notes",
    ".git/config",
    "notes.zarr.json",
    "0/results.csv",
    "7/results.csv",
    "analysis.zarr/results.csv",
    "labels/thesis.doc",
    "labels/photos/cat.jpg",
    "OME/photos/cat.jpg",
]


@pytest.mark.parametrize("name", PRECIOUS)
def test_what_may_be_the_users_own_is_not_erased(tmp_path, name) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    file = path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.parent.name in ("0", "analysis.zarr"):
        (file.parent / "zarr.json").write_text("{}")
    file.write_text("precious")
    before = kept(path)
    told = name.removesuffix("/config").removesuffix("/photos/cat.jpg" if "OME" in name else "-")
    with pytest.raises(StoreError, match=f"holds {re.escape(told)}.*no part of a zarr store"):
        Claim(path, overwrite=True)
    assert kept(path) == before


PARTS = [
    "zarr.json.tmp",
    ".zattrs.tmp",
    "README.md",
    "License",
    ".DS_Store",
    "hoaconv-report.json",
    "0.0.0",
    "c.0.0.0",
    "0/zarr.json",
    "0/zarr.json.tmp",
    "0/c/0/0/0.__lock",
    "1/c/0/0/0",
    "2/.zarray",
    "2/0/0/0",
    "3/0/0/0",
    "A/.zgroup",
    "A/1/.zgroup",
    "A/1/0/.zarray",
    "OME/METADATA.ome.xml",
    "labels/cells/0/c/0/0/0",
    ".hoaconv-scratch/level-0",
]


@pytest.mark.parametrize("unfinished", [False, True])
def test_what_zarr_stores_and_killed_runs_leave_is_erased(tmp_path, unfinished) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    for name in PARTS:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("x")
    (path / "labels" / "around").symlink_to(path)
    if unfinished:
        (path / "zarr.json").unlink()
        write_mark(path, pid=1, start=12.5)
    Claim(path, overwrite=True).finish()
    assert not list(path.iterdir())


def test_marks_of_dead_runs_are_erased_and_those_being_put_stay(tmp_path) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    write_mark(path, pid=1, start=12.5).rename(path / f"{MARK}.dead")
    coming = write_mark(path, seconds_ago=3, host="other").rename(path / f"{MARK}.coming")
    Claim(path, overwrite=True).finish()
    assert list(path.iterdir()) == [coming]


def test_a_run_that_loses_its_folder_while_it_erases_stops(tmp_path, monkeypatch) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    (path / "1" / "c").mkdir(parents=True)
    rmtree = folder.shutil.rmtree

    def losing(entry):
        rmtree(entry)
        write_mark(path, host="other")

    monkeypatch.setattr(folder.shutil, "rmtree", losing)
    with pytest.raises(StoreError, match="somebody else"):
        Claim(path, overwrite=True).begin()
    assert len(list(path.glob("[01]"))) == 1
    assert read_mark(path).host == "other"


def test_what_somebody_else_removes_meanwhile_is_no_error(tmp_path, monkeypatch) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    rmtree, calls = folder.shutil.rmtree, []

    def racing(entry):
        calls.append(entry)
        if len(calls) == 1:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        rmtree(entry)

    monkeypatch.setattr(folder.shutil, "rmtree", racing)
    Claim(path, overwrite=True).finish()
    assert not list(path.iterdir())


def test_a_read_that_fails_once_does_not_end_a_run(tmp_path, monkeypatch) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    zarr_at(claim.path)
    unreadable(monkeypatch, claim.path, times=3)
    claim.check()
    claim.finish()
    assert (claim.path / "zarr.json").exists()


def test_what_was_written_stays_if_nobody_can_tell_whose_it_is(tmp_path, monkeypatch) -> None:
    claim = Claim(tmp_path / "x.zarr", overwrite=False)
    zarr_at(claim.path)
    monkeypatch.setattr(mark, "READING_SECONDS", 0.1)
    unreadable(monkeypatch, claim.path)
    for told in (claim.check, lambda: claim.abandon(["0", "zarr.json"])):
        with pytest.raises(StoreError, match=r"can't be read \(Input/output error\)"):
            told()
    monkeypatch.undo()
    assert kept(claim.path) == [MARK, "0/c/1", "zarr.json"]
