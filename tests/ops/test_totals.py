"""Numbers of a whole volume against NumPy and exact fractions."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hoaconv.engine.spec import DTYPES, Spec
from hoaconv.ops.totals import TOTALS, Totals

pytestmark = pytest.mark.one_python

volumes = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, st.tuples(*[st.integers(1, 4)] * 3))
)


def totals_of(volume):
    fold = Totals()
    state = fold.init(Spec(volume.shape, volume.dtype))
    for z, plane in enumerate(volume):
        fold.step(state, np.ascontiguousarray(plane), z)
    told = json.loads(json.dumps(fold.finish(state), allow_nan=False))
    return {name: float(value) for name, value in told.items()}


@settings(max_examples=150, deadline=None)
@given(volumes)
def test_least_and_greatest_are_numpys_and_sums_are_exact(volume) -> None:
    told = totals_of(volume)
    assert tuple(told) == TOTALS
    with np.errstate(all="ignore"):
        wide = volume.astype(np.float64)
        np.testing.assert_array_equal(told["min"], wide.min())
        np.testing.assert_array_equal(told["max"], wide.max())
        if not np.isfinite(wide).all():
            for name in ("mean", "sum", "std"):
                np.testing.assert_equal(told[name], float(getattr(wide, name)()))
            return
    exact = sum(map(Fraction, volume.ravel().tolist()))
    assert told["sum"] == rounded(exact)
    assert told["mean"] == rounded(exact / volume.size)


def rounded(exact):
    try:
        return float(exact)
    except OverflowError:
        return np.inf if exact > 0 else -np.inf


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_deviation_is_numpys(dtype) -> None:
    volume = np.random.default_rng(0).integers(0, 100, (4, 5, 6)).astype(dtype)
    assert totals_of(volume)["std"] == pytest.approx(volume.astype(float).std(), rel=1e-14)
