"""Slices with several values a voxel: a channel is taken, or the luminance."""

import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import hoaconv
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.colour import Pick, luminance, with_colours
from hoaconv.io.stack import open_stack

RNG = np.random.default_rng(5)


def coloured(shape=(3, 9, 7, 3), dtype=np.uint8):
    return RNG.integers(0, 200, shape).astype(dtype)


def write(folder, volume, kind, **options):
    folder.mkdir()
    for z, plane in enumerate(volume):
        file = folder / f"s_{z:03}.{kind}"
        if kind == "tif":
            tifffile.imwrite(file, plane, **options)
        elif kind == "png":
            file.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(plane)))
        else:
            file.write_bytes(imagecodecs.jpeg2k_encode(plane, level=0, reversible=True, mct=False))
    return folder


def read(path, **pick):
    stack = open_stack(path, pick=Pick(**pick))
    volume = np.empty(stack.spec.shape, stack.spec.dtype)
    for z, plane in enumerate(volume):
        stack.read(z, plane)
    return volume


TIFFS = [
    {"photometric": "rgb"},
    {"photometric": "rgb", "planarconfig": "contig", "compression": "lzw", "rowsperstrip": 4},
    {"photometric": "rgb", "tile": (16, 16), "compression": "deflate", "predictor": True},
    {"photometric": "rgb", "byteorder": ">"},
    {"photometric": "minisblack", "planarconfig": "contig"},
]


@pytest.mark.parametrize(
    ("kind", "options"),
    [*(("tif", options) for options in TIFFS), ("png", {}), ("jp2", {})],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_each_channel_of_rgb_slices_and_their_luminance(tmp_path, kind, options, dtype):
    volume = coloured(dtype=dtype)
    folder = write(tmp_path / "a", volume, kind, **options)
    for channel in range(3):
        np.testing.assert_array_equal(read(folder, channel=channel), volume[..., channel])
    grey = np.rint(volume @ np.array([0.299, 0.587, 0.114])).astype(dtype)
    np.testing.assert_array_equal(read(folder, rgb="luminance"), grey)
    with pytest.raises(SourceError, match=r'3 channels.*`channel=0`.*`rgb="luminance"`'):
        read(folder)
    with pytest.raises(SpellingError, match="no channel 3: it has 3"):
        read(folder, channel=3)
    with pytest.raises(SpellingError, match="`channel` takes one channel, and `rgb` mixes them"):
        read(folder, channel=0, rgb="luminance")


def test_planar_channels_and_grey_with_alpha(tmp_path):
    volume = coloured((2, 9, 7, 3), np.uint16)
    planar = write(
        tmp_path / "p",
        volume.transpose(0, 3, 1, 2),
        "tif",
        photometric="rgb",
        planarconfig="separate",
    )
    np.testing.assert_array_equal(read(planar, channel=1), volume[..., 1])
    alpha = write(tmp_path / "a", volume[..., :2], "png")
    np.testing.assert_array_equal(read(alpha, channel=0), volume[..., 0])
    with pytest.raises(SpellingError, match="has 2 channels, so it has no luminance"):
        read(alpha, rgb="luminance")


def test_a_palette_is_rgb(tmp_path):
    indices, table = coloured((9, 7)) % 8, RNG.integers(0, 65536, (3, 256)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=table)
    with Image.open(tmp_path / "a.tif") as image:
        theirs = np.asarray(image.convert("RGB"))
    for channel in range(3):
        ours = read(tmp_path / "a.tif", channel=channel)
        np.testing.assert_array_equal(ours[0], (table[channel] >> 8)[indices])
        np.testing.assert_array_equal(ours[0], theirs[..., channel])
    image = Image.fromarray(indices)
    image.putpalette(table.T.astype(np.uint8).tobytes())
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read(tmp_path / "a.png", channel=2)[0], table[2].astype("u1")[indices]
    )


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_png_of_few_bits_keeps_its_numbers(tmp_path, bits):
    plane = RNG.integers(0, 2**bits, (9, 7)).astype(np.uint8)
    stored = np.unpackbits(plane[..., None], axis=2)[..., -bits:].reshape(9, -1)
    rows = np.packbits(np.pad(stored, ((0, 0), (0, -7 * bits % 8))), axis=1)

    def chunk(name, content):
        whole = name + content
        return len(content).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    head = (7).to_bytes(4, "big") + (9).to_bytes(4, "big") + bytes([bits, 0, 0, 0, 0])
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], plane)


