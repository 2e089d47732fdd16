import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from hoaconv.engine.contract import Source
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.jp2 import read_header
from hoaconv.io.phantom import Phantom
from hoaconv.io.slice_files import write_jp2_stack, write_tiff_stack
from hoaconv.io.stack import Stack, open_stack

PHANTOM = Phantom((9, 40, 56), np.uint16, seed=5)


def planes(source):
    out = np.empty(source.spec.shape, source.spec.dtype)
    for z in range(source.spec.planes):
        source.read(z, out[z])
    return out


VOLUME = planes(PHANTOM)


@pytest.fixture
def folder(tmp_path):
    write_tiff_stack(PHANTOM, tmp_path / "19.57um_kidney é_jp2_")
    return tmp_path / "19.57um_kidney é_jp2_"


def test_folder_pattern_and_file_read_the_same(folder, tmp_path):
    tifffile.imwrite(tmp_path / "whole.ome.tif", VOLUME, metadata={"axes": "ZYX"})
    for src in (folder, str(folder), folder / "*.tif", tmp_path / "whole.ome.tif"):
        stack = open_stack(src)
        assert (stack.spec.shape, stack.spec.dtype) == ((9, 40, 56), np.uint16)
        assert stack.stored_bytes == VOLUME.nbytes
        assert stack.scratch() == 0
        np.testing.assert_array_equal(planes(stack), VOLUME)


def test_what_a_stack_tells(folder):
    stack = open_stack(folder)
    assert stack.path == folder
    assert stack.notes == ()
    assert stack.geometry.edges == (19.57, 19.57, 19.57)
    assert stack.geometry.told_by == "folder name"
    assert stack.file_of(3).name == "slice_000003.tif"
    assert "9 x 40 x 56 uint16" in repr(stack)


def test_the_folder_of_a_relative_source_tells_the_voxel_size(folder, monkeypatch):
    monkeypatch.chdir(folder)
    stack = open_stack(".")
    assert stack.geometry.edges == (19.57, 19.57, 19.57)


@pytest.mark.parametrize(
    "chosen", [slice(2, 7), slice(None, None, 3), slice(-2, None), slice(None, None, -1)], ids=str
)
def test_slices_choose_as_python_does(folder, tmp_path, chosen):
    tifffile.imwrite(tmp_path / "whole.tif", VOLUME, photometric="minisblack")
    for src in (folder, tmp_path / "whole.tif"):
        np.testing.assert_array_equal(planes(open_stack(src, slices=chosen)), VOLUME[chosen])


def test_slices_that_choose_nothing(folder, tmp_path):
    tifffile.imwrite(tmp_path / "whole.tif", VOLUME, photometric="minisblack")
    for src in (folder, tmp_path / "whole.tif"):
        with pytest.raises(SpellingError, match="20:: chooses none of 9"):
            open_stack(src, slices=slice(20, None))


def test_gap_is_an_error_unless_allowed_or_outside(folder):
    (folder / "slice_000004.tif").unlink()
    with pytest.raises(SourceError, match=r"1 slice is missing: 4.*allow"):
        open_stack(folder)
    assert open_stack(folder, slices=slice(0, 4)).spec.planes == 4
    stack = open_stack(folder, allow_gaps=True)
    assert "1 slice is missing: 4" in stack.notes[0]
    np.testing.assert_array_equal(planes(stack), np.delete(VOLUME, 4, axis=0))


@pytest.mark.parametrize("odd", [VOLUME[0, 1:], VOLUME[0].astype(np.uint8)], ids=["shape", "dtype"])
def test_odd_slice_is_named_before_any_pixel_is_decoded(folder, odd, monkeypatch):
    tifffile.imwrite(folder / "slice_000006.tif", odd)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", None)
    found = rf"{odd.shape[0]} x {odd.shape[1]} {odd.dtype}"
    with pytest.raises(SourceError, match=rf"slice_000006.*{found}.*first.*40 x 56 uint16.*1 of 9"):
        open_stack(folder)


def test_every_header_is_checked(folder):
    (folder / "slice_000008.tif").write_bytes(b"")
    with pytest.raises(SourceError, match="slice_000008"):
        open_stack(folder)


def test_several_multi_page_files_are_refused(tmp_path):
    for name in ("a_0.tif", "a_1.tif"):
        tifffile.imwrite(tmp_path / name, VOLUME, photometric="minisblack")
    with pytest.raises(SourceError, match=r"a_0\.tif has 9 planes"):
        open_stack(tmp_path)
    assert open_stack(tmp_path / "a_*0.tif").spec.planes == 9


def test_jp2_stack_from_many_threads(tmp_path):
    folder = tmp_path / "jp2"
    write_jp2_stack(PHANTOM, folder, micrometer=(19.57, 19.57))
    stack = open_stack(folder)
    assert stack.geometry.edges == (19.57, 19.57, 19.57)
    assert stack.geometry.told_by.startswith("JP2 resolution box")
    assert stack.stored_bytes == sum(file.stat().st_size for file in folder.iterdir())
    once = planes(stack)

    def same(z):
        out = np.empty_like(once[z])
        stack.read(z, out)
        return np.array_equal(out, once[z])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(same, [z for _ in range(10) for z in range(9)]))


def test_sizes_in_conflict_are_told(tmp_path):
    write_jp2_stack(PHANTOM, tmp_path / "25um_jp2_", micrometer=(19.57, 19.57))
    stack = open_stack(tmp_path / "25um_jp2_")
    assert stack.geometry.edges == (19.57, 19.57, 19.57)
    assert "25" in stack.notes[0]


def test_one_jp2_is_a_stack_of_one(tmp_path):
    file, *_ = write_jp2_stack(PHANTOM, tmp_path)
    assert open_stack(file).spec.planes == 1


def test_jp2_decodes_slowly_at_any_resolution_and_tiff_does_not(folder, tmp_path):
    files = write_jp2_stack(PHANTOM, tmp_path / "jp2")
    whole = open_stack(tmp_path / "jp2")
    for stack in (whole, open_stack(files[0]), open_stack(tmp_path / "jp2", reduce=2)):
        assert stack.decodes_slowly
        assert stack.choose([0]).decodes_slowly
    assert Source.choose(whole, [3, 1]).decodes_slowly
    gpu = [read_header(file)[0].on_gpu() for file in files]
    for stack in (Stack(tmp_path, gpu), open_stack(folder)):
        assert not stack.decodes_slowly
    assert not Source.choose(open_stack(folder), [3, 1]).decodes_slowly


def test_wrong_out_is_a_programming_error(folder):
    stack = open_stack(folder)
    for out in (
        np.empty((40, 57), np.uint16),
        np.empty((40, 56), np.int16),
        np.empty((56, 40), np.uint16).T,
    ):
        with pytest.raises(ValueError, match="planes are 40 x 56 uint16"):
            stack.read(0, out)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_slice_is_named(folder):
    (folder / "slice_000002.tif").chmod(0)
    with pytest.raises(SourceError, match=r"slice_000002.*permissions"):
        open_stack(folder)
