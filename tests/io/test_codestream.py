import struct
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
from jp2s import random_plane, tile_parts, write, write_tiles

from hoaconv.errors import SourceError
from hoaconv.io.stack import open_stack

RNG = np.random.default_rng(12)
NOISE = RNG.integers(0, 200, (96, 128), np.uint8)


def read(file, **options):
    stack = open_stack(file, **options)
    out = np.empty(stack.spec.plane_shape, stack.spec.dtype)
    stack.read(0, out)
    return out


@pytest.fixture(params=[".jp2", ".j2k"])
def tiled(tmp_path, request):
    return write_tiles(tmp_path / f"a{request.param}", NOISE, 32)


def test_every_tile_is_read(tiled):
    np.testing.assert_array_equal(read(tiled), NOISE)


def as_bare(coded):
    """The codestream of a JP2 file."""
    return coded[coded.index(b"\xff\x4f\xff\x51") :]


@pytest.mark.parametrize("gone", [0, 5, 11])
def test_a_missing_tile_is_refused_in_the_header(tmp_path, gone):
    file = write_tiles(tmp_path / "a.j2k", NOISE, 32)
    coded = file.read_bytes()
    places = tile_parts(coded)
    file.write_bytes(coded[: places[gone]] + coded[places[gone + 1] :])
    with pytest.raises(SourceError, match="lacks 1 of its 12 tiles"):
        open_stack(file)


def test_tiles_in_another_order_or_with_a_last_part_of_no_length(tmp_path):
    file = write_tiles(tmp_path / "a.j2k", NOISE, 32)
    coded = file.read_bytes()
    places = tile_parts(coded)
    parts = [coded[a:b] for a, b in pairwise(places)]
    last = parts[0][:6] + bytes(4) + parts[0][10:]
    file.write_bytes(coded[: places[0]] + b"".join(parts[:0:-1]) + last + b"\xff\xd9")
    np.testing.assert_array_equal(read(file), NOISE)
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(SourceError, match="cut short"):
        open_stack(file)


@pytest.mark.parametrize("change", [-3, 3, 1000])
def test_a_part_that_ends_elsewhere_than_it_says(tmp_path, change):
    file = write_tiles(tmp_path / "a.j2k", NOISE, 32)
    coded = bytearray(file.read_bytes())
    place = tile_parts(coded)[4]
    (length,) = struct.unpack(">I", coded[place + 6 : place + 10])
    coded[place + 6 : place + 10] = struct.pack(">I", length + change)
    file.write_bytes(coded)
    with pytest.raises(SourceError, match="doesn't go on as it should"):
        open_stack(file)


def test_a_part_that_is_announced_and_not_there(tmp_path):
    file = write_tiles(tmp_path / "a.j2k", NOISE, 32)
    coded = bytearray(file.read_bytes())
    coded[tile_parts(coded)[3] + 11] = 2  # of so many parts
    file.write_bytes(coded)
    with pytest.raises(SourceError, match="1 of its 12 tiles lack a part"):
        open_stack(file)


@pytest.mark.parametrize("start", [0.2, 0.6])
@pytest.mark.parametrize("reversible", [True, False])
def test_a_hole_of_zeros_is_refused(tmp_path, start, reversible):
    plane = RNG.integers(0, 60000, (300, 400), np.uint16)
    options = {} if reversible else {"level": 60, "reversible": False}
    coded = bytearray(write(tmp_path / "a.jp2", plane, **options).read_bytes())
    begin = int(start * len(coded))
    coded[begin : begin + 4096] = bytes(4096)
    (tmp_path / "a.jp2").write_bytes(coded)
    for reduce in (1, 2):
        with pytest.raises(SourceError, match="more zeros than coded data hold"):
            read(tmp_path / "a.jp2", reduce=reduce)


@pytest.mark.parametrize("suffix", [".jp2", ".j2k"])
@pytest.mark.parametrize("reduce", [1, 2])
def test_zeros_behind_the_codestream_are_no_hole(tmp_path, suffix, reduce):
    """A free box, or what a writer leaves behind EOC up to the end of a block."""
    file = write(tmp_path / f"a{suffix}", NOISE, codecformat=suffix[1:])
    expected = read(file, reduce=reduce)
    behind = struct.pack(">I4s", 8 + 9000, b"free") if suffix == ".jp2" else b""
    file.write_bytes(file.read_bytes() + behind + bytes(9000))
    np.testing.assert_array_equal(read(file, reduce=reduce), expected)


