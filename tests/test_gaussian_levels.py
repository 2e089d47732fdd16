"""Levels made by a Gaussian filter, against scipy.ndimage on the whole volume."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from reading import all_equal, levels_of, ome_of
from scipy import ndimage
from whole import noise

import hoaconv
from hoaconv import ops
from hoaconv.errors import PlanError
from hoaconv.job.images import sigma_of

pytestmark = pytest.mark.one_python


def written(volume, path, **options):
    options = {"chunks": 8, "name": "x", "downsample": "gaussian"} | options
    opened = hoaconv.open(volume, voxel_size=options.pop("size", 1.0))
    return (opened | hoaconv.OmeZarr(path, **options)).run()


def steps_of(report):
    factors = [level["factor"] for level in report.levels]
    return [tuple(b // a for a, b in zip(*pair, strict=True)) for pair in pairwise(factors)]


@settings(max_examples=8, phases=(Phase.explicit, Phase.generate))
@given(
    shape=st.tuples(*[st.integers(1, 40)] * 3),
    dtype=st.sampled_from(["uint8", "int16", "float32"]),
    size=st.sampled_from([(1, 1, 1), (3.3, 1.1, 1.1)]),
)
def test_each_level_is_the_one_before_smoothed_and_thinned_out(
    tmp_path_factory, shape, dtype, size
) -> None:
    path, volume = tmp_path_factory.mktemp("g") / "o", noise(shape, dtype, 1)
    report = written(volume, path, size=size)
    made = levels_of(path)
    np.testing.assert_array_equal(made[0], volume)
    for step, (large, small) in zip(steps_of(report), pairwise(made), strict=True):
        sigmas = tuple(map(sigma_of, step))
        real = ndimage.gaussian_filter(large.astype(float), sigmas)
        real = real[:: step[0], :: step[1], :: step[2]]
        # A result is rounded half to even; up to 16 bits are computed in single precision.
        slack = 1e-4 * np.abs(volume).max() if dtype == "float32" else 0.52
        assert np.abs(small - real).max() <= slack
        whole = (hoaconv.open(large) | ops.Gaussian(sigmas) | ops.Bin(step, "nearest")).compute()
        np.testing.assert_array_equal(small, whole)


def test_voxels_lie_where_those_lie_that_are_kept(tmp_path) -> None:
    written(noise((20, 20, 20), "uint8", 0), tmp_path / "o", size=(2, 2, 2))
    (image,) = ome_of(tmp_path / "o")["multiscales"]
    assert image["type"] == "gaussian"
    steps = [row["coordinateTransformations"] for row in image["datasets"]]
    assert [one["scale"][0] for one, _ in steps] == [2, 4, 8]
    assert [other["translation"] for _, other in steps] == [[0, 0, 0]] * 3


def test_it_is_the_same_from_a_later_level_and_added_later_and_in_little_memory(tmp_path) -> None:
    volume = noise((40, 130, 150), "uint16", 0)
    report = written(volume, tmp_path / "o", ngff="0.4", chunks=16)
    written(volume, tmp_path / "f", ngff="0.4", chunks=16, from_level=1)
    written(volume, tmp_path / "a", ngff="0.4", chunks=16, levels=1)
    added = hoaconv.add_pyramid(tmp_path / "a")
    assert [row["level"] for row in added.levels] == list(range(1, len(report.levels)))
    made = levels_of(tmp_path / "o")
    all_equal(levels_of(tmp_path / "f"), made[1:])
    all_equal(levels_of(tmp_path / "a"), made)
    one, other = (ome_of(tmp_path / name)["multiscales"] for name in "oa")
    assert one == other
    files = [file for file in (tmp_path / "o").rglob("*") if file.is_file()]
    assert report.files == len(files)
    assert report.bytes_written == sum(file.stat().st_size for file in files)
    assert report.measured <= report.projected
    image = hoaconv.OmeZarr(tmp_path / "t", ngff="0.4", chunks=16, downsample="gaussian")
    job = hoaconv.open(volume) | image
    least = job.plan(budget="1MB").smallest_budget
    job.run(budget=least + (4 << 20))
    all_equal(levels_of(tmp_path / "t"), made)


def test_labels_and_other_images_go_with_it(tiffs, tmp_path) -> None:
    hoaconv.stack_to_omezarr(
        tiffs,
        tmp_path / "o",
        downsample="gaussian",
        chunks=16,
        label={"m": "threshold 30000"},
        also={tmp_path / "s": {"ops": "bin 2", "downsample": "mean"}},
    )
    assert ome_of(tmp_path / "o/labels")["labels"] == ["m"]
    assert len(levels_of(tmp_path / "o/labels/m")) == len(levels_of(tmp_path / "o"))
    assert ome_of(tmp_path / "s")["multiscales"][0]["type"] == "mean"


def test_a_run_that_fails_leaves_nothing(tmp_path, monkeypatch) -> None:
    def failing(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hoaconv.io.zarr.ArrayWriter.write_metadata", failing)
    with pytest.raises(OSError, match="No space"):
        written(noise((20, 20, 20), "uint8", 0), tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_integers_that_it_would_round_are_refused(tmp_path) -> None:
    with pytest.raises(PlanError, match="can't keep uint64 voxels exact"):
        written(noise((20, 20, 20), "uint64", 0), tmp_path / "o")
    assert sigma_of(1) == 0
    assert sigma_of(2) == pytest.approx(0.7355, abs=1e-4)
