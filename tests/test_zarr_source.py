"""Conversions whose source is a zarr array: as of a stack, with the voxel size of the image."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from invoking import SOURCE, SPELLING, STORE, refused, run
from reading import all_equal, levels_of, ome_of
from sized import with_economy

import hoaconv
from hoaconv.engine import stop
from hoaconv.engine.contract import Economy
from hoaconv.engine.passes import schedule
from hoaconv.io.contents import SCRATCH
from hoaconv.io.packed import PackedFile
from hoaconv.io.scratch import ScratchFolder, ScratchPieces

pytestmark = pytest.mark.oldest

SMALL = {"chunks": 16, "shards": "none", "workers": 2}


@pytest.fixture(scope="module")
def image(tiffs, tmp_path_factory):
    """An OME-Zarr image of `tiffs`, with voxels of 4, 2 and 2 micrometers. Nobody changes it."""
    path = tmp_path_factory.mktemp("images") / "brain.ome.zarr"
    hoaconv.stack_to_omezarr(tiffs, path, voxel_size="4,2,2", levels=3, **SMALL)
    return path


def scales(path):
    (multiscale,) = ome_of(path)["multiscales"]
    return [row["coordinateTransformations"][0]["scale"] for row in multiscale["datasets"]]


@pytest.mark.parametrize(
    "ops", ["", "gaussian 1 | bin 2", "threshold otsu", "flip z | crop 3:,:,:"]
)
def test_an_image_is_converted_like_the_stack_it_was_made_of(tiffs, image, tmp_path, ops):
    made = [
        hoaconv.stack_to_omezarr(src, tmp_path / name, ops=ops, **SMALL, **size)
        for src, name, size in ((tiffs, "t.zarr", {"voxel_size": "4,2,2"}), (image, "z.zarr", {}))
    ]
    all_equal(levels_of(tmp_path / "z.zarr"), levels_of(tmp_path / "t.zarr"))
    assert scales(tmp_path / "z.zarr") == scales(tmp_path / "t.zarr")
    assert made[1].voxel_size == made[0].voxel_size
    if "|" in ops.replace("flip z |", "") or "otsu" in ops:  # else the window is the source's
        assert made[1].folds == made[0].folds
    assert made[1].measured <= made[1].projected


def test_a_level_has_its_own_voxel_size_and_the_name_of_the_store(image, tmp_path):
    made = hoaconv.stack_to_omezarr(image / "1", tmp_path / "o.zarr", **SMALL)
    np.testing.assert_array_equal(levels_of(tmp_path / "o.zarr")[0], levels_of(image)[1])
    assert (made.voxel_size, made.unit) == ((4, 4, 4), "micrometer")
    assert any("from OME-Zarr metadata" in note for note in made.notes)
    assert ome_of(tmp_path / "o.zarr")["multiscales"][0]["name"] == "brain"


def test_planes_are_taken_by_range(image, volume, tmp_path):
    hoaconv.stack_to_omezarr(image, tmp_path / "o.zarr", range="3:30:4", **SMALL)
    np.testing.assert_array_equal(levels_of(tmp_path / "o.zarr")[0], volume[3:30:4])
    refused(run(image, tmp_path / "p.zarr", "--range", "50:"), SPELLING, "50:", "37 slices")


def test_a_plain_array_has_no_voxel_size_unless_one_is_given(volume, tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=volume, chunks=(9, 20, 20))
    made = hoaconv.stack_to_omezarr(tmp_path / "a.zarr", tmp_path / "o.zarr", **SMALL)
    assert made.voxel_size is None
    result = run(tmp_path / "a.zarr", tmp_path / "p.zarr", "--voxel-size", "3", "-v")
    assert result.exit_code == 0
    assert "voxel size 3 micrometer, as given" in result.stderr
    all_equal(levels_of(tmp_path / "p.zarr")[:1], [volume])


def test_labels_other_images_and_operands_go_with_it(image, volume, tmp_path):
    hoaconv.stack_to_omezarr(
        image,
        tmp_path / "o.zarr",
        ops=f"subtract {image}",
        label={"bright": "threshold 30000"},
        also={tmp_path / "half.zarr": f"mask {image / '0'} | divide 2"},
        levels=1,
        **SMALL,
    )
    assert not levels_of(tmp_path / "o.zarr")[0].any()
    label = zarr.open_group(tmp_path / "o.zarr", mode="r")["labels/bright/0"][:]
    np.testing.assert_array_equal(label, volume > 30000)
    half = levels_of(tmp_path / "half.zarr")[0]
    np.testing.assert_array_equal(half, np.rint(volume / 2).astype(np.uint16))


def test_a_dry_run_estimates_and_writes_nothing(image, tmp_path):
    result = run(image, tmp_path / "o.zarr", "--dry-run", "-v")
    assert "2 layers being read" in result.stdout
    assert "time      about" in result.stdout
    assert not (tmp_path / "o.zarr").exists()


def test_a_source_is_never_replaced(image, tmp_path):
    before = json.loads((image / "zarr.json").read_text())
    refused(run(image, image, "--overwrite"), STORE, "brain.ome.zarr")
    refused(run(image / "0", image, "--overwrite"), STORE, "would be replaced")
    refused(run(image, image / "0" / "o.zarr"), STORE, "inside the source")
    refused(run(image / "7", tmp_path / "o.zarr"), SOURCE, "7 holds no array", "0, 1, 2")
    assert json.loads((image / "zarr.json").read_text()) == before


@pytest.fixture
def in_parts(monkeypatch):
    """Layers of the source wait in scratch; a list of how many pieces have been put there."""
    put, count = ScratchPieces.put, [0]

    def thrifty(plan, limits, **options):
        return with_economy(schedule(plan, limits, **options), Economy(in_parts=True))

    def counted(self, piece):
        count[0] += 1
        return put(self, piece)

    monkeypatch.setattr("hoaconv.job.resolve.schedule", thrifty)
    monkeypatch.setattr(ScratchPieces, "put", counted)
    return count


@pytest.mark.parametrize("ops", ["", "gaussian 1", "threshold otsu", "flip z | crop 3:,:,:"])
def test_layers_that_wait_in_scratch_give_the_same_image(tiffs, image, tmp_path, in_parts, ops):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "t.zarr", ops=ops, voxel_size="4,2,2", **SMALL)
    assert in_parts == [0]
    made = hoaconv.stack_to_omezarr(image, tmp_path / "z.zarr", ops=ops, **SMALL)
    all_equal(levels_of(tmp_path / "z.zarr"), levels_of(tmp_path / "t.zarr"))
    sweeps = 2 if "otsu" in ops else 1
    assert in_parts[0] == sweeps * 5 * (34 if "crop" in ops else 37)
    assert made.measured <= made.projected
    assert not (tmp_path / "z.zarr" / SCRATCH).exists()


def test_scratch_of_a_source_must_fit_on_its_disk(image, tmp_path, in_parts, monkeypatch):
    monkeypatch.setattr(ScratchFolder, "free", lambda self: 100_000)
    words = [image, tmp_path / "o.zarr", "--shards", "none", "--chunks", "16", "--workers", "2"]
    refused(run(*words), STORE, "have to wait in scratch", "free some space")
    assert in_parts == [0]
    result = run(*words, "--dry-run", "-v")
    assert "packing in 2 workers" in result.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_a_full_disk_ends_the_run_and_leaves_nothing(image, tmp_path, in_parts, monkeypatch):
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(PackedFile, "_opened", lambda self: full)
        words = [image, tmp_path / "o.zarr", "--scratch", tmp_path, "--workers", "2"]
        refused(run(*words), STORE, "No space left", "--scratch")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_interrupted_leaves_no_scratch(image, tmp_path, in_parts, monkeypatch):
    put = ScratchPieces.put

    def asks(self, piece):
        if in_parts[0] == 100:
            stop.ask(2)
        return put(self, piece)

    monkeypatch.setattr(ScratchPieces, "put", asks)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    try:
        with pytest.raises(KeyboardInterrupt):
            hoaconv.stack_to_omezarr(image, tmp_path / "o.zarr", scratch=scratch, **SMALL)
    finally:
        stop.forget()
    assert list(tmp_path.iterdir()) == [scratch]
    assert list(scratch.iterdir()) == []


def test_a_damaged_chunk_read_in_parts_leaves_no_scratch(volume, tmp_path, in_parts):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=volume, chunks=(16, 16, 53))
    chunk = path / "c" / "1" / "1" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-50])
    refused(run(path, tmp_path / "o.zarr", "--scratch", tmp_path), SOURCE, "a.zarr")
    assert in_parts[0] > 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_chunk_ends_the_run_and_removes_the_output(image, volume, tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=volume, chunks=(16, 32, 32))
    chunk = path / "c" / "1" / "1" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-50])
    refused(run(path, tmp_path / "o.zarr"), SOURCE, "a.zarr")
    assert not (tmp_path / "o.zarr").exists()
