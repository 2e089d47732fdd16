"""Statistics against exact fractions of every voxel."""

import json
from contextlib import suppress
from fractions import Fraction
from math import fsum, inf, isclose, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.ops.statistics import Profile, Stats, Volume

pytestmark = pytest.mark.one_python

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def value(fold, volume):
    state = fold.init(Spec(volume.shape, volume.dtype))
    for z, plane in enumerate(volume):
        fold.step(state, plane, z, 0)
    return fold.finish(state)


def noise(dtype, shape=(3, 8, 9)):
    rng = np.random.default_rng(0)
    if dtype.kind == "f":
        return (rng.normal(3, 1, shape) * 10.0 ** rng.integers(-9, 9, shape)).astype(dtype)
    info = np.iinfo(dtype)
    volume = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    volume[0, :, :2] = 0
    volume[1, :3, 0], volume[1, 3, 0] = info.max, info.min
    return volume


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_stats_are_exact_results_rounded_once(dtype):
    volume = noise(dtype)
    voxels = [Fraction(v) for v in volume.ravel().tolist()]
    mean = sum(voxels) / len(voxels)
    variance = sum((v - mean) ** 2 for v in voxels) / len(voxels)
    got = value(Stats(), volume)
    assert isclose(got.pop("std"), sqrt(variance), rel_tol=1e-15)
    assert got.pop("sum") == (sum(voxels) if dtype.kind != "f" else float(sum(voxels)))
    ends = []
    if dtype.kind != "f":
        ends = [np.iinfo(dtype).max, np.iinfo(dtype).min][: 1 if dtype.kind == "u" else 2]
    assert got == {
        "n": volume.size,
        "nan": 0,
        "min": float(volume.min()),
        "max": float(volume.max()),
        "mean": float(mean),
        "zeros": int((volume == 0).sum()),
        "saturated": int(np.isin(volume, ends).sum()),
    }


@given(st.lists(FLOATS, min_size=1, max_size=40), st.integers(1, 40))
def test_sums_of_any_floats_in_any_parts_are_fsums(values, cut):
    row = np.array([values])
    fold = Stats()
    states = [fold.init(Spec((1, 1, 1), row.dtype)) for _ in range(2)]
    for state, part in zip(states, (row[:, :cut], row[:, cut:]), strict=True):
        if part.size:
            fold.step(state, part)
    got = fold.finish(fold.merge(*states))
    total = sum(map(Fraction, values))
    assert got["mean"] == float(total / len(values))
    try:
        assert got["sum"] == float(total)
    except OverflowError:
        assert got["sum"] == ("Infinity" if total > 0 else "-Infinity")
    with suppress(OverflowError):  # fsum may overflow on the way to a sum that doesn't
        assert got["sum"] == fsum(values)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "float32", "float64"])
def test_the_std_of_equal_voxels_is_nothing(dtype):
    got = value(Stats(), np.full((3, 50, 70), 40000.1).astype(dtype))
    assert (got["std"], got["mean"]) == (0, float(np.array(40000.1).astype(dtype)))


def test_a_small_spread_about_a_large_mean_is_not_lost():
    volume = np.array([[[4e9, 4e9 + 1]]]).astype(np.uint32)
    assert value(Stats(), volume)["std"] == 0.5
    tiny = np.array([[[1e-200, 3e-200]]])
    assert isclose(value(Stats(), tiny)["std"], 1e-200, rel_tol=1e-12)


def test_more_voxels_than_sums_take_at_once(monkeypatch):
    monkeypatch.setattr("hoaconv.ops.statistics.MAX_VOXELS", 100)
    volume = noise(np.dtype("float32"), (4, 30, 7))
    got = value(Stats(), volume)
    assert got["sum"] == fsum(volume.ravel().tolist())
    assert got["n"] == volume.size


def test_what_is_no_number_is_counted_and_left_out():
    volume = np.array([[[nan, inf, -inf, 0, -0.0, 6, nan]]], np.float32)
    got = value(Stats(), volume)
    assert (
        json.loads(json.dumps(got, allow_nan=False))
        == got
        == {
            "n": 7,
            "nan": 2,
            "min": "-Infinity",
            "max": "Infinity",
            "mean": 2,
            "std": float(np.std([0, 0, 6])),
            "sum": 6,
            "zeros": 2,
            "saturated": 2,
        }
    )


def test_nothing_but_nan_has_no_statistics():
    got = value(Stats(), np.full((1, 2, 3), nan))
    assert (got["n"], got["nan"], got["sum"]) == (6, 6, 0)
    assert got["min"] is got["max"] is got["mean"] is got["std"] is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_volume_counts_what_is_not_0(dtype):
    volume = noise(dtype)
    assert value(Volume(), volume)["voxels"] == int((volume != 0).sum())


def test_nan_is_not_0():
    assert value(Volume(), np.array([[[nan, 0, -0.0, 2]]]))["voxels"] == 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_profile_is_the_mean_of_each_slice(dtype):
    volume = noise(dtype)
    means = [sum(map(Fraction, plane.ravel().tolist())) / plane.size for plane in volume]
    assert value(Profile(), volume) == {"mean": [float(mean) for mean in means]}


def test_a_profile_leaves_out_what_is_no_finite_number():
    volume = np.array([[[nan, 1, 2]], [[nan, nan, inf]], [[-inf, 5, 5]]], np.float32)
    assert value(Profile(), volume) == {"mean": [1.5, None, 5]}
