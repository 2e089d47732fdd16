import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.errors import SourceError
from hoaconv.io.files import find_files
from hoaconv.io.name_numbers import in_order
from hoaconv.io.names import check_names, check_numbering


def numbering(names, chosen=None, allow_gaps=False):
    files = [Path("stack") / name for name in names]
    return check_numbering(files, chosen or range(len(files)), allow_gaps)


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
    with pytest.raises(
        SourceError, match=r"10 slices are missing: 1, 3, .*, 15, \.\.\. \(.*steps of 2"
    ):
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
    with pytest.raises(SourceError, match=r"2 series: day 1, 2; .*'stack/day1_\*\.tif'"):
        numbering(names)
    assert "more than once" in numbering(names, allow_gaps=True)[0]


SLICES = [f"LADAF_{n:06d}.jp2" for n in range(20)]


def paths(names):
    return [Path("stack") / name for name in names]


@pytest.mark.parametrize("stray", ["LADAF_overview.jp2", "mask_0.jp2", "LADAF_000003 (copy).jp2"])
def test_a_stray_image_is_named_and_taken_only_if_asked(stray):
    files = paths(sorted([*SLICES, stray]))
    with pytest.raises(SourceError) as caught:
        check_names(files, allow_names=False)
    said = str(caught.value)
    assert "1 of 21 files doesn't fit the name of the others, LADAF_######.jp2: " + stray in said
    assert "allow_names=True" in said
    assert f"'stack/LADAF_{'[0-9]' * 6}.jp2'" in said
    assert stray in check_names(files, allow_names=True)[0]


def test_several_stacks_are_told_with_their_counts_and_names():
    names = [f"proj_{n:04d}.tif" for n in range(376)]
    names += [f"{kind}_{n}.tif" for kind in ("dark", "beam") for n in range(10)]
    with pytest.raises(SourceError, match="20 of 396 files"):
        check_names(paths(names), allow_names=False)
    with pytest.raises(SourceError, match=r"30 proj_####\.tif, 10 dark_#\.tif, 10 beam_#\.tif"):
        check_names(paths(names[346:]), allow_names=False)


def test_gaps_are_looked_for_among_strays_too():
    names = [*SLICES[:7], *SLICES[9:], "overview.jp2"]
    with pytest.raises(SourceError, match="2 slices are missing: 7 to 8"):
        numbering(names)
    assert "2 slices are missing" in numbering(names, allow_gaps=True)[0]
    assert numbering(names, chosen=range(5)) == ()


def test_numbers_in_steps_are_told():
    with pytest.raises(SourceError, match=r"steps of 5.*allow gaps.*`voxel_size`"):
        numbering([f"s_{n:03d}.tif" for n in range(0, 50, 5)])
    with pytest.raises(SourceError) as caught:
        numbering(["s_0.tif", "s_5.tif", "s_6.tif"])
    assert "steps" not in str(caught.value)


@pytest.mark.parametrize("stray", ["scan_0003 (1).tif", "scan_0003_.tif", "scan_0003x4.tif"])
@pytest.mark.parametrize("folder", ["plain", "[odd] *"])
def test_the_pattern_that_is_named_takes_the_stack_and_no_stray(tmp_path, stray, folder):
    (tmp_path / folder).mkdir()
    names = [f"scan_{n:04d}.tif" for n in range(12)]
    for name in [*names, stray]:
        (tmp_path / folder / name).touch()
    with pytest.raises(SourceError) as caught:
        check_names(find_files(tmp_path / folder).files, allow_names=False)
    pattern = re.search(r"as in '(.*)', or", str(caught.value))[1]
    assert [file.name for file in find_files(Path(pattern)).files] == names


