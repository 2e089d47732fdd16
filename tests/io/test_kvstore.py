"""Folders as tensorstore takes them: every spelling is the folder that the system means."""

import os

import numpy as np
import pytest
import zarr

import hoaconv
from hoaconv.errors import SourceError, StoreError
from hoaconv.io.kvstore import kvstore, refused_name

pytestmark = pytest.mark.oldest


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path / "a")
    return tmp_path


@pytest.mark.parametrize(
    "spelling",
    [
        "o.zarr",
        "./o.zarr",
        "../o.zarr",
        "b//../o.zarr",
        "../link/../o.zarr",
        "b/./o.zarr/",
        "//{}/o",
    ],
)
def test_every_spelling_of_a_folder_is_written_and_read(here, spelling) -> None:
    src = here / "in"
    hoaconv_volume = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6) + 1
    make_stack(src, hoaconv_volume)
    dst = spelling.format(str(here).lstrip("/"))
    hoaconv.stack_to_omezarr(src, dst, levels=1)
    assert os.path.isfile(os.path.join(dst, "zarr.json"))
    np.testing.assert_array_equal(
        zarr.open_array(os.path.join(os.path.realpath(dst), "0"))[:], hoaconv_volume
    )
    assert hoaconv.stats(dst).stats["max"] == hoaconv_volume.max()


def make_stack(folder, volume):
    import tifffile

    folder.mkdir()
    for z, plane in enumerate(volume):
        tifffile.imwrite(folder / f"s_{z:03d}.tif", plane)


def test_links_stay_and_dots_go(here) -> None:
    assert kvstore(here / "link" / "x")["path"] == f"{here}/link/x/"
    assert kvstore(here / "link" / ".." / "x")["path"] == f"{here}/a/x/"


@pytest.mark.skipif(os.sep != "/", reason="a separator there")
def test_names_that_the_driver_would_take_for_others_are_refused(here) -> None:
    make_stack(here / "in", np.ones((3, 4, 5), np.uint8))
    for name in ("x\\y.zarr", "x\\y/o.zarr", "x.__lock/o.zarr"):
        assert refused_name(here / name)
        for options in ({"dst": here / name}, {"dst": "fine.zarr", "also": {name: "bin 1"}}):
            with pytest.raises(StoreError, match="rename it"):
                hoaconv.stack_to_omezarr(here / "in", **options)
    assert sorted(p.name for p in (here / "a").iterdir()) == ["b"]
    hoaconv.stack_to_omezarr(here / "in", "fine.zarr")
    (here / "a" / "fine.zarr").rename(here / "a" / "x\\y.zarr")
    with pytest.raises(SourceError, match="backslash"):
        hoaconv.stats("x\\y.zarr")


@pytest.mark.parametrize("name", ["o.h5", "o.tif", "o.n5", "o.nii.gz", "O.TIFF", "o.ozx"])
def test_names_of_other_formats_are_refused(here, name) -> None:
    make_stack(here / "in", np.ones((3, 4, 5), np.uint8))
    with pytest.raises(StoreError, match=r"another format.*\.zarr"):
        hoaconv.stack_to_omezarr(here / "in", name)
    assert not os.path.exists(name)
