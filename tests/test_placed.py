"""Conversions that crop, turn or shrink: what is read, what is written, and where it lies."""

import numpy as np
import ome_zarr_models
import pytest
from invoking import PLAN, refused, run
from reading import all_equal, levels_of, ome_of, opened

import hoaconv
from hoaconv.io.stack import Stack

pytestmark = pytest.mark.one_python

SIZE = {"voxel_size": "4,2,1", "unit": "um"}


def converted(tiffs, out, ops, **options):
    report = hoaconv.stack_to_omezarr(tiffs, out, ops=ops, chunks=16, shards="none", **options)
    return report, levels_of(out)[0]


def scales_and_translations(path):
    (multiscale,) = ome_of(path)["multiscales"]
    sets = [dataset["coordinateTransformations"] for dataset in multiscale["datasets"]]
    return [(one["scale"], other["translation"]) for one, other in sets]


def test_a_crop_decodes_and_tells_of_what_it_keeps_alone(tiffs, volume, out, monkeypatch):
    decoded, read = [], Stack.read

    def counted(self, z, out):
        decoded.append(self.file_of(z).name)
        read(self, z, out)

    monkeypatch.setattr(Stack, "read", counted)
    report, voxels = converted(tiffs, out, "crop 30:,5:60,:")
    np.testing.assert_array_equal(voxels, volume[30:, 5:60])
    assert sorted(decoded) == [f"slice_{z:04d}.tif" for z in range(30, 37)]
    assert report.bytes_raw == volume[30:].nbytes
    assert report.bytes_read == volume[30:].nbytes
    assert report.shape == (7, 55, 53)


def test_a_flip_along_z_reads_the_slices_backwards(tiffs, volume, out):
    _, voxels = converted(tiffs, out, "flip z,x | threshold 30000")
    np.testing.assert_array_equal(voxels, volume[::-1, :, ::-1] > 30000)


@pytest.mark.parametrize(
    "words",
    [
        ["--ops", "gaussian 1 | flip z"],
        ["--label", "m=flip z | threshold 1"],
        ["--ops", "flip z", "--label", "m=threshold 1"],
    ],
)
def test_a_flip_along_z_has_to_come_first_in_every_branch(tiffs, out, words):
    refused(run(tiffs, out, *words), PLAN, "'flip z' has to come first, in every branch")
    assert not out.exists()


def test_a_crop_of_nothing_is_refused(tiffs, out):
    refused(run(tiffs, out, "--ops", "crop 90:,:,:"), PLAN, "keeps nothing of 37 along z")


@pytest.mark.parametrize(
    ("ops", "edges", "origin"),
    [
        ("crop 3:,5:,-7:", (4, 2, 1), (12, 10, 46)),
        ("pad 1,2:0,3 | threshold 9", (4, 2, 1), (-4, -4, -3)),
        ("bin 1,2,4", (4, 4, 4), (0, 1, 1.5)),
        ("bin 2 method=nearest", (8, 4, 2), (0, 0, 0)),
        ("resize 1,1,2", (4, 2, 0.5), (0, 0, -0.25)),
        ("crop :,:,10: | transpose-xy", (4, 1, 2), (0, 10, 0)),
        ("rotate90 | bin 1,4,2", (4, 4, 4), (0, 1.5, 1)),
        ("flip z | crop 1:,:,: | gaussian 1", (4, 2, 1), (4, 0, 0)),
    ],
)
def test_edges_and_origin_follow_the_ops(tiffs, out, ops, edges, origin):
    report, _ = converted(tiffs, out, ops, **SIZE, levels=2)
    assert report.voxel_size == edges
    assert report.unit == "micrometer"
    (scale, translation), (coarse, shifted) = scales_and_translations(out)
    assert scale == list(edges)
    assert translation == list(origin)
    want = np.array(origin) + (np.array(coarse) - scale) / 2
    np.testing.assert_allclose(shifted, want)