def test_no_pattern_is_named_where_none_takes_the_stack_alone():
    names = [*(f"scan_{n}.tif" for n in range(12)), "scan_3 (1).tif"]
    with pytest.raises(SourceError) as caught:
        check_names(paths(names), allow_names=False)
    assert "move what is no slice of this stack away, or take all" in str(caught.value)
    assert "[0-9]" not in str(caught.value)
    names[-1] = "overview.tif"
    with pytest.raises(SourceError, match=r"scan_\[0-9\]\*\.tif"):
        check_names(paths(names), allow_names=False)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("img_c{a}_z{z:03d}.tif", r"2 series: c 0, 1; .*'stack/img_c0_\*\.tif'$"),
        ("2024010{a}_{z:03d}.tif", r"2 series: number 20240100, 20240101; .*/20240100_\*\.tif'$"),
        ("c{a}.{z:03d}.v2.tif", r"2 series: c 0, 1; .*'stack/c0\.\*\.tif'$"),
    ],
)
def test_series_are_told_with_one_to_choose(name, said):
    names = sorted(name.format(a=a, z=z) for a in range(2) for z in range(8))
    with pytest.raises(SourceError, match=said) as caught:
        numbering(names)
    assert "copy" not in str(caught.value)


def test_series_of_two_numbers_are_told():
    names = [f"t{t}_c{c}_z{z}.tif" for t in range(2) for c in range(3) for z in range(5)]
    with pytest.raises(SourceError, match="6 series: t 0, 1; c 0, 1, 2; choose one"):
        numbering(names)


def test_numbers_of_each_file_alone_are_no_series():
    with pytest.raises(SourceError, match="more than once"):
        numbering([f"at{n * 7}_{n // 2}.tif" for n in range(10)])


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (["0", "2.5", "5", "7.5", "10"], "z0um.tif first, z10um.tif last"),
        (["0.0", "2.5", "5.0", "7.5", "10.0"], "z0.0um.tif first, z10.0um.tif last"),
        (["9.75", "10", "10.25", "10.5"], "z9.75um.tif first"),
        (["-12", "-11", "-10", "-9"], None),
        (["-2", "-1", "0", "1"], "z-2um.tif first, z1um.tif last"),
        (["-0.5", "0", "0.5", "1"], "z-0.5um.tif first, z1um.tif last"),
    ],
)
def test_decimal_and_negative_numbers_are_one_stack_in_their_order(tmp_path, places, said):
    names = [f"z{place}um.tif" for place in places]
    for name in names:
        (tmp_path / name).touch()
    files = find_files(tmp_path).files
    if said:
        assert [file.name for file in files] == names
    notes = check_names(files, allow_names=False)
    assert (said in notes[0]) if said else notes == ()
    assert check_numbering(files, range(len(files)), allow_gaps=False) == ()


def test_a_gap_between_decimal_numbers():
    names = [f"z{n * 2.5:g}um.tif" for n in (0, 1, 2, 4, 5)]
    assert check_names(paths(names), allow_names=False)
    with pytest.raises(SourceError, match=r"1 slice is missing: 7\.5;"):
        numbering(names)


@pytest.mark.parametrize("stray", ["scan_3.1.tif", "scan_5.2.tif", "scan-7.tif"])
def test_a_stray_is_no_decimal_or_negative_number(stray):
    names = [f"scan_{n}.tif" for n in range(20)]
    with pytest.raises(SourceError, match="1 of 21 files doesn't fit"):
        check_names(paths(sorted([*names, stray])), allow_names=False)


def test_a_hyphen_or_a_point_between_other_numbers_is_none_of_theirs():
    for name in ("2024-01-{:02d}.tif", "scan-{:03d}.tif", "v1.2-{:d}.tif", "a.{:04d}.tif"):
        names = [name.format(n) for n in range(1, 9)]
        assert find_order(names) == names
        assert numbering(names) == check_names(paths(names), allow_names=False) == ()


def find_order(names):
    return [file.name for file in in_order(paths(names[::-1]))]


@pytest.mark.parametrize("names", [["a", "b", "c"], ["slice_a", "slice_b", "slice_d"]])
def test_names_that_tell_no_order(names):
    files = paths([f"{name}.tif" for name in names])
    with pytest.raises(SourceError) as caught:
        check_names(files, allow_names=False)
    assert "the names don't tell an order by numbers" in str(caught.value)
    assert "'" not in str(caught.value).replace("don't", "")
    assert "all were taken, in natural order" in check_names(files, allow_names=True)[0]
