"""The levels of an OME-Zarr image as volumes."""

import pickle

import numpy as np
import pytest
import tifffile
import zarr

import hoaconv as hc
from hoaconv.errors import SourceError

VOLUME = np.random.default_rng(0).integers(0, 60000, (21, 30, 26)).astype(np.uint16)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return converted(tmp_path_factory.mktemp("levels"))


def converted(folder):
    tifffile.imwrite(folder / "volume.tif", VOLUME, photometric="minisblack")
    source, made = folder / "volume.tif", folder / "brain.zarr"
    hc.stack_to_omezarr(source, made, voxel_size=2, levels=3, chunks=8)
    return made


def test_levels_have_sizes_and_origins_of_their_own(image) -> None:
    levels = hc.open(image).levels
    assert [level.shape for level in levels] == [(21, 30, 26), (11, 15, 13), (6, 8, 7)]
    assert [level.voxel_size for level in levels] == [(2,) * 3, (4,) * 3, (8,) * 3]
    assert [level.origin for level in levels] == [(0,) * 3, (1,) * 3, (3,) * 3]
    for n, level in enumerate(levels):
        assert np.array_equal(level.compute(), zarr.open_array(image / str(n), mode="r")[:])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_every_level_knows_the_others(image, n) -> None:
    own = hc.open(image / str(n))
    assert own.levels[n] is own
    assert [repr(level) for level in own.levels] == [repr(v) for v in hc.open(image).levels]


@pytest.mark.parametrize("n", [0, 1])
def test_another_voxel_size_holds_for_all_levels(image, n) -> None:
    size = tuple(10 * 2**n * edge for edge in (3, 2, 4))
    levels = hc.open(image / str(n), voxel_size=size, unit="nanometer").levels
    assert [level.voxel_size for level in levels] == [(30, 20, 40), (60, 40, 80), (120, 80, 160)]
    assert [level.origin for level in levels] == [(0, 0, 0), (15, 10, 20), (45, 30, 60)]
    assert {level.unit for level in levels} == {"nanometer"}


def test_anything_else_has_itself_alone(image, tmp_path) -> None:
    zarr.save_array(tmp_path / "plain.zarr", VOLUME)
    image_volume = hc.open(image)
    for volume in (
        hc.open(VOLUME),
        hc.open(tmp_path / "plain.zarr"),
        hc.open(image, range="2:9"),
        image_volume.gaussian(1),
        image_volume | "stats",
        image_volume - image_volume,
    ):
        assert volume.levels == (volume,)


def test_a_level_that_is_gone_is_told(tmp_path) -> None:
    image = converted(tmp_path)
    (image / "1" / "zarr.json").unlink()
    volume = hc.open(image)
    with pytest.raises(SourceError, match="holds no array"):
        volume.levels  # noqa: B018


def test_levels_without_units_scale_as_their_shapes_and_can_be_sent(tmp_path) -> None:
    source = np.arange(16 * 20 * 24, dtype="uint16").reshape(16, 20, 24)
    (hc.open(source) | hc.OmeZarr(tmp_path / "a.zarr", levels=3, chunks=8)).run()
    levels = hc.open(tmp_path / "a.zarr", voxel_size=2).levels
    assert [level.voxel_size for level in levels] == [(2,) * 3, (4,) * 3, (8,) * 3]
    again = pickle.loads(pickle.dumps(levels[1]))
    assert again.same_as(levels[1])
    assert np.array_equal(again.compute(), levels[1].compute())
