"""HDF5 files that are written: h5py reads them, whole or not at all."""

import os
from unittest.mock import patch

import h5py
import hdf5plugin  # noqa: F401 - registers the filters with h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoaconv as hc
from hoaconv.engine.api import Source, Spec
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import KNOWN
from hoaconv.errors import SourceError, SpellingError, StoreError

pytestmark = pytest.mark.one_python

CODECS = ("gzip:4", "none", "lz4", "zstd:3", "blosc-zstd:1:shuffle", "blosc-zlib:3:bitshuffle")


def stored(path, dataset="/entry/data/data"):
    with h5py.File(path) as file:
        return file[dataset][:]


def write(volume, path, **options):
    return (volume | hc.Hdf5(path, **options)).run(progress=False)


@pytest.mark.parametrize("compressor", CODECS)
def test_each_codec_is_unpacked_by_hdf5_itself(tmp_path, volume, compressor):
    report = write(hc.open(volume), tmp_path / "o.h5", compressor=compressor, chunks=(8, 32, 16))
    np.testing.assert_array_equal(stored(tmp_path / "o.h5"), volume)
    np.testing.assert_array_equal(hc.open(tmp_path / "o.h5").compute(), volume)
    assert [path.name for path in tmp_path.iterdir()] == ["o.h5"]
    assert report.files == 1
    assert report.bytes_written == (tmp_path / "o.h5").stat().st_size


@pytest.mark.parametrize("dtype", KNOWN, ids=str)
def test_each_dtype(tmp_path, make_volume, dtype):
    volume = make_volume((5, 9, 7), dtype)
    write(hc.open(volume), tmp_path / "o.h5", chunks=4)
    found = stored(tmp_path / "o.h5")
    np.testing.assert_array_equal(found, volume)
    assert found.dtype == dtype


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    chunks=st.tuples(*[st.integers(1, 24)] * 3),
    workers=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_any_shape_in_any_chunks(tmp_path_factory, shape, chunks, workers, seed):
    path = tmp_path_factory.mktemp("a") / "o.h5"
    volume = np.random.default_rng(seed).integers(0, 9, shape, dtype="uint16")
    job = hc.open(volume) | hc.Hdf5(path, chunks=chunks)
    job.run(workers=workers, progress=False)
    np.testing.assert_array_equal(stored(path), volume)
    with h5py.File(path) as file:
        assert file["entry/data/data"].chunks == tuple(map(min, chunks, shape))


@pytest.mark.parametrize("shape", [(6, 5, 4), (1, 5, 4), (1, 1, 1)])
def test_size_and_place_come_back(tmp_path, make_volume, shape):
    volume = hc.open(make_volume((6, 5, 4))[tuple(map(slice, shape))], voxel_size=(3, 2, 0.5))
    moved = hc.open(make_volume((8, 9, 9)), voxel_size=(3, 2, 0.5), unit="millimeter")
    write(volume, tmp_path / "a.h5")
    write(moved.crop("2:,3:,4:"), tmp_path / "b.h5")
    assert hc.open(tmp_path / "a.h5").geometry.edges == (3, 2, 0.5)
    found = hc.open(tmp_path / "b.h5").geometry
    assert found.edges == (3000, 2000, 500)
    np.testing.assert_allclose(found.origin, (6000, 6000, 2000))


def test_nexus_leads_to_the_dataset_and_its_axes(tmp_path, volume):
    write(hc.open(volume, voxel_size=2), tmp_path / "a.h5", dataset="scan/inner/result/voxels")
    with h5py.File(tmp_path / "a.h5") as file:
        group = file
        while "default" in group.attrs:
            group = group[group.attrs["default"]]
        assert group.attrs["NX_class"] == "NXdata"
        data = group[group.attrs["signal"]]
        assert data.name == "/scan/inner/result/voxels"
        assert list(data.attrs["element_size_um"]) == [2, 2, 2]
        for name, n in zip(group.attrs["axes"], data.shape, strict=True):
            np.testing.assert_array_equal(group[name], np.arange(n) * 2)
            assert group[name].attrs["units"] == "um"
        assert file["scan"].attrs["NX_class"] == "NXentry"


@pytest.mark.parametrize("dataset", ["/data", "data", "a/b", "/x/y/z/v"])
def test_a_dataset_lies_where_it_is_asked_for(tmp_path, volume, dataset):
    write(hc.open(volume), tmp_path / "a.h5", dataset=dataset)
    np.testing.assert_array_equal(stored(tmp_path / "a.h5", dataset), volume)
    opened = hc.open(tmp_path / "a.h5")
    np.testing.assert_array_equal(opened.compute(), volume)
    assert opened.geometry.unit is None


