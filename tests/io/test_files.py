import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.errors import SourceError
from hoaconv.io.files import check_numbering, find_files
from hoaconv.io.stack import open_stack


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def numbering(names, chosen=None, allow_gaps=False):
    files = [Path("stack") / name for name in names]
    return check_numbering(files, chosen or range(len(files)), allow_gaps)


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
    with pytest.raises(SourceError, match=r"among 1 files \(a\.png\)"):
        find_files(make(tmp_path / "png", "a.png"))
    make(tmp_path / "up" / "scan1", "a.tif")
    with pytest.raises(SourceError, match=r"1 folders \(scan1\)"):
        find_files(tmp_path / "up")
    with pytest.raises(SourceError, match="only folders"):
        find_files(tmp_path / "u*")
    with pytest.raises(SourceError, match="matches no file"):
        find_files(tmp_path / "up" / "*.jp2")
    with pytest.raises(SourceError, match="is no image"):
        find_files(tmp_path / "png" / "a.png")


@given(st.sets(st.integers(0, 400), min_size=2, max_size=60), st.booleans())
def test_exactly_the_missing_numbers_are_counted(numbers, padded):
    ordered = sorted(numbers)
    names = [f"2024_s{n:05d}_e.tif" if padded else f"2024_s{n}_e.tif" for n in ordered]
    missing = ordered[-1] - ordered[0] + 1 - len(ordered)
    if missing == 0:
        assert numbering(names) == ()
    else:
        with pytest.raises(SourceError, match=rf"\b{missing} slices? (is|are) missing"):
            numbering(names)
        assert f"{missing} slice" in numbering(names, allow_gaps=True)[0]


def test_gap_lists_the_numbers_and_abbreviates():
    with pytest.raises(SourceError, match=r"3 slices are missing: 3, 5 to 6;"):
        numbering([f"s_{n}.tif" for n in (1, 2, 4, 7)])
    with pytest.raises(SourceError, match=r"10 slices are missing: 1, 3, .*, 15, \.\.\.;"):
        numbering([f"s_{n}.tif" for n in range(0, 21, 2)])


def test_gap_counts_only_between_the_chosen_slices():
    names = [f"s_{n}.tif" for n in (1, 2, 3, 5, 6, 7)]
    assert numbering(names, [0, 1, 2]) == numbering(names, [5, 3]) == numbering(names, [2]) == ()
    with pytest.raises(SourceError, match="1 slice is missing: 4"):
        numbering(names, [0, 5])


def test_number_is_the_last_integer_that_varies():
    assert numbering([f"{n}um_z{n:03d}_v2.tif" for n in (4, 5, 6)]) == ()
    assert numbering(["only.tif"]) == numbering(["only_7.tif"]) == ()


def test_same_number_written_twice_is_an_error_even_with_gaps_allowed():
    for allow in (False, True):
        with pytest.raises(SourceError, match=r"slice_01.*same slice number"):
            numbering(["slice_1.tif", "slice_01.tif", "slice_2.tif"], allow_gaps=allow)


def test_two_stacks_in_one_folder():
    names = [f"day{d}_{n:03d}.tif" for d in (1, 2) for n in range(3)]
    with pytest.raises(SourceError, match="more than one stack"):
        numbering(names)
    assert "more than once" in numbering(names, allow_gaps=True)[0]


def test_names_without_a_pattern_get_a_note():
    assert "no common pattern" in numbering(["first.tif", "s_2.tif"])[0]


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
