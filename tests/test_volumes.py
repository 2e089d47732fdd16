"""Channels and times: swept one after the other into an output with the same axes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import hoaconv as hc
from hoaconv.errors import PlanError, SourceError
from hoaconv.io.tensorstore_array import TensorstoreArray
from hoaconv.job.watching import Watcher

pytestmark = pytest.mark.one_python

SHAPE = {"t": 2, "c": 3, "z": 9, "y": 17, "x": 19}


def values(axes: str) -> Any:
    """Voxels whose range is another in each channel and time."""
    made = np.random.default_rng(0).integers(1, 99, [SHAPE[axis] for axis in axes])
    for axis, factor in (("c", 5), ("t", 3)):
        if axis in axes:
            where = [slice(None)] * len(axes)
            where[axes.index(axis)] = slice(1, 2)
            made[tuple(where)] *= factor
    return made.astype("uint16")


def stored(path: Path, axes: str) -> Path:
    """An array with these axes."""
    made = values(axes)
    chunks = tuple(1 if axis in "tc" else 4 for axis in axes)
    array = zarr.create_array(
        path, shape=made.shape, chunks=chunks, dtype=made.dtype, dimension_names=tuple(axes)
    )
    array[...] = made
    return path


def ngff_order(axes: str) -> Any:
    """The voxels in NGFF's order of the same axes, with all of them there are."""
    kept = [axis for axis in "tczyx" if axis in axes]
    return values(axes).transpose([axes.index(axis) for axis in kept])


def ome(path: Path) -> Any:
    """The metadata of an image of NGFF 0.5 or 0.4."""
    if (path / "zarr.json").exists():
        return json.loads((path / "zarr.json").read_text())["attributes"]["ome"]
    return json.loads((path / ".zattrs").read_text())


@pytest.mark.parametrize("axes", ["tczyx", "czyx", "tzyx", "xyzct", "zcyx", "ctyzx"])
@pytest.mark.parametrize("ngff", ["0.5", "0.4"])
def test_all_are_written_with_the_same_axes_in_ngffs_order(tmp_path, axes, ngff):
    source, out = stored(tmp_path / "a.zarr", axes), tmp_path / "o.zarr"
    report = hc.stack_to_omezarr(source, out, chunks=8, levels=2, ngff=ngff, downsample="max")
    expected = ngff_order(axes)
    names = [axis for axis in "tczyx" if axis in axes]
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[...], expected)
    (image,) = ome(out)["multiscales"]
    types = {"t": "time", "c": "channel"}
    assert [axis["name"] for axis in image["axes"]] == names
    assert [axis["type"] for axis in image["axes"]] == [types.get(n, "space") for n in names]
    before = len(names) - 3
    for level, factor in zip(image["datasets"], (1, 2), strict=True):
        scale, translation = level["coordinateTransformations"]
        assert scale["scale"] == [1.0] * before + [factor] * 3
        assert translation["translation"] == [0.0] * before + [(factor - 1) / 2] * 3
    lower = zarr.open_array(out / "1", mode="r")
    assert lower.shape == (*expected.shape[:-3], 5, 9, 10)
    assert lower.chunks[:before] == (1,) * before
    assert lower[..., 0, 0, 0].tolist() == expected[..., :2, :2, :2].max((-1, -2, -3)).tolist()
    if ngff == "0.4":
        dimensions = json.loads((out / "0" / ".zattrs").read_text())["_ARRAY_DIMENSIONS"]
        assert dimensions == names
    written = [path for path in out.rglob("*") if path.is_file()]
    assert report.files == len(written)
    assert report.bytes_written == sum(path.stat().st_size for path in written)
    assert report.volumes == {name: SHAPE[name] for name in names[:before]}


