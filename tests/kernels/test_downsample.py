"""All methods against tensorstore.downsample, an independent implementation."""

import numpy as np
import pytest
import tensorstore as ts

from hoaconv.engine.spec import DTYPES, WIDE
from hoaconv.kernels.downsample import (
    MAX_CELL,
    METHODS,
    downsample,
    downsample_bytes,
    mean,
)

pytestmark = pytest.mark.one_python

INTEGERS = [dtype for dtype in DTYPES if dtype.kind != "f"]
FLOATS = [dtype for dtype in DTYPES if dtype.kind == "f"]
FACTORS = [(2, 2, 2), (2, 1, 3)]
SHAPES = [(1, 1, 1), (2, 4, 6), (3, 5, 7), (4, 33, 66)]
SOME = [np.dtype(name) for name in ("uint16", "int8", "float32", "uint64")]


def noise(shape, dtype, seed=0):
    """Return few values, for frequent ties and equal voxels, with both ends of the range."""
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        return rng.choice([-2.5, 0, 1.25, 3e30, 7], shape).astype(dtype)
    info = np.iinfo(dtype)
    few = [info.min, info.min + 1, 0, 1, 2, 3, info.max - 1, info.max]
    return rng.choice(np.array(few, dtype), shape)


def whole(method, volume, factors):
    """Downsample a volume group by group of planes, as the cascade does."""
    fz, fy, fx = factors
    out = np.empty([-(-n // f) for n, f in zip(volume.shape, factors, strict=True)], volume.dtype)
    for z, plane in enumerate(out):
        group = list(volume[z * fz : (z + 1) * fz])
        count = len(group)
        downsample(method, (*group, *group[-1:] * (fz - count)), count, fy, fx, plane)
    return out


def oracle(method, volume, factors):
    word = {"nearest": "stride"}.get(method, method)
    return ts.downsample(ts.array(volume), list(factors), word).read().result()


@pytest.mark.parametrize("dtype", [*INTEGERS, *WIDE], ids=str)
@pytest.mark.parametrize("factors", FACTORS, ids=str)
def test_mean_is_exact_and_rounds_half_to_even(dtype, factors):
    for shape in SHAPES:
        volume = noise(shape, dtype)
        np.testing.assert_array_equal(
            whole("mean", volume, factors), oracle("mean", volume, factors)
        )


@pytest.mark.parametrize("method", [word for word in METHODS if word != "mean"])
@pytest.mark.parametrize("dtype", SOME, ids=str)
def test_the_other_methods_are_tensorstores(method, dtype):
    for shape in SHAPES:
        for factors in FACTORS:
            volume = noise(shape, dtype)
            np.testing.assert_array_equal(
                whole(method, volume, factors), oracle(method, volume, factors)
            )


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_mean_of_floats_is_the_float64_mean(dtype):
    volume = np.random.default_rng(1).normal(0, 1, (4, 6, 10)).astype(dtype)
    cells = volume.astype(np.float64).reshape(2, 2, 3, 2, 5, 2).transpose(0, 2, 4, 1, 3, 5)
    exact = cells.mean(axis=(3, 4, 5))
    # NumPy adds in another order, which changes the last bits of float64.
    np.testing.assert_allclose(
        whole("mean", volume, (2, 2, 2)), exact.astype(dtype), np.finfo(dtype).eps, 1e-15
    )


@pytest.mark.parametrize("factors", [(1, 2, 2), (3, 3, 1), (1, 1, 1)], ids=str)
def test_z_has_a_factor_of_its_own(factors):
    volume = noise((7, 9, 10), np.dtype("uint16"))
    np.testing.assert_array_equal(whole("mean", volume, factors), oracle("mean", volume, factors))


def test_every_half_goes_to_the_even_neighbour():
    values = np.arange(-128, 127, dtype=np.int8)
    pairs = np.stack([values, values + 1], axis=-1).reshape(1, -1)
    out = np.empty((1, values.size), np.int8)
    mean((pairs, pairs), 1, 1, 2, out)
    np.testing.assert_array_equal(out[0], np.rint(values + 0.5))


def test_a_mean_of_many_levels_does_not_darken():
    volume = np.random.default_rng(2).integers(0, 256, (32, 64, 64)).astype(np.uint8)
    level = volume
    for _ in range(4):
        level = whole("mean", level, (2, 2, 2))
    assert abs(level.mean() - volume.mean()) < 0.1


def test_the_largest_cell_of_the_largest_values_does_not_overflow():
    for name in ("uint16", "int16", "uint32", "int32"):
        for value in (np.iinfo(name).max, np.iinfo(name).min):
            plane = np.full((128, 256), value, name)
            out = np.empty((1, 1), name)
            mean((plane, plane), 1, 128, 256, out)
            assert plane.size == MAX_CELL
            assert out[0, 0] == value


@pytest.mark.parametrize("method", METHODS)
def test_bands_of_rows_make_the_whole_plane(method):
    volume = noise((2, 37, 41), np.dtype("uint16"))
    out = np.zeros((19, 30), np.uint16)
    for start in range(0, 19, 4):
        rows = slice(start * 2, (start + 4) * 2)
        taken = tuple(plane[rows] for plane in volume)
        downsample(method, taken, 2, 2, 2, out[start : start + 4, 5:26])
    np.testing.assert_array_equal(out[:, 5:26], whole(method, volume, (2, 2, 2))[0])
    assert not out[:, :5].any()
    assert not out[:, 26:].any()


@pytest.mark.parametrize("method", ["mean", "max", "min"])
def test_nan_spreads_into_its_cell_alone(method):
    volume = np.ones((2, 4, 6), np.float32)
    volume[1, 2, 3] = np.nan
    got = np.isnan(whole(method, volume, (2, 2, 2)))
    assert got[0, 1, 1]
    assert got.sum() == 1


def test_nan_is_the_mode_of_a_cell_of_nan_only():
    volume = np.full((2, 2, 4), np.nan, np.float32)
    volume[0, 0, 1] = 5
    np.testing.assert_array_equal(whole("mode", volume, (2, 2, 2)), [[[5, np.nan]]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 3}, "3 planes were asked for"),
        ({"fx": MAX_CELL}, "voxels"),
        ({"fy": 0}, "voxels"),
        ({"out": np.empty((2, 3), np.uint16)}, "become"),
        ({"out": np.empty((2, 2), np.uint8)}, "dtype"),
        ({"planes": (np.empty((4, 4), np.uint16), np.empty((4, 8), np.uint16)[:, :4])}, "step"),
    ],
)
def test_parameters_that_do_not_match_are_refused(change, message):
    plane = np.empty((4, 4), np.uint16)
    right = {"planes": (plane, plane), "count": 2, "fy": 2, "fx": 2}
    given = {**right, "out": np.empty((2, 2), np.uint16), **change}
    with pytest.raises(ValueError, match=message):
        mean(**given)


def test_allocated_bytes_are_a_row_or_two():
    assert downsample_bytes(100_000, np.dtype("uint16")) == 100_000 * 12