def test_it_is_written_beside_an_image_in_one_sweep(tmp_path, volume):
    source = hc.open(volume, voxel_size=2)
    image = source | hc.OmeZarr(tmp_path / "a.zarr", chunks=16)
    (image & (source.add(1) | hc.Hdf5(tmp_path / "b.h5", chunks=16))).run(progress=False)
    np.testing.assert_array_equal(stored(tmp_path / "b.h5"), hc.open(volume).add(1).compute())
    np.testing.assert_array_equal(hc.open(tmp_path / "a.zarr").compute(), volume)


class Failing(Source):
    """A source that fails at a plane."""

    def __init__(self, at):
        self.at = at

    @property
    def spec(self):
        return Spec((20, 9, 7), np.dtype("uint16"), Geometry())

    stored_bytes = 0

    def read(self, z, out):
        if z == self.at:
            raise SourceError("a.tif is gone")
        out[...] = z

    def scratch(self):
        return 0


@pytest.mark.parametrize("at", [0, 9, 19])
def test_a_run_that_fails_leaves_what_was_there(tmp_path, at):
    path = tmp_path / "o.h5"
    with pytest.raises(SourceError, match="is gone"):
        write(hc.open(Failing(at)), path, chunks=4)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"old")
    with pytest.raises(StoreError, match=r"o\.h5 exists; name another output"):
        write(hc.open(Failing(-1)), path)
    with pytest.raises(SourceError):
        write(hc.open(Failing(at)), path, chunks=4, overwrite=True)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["o.h5"]
    write(hc.open(Failing(-1)), path, chunks=4, overwrite=True)
    np.testing.assert_array_equal(stored(path)[:, 0, 0], np.arange(20))


def test_a_disk_that_is_full_is_told_and_nothing_is_left(tmp_path, volume):
    def full(self, corner, chunk):
        raise OSError("Can't write data (errno = 28, error message = 'No space left on device')")

    with (
        patch("hoaconv.io.hdf5_file.Hdf5File.write", full),
        pytest.raises(StoreError, match=r"o\.h5 can't be written: the disk is full"),
    ):
        write(hc.open(volume), tmp_path / "o.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dataset": "a//b"}, "is no path in an HDF5 file"),
        ({"dataset": "../b"}, "is no path in an HDF5 file"),
        ({"dataset": "a/x"}, "is no path in an HDF5 file"),
        ({"dataset": ""}, "is no text"),
        ({"compressor": "gzip:99"}, "not in 0..9"),
        ({"chunks": 0}, "expected one positive number"),
    ],
)
def test_options_that_are_not_understood(options, said):
    with pytest.raises(SpellingError, match=said):
        hc.Hdf5("o.h5", **options)


def test_other_suffixes_and_missing_libraries_are_refused(tmp_path, volume, monkeypatch):
    with pytest.raises(StoreError, match=r"o\.zarr doesn't have the suffix of an HDF5 file"):
        write(hc.open(volume), tmp_path / "o.zarr")
    monkeypatch.setitem(__import__("sys").modules, "hdf5plugin", None)
    with pytest.raises(StoreError, match=r'pip install "hoaconv\[hdf5\]", or take `compressor'):
        write(hc.open(volume), tmp_path / "o.h5", compressor="lz4")
    write(hc.open(volume), tmp_path / "o.h5")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(StoreError, match=r"needs h5py"):
        write(hc.open(volume), tmp_path / "p.h5")


def test_the_plan_counts_the_layer_and_what_is_packed_at_once(tmp_path, make_volume):
    volume = hc.open(make_volume((40, 200, 300)))
    plan = (volume | hc.Hdf5(tmp_path / "o.h5", chunks=16)).plan(workers=2)
    used = {use["what"]: use["nbytes"] for use in plan.describe()["sweeps"][0]["memory"]}
    assert used["a layer of chunks"] == 16 * 200 * 300 * 2
    report = write(volume, tmp_path / "o.h5", chunks=16)
    assert report.measured <= report.projected


def test_several_channels_are_refused_with_what_to_do(tmp_path, make_volume):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = make_volume((6, 8, 8)).reshape(2, 3, 8, 8)
    with pytest.raises(SourceError, match="2 channels; take one, as in `channel=0`"):
        hc.open(tmp_path / "a.h5")
    write(hc.open(tmp_path / "a.h5", channel=1), tmp_path / "o.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(stored(tmp_path / "o.h5"), file["data"][1])
