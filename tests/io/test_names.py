from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.errors import SourceError
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
    with pytest.raises(SourceError, match="more than one stack"):
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
    assert "--allow-names" in said
    assert "'stack/LADAF_[0-9]*.jp2'" in said
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
    with pytest.raises(SourceError, match=r"steps of 5.*allow gaps.*--voxel-size"):
        numbering([f"s_{n:03d}.tif" for n in range(0, 50, 5)])
    with pytest.raises(SourceError) as caught:
        numbering(["s_0.tif", "s_5.tif", "s_6.tif"])
    assert "steps" not in str(caught.value)
