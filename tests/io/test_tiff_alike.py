import numpy as np
import pytest
import tifffile

from hoaconv.errors import SourceError
from hoaconv.io.stack import open_stack

PLANES = np.random.default_rng(4).integers(0, 60000, (12, 24, 40)).astype(np.uint16)
KINDS = [
    {},
    {"byteorder": ">"},
    {"bigtiff": True},
    {"compression": "zlib", "rowsperstrip": 5},
    {"compression": "lzw", "predictor": True, "tile": (16, 16)},
    {"photometric": "miniswhite"},
    {"description": "another", "metadata": None},
    {"imagej": True},
]


def voxels(stack):
    out = np.empty(stack.spec.shape, stack.spec.dtype)
    for z in range(stack.spec.planes):
        stack.read(z, out[z])
    return out


def write(folder, options):
    for z, plane in enumerate(PLANES):
        told = {"photometric": "minisblack"} | options(z)
        tifffile.imwrite(folder / f"s_{z:02d}.tif", plane, **told)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_slices_that_are_alike_are_read_and_not_parsed(tmp_path, monkeypatch, kind):
    write(tmp_path, lambda z: kind)
    parsed = []
    whole = tifffile.TiffFile.__init__

    def counted(self, *arguments, **options):
        parsed.append(1)
        whole(self, *arguments, **options)

    monkeypatch.setattr(tifffile.TiffFile, "__init__", counted)
    stack = open_stack(tmp_path)
    assert len(parsed) == 1
    np.testing.assert_array_equal(voxels(stack), PLANES)


def test_slices_of_every_kind_in_one_folder(tmp_path):
    write(tmp_path, lambda z: KINDS[z % len(KINDS)])
    np.testing.assert_array_equal(voxels(open_stack(tmp_path)), PLANES)


def test_what_differs_or_is_cut_short_among_slices_that_are_alike_is_found(tmp_path):
    write(tmp_path, lambda z: {})
    file = tmp_path / "s_07.tif"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(SourceError, match=r"s_07\.tif is cut short"):
        open_stack(tmp_path)
    tifffile.imwrite(file, PLANES[7][:20])
    with pytest.raises(SourceError, match=r"s_07\.tif is 20 x 40"):
        open_stack(tmp_path)
    tifffile.imwrite(file, PLANES[:2], photometric="minisblack")
    with pytest.raises(SourceError, match=r"s_07\.tif has 2 planes"):
        open_stack(tmp_path)
    file.unlink()
    file.write_bytes(b"II*\0" + bytes(4))
    with pytest.raises(SourceError, match=r"s_07\.tif"):
        open_stack(tmp_path)
