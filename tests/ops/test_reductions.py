"""Reductions along axes against NumPy and exact fractions, whatever the bands are."""

import json
import tracemalloc
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import PlanError
from hoaconv.ops.reductions import METHODS, Reduction

pytestmark = pytest.mark.one_python

AXES = ["".join(axes) for n in (1, 2) for axes in combinations("zyx", n)]
SMALL = 80_000
"""Bytes that needn't be declared: Python objects, and temporaries of 1024 cells."""


def volumes(elements=None):
    shapes = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 7))
    return st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype, shapes, elements=elements(dtype) if elements and dtype.kind == "f" else None
        )
    )


def plain_floats(dtype):
    return st.floats(-1000, 1000, width=8 * dtype.itemsize)


def reduced(volume, method, axes, rows=3, order=reversed):
    """The result of a state that gets bands of some rows, in any order within a plane."""
    fold = Reduction(method, axes)
    state = fold.init(Spec(volume.shape, volume.dtype))
    for z, plane in enumerate(volume):
        for y in order(range(0, plane.shape[0], rows)):
            fold.step(state, np.ascontiguousarray(plane[y : y + rows]), z, y)
    told = json.loads(json.dumps(fold.finish(state)))
    made = fold.draw(state).reshape(told["shape"])
    assert made.dtype == told["dtype"]
    return made


def numbers(axes):
    return tuple("zyx".index(axis) for axis in axes)


@pytest.mark.parametrize("axes", AXES)
@settings(max_examples=60, deadline=None)
@given(volume=volumes(), method=st.sampled_from(["min", "max"]))
def test_extremes_are_numpys(axes, volume, method) -> None:
    with np.errstate(all="ignore"):
        want = getattr(volume, method)(axis=numbers(axes))
    np.testing.assert_array_equal(reduced(volume, method, axes), want, strict=True)


@pytest.mark.parametrize("axes", AXES)
@settings(max_examples=60, deadline=None)
@given(volume=volumes(plain_floats))
def test_sums_and_means_are_exact(axes, volume) -> None:
    made, mean = (reduced(volume, method, axes) for method in ("sum", "mean"))
    number = volume.size // made.size
    if volume.dtype.kind in "iu":
        want = volume.sum(axis=numbers(axes), dtype=f"{volume.dtype.kind}8")
        np.testing.assert_array_equal(made, want, strict=True)
        np.testing.assert_array_equal(mean, want / number, strict=True)
        return
    flat = np.moveaxis(volume, numbers(axes), range(-len(axes), 0)).reshape(made.size, -1)
    want = [float(sum(map(Fraction, cell))) for cell in flat.tolist()]
    assert made.ravel().tolist() == want
    assert made.dtype == mean.dtype == np.float64
    assert mean.ravel().tolist() == [total / number for total in want]


@pytest.mark.parametrize("axes", AXES)
@settings(max_examples=60, deadline=None)
@given(volume=volumes(plain_floats))
def test_deviations_are_those_of_two_passes(axes, volume) -> None:
    # NumPy rounds the mean before it subtracts it, which errs by some units of the mean.
    wide = volume.astype(np.longdouble)
    want = wide.std(axis=numbers(axes)).astype(np.float64)
    slack = 1e-17 * float(np.abs(wide).max())
    np.testing.assert_allclose(reduced(volume, "std", axes), want, rtol=1e-13, atol=slack)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("method", ["sum", "mean", "std"])
def test_what_is_no_number_shows_as_with_numpy(axes, method) -> None:
    volume = np.ones((3, 4, 5))
    volume[0, 1, 2], volume[1, 2, 3], volume[2, 3, 4], volume[0, 0, 4] = (
        np.nan,
        np.inf,
        -np.inf,
        np.inf,
    )
    with np.errstate(all="ignore"):
        want = getattr(volume, method)(axis=numbers(axes))
    np.testing.assert_array_equal(reduced(volume, method, axes), want, strict=True)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=30, deadline=None)
@given(volume=volumes(), rows=st.integers(1, 6))
def test_no_band_and_no_order_of_bands_shows(axes, method, volume, rows) -> None:
    with np.errstate(all="ignore"):
        one, other = (reduced(volume, method, axes, *how) for how in ((6, list), (rows, reversed)))
    assert np.array_equal(one.view(np.uint8), other.view(np.uint8)) or np.isnan(one).any()
    np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axes", [axes for axes in AXES if "z" in axes])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
def test_two_parts_of_the_planes_merge(method, axes, dtype) -> None:
    volume = np.random.default_rng(1).integers(0, 1000, (7, 5, 6)).astype(dtype)
    fold, states = Reduction(method, axes), []
    for part in (volume[:3], volume[3:]):
        states.append(fold.init(Spec(part.shape, part.dtype)))
        for z, plane in enumerate(part):
            fold.step(states[-1], plane, z, 0)
    made = fold.draw(fold.merge(*states))
    np.testing.assert_array_equal(made.ravel(), reduced(volume, method, axes).ravel())


def test_a_profile_along_z_has_no_parts() -> None:
    fold = Reduction("mean", "yx")
    state = fold.init(Spec((2, 3, 4), "uint8"))
    with pytest.raises(PlanError, match="a value for each slice"):
        fold.merge(state, state)


def test_sums_that_int64_may_not_hold_are_floats() -> None:
    fold, huge = Reduction("sum", "zy"), Spec((1 << 20, 1 << 16, 1), "uint32")
    assert fold.dtype(huge) == np.float64
    assert fold.dtype(Spec((1 << 10, 1 << 16, 1), "uint32")) == np.uint64


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_a_state_is_no_larger_than_declared(axes, method, dtype) -> None:
    fold, spec = Reduction(method, axes), Spec((6, 300, 200), dtype)
    volume = np.random.default_rng(0).integers(0, 100, spec.shape).astype(dtype)
    fold.warm(spec)
    tracemalloc.start()
    try:
        state = fold.init(spec)
        for z, plane in enumerate(volume):
            for y in (0, 150):
                fold.step(state, plane[y : y + 150], z, y)
        fold.draw(state)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= fold.state_bytes(spec) + SMALL
