import struct

import numpy as np
import pytest
import tifffile

from hoaconv.engine.spec import KNOWN, WIDE
from hoaconv.errors import SourceError
from hoaconv.io.colour import Pick
from hoaconv.io.stack import open_stack
from hoaconv.io.tiff import read_header

RNG = np.random.default_rng(7)
PLANE = (RNG.random((48, 80)) * 200).astype(np.uint16)


def plane_of(dtype):
    return (RNG.random((48, 80)) * 120).astype(dtype)


def read(file):
    stored, notes, sizes = read_header(file)
    out = np.empty(stored.shape, stored.dtype)
    stored.read(out)
    return out, stored, notes, [size for size in sizes if size]


OPTIONS = [
    {},
    {"rowsperstrip": 7},
    {"tile": (16, 32)},
    {"compression": "lzw"},
    {"compression": "deflate", "tile": (16, 16)},
    {"compression": "zstd", "rowsperstrip": 5},
    {"compression": "packbits"},
    {"byteorder": ">"},
    {"byteorder": ">", "compression": "zstd"},
    {"byteorder": ">", "rowsperstrip": 7, "bigtiff": True},
    {"bigtiff": True},
    {"planarconfig": "separate"},
    {"predictor": True, "compression": "deflate"},
]


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (dtype, options)
        for dtype in KNOWN
        for options in OPTIONS
        if not (dtype in WIDE and "predictor" in options)  # tifffile writes no such file
    ],
    ids=str,
)
def test_round_trip_in_native_order(tmp_path, dtype, options):
    plane = plane_of(dtype)
    tifffile.imwrite(tmp_path / "a.tif", plane, photometric="minisblack", **options)
    out, stored, notes, _ = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(out, plane)
    assert out.dtype.isnative
    assert notes == ()
    raw = "compression" not in options and "tile" not in options
    assert (stored.data is not None) == raw
    assert (stored.scratch == 0) == raw


def test_jpeg_in_tiff_reads_as_others_read_it(tmp_path):
    plane = plane_of("uint8")
    tifffile.imwrite(tmp_path / "a.tif", plane, compression="jpeg", tile=(16, 16))
    out, *_ = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(out, tifffile.imread(tmp_path / "a.tif"))


@pytest.mark.parametrize("options", OPTIONS[:8], ids=str)
def test_float16_is_read_as_float32(tmp_path, options):
    plane = plane_of("float32").astype(np.float16)
    tifffile.imwrite(tmp_path / "a.tif", plane, photometric="minisblack", **options)
    out, *_ = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(out, plane.astype(np.float32), strict=True)


def test_dtypes_that_cannot_flow_are_named(tmp_path):
    plane = np.zeros((8, 8), np.complex64)
    tifffile.imwrite(tmp_path / "a.tif", plane, photometric="minisblack")
    with pytest.raises(SourceError, match=r"a\.tif holds complex64.*float64"):
        read_header(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("shape", "options", "found"),
    [
        ((8, 8, 3), {"photometric": "rgb"}, "3 channels"),
        ((8, 8, 4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, "4 channels"),
        ((8, 8, 2), {"photometric": "minisblack", "planarconfig": "contig"}, "2 channels"),
        ((3, 8, 8), {"photometric": "rgb", "planarconfig": "separate"}, "3 channels"),
    ],
)
def test_channels_are_counted_and_one_must_be_chosen(tmp_path, shape, options, found):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), **options)
    with pytest.raises(SourceError, match=rf"{found}.*take one"):
        read_header(tmp_path / "a.tif")[0].taking(Pick())


def test_white_zero_is_told_and_kept(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, photometric="miniswhite")
    out, *_ = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(out, PLANE)
    assert "0 is white" in open_stack(tmp_path / "a.tif").notes[0]


