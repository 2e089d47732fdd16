"""Both rank filters, by networks and by histograms, against windows sorted by numpy."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from hoaconv.engine.spec import DTYPES
from hoaconv.kernels import rank_network, rank_tiles
from hoaconv.kernels.boundary import MODES
from hoaconv.kernels.rank_histogram import histogram_rank_filter
from hoaconv.kernels.rank_network import network_rank_filter

pytestmark = pytest.mark.one_python

PADS = {"reflect": "symmetric", "nearest": "edge", "mirror": "reflect", "constant": "constant"}
WHOLE = (slice(None),) * 3


def sorted_windows(volume, size, rank, mode, cval):
    """Return the value of one rank in each window; NaN has the highest rank in numpy too."""
    widths = [(n // 2, n - n // 2 - 1) for n in size]
    values = {"constant_values": cval} if mode == "constant" else {}
    padded = np.pad(volume, widths, PADS[mode], **values)
    windows = sliding_window_view(padded, size).reshape(*volume.shape, -1)
    return np.sort(windows, axis=-1)[..., rank]


def noise(shape, dtype, seed):
    """Return few values, or many of the whole range; floats with both NaN, infinities and zeros."""
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        odd = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e30], dtype)
        return np.where(rng.random(shape) < 0.4, rng.choice(odd, shape), rng.normal(size=shape))
    info = np.iinfo(dtype)
    if seed % 2:
        return rng.integers(0, 3, shape)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 40)),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)),
    st.sampled_from(DTYPES),
    st.sampled_from(MODES),
    st.integers(0, 99),
    st.data(),
)
def test_both_filters_select_the_rank_of_sorted_windows(shape, size, dtype, mode, seed, data):
    rank = data.draw(st.integers(0, size[0] * size[1] * size[2] - 1), label="rank")
    volume = noise(shape, dtype, seed).astype(dtype)
    want = sorted_windows(volume, size, rank, mode, 3)
    one, other = np.empty_like(volume), np.empty_like(volume)
    # A small volume has many tiles and parts of rows of these sizes.
    small = {"_MIN_COLUMNS": 2, "_COLUMNS_BYTES": 0, "_MAX_ROWS": 3}
    with patch.multiple(rank_tiles, **small), patch.object(rank_network, "_MAX_PART", 7):
        network_rank_filter(volume, WHOLE, one, size, rank, mode, 3)
        histogram_rank_filter(volume, WHOLE, other, size, rank, mode, 3)
    np.testing.assert_array_equal(one, want)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("kernel", [network_rank_filter, histogram_rank_filter])
def test_a_core_in_a_part_of_a_larger_array(kernel):
    volume = np.random.default_rng(0).integers(0, 999, (9, 80, 50)).astype(np.uint16)
    want = sorted_windows(volume, (3, 5, 3), 20, "reflect", 0)
    out = np.zeros((5, 90, 50), np.uint16)
    core = (slice(1, 6), slice(2, 42), slice(None))
    kernel(volume[2:9, 30:80], core, out[:, 10:50], (3, 5, 3), 20, "reflect", 0)
    np.testing.assert_array_equal(out[:, 10:50], want[3:8, 32:72])
    assert not out[:, :10].any()
    assert not out[:, 50:].any()


def test_rows_longer_than_a_part():
    volume = np.random.default_rng(0).normal(size=(1, 3, 9001))
    out = np.empty_like(volume)
    network_rank_filter(volume, WHOLE, out, (1, 3, 5), 7, "nearest", 0)
    np.testing.assert_array_equal(out, sorted_windows(volume, (1, 3, 5), 7, "nearest", 0))


@pytest.mark.parametrize("kernel", [network_rank_filter, histogram_rank_filter])
@pytest.mark.parametrize(
    ("dtype", "cval", "voxel"),
    [("uint8", -3, 0), ("int8", 200, 127), ("uint16", 2.5, 2), ("uint32", 3.5, 4)],
)
def test_cval_is_rounded_and_saturated(kernel, dtype, cval, voxel):
    out = np.empty((1, 1, 1), dtype)
    kernel(np.full((1, 1, 1), 1, dtype), WHOLE, out, (3, 3, 3), 13, "constant", cval)
    assert out.item() == voxel


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("size", [(15, 15, 15), pytest.param((41, 41, 41), marks=pytest.mark.long)])
def test_windows_of_many_voxels(dtype, size):
    """The result is that of scipy.ndimage, also for counts above 65535."""
    volume = noise((2, 9, 40), np.dtype(dtype), 2).astype(dtype)
    volume[np.isnan(volume)] = 7  # scipy does not define the rank of NaN
    out = np.empty_like(volume)
    histogram_rank_filter(volume, WHOLE, out, size, np.prod(size) // 2, "mirror", 0)
    np.testing.assert_array_equal(out, ndimage.median_filter(volume, size, mode="mirror"))
