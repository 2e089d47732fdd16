import os
import random

import pytest

from hoaconv.errors import SourceError
from hoaconv.io.files import find_files
from hoaconv.io.stack import open_stack


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_order_is_natural_not_lexicographic(tmp_path):
    make(tmp_path, *(f"slice {n}.tif" for n in (10, 9, 1, 100, 2)))
    found = find_files(tmp_path)
    assert [f.stem for f in found.files] == [f"slice {n}" for n in (1, 2, 9, 10, 100)]


@pytest.mark.parametrize(
    "suffix", [".jp2", ".J2K", ".jpx", ".jpf", ".jpc", ".j2c", ".TIF", ".tiff"]
)
def test_every_suffix_in_any_case(tmp_path, suffix):
    make(tmp_path / "Gehörn (größer) 1", f"ß 1{suffix}")
    assert find_files(tmp_path / "Gehörn (größer) 1").files[0].name == f"ß 1{suffix}"


def test_litter_is_left_out_silently_and_other_files_with_a_note(tmp_path):
    litter = (".DS_Store", "Thumbs.db", "._a_2.tif", "desktop.ini")
    make(tmp_path, "a_1.tif", "a_2.tif", *litter)
    assert find_files(tmp_path).notes == ()
    make(tmp_path, "scan.log", "info.txt")
    found = find_files(tmp_path)
    assert [f.name for f in found.files] == ["a_1.tif", "a_2.tif"]
    assert found.notes == ("2 files that are no images were left out (info.txt, scan.log)",)


def test_pattern_chooses_and_brackets_in_a_real_name_are_no_pattern(tmp_path):
    make(tmp_path / "scan [1]", "a_1.tif", "a_2.tif", "b_1.tif")
    assert len(find_files(tmp_path / "scan [1]").files) == 3
    found = find_files(tmp_path / "scan*" / "a_*.tif")
    assert [f.name for f in found.files] == ["a_1.tif", "a_2.tif"]
    assert found.path == tmp_path


def test_mixed_kinds_name_both_and_the_way_out(tmp_path):
    make(tmp_path, "a_1.tif", "a_2.tif", "a_1.jp2")
    with pytest.raises(SourceError, match=r"(?=.*2 TIFF)(?=.*1 JPEG 2000)(?=.*\*\.tif)"):
        find_files(tmp_path)


def test_missing_source_points_to_names_like_it(tmp_path):
    make(tmp_path / "brain_slices", "a_1.tif")
    with pytest.raises(SourceError, match=r"does not exist.*brain_slices"):
        find_files(tmp_path / "brain_slice")
    with pytest.raises(SourceError, match=r"does not exist.*brain_slices"):
        find_files(tmp_path / "brain_slise" / "deeper")
    with pytest.raises(SourceError, match="holds no name like it"):
        find_files(tmp_path / "zzz")


def test_folders_without_images_say_what_they_hold(tmp_path):
    with pytest.raises(SourceError, match=r"empty.*\.jp2"):
        find_files(make(tmp_path / "empty"))
    with pytest.raises(SourceError, match=r"among 1 files \(a\.bmp\)"):
        find_files(make(tmp_path / "bmp", "a.bmp"))
    make(tmp_path / "up" / "scan1", "a.tif")
    with pytest.raises(SourceError, match=r"1 folders \(scan1\)"):
        find_files(tmp_path / "up")
    with pytest.raises(SourceError, match="only folders"):
        find_files(tmp_path / "u*")
    with pytest.raises(SourceError, match="matches no file"):
        find_files(tmp_path / "up" / "*.jp2")
    with pytest.raises(SourceError, match="is no image"):
        find_files(tmp_path / "bmp" / "a.bmp")


def test_order_does_not_depend_on_the_folder_listing(tmp_path):
    names = [f"s{n}.tif" for n in range(30)]
    random.Random(1).shuffle(names)
    make(tmp_path, *names)
    assert [f.name for f in find_files(tmp_path).files] == [f"s{n}.tif" for n in range(30)]


def test_link_to_nowhere_is_no_gap_but_found_and_refused(tmp_path):
    (tmp_path / "s_1.jp2").symlink_to(tmp_path / "gone.jp2")
    assert [f.name for f in find_files(tmp_path).files] == ["s_1.jp2"]
    with pytest.raises(SourceError, match=r"s_1\.jp2: the file is gone"):
        open_stack(tmp_path)


