"""Laws of a conversion's voxels, each against a reader or a computation that isn't ours."""

import json
from importlib import import_module
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
import scipy.ndimage
import tensorstore as ts
import tifffile
import zarr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from reading import all_equal, levels_of, ome_of, opened, read_by_ome_zarr, read_by_tensorstore

import hoaconv
from hoaconv.engine import machine
from hoaconv.errors import BudgetError, SourceError

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
DTYPES += ("float32", "float64")
METHODS = {"mean": "mean", "mode": "mode", "max": "max", "min": "min", "nearest": "stride"}


def shrunk(level, step, method):
    """The next level, by TensorStore; the mean of floats by numpy, in float64."""
    if level.dtype.kind == "f" and method == "mean":
        padded = np.pad(
            level.astype(float),
            [(0, -n % s) for n, s in zip(level.shape, step, strict=True)],
            constant_values=np.nan,
        )
        (z, y, x), (fz, fy, fx) = padded.shape, step
        cells = padded.reshape(z // fz, fz, y // fy, fy, x // fx, fx)
        return np.nanmean(cells, axis=(1, 3, 5))
    return ts.downsample(ts.array(level), step, METHODS[method]).read().result()


def check_pyramid(levels, factors, method):
    """Each level is the one before, downsampled by the step between their factors."""
    for (level, before), (below, after) in pairwise(zip(levels, factors, strict=True)):
        step = [b // a for a, b in zip(before, after, strict=True)]
        expected = shrunk(level, step, method)
        assert below.dtype == level.dtype
        if method == "mean" and level.dtype.kind == "f":
            # Sums of up to 8 floats depend on their order in the last bits.
            np.testing.assert_allclose(below, expected, rtol=8 * np.finfo(below.dtype).eps)
        else:
            np.testing.assert_array_equal(below, expected)


# Level 0


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_level_0_is_the_slices_as_tifffile_reads_them(tiffs, tmp_path, ngff):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ngff=ngff)
    slices = [tifffile.imread(file) for file in sorted(tiffs.iterdir())]
    np.testing.assert_array_equal(levels_of(tmp_path / "o.zarr")[0], slices)


def test_level_0_is_the_slices_as_imagecodecs_decodes_them(jp2s, tmp_path):
    hoaconv.stack_to_omezarr(jp2s, tmp_path / "o.zarr")
    slices = [imagecodecs.jpeg2k_decode(file.read_bytes()) for file in sorted(jp2s.iterdir())]
    np.testing.assert_array_equal(levels_of(tmp_path / "o.zarr")[0], slices)


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_kept_and_read_back_equal_by_three_readers(
    make_volume, make_tiffs, tmp_path, dtype, ngff
):
    volume = make_volume((9, 21, 19), dtype)
    out = tmp_path / "o.zarr"
    hoaconv.stack_to_omezarr(make_tiffs(tmp_path / "in", volume), out, ngff=ngff, chunks=8)
    levels = levels_of(out)
    assert len(levels) == 3
    np.testing.assert_array_equal(levels[0], volume)
    assert levels[0].dtype == volume.dtype
    all_equal(read_by_tensorstore(out, ngff), levels)
    all_equal(read_by_ome_zarr(out), levels)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 30), (9, 1, 1), (5, 1, 70), (3, 70, 1)])
def test_the_smallest_volumes(make_volume, make_tiffs, tmp_path, shape):
    volume = make_volume(shape)
    hoaconv.stack_to_omezarr(
        make_tiffs(tmp_path / "in", volume), tmp_path / "o.zarr", chunks=8, ops="gaussian 1"
    )
    smoothed = scipy.ndimage.gaussian_filter(volume.astype(float), 1)
    assert np.abs(levels_of(tmp_path / "o.zarr")[0] - np.rint(smoothed)).max() <= 1


