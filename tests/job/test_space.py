"""An output that can't fit on its disk is refused before the run; a plan tells it."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

import hoaconv as hc
from hoaconv.errors import StoreError
from hoaconv.job import space

NOISE = np.random.default_rng(0).integers(0, 65536, (32, 200, 200)).astype("uint16")


def size_of(store):
    return sum(os.path.getsize(os.path.join(f, n)) for f, _, names in os.walk(store) for n in names)


@pytest.mark.parametrize("array", [NOISE, NOISE // 512 * 512], ids=["noise", "coarse"])
@pytest.mark.parametrize("ngff", ["0.5", "0.4"])
def test_the_estimate_is_near_what_is_written(tmp_path, array, ngff) -> None:
    job = hc.open(array) | hc.OmeZarr(tmp_path / "o.zarr", chunks=32, ngff=ngff)
    (packed,) = job.plan().schedule.estimate.packed
    job.run()
    assert packed == pytest.approx(size_of(tmp_path / "o.zarr"), rel=0.15)


def test_an_output_that_does_not_fit_is_refused_and_one_that_may_is_not(tmp_path, monkeypatch):
    job = hc.open(NOISE) | hc.OmeZarr(tmp_path / "o.zarr", chunks=32)
    packed = job.plan().schedule.estimate.packed[0]
    assert "on disk" in str(job.plan())
    free = [packed // 3]
    monkeypatch.setattr(space, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    with pytest.raises(StoreError, match="the output would take about"):
        job.run()
    assert not (tmp_path / "o.zarr").exists()
    assert "free some space" in job.plan().refusals[0]
    free[0] = packed  # an estimate may be wrong
    assert job.plan().can_run
    job.run()
    free[0] = 0  # what is replaced frees its own bytes
    (hc.open(NOISE) | hc.OmeZarr(tmp_path / "o.zarr", chunks=32, overwrite=True)).run()


def test_no_slice_is_tried_where_all_fits_uncompressed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("hoaconv.job.resolve.estimate", lambda _: pytest.fail("a trial was made"))
    (hc.open(NOISE) | hc.OmeZarr(tmp_path / "o.zarr")).run()
