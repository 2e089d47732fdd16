"""An output folder is claimed, finished or given up; nothing of the user's is lost."""

import json
import os
import subprocess
import sys
from socket import gethostname

import pytest

from hoaconv.errors import StoreError
from hoaconv.io import folder
from hoaconv.io.folder import MARK, Claim, check_free, sizes


def zarr_at(path):
    (path / "0" / "c").mkdir(parents=True)
    (path / "zarr.json").write_text("{}")
    (path / "0" / "c" / "1").write_bytes(b"12345")
    return path


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
    claim.abandon()
    for told in (claim.check, claim.finish):
        with pytest.raises(StoreError, match="somebody else"):
            told()
    assert len(list(claim.path.iterdir())) == 2


@pytest.mark.parametrize("pid", [os.getpid(), os.getppid(), 1], ids=["own", "parent", "first"])
def test_a_mark_of_a_dead_run_whose_number_lives_on_is_no_obstacle(tmp_path, pid) -> None:
    mark = {"host": gethostname(), "pid": pid, "began": 12.5, "token": "dead"}
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / MARK).write_text(json.dumps(mark))
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

    monkeypatch.setattr(folder.shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Claim(path, overwrite=True)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="did not finish"):
        check_free(path, overwrite=False)
    Claim(path, overwrite=True).finish()


def test_two_outputs_in_a_new_folder_leave_nothing(tmp_path) -> None:
    claims = [Claim(tmp_path / "new" / name, overwrite=False) for name in ("a", "b")]
    for claim in claims:
        claim.abandon()
    assert not (tmp_path / "new" / "a").exists()
    assert not (tmp_path / "new" / "b").exists()


def test_giving_up_removes_what_was_made_and_no_more(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    claim = Claim(tmp_path / "a" / "b" / "c.zarr", overwrite=False)
    zarr_at(claim.path)
    claim.abandon()
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
    assert not list((tmp_path / "a").iterdir())


def test_an_empty_folder_is_free_and_stays_when_the_run_gives_up(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    Claim(tmp_path / "out", overwrite=False).abandon()
    assert not list((tmp_path / "out").iterdir())


def test_what_exists_is_refused_unless_overwriting(tmp_path) -> None:
    path = zarr_at(tmp_path / "x.zarr")
    with pytest.raises(StoreError, match="--overwrite"):
        check_free(path, overwrite=False)
    Claim(path, overwrite=True).finish()
    assert not list(path.iterdir())


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
    (path / "link").symlink_to(outside)
    Claim(path, overwrite=True).finish()
    assert (outside / "precious").exists()


def test_sizes(tmp_path) -> None:
    zarr_at(tmp_path / "x.zarr")
    assert sizes(tmp_path) == (2, 7)
