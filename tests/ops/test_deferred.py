"""What a whole volume tells, against numpy on that volume."""

from contextlib import suppress

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.deferred import GreyValues
from hoaconv.ops.pointwise import Between, Clip, Normalize, Rescale, Threshold
from hoaconv.ops.thresholds import METHODS, li_level

pytestmark = pytest.mark.one_python

EXACT = [dtype for dtype in DTYPES if is_exact(dtype)]
KEYED = [dtype for dtype in DTYPES if not is_exact(dtype)]


def found(fold, volume):
    state = fold.init(Spec(volume.shape, volume.dtype))
    for plane in volume:
        fold.step(state, plane)
    return fold.finish(state)


def settled(op, volume):
    return op.settle(found(op.needs, volume)) if op.needs else op


def result(op, volume):
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    op.apply(volume, (slice(None),) * 3, out)
    return out


def humps(dtype, seed=0):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((5, 20, 30)) < 0.4, 90, 30) + rng.normal(0, 8, (5, 20, 30))
    return values.clip(0, 127).astype(dtype)


def divided(method, values):
    values, counts = np.unique(values.astype(float), return_counts=True)
    return values[METHODS[method](values, counts.astype(float))]


def level(method, values):
    """The greatest value that is dark; of li the floor of the threshold itself."""
    if method != "li":
        return divided(method, values)
    values, counts = np.unique(values.astype(float), return_counts=True)
    return np.floor(li_level(values, counts.astype(float)))


@pytest.mark.parametrize("op", [Rescale("p1", "p99"), Rescale("p1", "p99", "int16"), Normalize()])
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_of_one_value_there_is_0_everywhere_but_nan_stays(op, dtype):
    volume = np.full((1, 2, 2), 5, dtype)
    if dtype == "f4":
        volume[0, 0, 0] = np.nan
    made = result(settled(op, volume), volume)
    assert made.dtype == op.infer(Spec(volume.shape, volume.dtype)).dtype
    nan = np.isnan(made.astype(float))
    assert not made[~nan].any()
    assert nan.sum() == (dtype == "f4" and made.dtype.kind == "f")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", EXACT, ids=str)
