"""What the metadata of a source tell, and what an output keeps of it."""

import json
from math import nan

import numpy as np
import ome_zarr_models
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invoking import SPELLING, refused, run
from reading import levels_of, ome_of, opened
from whole import noise

import hoaconv
from hoaconv.errors import SpellingError
from hoaconv.job.declared import WAYS

pytestmark = pytest.mark.one_python

SHAPE = (9, 14, 11)
GIVEN = "superior-to-inferior,anterior-to-posterior,right-to-left"
SHOWN = {
    "label": "theirs",
    "color": "00FF00",
    "window": {"min": 0.0, "max": 4095.0, "start": 7.0, "end": 99.0},
}


def ways_of(path):
    (image,) = ome_of(path)["multiscales"]
    return [axis.get("orientation") for axis in image["axes"]]


def value_of(path):
    return ",".join(way["value"] for way in ways_of(path))


@pytest.fixture
def source(tmp_path):
    """An image that somebody has given an orientation, a color and a window."""
    path = tmp_path / "source.zarr"
    volume = hoaconv.open(noise(SHAPE, "uint16", 0), voxel_size=(2, 1, 1), orientation=GIVEN)
    (volume | hoaconv.OmeZarr(path, chunks=8)).run()
    whole = json.loads((path / "zarr.json").read_text())
    whole["attributes"]["ome"]["omero"]["channels"][0] |= SHOWN
    (path / "zarr.json").write_text(json.dumps(whole))
    return path


class TestOrientation:
    @pytest.mark.parametrize("ngff", ["0.4", "0.5"])
    def test_it_is_written_as_the_rfc_says_and_read_again(self, tiffs, out, ngff):
        assert run(tiffs, out, "--ngff", ngff, "--orientation", GIVEN).exit_code == 0
        assert ways_of(out) == [
            {"type": "anatomical", "value": value} for value in GIVEN.split(",")
        ]
        assert type(ome_zarr_models.open_ome_zarr(opened(out))).__name__ == "Image"

    def test_it_is_never_guessed(self, tiffs, out):
        run(tiffs, out)
        assert ways_of(out) == [None] * 3

    def test_that_of_a_source_is_kept_and_options_go_before_it(self, source, tmp_path):
        assert ",".join(hoaconv.open(source).orientation) == GIVEN
        for name, options in (("a", {}), ("b", {"voxel_size": 3})):
            hoaconv.stack_to_omezarr(source, tmp_path / name, **options)
            assert value_of(tmp_path / name) == GIVEN
        other = "left-to-right,dorsal-to-ventral,rostral-to-caudal"
        report = hoaconv.stack_to_omezarr(source, tmp_path / "c", orientation=other)
        assert value_of(tmp_path / "c") == other
        assert any(f"the source says {GIVEN}" in note for note in report.notes)

    @pytest.mark.parametrize(
        ("ops", "ways"),
        [
            ("flip z,x", "inferior-to-superior,anterior-to-posterior,left-to-right"),
            ("transpose-xy", "superior-to-inferior,right-to-left,anterior-to-posterior"),
            ("rotate90", "superior-to-inferior,left-to-right,anterior-to-posterior"),
            ("rotate90 2", "superior-to-inferior,posterior-to-anterior,left-to-right"),
            ("crop 1:,:,: | gaussian 1 | bin 2", GIVEN),
        ],
    )
    def test_it_turns_with_the_volume(self, source, tmp_path, ops, ways):
        hoaconv.stack_to_omezarr(source, tmp_path / "o", ops=ops)
        assert value_of(tmp_path / "o") == ways

    @settings(max_examples=20)
    @given(k=st.integers(-5, 5), flips=st.lists(st.sampled_from("yx"), max_size=3))
    def test_turning_back_gives_the_same(self, k, flips):
        volume = hoaconv.open(np.zeros(SHAPE, "u1"), orientation=GIVEN)
        turned = volume.rotate90(k)
        for axis in [*flips, *flips[::-1]]:
            turned = turned.flip(axis)
        assert turned.rotate90(-k).orientation == volume.orientation

    def test_directions_are_where_the_voxels_are(self):
        """A volume whose values tell how far a voxel lies along each line of the body."""
        _, y, x = np.indices((3, 4, 5), "u1")
        for values, line in ((y, "anterior-to-posterior"), (x, "right-to-left")):
            for k in range(4):
                turned = hoaconv.open(values, orientation=GIVEN).rotate90(k)
                rises = [np.diff(turned.compute().astype(int), axis=a).sum() for a in range(3)]
                axis = next(a for a in range(3) if rises[a])
                back = "-to-".join(reversed(line.split("-to-")))
                assert turned.orientation[axis] == (line if rises[axis] > 0 else back)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("superior-to-inferior", "not that of three axes"),
            ("superior-to-infrior,anterior-to-posterior,right-to-left", "did you mean"),
            ("left-to-right,anterior-to-posterior,right-to-left", "two axes along one line"),
        ],
    )
    def test_what_is_no_orientation_is_refused(self, tiffs, out, given, told):
        refused(run(tiffs, out, "--orientation", given), SPELLING, told)
        with pytest.raises(SpellingError, match=told):
            hoaconv.open(np.zeros(SHAPE, "u1"), orientation=given)
        assert not out.exists()

    def test_the_words_are_those_of_the_rfc(self):
        assert len(WAYS) == len(set(WAYS)) == 18
        assert {"palmar-to-dorsal", "caudal-to-rostral", "distal-to-proximal"} < set(WAYS)