def test_a_voxel_size_in_a_png_is_read(tmp_path):
    Image.fromarray(coloured((9, 7))).save(tmp_path / "a.png", dpi=(25400, 25400))
    stack = open_stack(tmp_path / "a.png")
    assert stack.geometry.edges == pytest.approx((1, 1, 1), rel=1e-3)


@pytest.mark.parametrize("cut", [10, 30, 60, 0.5, 0.99])
def test_a_png_that_is_cut_short_is_refused(tmp_path, cut):
    whole = imagecodecs.png_encode(coloured((50, 70)))
    keep = cut if cut > 1 else int(cut * len(whole))
    (tmp_path / "a.png").write_bytes(whole[:keep])
    with pytest.raises(SourceError, match=r"a\.png"):
        read(tmp_path / "a.png")


def test_slices_of_other_channels_do_not_agree(tmp_path):
    folder = write(tmp_path / "a", coloured(), "png")
    (folder / "s_001.png").write_bytes(imagecodecs.png_encode(coloured((9, 7))))
    with pytest.raises(SourceError, match=r"s_001.png is 9 x 7 uint8, but the first slice"):
        read(folder, channel=0)


@pytest.mark.parametrize("photometric", ["separated", "cielab"])
def test_other_colours_are_refused_with_a_command(tmp_path, photometric):
    plane = coloured((9, 7, 4 if photometric == "separated" else 3))
    tifffile.imwrite(tmp_path / "a.tif", plane, photometric=photometric)
    with pytest.raises(SourceError, match=f"{photometric.upper()} image.*vips colourspace"):
        read(tmp_path / "a.tif", channel=0)


def test_channels_times_and_series_of_an_ome_tiff(tmp_path):
    first, second = coloured((2, 3, 4, 9, 7)), coloured((5, 9, 7), np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tif:
        tif.write(first, metadata={"axes": "TCZYX", "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0})
        tif.write(second, metadata={"axes": "ZYX", "PhysicalSizeX": 3.0, "PhysicalSizeY": 3.0})
    file = tmp_path / "a.ome.tif"
    for t, c in np.ndindex(2, 3):
        np.testing.assert_array_equal(read(file, time=t, channel=c), first[t, c])
    np.testing.assert_array_equal(read(file, series=1), second)
    assert open_stack(file, pick=Pick(series=1)).geometry.edges == (3, 3, 3)
    assert open_stack(file, pick=Pick(channel=0, time=0)).geometry.edges == (2, 2, 2)
    for pick, words in (
        ({}, "channels"),
        ({"channel": 0}, "2 times"),
        ({"channel": 3, "time": 0}, "no channel 3"),
        ({"series": 2}, "no series 2: it has 2"),
    ):
        with pytest.raises((SourceError, SpellingError), match=words):
            read(file, **pick)


def test_channels_of_an_imagej_stack_in_one_piece(tmp_path):
    volume = coloured((4, 3, 9, 7), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", volume, imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read(tmp_path / "a.tif", channel=2), volume[:, 2])


def test_rgb_planes_of_one_file(tmp_path):
    volume = coloured((4, 9, 7, 3))
    tifffile.imwrite(tmp_path / "a.tif", volume, photometric="rgb")
    np.testing.assert_array_equal(read(tmp_path / "a.tif", channel=1), volume[..., 1])


def test_options_of_the_command_line(tmp_path):
    volume = coloured()
    folder = write(tmp_path / "a", volume, "png")
    opened = hoaconv.open(folder, channel=2)
    np.testing.assert_array_equal(opened[:], volume[..., 2])
    assert "channel 2 is read" in " ".join(opened.notes)
    with pytest.raises(SpellingError, match="rgb"):
        hoaconv.open(folder, rgb="luma")


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 130), st.integers(1, 9), st.sampled_from(["uint8", "uint16", "float32"]))
def test_luminance_by_rows_is_that_of_the_whole(rows, columns, dtype):
    whole = coloured((rows, columns, 4), dtype)
    out = np.empty((rows, columns), dtype)
    luminance(whole, out)
    exact = whole[..., :3].astype(float) @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(out, exact, atol=0.5 if dtype != "float32" else 1e-3)


def test_colours_of_eight_bits_in_a_tiff_palette_stay():
    table = np.tile(np.arange(256), (3, 1))
    np.testing.assert_array_equal(with_colours(np.array([[7]]), table), [[[7, 7, 7]]])