def test_an_empty_volume_takes_no_chunk(make_tiffs, tmp_path):
    hoaconv.stack_to_omezarr(
        make_tiffs(tmp_path / "in", np.zeros((9, 20, 20), "uint16")), tmp_path / "o.zarr", chunks=8
    )
    assert not [f for f in (tmp_path / "o.zarr").rglob("*") if f.is_file() and f.suffix != ".json"]
    assert not any(level.any() for level in levels_of(tmp_path / "o.zarr"))


def test_nan_and_infinity_stay_where_they_are(make_volume, make_tiffs, tmp_path):
    volume = make_volume((9, 20, 20), "float32")
    volume[3, 4:9], volume[5, 5, 5], volume[6, 6, 6] = np.nan, np.inf, -np.inf
    hoaconv.stack_to_omezarr(make_tiffs(tmp_path / "in", volume), tmp_path / "o.zarr", chunks=8)
    np.testing.assert_array_equal(levels_of(tmp_path / "o.zarr")[0], volume)
    json.loads((tmp_path / "o.zarr" / "zarr.json").read_text(), parse_constant=pytest.fail)


def test_nothing_but_nan_converts_without_a_window(make_tiffs, tmp_path):
    volume = np.full((4, 9, 9), np.nan, "float32")
    hoaconv.stack_to_omezarr(make_tiffs(tmp_path / "in", volume), tmp_path / "o.zarr")
    assert np.isnan(levels_of(tmp_path / "o.zarr")[0]).all()
    assert "omero" not in ome_of(tmp_path / "o.zarr")


@pytest.mark.parametrize(("text", "taken"), [("5:20:3", slice(5, 20, 3)), (":7", slice(7))])
def test_a_range_takes_these_slices(tiffs, volume, tmp_path, text, taken):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", range=text, allow_gaps=True)
    np.testing.assert_array_equal(levels_of(tmp_path / "o.zarr")[0], volume[taken])


# Ops


def test_gaussian_is_scipys(tiffs, volume, tmp_path):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ops="gaussian 1.5")
    smoothed = np.rint(scipy.ndimage.gaussian_filter(volume.astype(float), 1.5))
    # Within 1 grey, since weights and sums here are float32.
    difference = np.abs(levels_of(tmp_path / "o.zarr")[0] - smoothed)
    assert difference.max() <= 1
    assert np.mean(difference == 0) > 0.95


def test_a_chain_of_ops_is_their_composition(tiffs, volume, tmp_path):
    ops = "clip 1000 60000 | rescale 1000 60000 uint8 | threshold 100 | cast float32"
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ops=ops, downsample="max")
    eight = np.rint((np.clip(volume, 1000, 60000) - 1000.0) * 255 / 59000)
    expected = (eight > 100).astype("float32")
    levels = levels_of(tmp_path / "o.zarr")
    assert levels[0].dtype == np.float32
    np.testing.assert_array_equal(levels[0], expected)


# Pyramid

LONG = pytest.mark.long


