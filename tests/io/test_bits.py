"""Voxels of one bit, and booleans, are read as uint8, 0 and 1: as tifffile and zarr read them."""

import struct

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

import hoaconv as hc
from hoaconv.errors import SourceError

MASK = np.random.default_rng(0).random((5, 45, 83)) > 0.5
NOTE = "uint8, 0 and 1"


def written(folder, mask=MASK, **options):
    folder.mkdir()
    for z, plane in enumerate(mask):
        tifffile.imwrite(folder / f"m{z}.tif", plane, **{"photometric": "minisblack", **options})
    return folder


def is_the_mask(volume, mask=MASK):
    assert volume.dtype == np.uint8
    assert any(NOTE in note for note in volume.notes), volume.notes
    np.testing.assert_array_equal(volume.compute(), mask)
    np.testing.assert_array_equal(volume[1:4, 3:9, ::2], mask[1:4, 3:9, ::2])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7},
        {"tile": (16, 32)},
        {"byteorder": ">", "rowsperstrip": 7},
        {"compression": "lzw", "rowsperstrip": 11},
        {"compression": "deflate"},
        {"compression": "packbits", "rowsperstrip": 9},
        {"compression": "zstd", "tile": (32, 16)},
        {"photometric": "miniswhite", "compression": "deflate"},
    ],
    ids=str,
)
def test_bits_of_tiff(tmp_path, options):
    folder = written(tmp_path / "bits", **options)
    np.testing.assert_array_equal(tifffile.imread(sorted(folder.iterdir())), MASK)
    volume = hc.open(folder)
    is_the_mask(volume)
    white = options.get("photometric") == "miniswhite"
    assert any("0 is white" in note for note in volume.notes) == white
    tifffile.imwrite(tmp_path / "all.tif", MASK, **{"photometric": "minisblack", **options})
    is_the_mask(hc.open(tmp_path / "all.tif"))


@pytest.mark.parametrize("compression", ["raw", "tiff_ccitt", "group3", "group4", "tiff_lzw"])
def test_bits_that_others_have_written(tmp_path, compression):
    for z, plane in enumerate(MASK):
        Image.fromarray(plane).save(tmp_path / f"m{z}.tif", compression=compression)
    is_the_mask(hc.open(tmp_path))


def test_bits_in_the_other_order(tmp_path):
    file, (rows, columns) = tmp_path / "a.tif", MASK[0].shape
    packed = np.packbits(MASK[0], axis=1, bitorder="little").tobytes()
    values = {256: columns, 257: rows, 258: 1, 259: 1, 262: 1, 266: 2, 277: 1, 278: rows}
    values |= {273: 8, 279: len(packed)}
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, values[tag]) for tag in sorted(values))
    head = struct.pack("<2sHI", b"II", 42, 8 + len(packed))
    file.write_bytes(head + packed + struct.pack("<H", len(values)) + tags + bytes(4))
    np.testing.assert_array_equal(tifffile.imread(file), MASK[0])
    np.testing.assert_array_equal(hc.open(file).compute()[0], MASK[0])


@pytest.mark.parametrize("options", [{}, {"rowsperstrip": 7}, {"compression": "lzw"}], ids=str)
def test_bits_that_are_cut_short_are_refused(tmp_path, options):
    folder = written(tmp_path / "bits", **options)
    file = folder / "m2.tif"
    with tifffile.TiffFile(file) as tif:
        counts = tif.pages[0].databytecounts
    few = [*counts[:-1], counts[-1] // 2]
    with tifffile.TiffFile(file, mode="r+b") as tif:
        tif.pages[0].tags[279].overwrite(few if len(few) > 1 else few[0])
    with pytest.raises(SourceError, match=r"m2\.tif"):
        hc.open(folder).compute()


def test_bits_among_bytes_are_refused(tmp_path):
    folder = written(tmp_path / "bits")
    tifffile.imwrite(folder / "m3.tif", MASK[3].astype("uint8") * 255, photometric="minisblack")
    with pytest.raises(SourceError, match=r"4 of 5 slices have 1-bit voxels.*m0\.tif the first"):
        hc.open(folder)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_booleans_of_zarr(tmp_path, zarr_format):
    path = tmp_path / "a.zarr"
    stored = zarr.create_array(
        path, shape=MASK.shape, dtype=bool, chunks=(2, 16, 32), zarr_format=zarr_format
    )
    stored[:] = MASK
    is_the_mask(hc.open(path))
    assert hc.open(path, range="1:").notes[0] == hc.open(path).notes[0]
    is_the_mask(hc.open(zarr.open_array(path, mode="r")))


def test_booleans_of_arrays():
    is_the_mask(hc.open(MASK))
    dask = pytest.importorskip("dask.array")
    is_the_mask(hc.open(dask.from_array(MASK, chunks=(2, 20, 20))))


def test_a_command_reads_them_too(tmp_path):
    report = hc.stack_to_omezarr(written(tmp_path / "bits"), tmp_path / "o.zarr", downsample="mode")
    assert any(NOTE in note for note in report.notes)
    np.testing.assert_array_equal(hc.open(tmp_path / "o.zarr").compute(), MASK)