def test_each_channel_has_a_window_and_values_of_its_own(tmp_path):
    source, out = stored(tmp_path / "a.zarr", "tczyx"), tmp_path / "o.zarr"
    report = hc.stack_to_omezarr(source, out, ops="add 1", label={"bright": "threshold otsu"})
    made = values("tczyx") + 1
    channels = ome(out)["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["channel 0", "channel 1", "channel 2"]
    for number, channel in enumerate(channels):
        window, voxels = channel["window"], made[:, number]
        assert window["start"] == pytest.approx(voxels.min(), abs=2)
        assert window["end"] == pytest.approx(voxels.max(), rel=0.02)
    labels = zarr.open_array(out / "labels" / "bright" / "0", mode="r")
    assert labels.shape == made.shape
    assert len(report.found) == 6
    for t, c in np.ndindex(2, 3):
        otsu = report.found[f"t {t}, c {c}: threshold otsu"]["otsu"]
        np.testing.assert_array_equal(labels[t, c], values("tczyx")[t, c] > otsu)


def test_names_and_colours_of_channels_are_kept(tmp_path):
    first, out = tmp_path / "a.zarr", tmp_path / "o.zarr"
    hc.stack_to_omezarr(stored(tmp_path / "s.zarr", "czyx"), first)
    told = json.loads((first / "zarr.json").read_text())
    names = [("DAPI", "0000FF"), ("GFP", "00FF00"), ("far red", "FF0000")]
    for channel, (label, color) in zip(
        told["attributes"]["ome"]["omero"]["channels"], names, strict=True
    ):
        channel |= {"label": label, "color": color}
    (first / "zarr.json").write_text(json.dumps(told))
    hc.stack_to_omezarr(first, out, ops="invert")
    found = [(c["label"], c["color"]) for c in ome(out)["omero"]["channels"]]
    assert found == names


def test_channels_of_which_nothing_is_told_get_a_window_too(tmp_path):
    first = tmp_path / "a.zarr"
    hc.stack_to_omezarr(stored(tmp_path / "s.zarr", "czyx"), first)
    told = json.loads((first / "zarr.json").read_text())
    omero = told["attributes"]["ome"]["omero"]
    want = [{"window": channel["window"]} for channel in omero["channels"]]
    want[0]["window"]["end"] = 1.0
    omero["channels"] = want[:1]
    (first / "zarr.json").write_text(json.dumps(told))
    hc.stack_to_omezarr(first, tmp_path / "o.zarr")
    found = [
        {"window": channel["window"]} for channel in ome(tmp_path / "o.zarr")["omero"]["channels"]
    ]
    assert found == want


def test_the_step_of_time_is_kept(tmp_path):
    first, out = tmp_path / "a.zarr", tmp_path / "o.zarr"
    hc.stack_to_omezarr(stored(tmp_path / "s.zarr", "tzyx"), first, levels=2)
    told = json.loads((first / "zarr.json").read_text())
    (image,) = told["attributes"]["ome"]["multiscales"]
    image["axes"][0]["unit"] = "second"
    for level in image["datasets"]:
        level["coordinateTransformations"][0]["scale"][0] = 0.5
    (first / "zarr.json").write_text(json.dumps(told))
    hc.stack_to_omezarr(first, out, levels=2)
    (made,) = ome(out)["multiscales"]
    assert made["axes"] == image["axes"]
    assert made["datasets"] == image["datasets"]


def test_one_that_is_chosen_leaves_its_axis_out(tmp_path):
    source, out = stored(tmp_path / "a.zarr", "tczyx"), tmp_path / "o.zarr"
    hc.stack_to_omezarr(source, out, channel=1)
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[...], values("tczyx")[:, 1])
    hc.stack_to_omezarr(source, tmp_path / "p.zarr", channel=1, time=0)
    np.testing.assert_array_equal(
        zarr.open_array(tmp_path / "p.zarr" / "0", mode="r")[...], values("tczyx")[0, 1]
    )
    with pytest.raises(SourceError, match="`channel=0`"):
        hc.open(source, time=0)
    with pytest.raises(SourceError, match="take one"):
        hc.omezarr_to_stack(source, tmp_path / "slices")


def test_a_range_and_ops_with_context_act_within_each_volume(tmp_path):
    source, out = stored(tmp_path / "a.zarr", "czyx"), tmp_path / "o.zarr"
    hc.stack_to_omezarr(source, out, range="2:8", ops="median 3", budget="2GB")
    made = zarr.open_array(out / "0", mode="r")[...]
    for c in range(3):
        one = hc.open(source, channel=c, range="2:8").median(3).compute()
        np.testing.assert_array_equal(made[c], one)


@pytest.mark.parametrize("old", [False, True])
def test_an_error_in_the_last_channel_removes_all_that_was_written(tmp_path, monkeypatch, old):
    source, out = stored(tmp_path / "a.zarr", "czyx"), tmp_path / "o.zarr"
    if old:
        hc.stack_to_omezarr(stored(tmp_path / "b.zarr", "zyx"), out)
    read, seen = TensorstoreArray.read, []

    def failing(array: Any, box: Any) -> Any:
        if box[0].start == 2:
            seen.append(sorted(path.name for path in (out / "0" / "c").iterdir()))
            raise SourceError("the third channel is damaged")
        return read(array, box)

    monkeypatch.setattr(TensorstoreArray, "read", failing)
    with pytest.raises(SourceError, match="third channel") as caught:
        hc.stack_to_omezarr(source, out, chunks=8, overwrite=old)
    assert seen[0] == ["0", "1"]  # two were written
    assert caught.value.__notes__ == ["what was written is removed"]
    assert not out.exists() or not list(out.iterdir())