def test_two_stars_enter_no_folder_twice(tmp_path):
    make(tmp_path / "scan" / "a", "s_1.tif")
    make(tmp_path / "scan" / "b", "s_2.tif")
    (tmp_path / "scan" / "a" / "back").symlink_to(tmp_path / "scan")
    (tmp_path / "scan" / "0_first").symlink_to(tmp_path / "scan" / "b")
    for pattern in ("**/*.tif", "scan/**/*.tif", "scan/**"):
        found = find_files(tmp_path / pattern).files
        assert [f.name for f in found] == ["s_1.tif", "s_2.tif"]
        assert not any(f.parent.is_symlink() for f in found)


def test_two_stars_pass_by_what_is_no_folder(tmp_path):
    make(tmp_path / "g" / "a" / "deep", "s_1.tif")
    make(tmp_path / "g", "readme.txt")
    (tmp_path / "g" / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "g" / "loop").symlink_to(tmp_path / "g" / "loop")
    (tmp_path / "g" / "a" / "loop").symlink_to(tmp_path / "g" / "a" / "loop")
    for pattern in ("g/*/**/*.tif", "g/**/*.tif", "**/deep/*.tif"):
        found = find_files(tmp_path / pattern)
        assert [f.name for f in found.files] == ["s_1.tif"]
        assert found.notes == ()


def test_two_stars_tell_of_folders_that_cannot_be_listed(tmp_path, monkeypatch):
    make(tmp_path / "a", "s_1.tif")
    make(tmp_path / "closed")
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_files(tmp_path / "**" / "*.tif")
    assert [f.name for f in found.files] == ["s_1.tif"]
    (note,) = found.notes
    assert note == f"folders that can't be listed were left out ({tmp_path / 'closed'})"
    with pytest.raises(SourceError, match=r"matches no file; folders that can't be .*closed"):
        find_files(tmp_path / "**" / "*.jp2")


@pytest.mark.parametrize("to", ["nowhere", "link"])
def test_links_to_nothing_beside_slices_are_left_out_with_a_note(tmp_path, to):
    make(tmp_path / "s", "s_1.tif", "s_2.tif")
    (tmp_path / "s" / "link").symlink_to(tmp_path / "s" / to)
    for src in (tmp_path / "s", tmp_path / "s" / "*"):
        found = find_files(src)
        assert [f.name for f in found.files] == ["s_1.tif", "s_2.tif"]
        assert found.notes == ("1 files that are no images were left out (link)",)


@pytest.mark.parametrize("to", ["nowhere", "link"])
def test_a_folder_of_a_link_to_nothing_names_the_link(tmp_path, to):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "link").symlink_to(tmp_path / "s" / to)
    with pytest.raises(SourceError, match=r"s holds no image .*\(link\); link is a link"):
        find_files(tmp_path / "s")
    with pytest.raises(SourceError, match=r"link is a link"):
        find_files(tmp_path / "s" / "*")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.bmp", "BMP is not supported yet.*vips copy"),
        ("a.dcm", "DICOM"),
        ("a.nii.gz", "NIfTI"),
        ("a.h5", "HDF5 holds a whole volume"),
        ("attributes.json", "N5"),
    ],
)
def test_other_kinds_of_image_get_a_way_on(tmp_path, name, said):
    make(tmp_path, name)
    with pytest.raises(SourceError, match=said):
        find_files(tmp_path)
    if name != "attributes.json":
        with pytest.raises(SourceError, match=said) as caught:
            find_files(tmp_path / name)
        assert str(caught.value).count(name) <= 2


def test_dicom_without_a_suffix_is_known_by_its_bytes(tmp_path):
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(SourceError, match="DICOM"):
        find_files(tmp_path)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", r"JPEG 2000; rename it to end in \.jp2"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (bytes(100), "begins with zeros"),
        (b"", "empty"),
    ],
)
def test_a_tiff_by_name_alone_is_called_what_it_is(tmp_path, first, said):
    (tmp_path / "a.tif").write_bytes(first and first + bytes(200))
    with pytest.raises(SourceError, match=said):
        open_stack(tmp_path)
