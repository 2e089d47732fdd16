from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from hoaconv.errors import SourceError
from hoaconv.io.tiff import read_header
from hoaconv.io.tiff_volume import read_volume

VOLUME = np.random.default_rng(3).integers(0, 60000, (7, 24, 40), np.uint16)


def read(file):
    slices, notes, sizes = read_volume(file)
    out = np.empty((len(slices), *slices[0].shape), slices[0].dtype)
    for z, stored in enumerate(slices):
        stored.read(out[z])
    return out, notes, next((size for size in sizes if size), None)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"byteorder": ">", "imagej": True, "metadata": {"axes": "ZYX"}},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "compression": "zstd", "metadata": {"axes": "ZYX"}},
        {"compression": "lzw"},
        {"tile": (16, 16)},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"metadata": {"axes": "QYX"}},
    ],
    ids=str,
)
def test_every_layout_of_a_volume(tmp_path, options):
    tifffile.imwrite(tmp_path / "v.tif", VOLUME, photometric="minisblack", **options)
    out, notes, _ = read(tmp_path / "v.tif")
    np.testing.assert_array_equal(out, VOLUME)
    assert notes == ()


def test_imagej_volume_with_one_page_for_all_planes(tmp_path):
    """As ImageJ writes more than 4 GB: one directory, and the planes in one piece after it."""
    file = tmp_path / "v.tif"
    with tifffile.TiffWriter(file, imagej=True) as tif:
        tif.write(VOLUME, contiguous=True, metadata={"axes": "ZYX"})
    data = bytearray(file.read_bytes())
    with tifffile.TiffFile(file) as tif:
        page = tif.pages.first
        tags = page.offset + 2 + 12 * len(page.tags)
    data[tags : tags + 4] = bytes(4)  # no next directory
    file.write_bytes(data)
    with tifffile.TiffFile(file) as tif:
        assert len(tif.pages) == 1
    np.testing.assert_array_equal(read(file)[0], VOLUME)
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"v\.tif.*promises 7 planes"):
        read_volume(file)
    with pytest.raises(SourceError, match=r"v\.tif has 7 planes"):
        read_header(file)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"truncate": True},
        {"compression": "zstd"},
        {"compression": "zstd", "metadata": None},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"bigtiff": True, "compression": "zstd", "metadata": None},
    ],
    ids=str,
)
def test_a_volume_cut_short_is_refused_unless_every_plane_is_there(tmp_path, options):
    file = tmp_path / "v.tif"
    tifffile.imwrite(file, VOLUME, photometric="minisblack", **options)
    whole = file.read_bytes()
    refused = 0
    for length in range(0, len(whole), len(whole) // 97):
        file.write_bytes(whole[:length])
        try:
            out, *_ = read(file)
        except SourceError:
            refused += 1
        else:  # only OME-XML, which stands last in its file, was cut
            np.testing.assert_array_equal(out, VOLUME)
    assert refused >= 90


def test_planes_decode_alike_from_many_threads(tmp_path):
    tifffile.imwrite(tmp_path / "v.tif", VOLUME, compression="zstd", photometric="minisblack")
    slices, *_ = read_volume(tmp_path / "v.tif")
    order = [z for _ in range(20) for z in range(len(slices))]

    def same(z):
        out = np.empty(VOLUME.shape[1:], VOLUME.dtype)
        slices[z].read(out)
        return np.array_equal(out, VOLUME[z])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(same, order))


@pytest.mark.parametrize("imagej", [True, False])
def test_channels_are_refused(tmp_path, imagej):
    volume = np.zeros((3, 2, 8, 8), np.uint16)
    metadata = {"axes": "ZCYX"}
    options = {"imagej": True} if imagej else {"ome": True}
    file = tmp_path / "v.ome.tif"
    tifffile.imwrite(file, volume, photometric="minisblack", metadata=metadata, **options)
    with pytest.raises(SourceError, match=r"2 channels.*take one"):
        read_volume(file)