def test_an_interrupt_between_two_volumes_removes_all(tmp_path, monkeypatch):
    source, out = stored(tmp_path / "a.zarr", "czyx"), tmp_path / "o.zarr"
    from hoaconv.job import execute

    at, calls = execute.schedule_at, []

    def interrupted(*given: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return at(*given)

    monkeypatch.setattr(execute, "schedule_at", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hc.stack_to_omezarr(source, out)
    assert not out.exists()


def test_plan_and_progress_cover_all(tmp_path):
    source = stored(tmp_path / "a.zarr", "tczyx")
    plan = hc.plan(source, tmp_path / "o.zarr")
    assert plan.describe()["volumes"] == {"t": 2, "c": 3}
    assert "2 times of 3 channels" in str(plan)
    assert plan.projected < hc.plan(source, time=0, channel=0).projected * 1.1
    seen = []

    class Seen(Watcher):
        def progress(self, progress: Any) -> None:
            seen.append((progress.planes, progress.total))

    report = hc.stack_to_omezarr(source, tmp_path / "o.zarr", watcher=Seen())
    assert seen[-1] == (6 * 9, 6 * 9)
    assert report.bytes_raw == values("tczyx").nbytes
    assert json.loads(report.to_json())["volumes"] == {"t": 2, "c": 3}
    assert "t 2, c 3" in str(report)


def test_a_picture_of_several_is_refused(tmp_path):
    source = stored(tmp_path / "a.zarr", "czyx")
    with pytest.raises(PlanError, match="3 channels; take one, as in `channel=0`"):
        hc.stack_to_omezarr(source, tmp_path / "o.zarr", ops="projection max")
    assert not (tmp_path / "o.zarr").exists()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plain_array_has_names_and_no_levels(tmp_path, zarr_format):
    voxels, out = values("zyx"), tmp_path / "o.zarr"
    output = hc.Zarr(out, chunks=(4, 8, 8), zarr_format=zarr_format, shards="none")
    report = (hc.open(voxels) | "add 1" | output).run()
    array = zarr.open_array(out, mode="r")
    np.testing.assert_array_equal(array[...], voxels + 1)
    assert array.chunks == (4, 8, 8)
    names = array.metadata.dimension_names if zarr_format == 3 else array.attrs["_ARRAY_DIMENSIONS"]
    assert list(names) == ["z", "y", "x"]
    assert array.attrs["hoaconv"]["ops"] == "add 1"
    written = [path for path in out.rglob("*") if path.is_file()]
    assert (report.files, report.levels) == (len(written), ())
    assert report.bytes_written == sum(path.stat().st_size for path in written)
    volume = hc.open(voxels)
    job = hc.store({tmp_path / "i.zarr": volume, hc.Zarr(tmp_path / "p.zarr"): volume})
    assert "zarr array" in str(job.run())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plain_array_that_fails_leaves_nothing(tmp_path, zarr_format):
    class Failing:
        shape, dtype = (9, 17, 19), np.dtype("uint8")

        def __getitem__(self, where: Any) -> Any:
            raise OSError("a disk fails")

    out = tmp_path / "o.zarr"
    with pytest.raises(SourceError, match="disk fails"):
        (hc.open(Failing()) | hc.Zarr(out, chunks=4, shards="none", zarr_format=zarr_format)).run()
    assert not out.exists()


def test_a_plain_array_is_replaced_on_demand_and_spills(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 255, (64, 512, 512)).astype("uint8")
    out = tmp_path / "o.zarr"
    job = hc.open(voxels) | hc.Zarr(out, chunks=64, shards="none")
    ample = job.run()
    with pytest.raises(hc.HoaconvError, match="overwrite"):
        job.run()
    small = hc.open(voxels) | hc.Zarr(out, chunks=64, shards="none", overwrite=True)
    report = small.run(budget=ample.projected - voxels.nbytes // 2)
    assert report.projected < ample.projected
    np.testing.assert_array_equal(zarr.open_array(out, mode="r")[...], voxels)
