"""Several sources in a row, and chunks that a store lacks."""

import pickle

import numpy as np
import pytest
import tifffile
import zarr
from invoking import SPELLING, refused, run
from sweeping import decoded_while

import hoaconv as hc
from hoaconv.errors import SourceError, SpellingError, StoreError

pytestmark = pytest.mark.one_python

CHUNKS = (8, 32, 16)


@pytest.fixture
def parts(volume, make_tiffs, tmp_path):
    """The volume in three parts of different kinds."""
    folder = tmp_path / "parts"
    make_tiffs(folder / "a", volume[:5])
    for name, part, order in (("b", volume[5:22], "zyx"), ("c", volume[22:], "xzy")):
        stored = part.transpose(["zyx".index(axis) for axis in order])
        array = zarr.create_array(
            folder / f"{name}.zarr",
            shape=stored.shape,
            dtype="uint16",
            chunks=[CHUNKS["zyx".index(axis)] for axis in order],
            dimension_names=list(order),
        )
        array[...] = stored
    return [folder / "a", folder / "b.zarr", folder / "c.zarr"]


def test_sources_of_different_kinds_are_one_volume(parts, volume):
    opened, made = hc.open(parts, voxel_size=2), []
    assert (opened.shape, opened.voxel_size) == (volume.shape, (2, 2, 2))
    count = decoded_while(lambda: made.append(opened.compute()))
    np.testing.assert_array_equal(made[0], volume)
    assert count == (3 + 2) * 3 * 4
    np.testing.assert_array_equal(opened[3:30:4, 5], volume[3:30:4, 5])
    np.testing.assert_array_equal((opened | "crop 4:8,:,3:9").compute(), volume[4:8, :, 3:9])
    assert pickle.loads(pickle.dumps(opened.plan)) == opened.plan


def test_the_option_is_the_same(parts, volume, out):
    first, *others = parts
    words = [word for other in others for word in ("--append", other)]
    assert run(first, out, *words, "--chunks", "16", "--ops", "add 1").exit_code == 0
    np.testing.assert_array_equal(zarr.open_group(out, mode="r")["0"][:], volume + 1)
    assert hc.stats(first, append=others).slices_measured == 37


def test_what_does_not_go_together_is_refused(parts, tiffs, jp2s, tmp_path, out):
    refused(run(parts[0], out, "--append", parts[1], "--range", "1:2"), SPELLING, "--range")
    zarr.create_array(tmp_path / "z.zarr", shape=(3, 4, 5), dtype="u1", chunks=(3, 4, 5))
    with pytest.raises(SourceError, match="alike in shape"):
        hc.open([parts[0], tmp_path / "z.zarr"])
    with pytest.raises(SpellingError, match="has ops"):
        hc.open([hc.open(parts[0]).add(1), parts[1]])
    with pytest.raises(SpellingError, match="empty list"):
        hc.open([])
    assert not out.exists()


def test_arrays_and_volumes_may_be_in_the_row(parts, volume):
    row = hc.open([volume[:5], hc.open(parts[1]), parts[2]])
    np.testing.assert_array_equal(row.compute(), volume)


def test_the_output_may_lie_beside_single_files_that_are_appended(make_tiffs, volume, tmp_path):
    pages = tmp_path / "pages.tif"
    tifffile.imwrite(pages, volume[:20], photometric="minisblack")
    hc.convert(pages, tmp_path / "out.zarr", append=[pages])
    assert hc.open(tmp_path / "out.zarr").shape[0] == 40
    slices = make_tiffs(tmp_path / "slices", volume[:3])
    with pytest.raises(StoreError, match="lies inside the source"):
        hc.convert(pages, slices / "out.zarr", append=[slices])


# Missing chunks


@pytest.mark.parametrize("layout", [{}, {"shards": (16, 32, 32)}, {"zarr_format": 2}])
def test_missing_chunks_are_the_fill_value_and_told_or_an_error(tmp_path, volume, layout):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(
        path, shape=volume.shape, dtype="uint16", chunks=(8, 32, 16), **layout
    )
    array[:16] = volume[:16]
    opened = hc.open(path)
    assert any("are missing, and are read as the fill value" in note for note in opened.notes)
    np.testing.assert_array_equal(opened.compute(), array[:])
    strict = hc.open(path, missing="error")
    assert not any("missing" in note for note in strict.notes)
    np.testing.assert_array_equal(strict[:16], volume[:16])
    with pytest.raises(SourceError, match=r"a\.zarr, voxels .*chunk .* is missing; copy"):
        strict.compute()


def test_chunks_that_were_empty_when_written_are_no_loss(make_tiffs, volume, tmp_path):
    empty = volume.copy()
    empty[:, :32, :16] = 0
    options = {"chunks": 16, "shards": "none", "levels": 1}
    hc.stack_to_omezarr(make_tiffs(tmp_path / "s", empty), tmp_path / "a.zarr", **options)
    assert not any("missing" in note for note in hc.open(tmp_path / "a.zarr").notes)
    (tmp_path / "a.zarr/0/c/1/2/1").unlink()
    (note,) = (n for n in hc.open(tmp_path / "a.zarr").notes if "missing" in n)
    assert note.startswith("7 of 60 chunks of a.zarr/0 are missing")
    assert "only 6 were empty when they were written" in note


def test_a_way_that_there_is_not(parts):
    with pytest.raises(SpellingError, match="missing 'skip' is none of fill, error"):
        hc.open(parts[1], missing="skip")