class TestRendering:
    @pytest.mark.parametrize(
        "ops", ["", "crop 1:,:,:", "flip x | stats", "rotate90 | transpose-xy"]
    )
    def test_name_color_and_window_are_kept_where_voxels_are(self, source, tmp_path, ops):
        hoaconv.stack_to_omezarr(source, tmp_path / "o", ops=ops)
        (channel,) = ome_of(tmp_path / "o")["omero"]["channels"]
        assert {name: channel[name] for name in SHOWN} == SHOWN

    @pytest.mark.parametrize("ops", ["add 1", "bin 2", "flip z | gaussian 1", "cast uint8"])
    def test_the_window_is_found_anew_where_values_change(self, source, tmp_path, ops):
        hoaconv.stack_to_omezarr(source, tmp_path / "o", ops=ops)
        (channel,) = ome_of(tmp_path / "o")["omero"]["channels"]
        assert (channel["label"], channel["color"]) == ("theirs", "00FF00")
        assert channel["window"] != SHOWN["window"]

    @pytest.mark.parametrize(
        "window",
        [{"start": 1}, {}, [1], None, *({**SHOWN["window"], "end": e} for e in ("x", nan, True))],
    )
    def test_a_window_that_is_none_is_found_anew(self, source, tmp_path, window):
        whole = json.loads((source / "zarr.json").read_text())
        whole["attributes"]["ome"]["omero"]["channels"][0]["window"] = window
        (source / "zarr.json").write_text(json.dumps(whole))
        hoaconv.stack_to_omezarr(source, tmp_path / "o")
        (channel,) = ome_of(tmp_path / "o")["omero"]["channels"]
        assert set(channel["window"]) == set(SHOWN["window"])
        assert channel["window"]["start"] > 1


class TestLabels:
    @pytest.fixture
    def labelled(self, source):
        """The source with two label images, one of them with colors of its own."""
        hoaconv.add_labels(source, source, name="bright", ops="threshold 30000")
        hoaconv.add_labels(source, source, name="dark", ops="between 0 999")
        file = source / "labels" / "dark" / "zarr.json"
        whole = json.loads(file.read_text())
        mark = whole["attributes"]["ome"]["image-label"]
        mark["colors"] = [{"label-value": 1, "rgba": [1, 2, 3, 4]}]
        mark["properties"] = [{"label-value": 1, "class": "air"}]
        file.write_text(json.dumps(whole))
        return source

    @pytest.mark.parametrize("ngff", ["0.4", "0.5"])
    def test_they_go_with_the_image(self, labelled, tmp_path, ngff):
        report = hoaconv.stack_to_omezarr(labelled, tmp_path / "o", ops="gaussian 1", ngff=ngff)
        assert ome_of(tmp_path / "o/labels")["labels"] == ["bright", "dark"]
        for name in ("bright", "dark"):
            one, other = (path / "labels" / name for path in (labelled, tmp_path / "o"))
            np.testing.assert_array_equal(levels_of(one)[0], levels_of(other)[0])
            for word in ("colors", "properties"):
                own = ome_of(one)["image-label"].get(word)
                assert ome_of(other)["image-label"].get(word) == own
        assert not [note for note in report.notes if "aren't copied" in note]

    def test_planes_that_are_left_out_are_left_out_of_labels(self, labelled, tmp_path):
        hoaconv.stack_to_omezarr(labelled, tmp_path / "o", range="2:8:2")
        want = levels_of(labelled / "labels/bright")[0][2:8:2]
        np.testing.assert_array_equal(levels_of(tmp_path / "o/labels/bright")[0], want)

    def test_a_label_of_this_run_takes_the_place_of_that_of_the_source(self, labelled, tmp_path):
        hoaconv.stack_to_omezarr(labelled, tmp_path / "o", label={"dark": "threshold 9"})
        assert set(ome_of(tmp_path / "o/labels")["labels"]) == {"dark", "bright"}
        np.testing.assert_array_equal(
            levels_of(tmp_path / "o/labels/dark")[0], levels_of(labelled)[0] > 9
        )

    @pytest.mark.parametrize("ops", ["bin 2", "crop 1:,:,:", "flip x"])
    def test_where_voxels_move_a_note_tells_that_labels_stay_behind(self, labelled, tmp_path, ops):
        report = hoaconv.stack_to_omezarr(labelled, tmp_path / "o", ops=ops)
        assert "labels of the source aren't copied: bright, dark" in report.notes
        assert not (tmp_path / "o/labels").exists()

    def test_floats_are_no_labels(self, labelled, tmp_path):
        hoaconv.stack_to_omezarr(labelled, tmp_path / "f.zarr", ops="cast float32", levels=1)
        (labelled / "labels/dark/0").rename(tmp_path / "away")
        (tmp_path / "f.zarr/0").rename(labelled / "labels/dark/0")
        report = hoaconv.stack_to_omezarr(labelled, tmp_path / "o")
        assert ome_of(tmp_path / "o/labels")["labels"] == ["bright"]
        assert "labels of the source aren't copied: dark" in report.notes

    @pytest.mark.parametrize("name", ["slices", "o.tif", "o.h5"])
    def test_other_formats_have_no_place_for_them(self, labelled, tmp_path, name):
        report = hoaconv.convert(labelled, tmp_path / name)
        assert "labels of the source aren't copied: bright, dark" in report.notes
        volume = hoaconv.open(labelled).compute()
        np.testing.assert_array_equal(hoaconv.open(tmp_path / name).compute(), volume)
