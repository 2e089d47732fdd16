import struct
import tracemalloc
import zlib
from time import process_time

import imagecodecs
import numpy as np
import pytest
import tifffile

from hoaconv.errors import SourceError
from hoaconv.io.stack import open_stack

RNG = np.random.default_rng(8)
PLANE = (RNG.random((50, 80)) * 200).astype(np.uint16)

CODECS = {
    5: imagecodecs.lzw_encode,
    8: imagecodecs.zlib_encode,
    32773: imagecodecs.packbits_encode,
    50000: imagecodecs.zstd_encode,
    34925: imagecodecs.lzma_encode,
}


def tiff(file, strips, rows, compression, plane=PLANE):
    """A TIFF of these coded strips, as small as one can be."""
    entries = [
        (256, 4, plane.shape[1]),
        (257, 4, plane.shape[0]),
        (258, 3, 8 * plane.itemsize),
        (259, 3, compression),
        (262, 3, 1),
        (273, 4, None),
        (277, 3, 1),
        (278, 4, rows),
        (279, 4, None),
    ]
    tables = 8 + 2 + 12 * len(entries) + 4
    data = tables + 8 * len(strips)
    offsets = [data + sum(map(len, strips[:i])) for i in range(len(strips))]
    lists = {273: offsets, 279: [len(strip) for strip in strips]}
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for code, kind, value in entries:
        count = 1
        told = value
        if value is None:
            count = len(strips)
            told = lists[code][0] if count == 1 else tables + (code == 279) * 4 * count
        head += struct.pack("<HHII", code, kind, count, told)
    head += bytes(4)
    head += b"".join(struct.pack(f"<{len(strips)}I", *lists[code]) for code in (273, 279))
    file.write_bytes(head + b"".join(strips))
    return file


def read(file):
    stack = open_stack(file)
    out = np.empty(stack.spec.plane_shape, stack.spec.dtype)
    stack.read(0, out)
    return out


@pytest.mark.parametrize("compression", CODECS)
@pytest.mark.parametrize("more", [0, 1, 3, 800, 1000, 50_000])
def test_of_strips_that_hold_more_what_is_wanted_is_taken(tmp_path, compression, more):
    if compression == 32773 and more % PLANE[0].nbytes > 7:
        pytest.skip("PackBits has no checksum: what writers don't add is damage")
    rows = [PLANE[:20], PLANE[20:40], PLANE[40:]]
    coded = [bytes(CODECS[compression](part.tobytes() + b"\7" * more)) for part in rows]
    np.testing.assert_array_equal(read(tiff(tmp_path / "a.tif", coded, 20, compression)), PLANE)


@pytest.mark.parametrize("compression", CODECS)
def test_strips_that_hold_less_are_refused(tmp_path, compression):
    rows = [PLANE[:20], PLANE[20:39], PLANE[40:]]
    coded = [bytes(CODECS[compression](part.tobytes())) for part in rows]
    with pytest.raises(SourceError, match=r"a\.tif.*(strip or tile 2 holds|can't be read)"):
        read(tiff(tmp_path / "a.tif", coded, 20, compression))


@pytest.mark.parametrize("compression", [5, 8, 50000, 34925])
def test_a_strip_is_inflated_no_further_than_it_should_be(tmp_path, compression):
    bomb = PLANE.tobytes() + bytes(100 << 20)
    file = tiff(tmp_path / "a.tif", [bytes(CODECS[compression](bomb))], 50, compression)
    stack = open_stack(file)
    out = np.empty_like(PLANE)
    tracemalloc.start()
    try:
        if compression in (8, 50000):  # the others stop where they are told to
            with pytest.raises(SourceError, match=r"a\.tif.*holds far more than its 8000 bytes"):
                stack.read(0, out)
        else:
            stack.read(0, out)
            np.testing.assert_array_equal(out, PLANE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_a_last_strip_that_is_as_tall_as_the_others(tmp_path):
    plane = RNG.integers(0, 60000, (50, 8000), np.uint16)
    whole = np.concatenate([plane, plane[:30]]).reshape(2, 40, 8000)
    coded = [imagecodecs.zlib_encode(part.tobytes()) for part in whole]
    np.testing.assert_array_equal(read(tiff(tmp_path / "a.tif", coded, 40, 8, plane)), plane)


def test_strips_beyond_the_last_row_are_left_alone(tmp_path):
    coded = [imagecodecs.zlib_encode(part.tobytes()) for part in (PLANE[:30], PLANE[30:])]
    for more in (coded[0], b"no strip"):
        file = tiff(tmp_path / "a.tif", [*coded, more], 30, 8)
        np.testing.assert_array_equal(read(file), PLANE)


def test_more_than_is_wanted_is_left_out_at_once(tmp_path):
    """Not 64 KiB after 64 KiB, with a copy of all coded bytes for each."""
    plane = RNG.integers(0, 60000, (2500, 2500), np.uint16)
    coded = imagecodecs.zlib_encode(plane.tobytes() + b"more" * 250)
    file = tiff(tmp_path / "a.tif", [bytes(coded)], 2500, 8, plane)
    begun = process_time()
    np.testing.assert_array_equal(read(file), plane)
    assert process_time() - begun < 0.5


def test_a_damaged_checksum_still_gives_an_error(tmp_path):
    coded = bytearray(zlib.compress(PLANE.tobytes()))
    coded[-1] ^= 1
    with pytest.raises(SourceError, match=r"a\.tif"):
        read(tiff(tmp_path / "a.tif", [bytes(coded)], 50, 8))


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_a_size_that_the_coded_bytes_cannot_hold(tmp_path, compression):
    huge = np.broadcast_to(np.uint16(0), (2**31 - 1, 10**5))
    with pytest.raises(SourceError, match=r"cut short|claims 2147483647 x 100000") as caught:
        open_stack(tiff(tmp_path / "a.tif", [b"x" * 50], 2**31 - 1, compression, huge))
    assert str((tmp_path / "a.tif").stat().st_size) in str(caught.value)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd", "packbits"])
@pytest.mark.parametrize("layout", [{"rowsperstrip": 7}, {"tile": (16, 32)}], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int16", ">f4", "float32"])
@pytest.mark.parametrize("predictor", [False, True])
def test_every_layout_gives_the_voxels_back(tmp_path, compression, layout, dtype, predictor):
    plane = PLANE.astype(dtype)
    file = tmp_path / "a.tif"
    order = ">" if dtype.startswith(">") else "<"
    predictor = predictor and compression != "packbits"
    tifffile.imwrite(
        file, plane, compression=compression, predictor=predictor, byteorder=order, **layout
    )
    np.testing.assert_array_equal(read(file), plane)
