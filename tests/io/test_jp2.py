import struct
import warnings

import numpy as np
import pytest
from jp2s import random_plane, write

from hoaconv.errors import SourceError
from hoaconv.io.colour import Pick
from hoaconv.io.jp2 import read_header
from hoaconv.io.slice_files import with_resolution


@pytest.mark.parametrize("codecformat", ["jp2", "j2k"])
@pytest.mark.parametrize("kind", ["int", "uint"])
@pytest.mark.parametrize(
    ("bits", "width"), [(1, 8), (5, 8), (8, 8), (9, 16), (12, 16), (16, 16), (17, 32), (24, 32)]
)
def test_lossless_round_trip_of_every_depth(tmp_path, kind, bits, width, codecformat):
    plane = random_plane(f"{kind}{width}", bits)
    file = write(tmp_path / "a.jp2", plane, bitspersample=bits, codecformat=codecformat)
    stored, size = read_header(file)
    assert (stored.shape, stored.dtype, size) == (plane.shape, plane.dtype, None)
    assert stored.stored_bytes == file.stat().st_size
    out = np.empty_like(plane)
    stored.read(out)
    np.testing.assert_array_equal(out, plane)


def test_more_bits_than_decode_exactly_are_refused(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint32", 25), bitspersample=25)
    with pytest.raises(SourceError, match="25-bit"):
        read_header(file)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_channels_are_counted_and_one_must_be_chosen(tmp_path, channels):
    plane = np.zeros((16, 16, channels), np.uint8)
    file = write(tmp_path / "rgb.jp2", plane)
    with pytest.raises(SourceError, match=rf"rgb.jp2 has {channels} channels.*take one"):
        read_header(file)[0].taking(Pick())


def test_truncated_file_is_found_in_the_header(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint16", 16))
    whole = file.read_bytes()
    for cut in (1, len(whole) // 2):
        file.write_bytes(whole[:-cut])
        with pytest.raises(SourceError, match=r"a\.jp2 is cut short"):
            read_header(file)


def test_truncated_codestream_is_found_before_anything_is_decoded(tmp_path):
    file = write(tmp_path / "a.j2k", random_plane("uint16", 16), codecformat="j2k")
    whole = file.read_bytes()
    for cut in (1, 2, len(whole) // 2):
        file.write_bytes(whole[:-cut])
        with pytest.raises(SourceError, match=r"a\.j2k is damaged"):
            read_header(file)
    file.write_bytes(whole + bytes(12))  # padding does no harm
    read_header(file)


def test_a_file_cut_after_its_header_was_read_is_found_by_the_decoder(tmp_path):
    plane = random_plane("uint16", 16)
    file = write(tmp_path / "a.j2k", plane, codecformat="j2k")
    stored, _ = read_header(file)
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(SourceError, match=r"a\.j2k changed while hoaconv ran"):
        stored.read(np.empty_like(plane))


@pytest.mark.parametrize(
    "content", [b"", b"slice,grey\n1,2\n", b"\0" * 100, b"\xff\x4f\xff\x51", bytes(range(256))]
)
def test_files_that_are_no_images(tmp_path, content):
    file = tmp_path / "notes.jp2"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"notes\.jp2"):
        read_header(file)


def test_every_header_cut_is_a_source_error(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint8", 8))
    whole = file.read_bytes()
    for length in range(200):
        file.write_bytes(whole[:length])
        with pytest.raises(SourceError, match=r"a\.jp2"):
            read_header(file)


def test_file_that_vanished_after_its_header(tmp_path):
    plane = random_plane("uint8", 8)
    file = write(tmp_path / "a.jp2", plane)
    stored, _ = read_header(file)
    file.unlink()
    with pytest.raises(SourceError, match="is gone"):
        stored.read(np.empty_like(plane))


@pytest.mark.parametrize("edge", [0.65, 6.05, 19.57, 25.08, 2500.0])
def test_resolution_box_gives_the_voxel_size(tmp_path, edge):
    plane = random_plane("uint16", 16)
    file = write(tmp_path / "a.jp2", plane)
    file.write_bytes(with_resolution(file.read_bytes(), edge, edge))
    stored, size = read_header(file)
    assert size.edges == (edge, edge, edge)
    assert size.unit == "micrometer"
    assert "JP2 resolution box" in size.told_by
    out = np.empty_like(plane)
    stored.read(out)
    np.testing.assert_array_equal(out, plane)


def test_capture_resolution_goes_before_display_resolution(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint8", 8))
    with_box = with_resolution(file.read_bytes(), 20.0, 20.0)
    start = with_box.find(b"res ") - 4
    shown = struct.pack(">I4s4H2b", 18, b"resd", 1, 1, 1, 1, 3, 3)
    box = struct.pack(">I4s", 26 + 18, b"res ") + shown + with_box[start + 8 : start + 26]
    header = with_box.find(b"jp2h") - 4
    length = int.from_bytes(with_box[header : header + 4], "big") + 18
    grown = length.to_bytes(4, "big")
    whole = with_box[:header] + grown + with_box[header + 4 : start] + box + with_box[start + 26 :]
    file.write_bytes(whole)
    assert read_header(file)[1].edges == (20.0, 20.0, 20.0)


def test_oddities_warn_nobody(tmp_path):
    file = write(tmp_path / "a.jp2", random_plane("uint8", 8))
    file.write_bytes(file.read_bytes().replace(b"ftypjp2 ", b"ftypjpx "))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(file)[0].shape == (37, 53)
