import struct

import numpy as np
import pytest
import tifffile

from hoaconv.errors import SourceError
from hoaconv.io.stack import open_stack

PLANE = np.arange(48 * 80, dtype=np.uint16).reshape(48, 80)


def voxels(stack):
    out = np.empty(stack.spec.shape, stack.spec.dtype)
    for z in range(stack.spec.planes):
        stack.read(z, out[z])
    return out


def pages(file, count, *, shape=(4, 5), each=lambda i: {}, **options):
    planes = (np.arange(count)[:, None, None] + np.zeros(shape)).astype(np.uint16)
    with tifffile.TiffWriter(file, **options) as tif:
        for i, plane in enumerate(planes):
            told = {"photometric": "minisblack", "metadata": None, "contiguous": False} | each(i)
            tif.write(plane, **told)
    return planes


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("back_to", [0, 1, 149])
def test_a_chain_that_leads_back_after_any_number(tmp_path, bigtiff, back_to):
    file = tmp_path / "loop.tif"
    pages(file, 150, bigtiff=bigtiff)
    with tifffile.TiffFile(file) as tif:
        offsets = [page.offset for page in tif.pages]
    data = bytearray(file.read_bytes())
    (tags,) = struct.unpack_from("<Q" if bigtiff else "<H", data, offsets[-1])
    place = offsets[-1] + (8 + 20 * tags if bigtiff else 2 + 12 * tags)
    struct.pack_into("<Q" if bigtiff else "<I", data, place, offsets[back_to])
    file.write_bytes(data)
    for src in (file, tmp_path):
        with pytest.raises(SourceError, match="after page 150 its directories lead back"):
            open_stack(src)


def test_most_pages_of_a_long_chain_are_not_parsed(tmp_path, monkeypatch):
    planes = pages(tmp_path / "long.tif", 5001)
    parsed = []
    whole = tifffile.TiffPage.__init__

    def counted(self, *arguments, **options):
        parsed.append(1)
        whole(self, *arguments, **options)

    monkeypatch.setattr(tifffile.TiffPage, "__init__", counted)
    stack = open_stack(tmp_path / "long.tif")
    assert len(parsed) < 10
    np.testing.assert_array_equal(voxels(stack.choose(range(0, 5001, 500))), planes[::500])


ODD = [
    {"photometric": "miniswhite"},
    {"rowsperstrip": 1},
    {"compression": "zlib"},
    {"compression": "zlib", "predictor": 2},
    {"compression": "lzw", "rowsperstrip": 3},
    {"tile": (16, 16)},
    {"description": "a page of its own"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("byteorder", "<>")
def test_pages_stored_in_different_ways_are_read(tmp_path, odd, byteorder):
    file = tmp_path / "v.tif"
    planes = pages(file, 6, each=lambda i: odd if i in (2, 3) else {}, byteorder=byteorder)
    stack = open_stack(file)
    np.testing.assert_array_equal(voxels(stack), planes)
    told = any("2 of 6 slices say that 0 is white" in note for note in stack.notes)
    assert told == ("photometric" in odd)


def test_white_among_black_slices_in_a_folder_is_told(tmp_path):
    for i in range(4):
        kind = "miniswhite" if i == 2 else "minisblack"
        tifffile.imwrite(tmp_path / f"s_{i}.tif", PLANE, photometric=kind)
    (note,) = open_stack(tmp_path).notes
    assert "1 of 4 slices say that 0 is white" in note
    assert "s_2.tif" in note


def test_the_page_that_differs_is_named_with_a_way_on(tmp_path):
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        for plane in (PLANE, PLANE, PLANE[:20]):
            tif.write(plane, metadata=None, contiguous=False)
    with pytest.raises(SourceError, match=r"page 3 is 20 x 80 .*48 x 80.*tiffsplit"):
        open_stack(tmp_path / "v.tif")


def test_a_page_whose_strips_lie_beyond_the_end(tmp_path):
    file = tmp_path / "v.tif"
    pages(file, 5)
    data = bytearray(file.read_bytes())
    with tifffile.TiffFile(file) as tif:
        place = tif.pages[3].tags[273].valueoffset
    struct.pack_into("<I", data, place, len(data) - 7)
    file.write_bytes(data)
    with pytest.raises(SourceError, match="page 4 is cut short"):
        open_stack(file)