@pytest.mark.one_python
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(
            dtype, marks=[] if dtype in ("uint8", "uint16", "float32") else LONG, id=str(dtype)
        )
        for dtype in DTYPES
    ],
)
def test_each_level_is_the_one_before_downsampled(make_volume, make_tiffs, tmp_path, method, dtype):
    volume = make_volume((21, 35, 27), dtype)
    if method == "mode":
        volume = (volume // (volume.max() // 5 or 1)).astype(dtype)  # few values: labels
    report = hoaconv.stack_to_omezarr(
        make_tiffs(tmp_path / "in", volume), tmp_path / "o.zarr", downsample=method, chunks=8
    )
    levels = levels_of(tmp_path / "o.zarr")
    assert [level.shape for level in levels] == [(21, 35, 27), (11, 18, 14), (6, 9, 7), (3, 5, 4)]
    check_pyramid(levels, [row["factor"] for row in report.levels], method)


@pytest.mark.one_python
@pytest.mark.parametrize(
    "factors",
    ["1,2,2", "3", "31", *(pytest.param(f, marks=LONG) for f in ("2,1,1", "4,3,2", "5,1,1"))],
)
@pytest.mark.parametrize("chunks", ["8", "1,16,16", "25,16,16"])
def test_factors_and_chunks_of_any_size(tiffs, volume, tmp_path, factors, chunks):
    report = hoaconv.stack_to_omezarr(
        tiffs, tmp_path / "o.zarr", factors=factors, chunks=chunks, levels=3
    )
    levels = levels_of(tmp_path / "o.zarr")
    np.testing.assert_array_equal(levels[0], volume)
    check_pyramid(levels, [row["factor"] for row in report.levels], "mean")


small = st.integers(1, 9)


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 30), st.integers(1, 30)),
    chunks=st.tuples(small, small, small),
    shards=st.none() | st.tuples(*[st.integers(1, 3)] * 3),
    factors=st.none() | st.tuples(*[st.integers(1, 4)] * 3).filter(lambda f: max(f) > 1),
    method=st.sampled_from(sorted(METHODS)),
    ngff=st.sampled_from(["0.4", "0.5"]),
    workers=st.integers(1, 4),
)
def test_any_grid_gives_the_same_image(
    make_volume, make_tiffs, tmp_path_factory, shape, chunks, shards, factors, method, ngff, workers
):
    folder = tmp_path_factory.mktemp("grid")
    volume = make_volume(shape, "uint8")
    grid = None if shards is None else [c * n for c, n in zip(chunks, shards, strict=True)]
    may_shrink = [n for n, f in zip(shape, factors or (2, 2, 2), strict=True) if f > 1]
    assume(max(may_shrink) > 1)
    report = hoaconv.stack_to_omezarr(
        make_tiffs(folder / "in", volume),
        folder / "o.zarr",
        chunks=chunks,
        shards="none" if ngff == "0.4" or shards is None else grid,
        factors=factors,
        downsample=method,
        ngff=ngff,
        workers=workers,
        levels=2,
    )
    levels = levels_of(folder / "o.zarr")
    np.testing.assert_array_equal(levels[0], volume)
    check_pyramid(levels, [row["factor"] for row in report.levels], method)
    all_equal(read_by_tensorstore(folder / "o.zarr", ngff), levels)


def test_a_slice_may_be_larger_than_a_shard(make_volume, make_tiffs, tmp_path):
    volume = make_volume((5, 70, 90))
    hoaconv.stack_to_omezarr(
        make_tiffs(tmp_path / "in", volume), tmp_path / "o.zarr", chunks=8, shards="8,16,32"
    )
    array = opened(tmp_path / "o.zarr")["0"]
    assert (array.chunks, array.shards) == ((5, 8, 8), (5, 16, 32))
    np.testing.assert_array_equal(array[:], volume)


@pytest.mark.parametrize(("factors", "last"), [("1,2,2", (37, 9, 7)), ("2,1,1", (5, 67, 53))])
def test_an_axis_that_never_shrinks_need_not_fit_a_chunk(tiffs, tmp_path, factors, last):
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", factors=factors, chunks=9)
    assert levels_of(tmp_path / "o.zarr")[-1].shape == last


def test_levels_can_be_counted(tiffs, tmp_path):
    for count in (1, 2, 7):
        hoaconv.stack_to_omezarr(tiffs, tmp_path / f"{count}.zarr", levels=count)
        assert len(levels_of(tmp_path / f"{count}.zarr")) == count
    assert levels_of(tmp_path / "7.zarr")[-1].shape == (1, 2, 1)


# The same, however it is computed


