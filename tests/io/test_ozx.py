"""Stores packed into one file: zipfile and zarr-python read them, in RFC-9's order."""

import json
import os
from unittest.mock import patch
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
import zarr
from invoking import refused
from typer.testing import CliRunner

import hoaconv as hc
from hoaconv.errors import SourceError, SpellingError, StoreError
from hoaconv.io.mark import MARK
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python


@pytest.fixture(scope="module")
def store(tmp_path_factory, volume):
    """An image with levels and a label, in many files."""
    path = tmp_path_factory.mktemp("store") / "a.zarr"
    image = hc.open(volume, voxel_size=2) | hc.OmeZarr(path, chunks=16, shards="none")
    (image & (hc.open(volume) | "threshold 9" | hc.OmeZarr(path).label("m"))).run(progress=False)
    (path / "README.md").write_text("a brain")
    return path


@pytest.fixture
def packed(store, tmp_path):
    hc.pack(store, tmp_path / "a.ozx")
    return tmp_path / "a.ozx"


def test_it_holds_every_file_as_it_is(store, packed):
    with ZipFile(packed) as file:
        assert file.testzip() is None
        found = {info.filename: file.read(info) for info in file.infolist()}
        assert {info.compress_type for info in file.infolist()} == {ZIP_STORED}
    expected = {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file()
    }
    assert found == expected
    assert len(expected) > 50
    assert [path.name for path in packed.parent.iterdir()] == ["a.ozx"]


def test_metadata_stand_first_the_outer_ones_before_the_inner(packed):
    with ZipFile(packed) as file:
        names = [info.filename for info in file.infolist()]  # as in the central directory
        offsets = [info.header_offset for info in file.infolist()]
        assert json.loads(file.comment) == {
            "ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": True}}}
        }
    assert offsets == sorted(offsets)
    heads = [name for name in names if name.rpartition("/")[2] == "zarr.json"]
    assert names[: len(heads)] == heads
    assert heads[0] == "zarr.json"
    depths = [name.count("/") for name in heads]
    assert depths == sorted(depths)
    assert "labels/m/0/zarr.json" in heads


def test_entries_are_zip64(packed):
    content = packed.read_bytes()
    version = int.from_bytes(content[4:6], "little")
    extra = content[30 + len("zarr.json") :]
    assert (content[:4], version) == (b"PK\3\4", 45)
    assert extra[:2] == b"\1\0"  # the extra field of ZIP64


def test_zarr_python_and_hoaconv_read_it(store, packed, volume):
    with zarr.storage.ZipStore(packed, mode="r") as inside:
        np.testing.assert_array_equal(zarr.open_group(inside, mode="r")["0"][:], volume)
    opened = hc.open(packed)
    np.testing.assert_array_equal(opened.compute(), volume)
    assert opened.geometry.edges == (2, 2, 2)
    levels = hc.open(store).levels
    assert len(opened.levels) == len(levels) > 1
    for one, other in zip(opened.levels, levels, strict=True):
        np.testing.assert_array_equal(one.compute(), other.compute())


def test_a_file_that_is_there_is_kept_unless_it_is_to_be_replaced(store, packed):
    before = packed.read_bytes()
    with pytest.raises(StoreError, match=r"a\.ozx exists; name another output, or replace"):
        hc.pack(store, packed)
    with (
        patch("hoaconv.io.ozx.BLOCK", 7),
        patch("hoaconv.engine.stop.raise_if_asked", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        hc.pack(store, packed, overwrite=True)
    assert packed.read_bytes() == before
    assert os.listdir(packed.parent) == ["a.ozx"]
    packed.write_bytes(b"old")
    hc.pack(store, packed, overwrite=True)
    assert packed.read_bytes() == before


def test_a_store_that_changes_meanwhile_leaves_nothing(store, tmp_path):
    with (
        patch("hoaconv.io.ozx._block", return_value=b""),  # a file that is empty by now
        pytest.raises(SourceError, match=r"zarr\.json has changed while it was packed"),
    ):
        hc.pack(store, tmp_path / "a.ozx")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_leaves_nothing(store, tmp_path):
    full = OSError(28, "No space left on device")
    with (
        patch("hoaconv.io.ozx.ZipFile.open", side_effect=full),
        pytest.raises(StoreError, match=r"a\.ozx can't be written: No space left"),
    ):
        hc.pack(store, tmp_path / "a.ozx")
    assert not list(tmp_path.iterdir())


def test_what_is_no_finished_ome_zarr_of_format_3_is_refused(tmp_path, volume):
    (hc.open(volume) | hc.OmeZarr(tmp_path / "v2.zarr", ngff="0.4")).run(progress=False)
    (hc.open(volume) | hc.Zarr(tmp_path / "plain.zarr")).run(progress=False)
    (hc.open(volume) | hc.OmeZarr(tmp_path / "v3.zarr")).run(progress=False)
    dst = tmp_path / "a.ozx"
    refusals = {
        "v2.zarr": r"has zarr format 2.*hoaconv rechunk .*v2\.zarr v2-v3\.zarr `ngff=\"0\.5\"`",
        "plain.zarr": r"no OME-Zarr.*hoaconv stack-to-omezarr",
        "nosuch.zarr": "is no folder",
        "": r"no OME-Zarr: there is no zarr\.json",
    }
    for name, said in refusals.items():
        folder = tmp_path / name if name else tmp_path / "v3.zarr/0/c"
        with pytest.raises(SourceError, match=said):
            hc.pack(folder, dst)
    (tmp_path / "v3.zarr" / "0" / MARK).write_text("{}")
    with pytest.raises(SourceError, match="is unfinished"):
        hc.pack(tmp_path / "v3.zarr", dst)
    (tmp_path / "v3.zarr" / "0" / MARK).unlink()
    (tmp_path / "v3.zarr" / "9").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="9 is a link to a folder"):
        hc.pack(tmp_path / "v3.zarr", dst)
    assert not dst.exists()


def test_other_names_are_refused(store, tmp_path):
    with pytest.raises(StoreError, match=r"a\.zip doesn't end in \.ozx; name it a\.ozx"):
        hc.pack(store, tmp_path / "a.zip")
    with pytest.raises(StoreError, match="lies inside the source"):
        hc.pack(store, store / "a.ozx")
    with pytest.raises(SpellingError, match="is an address"):
        hc.pack("s3://bucket/a.zarr", tmp_path / "a.ozx")


def test_progress_is_told_in_files(store, tmp_path):
    class Told(hc.Watcher):
        places = ()

        def progress(self, progress):
            self.places = (*self.places, str(progress.place))

    watcher = Told()
    report = hc.pack(store, tmp_path / "a.ozx", watcher=watcher)
    assert watcher.places[-1] == f"{report.files}/{report.files} files"
    assert report.bytes_written == (tmp_path / "a.ozx").stat().st_size


def test_the_command(store, tmp_path):
    def run(*args):
        return CliRunner().invoke(app, ["pack", *map(str, args)])

    assert run(store, tmp_path / "a.ozx").exit_code == 0
    refused(run(store, tmp_path / "a.ozx"), 5, "replace it with --overwrite")
    refused(run(tmp_path / "nosuch", tmp_path / "b.ozx"), 3, "is no folder")
