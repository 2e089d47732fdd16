"""Previews: slices decoded at a lower resolution, and only some of them."""

import numpy as np
import pytest
from invoking import SOURCE, SPELLING, refused, run
from jp2s import write
from reading import levels_of, ome_of, opened
from typer.testing import CliRunner

import hoaconv
from hoaconv.io.stack import open_stack
from hoaconv.terminal.app import app

SIZE = {"voxel_size": "4,2,1", "unit": "um"}
GRID = {"chunks": 16, "shards": "none"}


@pytest.fixture
def jp2s(make_volume, tmp_path):
    folder = tmp_path / "slices"
    folder.mkdir()
    for z, plane in enumerate(make_volume((13, 90, 75))):
        write(folder / f"slice_{z:04d}.jp2", plane, resolutions=4)
    return folder


def whole(source):
    """All planes of a source."""
    planes = np.empty(source.spec.shape, source.spec.dtype)
    for z, plane in enumerate(planes):
        source.read(z, plane)
    return planes


def test_a_preview_is_made_of_fewer_and_smaller_slices(jp2s, out):
    report = hoaconv.stack_to_omezarr(jp2s, out, reduce=4, range="::3", ops="", **SIZE, **GRID)
    expected = whole(open_stack(jp2s, slices=slice(None, None, 3), reduce=4))
    np.testing.assert_array_equal(levels_of(out)[0], expected)
    assert report.shape == expected.shape == (5, 23, 19)
    assert report.voxel_size == (12, 8, 4)
    assert any("1/4 of their width and height" in note for note in report.notes)
    assert any("as stored, times 3,4,4" in note for note in report.notes)
    (multiscale,) = ome_of(out)["multiscales"]
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [12, 8, 4]
    assert dict(opened(out).attrs)["hoaconv"]["options"]["reduce"] == 4


def test_without_a_voxel_size_voxels_are_counted(jp2s, out):
    report = hoaconv.stack_to_omezarr(jp2s, out, reduce=2, range="::5", **GRID)
    assert (report.voxel_size, report.unit) == ((5, 2, 2), None)


def test_planes_that_are_left_out_make_voxels_of_a_zarr_longer(tiffs, out, tmp_path):
    hoaconv.stack_to_omezarr(tiffs, out, **SIZE)
    report = hoaconv.stack_to_omezarr(out, tmp_path / "less.zarr", range="1::4")
    assert report.voxel_size == (16, 2, 1)


def test_statistics_of_lower_resolutions_say_so(jp2s):
    made = hoaconv.stats(jp2s, reduce=2)
    lower = whole(open_stack(jp2s, reduce=2))
    assert (made.reduced, made.shape) == (2, lower.shape)
    assert made.stats["sum"] == lower.sum(dtype=np.int64)
    assert made.stats["mean"] == pytest.approx(hoaconv.stats(jp2s).stats["mean"], rel=0.01)
    shown = CliRunner().invoke(app, ["stats", str(jp2s), "--reduce", "2"])
    assert "approximate: the slices were decoded at 1/2" in shown.stdout


@pytest.mark.parametrize("factor", ["3", "0", "-2"])
def test_factors_that_are_no_powers_of_2_are_refused(jp2s, out, factor):
    refused(run(jp2s, out, "--reduce", factor), SPELLING, f"reduce {factor} is")
    assert not out.exists()


def test_what_has_no_lower_resolution_is_refused(jp2s, tiffs, out, tmp_path):
    refused(run(jp2s, out, "--reduce", "16"), SOURCE, "can't be reduced by 16: it has 3 wavelet")
    refused(run(tiffs, out, "--reduce", "2"), SOURCE, "only JP2 slices")
    hoaconv.stack_to_omezarr(tiffs, out)
    refused(run(out, tmp_path / "b.zarr", "--reduce", "2"), SOURCE, "name a lower level")