def test_edges_count_in_slices_voxels_where_nobody_knows_better(tiffs, tmp_path):
    report, _ = converted(tiffs, tmp_path / "o", "bin 1,2,2")
    assert (report.voxel_size, report.unit) == ((1, 2, 2), None)
    assert scales_and_translations(tmp_path / "o")[0][0] == [1, 2, 2]
    assert "unit" not in ome_of(tmp_path / "o")["multiscales"][0]["axes"][0]
    assert converted(tiffs, tmp_path / "p", "crop 1:,:,:")[0].voxel_size is None
    shown = run(tiffs, tmp_path / "q", "--ops", "bin 1,2,2")
    assert "1,2,2 voxels" in shown.stdout


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_outputs_of_several_shapes_are_what_runs_of_their_own_make(tiffs, tmp_path, ngff):
    options = {"chunks": 16, "ngff": ngff, **SIZE}
    label, also = "resize 1,0.5,2 | threshold 20000", "crop 30:,:,: | gaussian 1 | bin 1,2,2"
    hoaconv.stack_to_omezarr(
        tiffs,
        tmp_path / "o",
        ops="crop 5:,:,: | gaussian 1",
        label={"m": label},
        also={str(tmp_path / "also"): also},
        **options,
    )
    for path in (tmp_path / "o", tmp_path / "also") if ngff == "0.5" else ():
        assert type(ome_zarr_models.open_ome_zarr(opened(path))).__name__ == "Image"
    count = len(levels_of(tmp_path / "o"))
    assert len(levels_of(tmp_path / "o" / "labels" / "m")) == count
    for name, ops, more in (
        ("o", "crop 5:,:,: | gaussian 1", {}),
        ("also", also, {}),
        ("o/labels/m", label, {"downsample": "mode", "levels": count}),
    ):
        here, alone = tmp_path / name, tmp_path / "alone"
        hoaconv.stack_to_omezarr(tiffs, alone, ops=ops, **options, **more, overwrite=True)
        all_equal(levels_of(here), levels_of(alone))
        assert scales_and_translations(here) == scales_and_translations(alone)


def test_a_label_too_small_for_the_images_levels_is_refused(tiffs, out):
    words = ["--levels", "6", "--label", "m=crop 1:3,1:3,1:3 | threshold 9"]
    refused(run(tiffs, out, *words), PLAN, "label m would be 2 x 2 x 2 uint8", "--levels")


def test_the_origin_of_a_source_survives(tiffs, tmp_path):
    first, second, third = (tmp_path / f"{n}.zarr" for n in "abc")
    converted(tiffs, first, "crop 3:,5:,:", **SIZE, levels=2)
    converted(first, second, "", levels=2)
    assert scales_and_translations(second) == scales_and_translations(first)
    converted(first / "1", third, "crop :,1:,:", levels=1)
    (scale, origin), (stored, half) = (
        scales_and_translations(p)[i] for p, i in ((third, 0), (first, 1))
    )
    assert scale == stored
    assert origin == [half[0], half[1] + stored[1], half[2]]


def test_slices_taken_by_range_lie_where_they_lay(tiffs, tmp_path):
    taken, cropped = tmp_path / "range.zarr", tmp_path / "crop.zarr"
    converted(tiffs, taken, "", range="6:", **SIZE)
    converted(tiffs, cropped, "crop 6:,:,:", **SIZE)
    assert scales_and_translations(taken) == scales_and_translations(cropped)


def test_another_voxel_size_keeps_the_origin_as_many_voxels_away(tiffs, tmp_path):
    first, second = tmp_path / "a.zarr", tmp_path / "b.zarr"
    converted(tiffs, first, "crop 3:,5:,:", **SIZE)
    converted(first, second, "", voxel_size=10, unit="nanometer")
    assert scales_and_translations(second)[0] == ([10, 10, 10], [30, 50, 0])