def test_a_threshold_is_that_of_all_voxels(dtype, method):
    volume = humps(dtype)
    op = settled(Threshold(method), volume)
    assert op == Threshold(level(method, volume))
    np.testing.assert_array_equal(result(op, volume), volume > op.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", KEYED, ids=str)
def test_of_wide_dtypes_it_is_that_of_the_first_8_significant_bits(dtype, method):
    volume = (humps("float64") * 1e4 - 2e5).astype(dtype) if dtype.kind != "u" else humps(dtype)
    single = volume.astype(np.float32)
    cut = (single.view(np.uint32) & 0xFFFF0000).view(np.float32)
    op = settled(Threshold(method), volume)
    np.testing.assert_array_equal(result(op, volume), cut > divided(method, cut))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_percentiles_become_numbers(dtype):
    volume = humps(dtype)
    op = settled(Rescale("p0.5", "p99.5"), volume)
    exact = np.percentile(volume, [0.5, 99.5], method="inverted_cdf").astype(float)
    np.testing.assert_allclose([op.lo, op.hi], exact, rtol=0 if is_exact(dtype) else 1 / 128)
    assert settled(Clip(3, "p100"), volume) == Clip(3, float(volume.max()))
    assert settled(Between("p50", 9e9), volume).hi == 9e9
    assert settled(Threshold("p0"), volume) == Threshold(float(volume.min()))


def test_one_fold_finds_all_that_an_op_needs():
    op = Rescale("p1", "p99.5")
    assert op.needs == GreyValues(("p1", "p99.5"))
    assert str(op.needs) == "find p1 p99.5"
    assert set(found(op.needs, humps("uint8"))) == {"p1", "p99.5"}
    assert Clip("p5", "p5").needs == GreyValues(("p5",))
    assert Rescale(1, 2).needs is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_normalized_voxels_have_mean_0_and_std_1(dtype):
    volume = humps(dtype)
    op = settled(Normalize(), volume)
    wide = volume.astype(np.float64)
    np.testing.assert_allclose([op.mean, op.std], [wide.mean(), wide.std()], rtol=1e-12)
    got = result(op, volume)
    real = np.float64 if dtype == np.float64 else np.float32
    np.testing.assert_array_equal(got, ((wide - op.mean) / op.std).astype(real), strict=True)


def test_normalize_takes_numbers_too_and_leaves_nan_out():
    volume = np.array([[[np.nan, 1, 3, np.inf]]], np.float32)
    assert settled(Normalize(), volume) == Normalize(2, 1)
    assert settled(Normalize(std=4), volume) == Normalize(2, 4)
    np.testing.assert_array_equal(
        result(Normalize(2, 4), volume)[0], [[np.nan, -0.25, 0.25, np.inf]]
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_in_a_volume_of_one_value_no_voxel_is_greater(dtype, method):
    volume = np.full((2, 3, 4), 77, dtype)
    assert not result(settled(Threshold(method), volume), volume).any()


@pytest.mark.parametrize("method", METHODS)
def test_thresholds_leave_out_what_is_no_finite_number(method):
    volume = humps("float32")
    with_more = volume.copy()
    with_more[0, 0, :3] = np.nan, np.inf, -np.inf
    without = np.delete(volume.ravel(), [0, 1, 2]).reshape(1, 1, -1)
    assert settled(Threshold(method), with_more) == settled(Threshold(method), without)


@pytest.mark.parametrize("method", METHODS)
def test_zero_is_one_value_whatever_its_sign(method):
    volume = np.array([[[-0.0, 0.0, 0.0, -0.0, 5.0]]], np.float32)
    mask = result(settled(Threshold(method), volume), volume)
    assert mask.tolist() == [[[0, 0, 0, 0, 1]]]


def test_an_infinite_percentile_is_json_and_read_back():
    volume = np.array([[[1, 2, np.inf]]], np.float32)
    assert found(Clip(0, "p100").needs, volume) == {"p100": "Infinity"}
    assert settled(Clip(0, "p100"), volume) == Clip(0, np.inf)


@pytest.mark.parametrize(
    ("op", "volume", "message"),
    [
        (Rescale(9, "p99"), np.full((1, 2, 2), 5, "u1"), "lo should be below hi"),
        (Rescale(9, "p100"), np.full((1, 2, 2), np.inf, "f4"), "the volume has p100 Infinity"),
        (Clip(9, "p99"), np.full((1, 2, 2), 5, "u1"), r"lo should not be above hi, but 9\.\.5"),
        (
            Normalize(),
            np.full((1, 2, 2), np.nan, "f4"),
            "needs the volume's mean and std, and",
        ),
        (Threshold("otsu"), np.full((1, 2, 2), np.nan, "f4"), "otsu can't be found: every voxel"),
        (Threshold("li"), np.full((1, 2, 2), np.inf, "f4"), "li can't be found: no voxel is fini"),
    ],
)
def test_what_can_not_be_settled_is_explained(op, volume, message):
    with pytest.raises(PlanError, match=message):
        settled(op, volume)


NARROW = [
    (1000, 1003, "float32"),
    (1_000_000, 1_003_000, "uint32"),
    (-70_000, -69_800, "int32"),
    (0.7, 0.702, "float64"),
]


@pytest.mark.parametrize(("lo", "hi", "dtype"), NARROW)
def test_a_window_within_one_bin_is_never_taken_for_one_value(lo, hi, dtype):
    volume = np.linspace(lo, hi, 60).reshape(3, 4, 5).astype(dtype)
    with suppress(PlanError):
        assert isinstance(settled(Rescale("p1", "p99"), volume), Rescale)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_a_volume_of_infinities_alone_is_refused_in_words(value):
    with pytest.raises(PlanError, match="Infinity"):
        settled(Rescale("p1", "p99"), np.full((1, 2, 2), value, "f4"))
