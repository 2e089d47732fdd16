"""Verbs on stores of every chunked format: as on the zarr array of the same voxels."""

import numpy as np
import pytest
import zarr
from reading import all_equal, levels_of
from stores import merge_json, write_n5, write_precomputed, write_zip
from typer.testing import CliRunner

import hoaconv
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python


def n5(path, volume):
    merge_json(path / "attributes.json", {"resolution": [2, 2, 4], "units": ["um"] * 3})
    write_n5(path / "s0", volume)
    return f"n5://{path}"


def precomputed(path, volume):
    return write_precomputed(path, [volume], [[2000, 2000, 4000]], [[0, 0, 0]])


def zipped(path, volume):
    return write_zip(path.with_suffix(".ozx"), [volume], [(4, 2, 2)], chunks=(8, 32, 16))


@pytest.mark.parametrize("make", [n5, precomputed, zipped], ids=lambda make: make.__name__)
def test_every_verb_takes_every_store(tmp_path, volume, make):
    src = make(tmp_path / "brain", volume)
    zarr.create_array(tmp_path / "a.zarr", data=volume, chunks=(8, 32, 16))
    made = hoaconv.stack_to_omezarr(
        src, tmp_path / "o.zarr", ops="gaussian 1", chunks=16, workers=2
    )
    hoaconv.stack_to_omezarr(
        tmp_path / "a.zarr",
        tmp_path / "p.zarr",
        ops="gaussian 1",
        voxel_size="4,2,2",
        chunks=16,
        workers=2,
    )
    all_equal(levels_of(tmp_path / "o.zarr"), levels_of(tmp_path / "p.zarr"))
    assert made.measured <= made.projected
    assert (made.voxel_size, made.unit) == ((4, 2, 2), "micrometer")
    part = hoaconv.open(src)[5:9, 3:, ::2]
    np.testing.assert_array_equal(np.asarray(part), volume[5:9, 3:, ::2])
    plan = CliRunner().invoke(app, ["plan", str(src)])
    assert plan.exit_code == 0
    assert "voxel size 4,2,2 micrometer" in plan.stderr
    stats = CliRunner().invoke(app, ["stats", str(src)])
    assert stats.exit_code == 0
    assert str(volume.max()) in stats.stdout
