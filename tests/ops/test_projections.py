"""Pictures against numpy on the whole volume."""

import numpy as np
import pytest

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.errors import SpellingError
from hoaconv.ops.projections import Projection

pytestmark = pytest.mark.one_python


def state_of(fold, volume):
    state = fold.init(Spec(volume.shape, volume.dtype))
    for z, plane in enumerate(volume):
        for y in range(0, plane.shape[0], 4):
            fold.step(state, plane[y : y + 4], z, y)
    return state


def drawn(method, volume):
    fold = Projection(method)
    state = state_of(fold, volume)
    picture = fold.draw(state)
    told = {"shape": list(volume.shape[1:]), "dtype": str(picture.dtype)}
    assert fold.finish(state) == told
    return picture


def noise(dtype, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(60, 20, (9, 10, 7))
    if dtype.kind == "f":
        return values.astype(dtype)
    large = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, values.shape, dtype, True)
    return np.where(rng.random(values.shape) < 0.3, large, values.clip(0, 127).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_against_numpy(dtype):
    volume = noise(dtype)
    np.testing.assert_array_equal(drawn("max", volume), volume.max(0), strict=True)
    np.testing.assert_array_equal(drawn("min", volume), volume.min(0), strict=True)
    real = np.float64 if dtype == np.float64 else np.float32
    wide = volume.astype(np.int64 if dtype.kind in "iu" else np.float64)
    total = wide[0]
    for plane in wide[1:]:
        total = total + plane
    np.testing.assert_array_equal(drawn("sum", volume), total.astype(np.float64), strict=True)
    np.testing.assert_array_equal(drawn("mean", volume), (total / 9).astype(real), strict=True)
    # Welford's recurrence rounds otherwise than numpy's two sweeps.
    expected = volume.astype(np.float64).std(0).astype(real)
    np.testing.assert_allclose(drawn("std", volume), expected, rtol=1e-6, strict=True)


@pytest.mark.parametrize("method", ["max", "mean", "min", "sum", "std"])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "float64"])
def test_two_parts_of_the_slices_merge(method, dtype):
    volume, fold = noise(np.dtype(dtype)), Projection(method)
    merged = fold.merge(state_of(fold, volume[:4]), state_of(fold, volume[4:]))
    np.testing.assert_allclose(fold.draw(merged), drawn(method, volume), rtol=1e-12)
    nothing = fold.init(Spec(volume.shape, volume.dtype))
    merged = fold.merge(nothing, state_of(fold, volume))
    np.testing.assert_allclose(fold.draw(merged), drawn(method, volume), rtol=1e-12)


def test_what_is_no_number_stays_at_its_pixel():
    volume = np.array([[[np.nan, np.inf, 1, np.inf]], [[1, 2, 3, -np.inf]]], np.float32)
    nan, inf = np.nan, np.inf
    for method, expected in {
        "max": [nan, inf, 3, inf],
        "min": [nan, 2, 1, -inf],
        "sum": [nan, inf, 4, nan],
        "mean": [nan, inf, 2, nan],
        "std": [nan, nan, 1, nan],
    }.items():
        np.testing.assert_array_equal(drawn(method, volume), [expected])


def test_the_std_of_one_slice_or_equal_ones_is_0():
    plane = noise(np.dtype("float32"))[:1]
    assert not drawn("std", plane).any()
    assert not drawn("std", np.repeat(plane, 5, axis=0)).any()


def test_refuses_other_methods():
    with pytest.raises(SpellingError, match="method should be one of max, mean, min, sum, std"):
        Projection("median")