@pytest.mark.parametrize("ops", ["", "gaussian 1.5 | rescale 0 60000 uint8"])
def test_the_result_depends_on_neither_workers_windows_bands_nor_chunks(
    tiffs, tmp_path, monkeypatch, ops
):
    def convert(name, **options):
        hoaconv.stack_to_omezarr(tiffs, tmp_path / name, ops=ops, levels=4, **options)
        return levels_of(tmp_path / name)

    one = convert("1", workers=1)
    for workers in (2, 4):
        all_equal(convert(f"w{workers}", workers=workers), one)
    for i, (chunks, shards) in enumerate(
        [("1,64,64", None), ("7", "none"), ("25,30,30", "25,60,60"), ("500", None)]
    ):
        all_equal(convert(f"c{i}", chunks=chunks, shards=shards), one)
    fit = import_module("hoaconv.engine.passes.fit")
    for stride, rows in [(1, 1), (3, 5), (37, 1000)]:
        monkeypatch.setattr(fit, "STRIDES", (stride,))
        monkeypatch.setattr(fit, "MIN_BAND_ROWS", min(rows, 32))
        monkeypatch.setattr(fit, "BAND_ROWS", rows)
        all_equal(convert(f"s{stride}", workers=2), one)


def test_a_small_budget_gives_the_same_as_a_large_one(
    make_volume, make_tiffs, tmp_path, monkeypatch
):
    monkeypatch.setattr(machine, "resident", lambda: 200 << 20)  # pytest itself grows in between
    monkeypatch.setattr(machine, "_tuned", True)  # else malloc's share makes cuts the smallest
    src = make_tiffs(tmp_path / "in", make_volume((24, 700, 700)))
    options = {"ops": "gaussian 1.5", "chunks": "1,256,256", "workers": 2}
    large = hoaconv.plan(src, tmp_path / "o.zarr", **options)
    tiny = hoaconv.plan(src, tmp_path / "o.zarr", **options, budget="1MB")
    assert not tiny.can_run
    with pytest.raises(BudgetError) as refused:
        hoaconv.stack_to_omezarr(src, tmp_path / "o.zarr", **options, budget="1MB")
    assert str(refused.value) == tiny.refusals[0]
    least = int(str(refused.value).split('budget="')[1].split("MB")[0])
    small = f"{least}MB"
    tight = hoaconv.plan(src, tmp_path / "o.zarr", **options, budget=small)
    assert tight.projected < large.projected
    assert max(s.stride for s in tight.sweeps[0].stages) < max(
        s.stride for s in large.sweeps[0].stages
    )
    hoaconv.stack_to_omezarr(src, tmp_path / "small.zarr", **options, budget=small)
    hoaconv.stack_to_omezarr(src, tmp_path / "large.zarr", **options)
    all_equal(levels_of(tmp_path / "small.zarr"), levels_of(tmp_path / "large.zarr"))


@pytest.mark.parametrize(("factors", "chunks"), [("6,10,5", "4,8,8"), ("3,2,2", "1,16,16")])
def test_a_group_of_planes_may_be_thicker_than_a_layer(tiffs, volume, tmp_path, factors, chunks):
    options = {"factors": factors, "chunks": chunks, "shards": "none", "levels": 2}
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", **options)
    step = [int(f) for f in factors.split(",")]
    padded = ts.downsample(ts.array(volume), step, "mean").read().result()
    all_equal(levels_of(tmp_path / "o.zarr"), [volume, padded])


def test_arrays_may_be_numpys(tiffs, tmp_path):
    size = np.array([3.0, 2.0, 1.0])
    report = hoaconv.stack_to_omezarr(tiffs, tmp_path / "o", voxel_size=size, chunks=np.full(3, 16))
    assert report.voxel_size == (3.0, 2.0, 1.0)


def test_numbers_may_be_numpys(tiffs, volume, tmp_path):
    options = {"chunks": np.int64(16), "voxel_size": np.float32(2), "workers": np.int64(1)}
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", **options)
    np.testing.assert_array_equal(levels_of(tmp_path / "o.zarr")[0], volume)


def test_ops_may_be_a_list_of_spellings(tiffs, tmp_path):
    for name, ops in (
        ("list", ["gaussian 1", "threshold 9000"]),
        ("text", "gaussian 1 | threshold 9000"),
    ):
        hoaconv.stack_to_omezarr(tiffs, tmp_path / name, ops=ops)
    all_equal(levels_of(tmp_path / "list"), levels_of(tmp_path / "text"))