def test_colour_pages_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "v.tif", np.zeros((4, 8, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(SourceError, match=r"3 channels.*take one"):
        read_volume(tmp_path / "v.tif")


def test_time_alone_is_taken_as_z_with_a_note_and_not_beside_z(tmp_path):
    file = tmp_path / "v.tif"
    tifffile.imwrite(file, VOLUME, imagej=True, metadata={"axes": "TYX"})
    out, notes, _ = read(file)
    np.testing.assert_array_equal(out, VOLUME)
    assert "7 points in time" in notes[0]
    tifffile.imwrite(file, np.stack([VOLUME] * 2), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(SourceError, match=r"2 times \(axes T 2, Z 7\); take one"):
        read_volume(file)


def test_page_of_another_shape_is_named(tmp_path):
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        for z in range(5):
            tif.write(VOLUME[z, : 20 if z == 3 else 24], metadata=None, contiguous=False)
    with pytest.raises(SourceError, match=r"page 4.*20 x 40"):
        read(tmp_path / "v.tif")


@pytest.mark.parametrize("others", [0, 1, 3])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_written_one_by_one_with_metadata_of_their_own(tmp_path, others, compression):
    """As tifffile does by default; a thumbnail and what has another shape or dtype are left out."""
    odd = [
        (VOLUME[0, ::2, ::2], {}),
        (VOLUME[0], {"subfiletype": 1}),
        (VOLUME[0].astype(np.uint8), {}),
    ]
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        for z, plane in enumerate(VOLUME):
            tif.write(plane, contiguous=False, photometric="minisblack", compression=compression)
            if 2 <= z < 2 + others:
                other, options = odd[z - 2]
                tif.write(other, contiguous=False, photometric="minisblack", **options)
    out, notes, _ = read(tmp_path / "v.tif")
    np.testing.assert_array_equal(out, VOLUME)
    assert notes == ((f"{others} more images in v.tif were left out",) if others else ())


def test_volumes_in_one_file_are_no_stack(tmp_path):
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        for _ in range(2):
            tif.write(VOLUME, photometric="minisblack")
    out, notes, _ = read(tmp_path / "v.tif")
    np.testing.assert_array_equal(out, VOLUME)
    assert notes == ("1 more images in v.tif were left out",)


def test_thumbnail_and_levels_are_left_out_with_a_note(tmp_path):
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        tif.write(VOLUME, metadata=None, photometric="minisblack")
        tif.write(VOLUME[0, ::2, ::2], metadata=None, subfiletype=1)
    out, notes, _ = read(tmp_path / "v.tif")
    np.testing.assert_array_equal(out, VOLUME)
    assert "1 more images" in notes[0]
    with tifffile.TiffWriter(tmp_path / "p.ome.tif") as tif:
        tif.write(VOLUME, subifds=1, metadata={"axes": "ZYX"})
        tif.write(VOLUME[:, ::2, ::2], subfiletype=1, photometric="minisblack")
    out, notes, _ = read(tmp_path / "p.ome.tif")
    np.testing.assert_array_equal(out, VOLUME)
    assert "1 lower levels" in notes[0]


def test_one_part_of_an_ome_tiff_of_several_files(tmp_path):
    parts = [tmp_path / f"part_{i}.ome.tif" for i in range(2)]
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{part.name}">urn:uuid:'
        f"0000000{z}-0000-0000-0000-000000000000</UUID></TiffData>"
        for z, part in enumerate(parts)
    )
    for z, part in enumerate(parts):
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:0000000{z}-0000-0000-0000-000000000000"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="24" '
            f'SizeZ="2" SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/>{planes}'
            "</Pixels></Image></OME>"
        )
        tifffile.imwrite(part, VOLUME[z], description=xml, metadata=None)
    with pytest.raises(SourceError, match=r"OME-TIFF of several files.*folder"):
        read_volume(parts[0])


@pytest.mark.parametrize(
    ("options", "origin", "zyx"),
    [
        (
            {
                "imagej": True,
                "resolution": (0.5, 0.5),
                "metadata": {"unit": "um", "spacing": 5.0, "axes": "ZYX"},
            },
            "ImageJ metadata",
            (5.0, 2.0, 2.0),
        ),
        (
            {
                "imagej": True,
                "resolution": (0.5, 0.5),
                "metadata": {"unit": "\\u00B5m", "spacing": 3.0, "axes": "ZYX"},
            },
            "ImageJ metadata",
            (3.0, 2.0, 2.0),
        ),
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "ZYX",
                    "PhysicalSizeX": 2,
                    "PhysicalSizeY": 4,
                    "PhysicalSizeZ": 8,
                },
            },
            "OME-XML",
            (8.0, 4.0, 2.0),
        ),
    ],
)
def test_voxel_size_from_the_metadata(tmp_path, options, origin, zyx):
    tifffile.imwrite(tmp_path / "v.tif", VOLUME, photometric="minisblack", **options)
    _, _, size = read(tmp_path / "v.tif")
    assert (size.edges, size.unit, size.told_by) == (zyx, "micrometer", origin)
