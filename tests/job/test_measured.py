"""Reductions and folds of volumes, streamed, against NumPy on the whole array."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

import hoaconv as hc
from hoaconv import ops
from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import DTYPES
from hoaconv.errors import BudgetError, SpellingError
from hoaconv.job.measured import Measured, Values
from hoaconv.job.scalar import Scalar
from hoaconv.ops.catalogue import catalogue
from hoaconv.ops.reductions import Reduction

ARRAY = np.random.default_rng(0).integers(0, 60000, (20, 30, 40)).astype(np.uint16)
AXES = [axes for n in (1, 2) for axes in combinations("zyx", n)]

volumes = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, st.tuples(*[st.integers(1, 5)] * 3))
)


def numbers(axes):
    return tuple("zyx".index(axis) for axis in axes)


@settings(max_examples=60, deadline=None)
@given(volumes, st.sampled_from(["min", "max", "mean", "sum"]), st.sampled_from(AXES))
def test_reductions_are_numpys(array, method, axes) -> None:
    made = getattr(hc.open(array), method)(axes).compute()
    with np.errstate(all="ignore"):
        if method in ("min", "max"):
            want = getattr(array, method)(axis=numbers(axes))
            np.testing.assert_array_equal(made, want, strict=True)
            return
        wide = array.astype(np.longdouble)
        want = getattr(wide, method)(axis=numbers(axes)).astype(np.float64)
        slack = np.abs(wide).sum(axis=numbers(axes)).astype(np.float64) * 1e-18
    close = np.isclose(made, want, rtol=1e-15, atol=np.nan_to_num(slack).max(), equal_nan=True)
    overflown = np.isinf(made) | np.isinf(want) | np.isnan(want)
    assert (close | overflown).all()


METHODS = ["min", "max", "mean", "std", "sum"]


@pytest.mark.parametrize(
    ("axes", "method", "dtype"),
    [
        *product(AXES, METHODS, ["uint16"]),
        *product(AXES[:1], METHODS, ["uint8", "int32", "float32"]),
    ],
)
def test_streamed_is_whole_whatever_the_workers(axes, method, dtype) -> None:
    array = np.random.default_rng(1).integers(0, 200, (7, 90, 31)).astype(dtype)
    volume = hc.open(array).median((1, 3, 1))
    whole = volume.compute()
    fold = Reduction(method, "".join(axes))
    state = fold.init(volume.spec)
    for z, plane in enumerate(whole):
        fold.step(state, plane, z, 0)
    want = fold.draw(state).reshape(fold.finish(state)["shape"])
    for workers in (1, 3):
        made = getattr(volume, method)(axes).compute(workers=workers)
        np.testing.assert_array_equal(made, want, strict=True)


def test_axes_are_named_in_any_way() -> None:
    volume = hc.open(ARRAY)
    assert volume.max("zy") == volume.max("y,z") == volume.max(("y", "z")) == volume.max(axis="zy")
    assert isinstance(volume.max("zyx"), Scalar)
    assert isinstance(volume.max(("x", "y", "z")), Scalar)


def test_with_a_size_the_filters_stay() -> None:
    volume = hc.open(ARRAY)
    assert np.array_equal(volume.max(3).compute(), ndimage.maximum_filter(ARRAY, 3))
    for made in (volume.max(3), volume.max(size=3), volume.max("3")):
        assert made.same_as(volume | "max 3")
    assert volume.std((1, 3, 3)).same_as(volume | "std 1,3,3")
    for made in (volume.min(3, "nearest"), volume.min(3, mode="nearest")):
        assert made.same_as(volume | "min 3 mode=nearest")
    assert volume.percentile(50, 3).same_as(volume | "percentile 50 3")


@pytest.mark.parametrize("axis", ["a", "zz", "", 0, ("z", 1), 3])
def test_what_is_no_axis_is_refused(axis) -> None:
    with pytest.raises(SpellingError):
        hc.open(ARRAY).mean(axis)
    if axis != 3:
        with pytest.raises(SpellingError, match="max"):
            hc.open(ARRAY).max(axis)
    if axis in ("a", "zz", ("z", 1)):
        with pytest.raises(SpellingError, match="max takes axes by their names"):
            hc.open(ARRAY).max(axis)


@pytest.mark.parametrize("word", [w for w, op in catalogue().items() if issubclass(op, Fold)])
def test_every_fold_takes_a_volume(word) -> None:
    volume, fold = hc.open(ARRAY).gaussian(1), catalogue()[word]
    values = {"percentiles": ("1,50",), "projection": ("mean",)}.get(word, ())
    measured = fold(volume, *values)
    assert measured == Measured(volume, fold(*values))
    assert measured == getattr(ops, word)(volume, *values)
    assert word == "stats" or measured == getattr(volume, word)(*values)  # that one is computed
    made = measured.compute()
    if fold.draws:
        assert made.shape == (30, 40)
        return
    assert isinstance(made, Values)
    assert len(made) > 0


def test_values_are_attributes_and_items() -> None:
    made = ops.stats(ARRAY).compute(budget="1TiB", workers=2)
    assert made.mean == made["mean"] == pytest.approx(ARRAY.mean(), rel=1e-15)
    assert (made.min, made.max, made.n) == (ARRAY.min(), ARRAY.max(), ARRAY.size)
    assert dict(made)["sum"] == ARRAY.sum()
    with pytest.raises(AttributeError, match="there are n, nan"):
        made.medium  # noqa: B018
    assert "mean" in dir(made)
    assert repr(made).startswith("Values(n=24000, nan=0, ")
    assert "<table>" in made._repr_html_()


def test_values_are_those_of_python_and_numpy() -> None:
    array = np.array([[[1, np.inf]], [[np.nan, np.nan]]], np.float32)
    assert ops.stats(array).compute().max == np.inf
    np.testing.assert_array_equal(ops.profile(array).compute().mean, [1, np.nan])
    histogram = ops.histogram(ARRAY, 4).compute()
    assert histogram.counts.sum() == ARRAY.size
    assert histogram.percentiles["50"] == np.percentile(ARRAY, 50, method="inverted_cdf")


def test_a_measurement_is_a_value_that_shows_itself() -> None:
    volume = hc.open(ARRAY)
    assert repr(volume.max("z")) == "Measured(max along z of 20 x 30 x 40 uint16)"
    assert volume.std(("y", "x")) == volume.std("yx")
    assert "<table>" in volume.max("z")._repr_html_()
    assert np.array_equal(np.asarray(volume.max("z")), ARRAY.max(0))
    with pytest.raises(TypeError, match="no array"):
        np.asarray(ops.stats(volume))


def test_what_is_tapped_on_the_way_is_not_mistaken_for_the_result() -> None:
    tapped = hc.open(ARRAY) | "stats | projection max | add 1"
    assert ops.stats(tapped).compute().min == ARRAY.min() + 1
    assert np.array_equal(tapped.min("z").compute(), ARRAY.min(0) + 1)
    assert float(tapped.max()) == ARRAY.max() + 1


def test_what_does_not_fit_is_refused() -> None:
    wide = hc.open(np.broadcast_to(np.uint8(3), (2, 10000, 10000)))
    with pytest.raises(BudgetError, match="std along z"):
        wide.std("z").compute(budget="1GiB", workers=1)


def test_a_marked_volume_has_a_size_and_its_unit() -> None:
    mask = hc.open(ARRAY, voxel_size=(3, 2, 2)) > 30000
    found = ops.volume(mask).compute()
    voxels = int((ARRAY > 30000).sum())
    assert (found.voxels, found.volume, found.unit) == (voxels, voxels * 12.0, "micrometer^3")
    assert ops.volume(hc.open(ARRAY)).compute().volume is None
    binned = mask.bin(2)
    assert ops.volume(binned).compute().volume == np.count_nonzero(binned.compute()) * 96.0


def test_what_a_measurement_will_be_is_known_before() -> None:
    volume = hc.open(ARRAY)
    for measured in (volume.max("z"), volume.mean("y"), volume.sum(("y", "x")), volume.std("zx")):
        made = measured.compute()
        assert (measured.shape, measured.dtype) == (made.shape, made.dtype)
    picture = ops.projection(volume, "mean")
    assert (picture.shape, picture.dtype) == ((30, 40), picture.compute().dtype)
    with pytest.raises(AttributeError, match="several values"):
        _ = ops.stats(volume).shape
