"""Labels of 64 bits, which float64 rounds: from every source to every store, and back."""

import json

import dask.array
import numpy as np
import pytest
import tifffile
import zarr
from reading import levels_of
from whole import noise

import hoaconv
from hoaconv.engine.spec import WIDE
from hoaconv.errors import PlanError

pytestmark = pytest.mark.one_python

SHAPE = (9, 21, 19)
COMPRESSORS = ("none", "gzip:1", "zstd:3", "lz4", "blosc-zstd:1:shuffle", "blosc-zlib:1:bitshuffle")


def labels(dtype, shape=SHAPE):
    """Each of 20 labels in many voxels, both ends of the range among them."""
    few = noise(20, dtype, 1)
    few[:2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    return few[np.random.default_rng(2).integers(0, 20, shape)]


def written(volume, path, **options):
    """The report of the run that writes an image."""
    sink = hoaconv.OmeZarr(path, **{"downsample": "mode"} | options)
    return (hoaconv.open(volume) | sink).run()


def tiffs(folder, volume):
    folder.mkdir()
    for z, plane in enumerate(volume):
        tifffile.imwrite(
            folder / f"{z:03}.tif", plane, photometric="minisblack", compression="zlib"
        )
    return folder


def ome(folder, volume):
    written(volume, folder, chunks=8)
    return folder / "0"


def array(folder, volume):
    zarr.save_array(folder, volume, zarr_format=2)
    return folder


SOURCES = {
    "numpy": lambda folder, volume: volume,
    "other byte order": lambda folder, volume: volume.astype(volume.dtype.newbyteorder()),
    "dask": lambda folder, volume: dask.array.from_array(volume, chunks=(4, 8, 8)),
    "tiffs": tiffs,
    "a level": ome,
    "zarr": array,
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_every_source_gives_them_as_they_are(tmp_path, dtype, source):
    volume = labels(dtype)
    opened = hoaconv.open(SOURCES[source](tmp_path / "source", volume))
    assert opened.dtype == dtype
    np.testing.assert_array_equal(opened.compute(), volume)


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize(("ngff", "shards"), [("0.4", None), ("0.5", None), ("0.5", 16)])
@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_every_store_is_read_back_bit_by_bit(tmp_path, dtype, ngff, shards, compressor):
    if ngff == "0.4" and compressor.startswith("zstd"):
        compressor = "blosc-lz4hc:3:noshuffle"  # readers of zarr v2 don't all have plain zstd
    volume, out = labels(dtype), tmp_path / "o.zarr"
    options = {"ngff": ngff, "compressor": compressor, "chunks": 8}
    options |= {"shards": shards} if shards else {}
    written(volume, out, **options)
    found = levels_of(out)
    assert {level.dtype for level in found} == {dtype}
    assert found[0].tobytes() == volume.tobytes()
    assert all(set(level.ravel().tolist()) <= set(volume.ravel().tolist()) for level in found)


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_the_window_to_show_is_within_the_range_and_in_order(tmp_path, dtype):
    volume, info = labels(dtype), np.iinfo(dtype)
    written(volume, tmp_path / "o.zarr")
    told = json.loads((tmp_path / "o.zarr" / "zarr.json").read_text())
    (channel,) = told["attributes"]["ome"]["omero"]["channels"]
    window = [channel["window"][name] for name in ("min", "start", "end", "max")]
    assert window == sorted(window)
    assert (window[0], window[3]) == (info.min, info.max)


def test_labels_of_an_image_lie_beside_it(tmp_path):
    image, ids = np.arange(9 * 21 * 19, dtype=np.uint16).reshape(SHAPE), labels(np.dtype("uint64"))
    out = tmp_path / "brain.zarr"
    images = {str(out): hoaconv.open(image), str(out / "labels" / "ids"): hoaconv.open(ids)}
    hoaconv.store(images, chunks=8).run()
    np.testing.assert_array_equal(levels_of(out)[0], image)
    stored = levels_of(out / "labels" / "ids")
    np.testing.assert_array_equal(stored[0], ids)
    assert all(np.isin(level, ids).all() for level in stored)
    one = hoaconv.open(out / "labels" / "ids") | f"between {ids.max()} {ids.max()}"
    np.testing.assert_array_equal(one.compute(), ids == ids.max())


def test_an_op_that_would_round_labels_is_refused_before_the_run(tmp_path):
    smoothed = hoaconv.OmeZarr(tmp_path / "o.zarr")
    sentence = "'gaussian 1' can't keep uint64 voxels exact; write 'cast float64' before it"
    with pytest.raises(PlanError, match=sentence):
        (hoaconv.open(labels(np.dtype("uint64"))) | "median 3 | gaussian 1" | smoothed).run()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("method", "noted"), [("mean", True), ("mode", False), ("max", False)])
def test_a_note_tells_that_mean_averages_labels(tmp_path, method, noted):
    report = written(labels(np.dtype("int64")), tmp_path / "o.zarr", downsample=method)
    told = [note for note in report.notes if '`downsample="mode"` keeps labels' in note]
    assert bool(told) == noted
