"""Conversion to the kind of output that a path names, by suffix or scheme."""

import h5py
import numpy as np
import pytest
import zarr

import hoaconv as hc
from hoaconv.errors import SpellingError, StoreError

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("suffix", ["h5", "hdf5", "nxs", "H5"])
def test_an_hdf5_file_by_its_suffix(tiffs, volume, tmp_path, suffix):
    hc.convert(tiffs, tmp_path / f"a.{suffix}", chunks=16)
    with h5py.File(tmp_path / f"a.{suffix}") as file:
        found = file["entry/data/data"]
        np.testing.assert_array_equal(found[:], volume)
        assert found.chunks == (16, 16, 16)
        assert found.compression == "gzip"  # its own default, which every library reads


def test_a_scheme_says_what_is_made_whatever_the_suffix(tiffs, volume, tmp_path):
    hc.convert(tiffs, f"zarr://{tmp_path}/a", chunks=16, zarr_format=2)
    found = zarr.open_array(tmp_path / "a", mode="r")
    np.testing.assert_array_equal(found[:], volume)
    assert (found.metadata.zarr_format, found.chunks) == (2, (16, 16, 16))
    hc.convert(f"zarr://{tmp_path}/a", f"hdf5://{tmp_path}/b.h5", compressor="none", dataset="v")
    with h5py.File(tmp_path / "b.h5") as file:
        np.testing.assert_array_equal(file["v"][:], volume)
        assert file["v"].compression is None


def test_n5_and_precomputed_by_suffix_or_scheme(tiffs, volume, tmp_path):
    hc.convert(tiffs, tmp_path / "a.n5", chunks=16, voxel_size=2)
    hc.convert(tmp_path / "a.n5", f"precomputed://{tmp_path}/p", chunks=16)
    hc.convert(f"precomputed://{tmp_path}/p", f"n5://{tmp_path}/b", compressor="zstd:3")
    for name in ("a.n5", "p", "b"):
        found = hc.open(tmp_path / name)
        np.testing.assert_array_equal(found.compute(), volume)
        assert found.geometry.edges == (2, 2, 2)
    assert (tmp_path / "b/s0/attributes.json").is_file()
    assert (tmp_path / "p/info").is_file()


def test_an_ozx_file_is_an_image_that_is_packed(tiffs, volume, tmp_path):
    report = hc.convert(tiffs, tmp_path / "a.ozx", chunks=16, label={"m": "threshold 9"})
    assert (report.source, report.output) == (str(tiffs), str(tmp_path / "a.ozx"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.ozx"]
    np.testing.assert_array_equal(hc.open(tmp_path / "a.ozx").compute(), volume)
    with zarr.storage.ZipStore(tmp_path / "a.ozx", mode="r") as inside:
        group = zarr.open_group(inside, mode="r")
        assert group.attrs["ome"]["multiscales"][0]["name"] == "a"
        np.testing.assert_array_equal(group["labels/m/0"][:], volume > 9)
    with pytest.raises(StoreError, match=r"a\.ozx exists; name another output"):
        hc.convert(tiffs, tmp_path / "a.ozx")
    with pytest.raises(SpellingError, match=r"holds an OME-Zarr of version 0\.5; drop `ngff`"):
        hc.convert(tiffs, tmp_path / "b.ozx", ngff="0.4")
    (tmp_path / "scratch").mkdir()
    with pytest.raises(SpellingError, match="nosuch"):
        hc.convert(tiffs, tmp_path / "b.ozx", ops="nosuch", scratch=tmp_path / "scratch")
    hc.convert(tmp_path / "a.ozx", tmp_path / "b.ozx", chunks=8, scratch=tmp_path / "scratch")
    np.testing.assert_array_equal(hc.open(tmp_path / "b.ozx").compute(), volume)
    assert not list((tmp_path / "scratch").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ozx", "b.ozx", "scratch"]


def test_other_verbs_write_them_too(tiffs, volume, tmp_path):
    hc.cutout(tiffs, "2:9,1:5,3:20", tmp_path / "a.h5")
    hc.transpose(tiffs, tmp_path / "b.h5", order="yxz", chunks=8)
    for name, expected in {"a": volume[2:9, 1:5, 3:20], "b": volume.transpose(1, 2, 0)}.items():
        with h5py.File(tmp_path / f"{name}.h5") as file:
            np.testing.assert_array_equal(file["entry/data/data"][:], expected)
            assert file["entry/data/data"].compression == "gzip"


@pytest.mark.parametrize(
    ("dst", "options", "said"),
    [
        ("a.h5", {"ngff": "0.4"}, r"a\.h5 takes no `ngff`"),
        ("a.h5", {"label": {"m": "threshold 9"}}, r"a\.h5 takes no `label`"),
        ("a.tif", {"also": {"b.zarr": "add 1"}}, r"a\.tif takes no `also`"),
        ("a.zarr", {"dataset": "v"}, r"a\.zarr takes no `dataset`"),
        ("a.tif", {"compressor": "lz4"}, r"a\.tif takes no `compressor`"),
        ("zarr://a", {"levels": 2}, "zarr://a takes no `levels`"),
        ("nosuch://a", {}, r"names no output.*zarr://DST.*DST\.h5"),
    ],
)
def test_options_of_other_kinds_are_refused(tiffs, dst, options, said):
    with pytest.raises(SpellingError, match=said):
        hc.convert(tiffs, dst, **options)