def test_several_pages_are_refused_among_slices(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([PLANE] * 3), photometric="minisblack")
    with pytest.raises(SourceError, match=r"a\.tif has 3 planes"):
        read_header(tmp_path / "a.tif")


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"tile": (16, 16)}], ids=str)
def test_truncated_file_is_found_in_the_header(tmp_path, options):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PLANE, photometric="minisblack", **options)
    whole = file.read_bytes()
    for cut in (100, len(whole) // 2):
        file.write_bytes(whole[:-cut])
        with pytest.raises(SourceError, match=r"a\.tif"):
            read_header(file)


def test_file_that_shrank_after_its_header(tmp_path):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PLANE)
    stored, *_ = read_header(file)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(SourceError, match=r"a\.tif changed while hoaconv ran"):
        stored.read(np.empty_like(PLANE))


def test_coded_file_that_changed_after_its_header(tmp_path):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PLANE, compression="zstd")
    stored, *_ = read_header(file)
    tifffile.imwrite(file, PLANE[:10], compression="zstd")
    with pytest.raises(SourceError, match="changed while hoaconv ran"):
        stored.read(np.empty_like(PLANE))


@pytest.mark.parametrize("compression", ["deflate", "zstd", "lzw"])
def test_corrupt_voxels_name_the_file(tmp_path, compression):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, RNG.integers(0, 65535, (48, 80), np.uint16), compression=compression)
    with tifffile.TiffFile(file) as tif:
        start, count = tif.pages[0].dataoffsets[0], tif.pages[0].databytecounts[0]
    data = bytearray(file.read_bytes())
    data[start : start + count] = b"\xff" * count
    file.write_bytes(data)
    stored, *_ = read_header(file)
    with pytest.raises(SourceError, match=r"a\.tif can't be read"):
        stored.read(np.empty_like(PLANE))


def test_missing_strips_are_refused(tmp_path):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PLANE, compression="zstd", rowsperstrip=16)
    with tifffile.TiffFile(file, mode="r+") as tif:
        counts = tif.pages[0].databytecounts
        tif.pages[0].tags[279].overwrite((counts[0], 0, counts[2]))
    with pytest.raises(SourceError, match="lacks 1 of its 3 strips"):
        read_header(file)


@pytest.mark.parametrize("content", [b"", b"not a tiff", b"II*\0\xff\xff\xff\xff", b"II*\0"])
def test_files_that_are_no_images(tmp_path, content, capsys):
    (tmp_path / "notes.tif").write_bytes(content)
    with pytest.raises(SourceError, match=r"notes\.tif"):
        read_header(tmp_path / "notes.tif")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("unit", "per"), [("CENTIMETER", 1e4), ("INCH", 25400.0)])
def test_voxel_size_from_the_tags(tmp_path, unit, per):
    tifffile.imwrite(
        tmp_path / "a.tif", PLANE, resolution=(per / 20, per / 20), resolutionunit=unit
    )
    *_, (size,) = read(tmp_path / "a.tif")
    assert size.edges == pytest.approx((20.0, 20.0, 20.0), rel=1e-5)
    assert "TIFF resolution tags" in size.told_by


def test_tifffiles_default_tags_are_no_voxel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    assert read(tmp_path / "a.tif")[3] == []


@pytest.mark.parametrize("compression", ["zlib", None])
def test_a_tile_that_its_coded_bytes_cannot_hold(tmp_path, compression):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, np.zeros((64, 64), np.uint16), tile=(32, 32), compression=compression)
    coded = bytearray(file.read_bytes())
    with tifffile.TiffFile(file) as tif:
        tags = tif.pages.first.tags
        for code in (322, 323):
            struct.pack_into("<H", coded, tags[code].valueoffset, 32 * 512)
        for code in (324, 325):  # of a single tile
            struct.pack_into("<I", coded, tags[code].offset + 4, 1)
            value = tags[code].value[0]
            struct.pack_into("<I", coded, tags[code].offset + 8, value)
    file.write_bytes(coded)
    with pytest.raises(SourceError, match=r"a\.tif is damaged: .* tiles of 536870912 bytes"):
        open_stack(file)
