"""Files that one run writes: nothing is at the path before it is whole, nothing is left behind."""

import json
import os

import pytest

from hoaconv.errors import StoreError
from hoaconv.io.file_claim import FileClaim, check_file_free, hidden_folder
from hoaconv.io.mark import MARK


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "a.tif"
    claim = FileClaim(path, overwrite=False)
    claim.check()
    claim.part.write_bytes(b"voxels")
    assert not path.exists()
    claim.finish()
    assert path.read_bytes() == b"voxels"
    assert os.listdir(path.parent) == ["a.tif"]


def test_a_run_that_ends_leaves_nothing(tmp_path):
    path = tmp_path / "deep" / "a.tif"
    claim = FileClaim(path, overwrite=False)
    claim.part.write_bytes(b"voxels")
    assert claim.abandon()
    assert os.listdir(tmp_path) == []


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.tif"
    path.write_text("old")
    with pytest.raises(StoreError, match=r"a\.tif exists; name another output, or replace it"):
        FileClaim(path, overwrite=False)
    claim = FileClaim(path, overwrite=True)
    claim.part.write_text("new")
    assert path.read_text() == "old"
    claim.finish()
    assert path.read_text() == "new"


def test_a_file_that_comes_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "a.tif"
    claim = FileClaim(path, overwrite=False)
    claim.part.write_text("mine")
    path.write_text("somebody's")
    with pytest.raises(StoreError, match="has come while it was written"):
        claim.finish()
    assert path.read_text() == "somebody's"
    assert claim.part.read_text() == "mine"


def test_two_runs_do_not_write_one_file(tmp_path):
    path = tmp_path / "a.tif"
    claim = FileClaim(path, overwrite=True)
    for overwrite in (True, False):
        with pytest.raises(StoreError, match="is being written by another run"):
            FileClaim(path, overwrite=overwrite)
    claim.abandon()
    FileClaim(path, overwrite=False).abandon()
    assert os.listdir(tmp_path) == []


def test_what_a_dead_run_left_is_removed(tmp_path):
    path = tmp_path / "a.tif"
    claim = FileClaim(path, overwrite=True)
    claim.part.write_text("half")
    mark = hidden_folder(path) / MARK
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "pid": 2**30, "token": "0" * 32}))
    claim._claim.leave()
    after = FileClaim(path, overwrite=False)
    assert not after.part.exists()
    after.part.write_text("whole")
    after.finish()
    assert os.listdir(tmp_path) == ["a.tif"]


def test_a_hidden_folder_with_somebody_s_files_is_left_alone(tmp_path):
    path = tmp_path / "a.tif"
    hidden_folder(path).mkdir()
    (hidden_folder(path) / "thesis.txt").write_text("precious")
    with pytest.raises(StoreError, match=r"holds thesis\.txt, which is no part of a file"):
        FileClaim(path, overwrite=True)
    assert (hidden_folder(path) / "thesis.txt").read_text() == "precious"


def test_places_where_no_file_can_be(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, words in {
        "folder": "is a folder",
        "file/a.tif": "is a file",
        "link": "a link to nothing",
        f"{'x' * 250}.tif": "can't be used",
    }.items():
        with pytest.raises(StoreError, match=words):
            check_file_free(tmp_path / name, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "link"]