@pytest.mark.parametrize("voxels", [np.zeros((3, 4, 5)), [[1, 2]], 7, None])
def test_voxels_in_place_of_a_path(voxels, tmp_path):
    with pytest.raises(SourceError, match=r"expected a path.*hoaconv\.open\(array\)"):
        hoaconv.stack_to_omezarr(voxels, tmp_path / "o.zarr")
    with pytest.raises(SourceError, match="expected a path"):
        hoaconv.stats(voxels)


def test_an_unknown_voxel_size_is_in_the_report_of_a_library(tiffs, tmp_path):
    report = hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr")
    assert any("voxel size unknown" in note for note in report.notes)


def test_enlarging_labels_by_the_nearest_voxel(make_tiffs, tmp_path):
    volume = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)
    src = make_tiffs(tmp_path / "in", volume)
    hoaconv.stack_to_omezarr(src, tmp_path / "o.zarr", ops="resize 2 order=0", levels=1)
    made = zarr.open_array(tmp_path / "o.zarr" / "0", mode="r")[:]
    np.testing.assert_array_equal(made, volume.repeat(2, 0).repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("ops", ["rescale p0.5 p99.5", "normalize", "gaussian 1 | normalize"])
def test_a_volume_of_one_value_becomes_zero_and_that_is_told(make_tiffs, tmp_path, ops):
    src = make_tiffs(tmp_path / "in", np.full((4, 5, 6), 700, np.uint16))
    made = hoaconv.stack_to_omezarr(src, tmp_path / "o.zarr", ops=ops, levels=1)
    assert not zarr.open_array(tmp_path / "o.zarr" / "0", mode="r")[:].any()
    assert any("gives 0 everywhere" in note for note in made.notes)


@pytest.mark.parametrize(
    ("ops", "word"),
    [
        ("threshold 9", 'downsample="mode"'),
        ("remove-small 5", "no threshold"),
        ("resize 1,1,9", "lengths"),
    ],
)
def test_what_probably_was_not_meant_is_a_note(tiffs, tmp_path, ops, word):
    made = hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ops=ops, levels=1)
    assert any(word in note for note in made.notes)
    label = {"m": "threshold 9 | remove-small 5"}
    fine = hoaconv.stack_to_omezarr(tiffs, tmp_path / "p.zarr", levels=1, label=label)
    assert len(fine.notes) == 1  # the unknown voxel size


def test_the_budget_that_a_refusal_names_is_enough_in_the_same_process(tiffs, tmp_path):
    with pytest.raises(BudgetError) as refused:
        hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", budget="1MB")
    text = str(refused.value)
    assert "MiB" not in text
    budget = text.split('budget="')[1].split('"', maxsplit=1)[0]
    hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", budget=budget)


SPREAD = ["rescale 0 p99", "rescale p1 60000 uint16", "normalize", "rescale p1 p99"]


@pytest.mark.parametrize("ops", SPREAD)
def test_a_volume_of_many_values_is_not_told_to_be_flat(tiffs, tmp_path, ops):
    made = hoaconv.stack_to_omezarr(tiffs, tmp_path / "o.zarr", ops=ops, levels=1)
    assert not any("0 everywhere" in note for note in made.notes)


@pytest.mark.parametrize(("outside", "voxel"), [(7.5, 8), (6.5, 6), (-1, 0), (300, 255)])
def test_what_lies_outside_a_mask_is_rounded_and_saturated(make_tiffs, tmp_path, outside, voxel):
    volume = np.full((3, 4, 5), 9, np.uint8)
    mask = np.zeros_like(volume)
    mask[1] = 1
    src, other = make_tiffs(tmp_path / "in", volume), make_tiffs(tmp_path / "mask", mask)
    ops = f"mask {other} outside={outside}"
    hoaconv.stack_to_omezarr(src, tmp_path / "o.zarr", ops=ops, levels=1)
    made = zarr.open_array(tmp_path / "o.zarr" / "0", mode="r")[:]
    np.testing.assert_array_equal(made, np.where(mask, volume, voxel))