@pytest.mark.parametrize("kind", ["black", "stripes", "checks", "sparse"])
def test_sound_planes_that_are_coded_as_many_zeros(tmp_path, kind):
    plane = np.zeros((512, 512), np.uint16)
    if kind == "stripes":
        plane[::2] = 65535
    elif kind == "checks":
        plane[::2, ::2] = plane[1::2, 1::2] = 65535
    elif kind == "sparse":
        plane[::64, ::64] = RNG.integers(0, 60000, (8, 8))
    np.testing.assert_array_equal(read(write(tmp_path / "a.jp2", plane)), plane)


def test_black_planes_of_many_packets(tmp_path):
    plane = np.zeros((2048, 2048), np.uint8)
    file = write_tiles(tmp_path / "a.jp2", plane, 2048, precinct_size=(32, 32))
    np.testing.assert_array_equal(read(file), plane)


@pytest.mark.parametrize("y_x", [(2**31, 10**6), (2**32 - 1, 2**32 - 1)])
def test_a_size_that_the_file_cannot_hold(tmp_path, y_x):
    file = write(tmp_path / "a.j2k", random_plane("uint8", 8), codecformat="j2k")
    coded = bytearray(file.read_bytes())
    place = coded.index(b"\xff\x51") + 6
    coded[place : place + 8] = struct.pack(">II", *y_x[::-1])
    file.write_bytes(coded)
    with pytest.raises(SourceError, match=r"promises \d+ tiles|claims") as caught:
        open_stack(file)
    assert str(len(coded)) in str(caught.value)
    tiles = coded.index(b"\xff\x51") + 22
    coded[tiles : tiles + 8] = struct.pack(">II", *y_x[::-1])
    file.write_bytes(coded)
    with pytest.raises(SourceError, match=rf"claims {y_x[0]} x {y_x[1]} .* {len(coded)} bytes"):
        open_stack(file)


@pytest.mark.parametrize("marker", [b"\xff\x51", b"\xff\x52"])
def test_a_header_without_size_or_coding(tmp_path, marker):
    file = write(tmp_path / "a.j2k", random_plane("uint8", 8), codecformat="j2k")
    file.write_bytes(file.read_bytes().replace(marker, b"\xff\x64"))
    with pytest.raises(SourceError, match=r"doesn't say|begins with|no JPEG 2000") as caught:
        open_stack(file)
    assert "Error" not in str(caught.value)


def test_one_subsampled_component_is_read(tmp_path):
    file = write(tmp_path / "a.j2k", random_plane("uint8", 8), codecformat="j2k")
    coded = bytearray(file.read_bytes())
    place = coded.index(b"\xff\x51") + 6
    coded[place : place + 8] = struct.pack(">II", 106, 74)
    coded[place + 16 : place + 24] = struct.pack(">II", 106, 74)
    coded[place + 35 : place + 37] = b"\2\2"
    file.write_bytes(coded)
    np.testing.assert_array_equal(read(file), random_plane("uint8", 8))
    with pytest.raises(SourceError, match="subsampled"):
        open_stack(file, reduce=2)


def test_a_subsampled_component_behind_a_box_that_looks_like_a_codestream(tmp_path):
    coded = bytearray(write(tmp_path / "a.jp2", NOISE).read_bytes())
    place = coded.index(b"\xff\x4f\xff\x51") + 8
    height, width = NOISE.shape
    for at in (place, place + 16):
        coded[at : at + 8] = struct.pack(">II", 2 * width, 2 * height)
    coded[place + 35 : place + 37] = b"\2\2"
    box = coded.index(b"jp2c") - 4
    other = struct.pack(">I4s", 8 + 60, b"uuid") + b"\xff\x4f\xff\x51" + bytes(56)
    (tmp_path / "a.jp2").write_bytes(coded[:box] + other + coded[box:])
    np.testing.assert_array_equal(read(tmp_path / "a.jp2"), NOISE)


def test_a_colour_profile_does_no_harm(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint8", 8))
    coded = file.read_bytes()
    start = coded.index(b"colr") - 4
    length = int.from_bytes(coded[start : start + 4], "big")
    profile = struct.pack(">I4s3B", 11 + 128, b"colr", 2, 0, 0) + b"\0\0\0\x80" + bytes(124)
    header = coded.index(b"jp2h") - 4
    grown = int.from_bytes(coded[header : header + 4], "big") + len(profile) - length
    coded = coded[:start] + profile + coded[start + length :]
    file.write_bytes(coded[:header] + struct.pack(">I", grown) + coded[header + 4 :])
    np.testing.assert_array_equal(read(file), random_plane("uint8", 8))


@pytest.mark.parametrize("suffix", [".jph", ".jhc", ".j2k"])
def test_high_throughput(tmp_path, suffix):
    coded = bytes(imagecodecs.htj2k_encode(random_plane("uint16", 16), reversible=True))
    (tmp_path / f"a{suffix}").write_bytes(as_bare(coded))
    np.testing.assert_array_equal(read(tmp_path / f"a{suffix}"), random_plane("uint16", 16))
