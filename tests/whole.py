"""Ops on a whole volume at once, and volumes for them."""

import tracemalloc

import numpy as np
from hypothesis import strategies as st

from hoaconv.engine.spec import Spec
from hoaconv.kernels import boundary

MODES = st.sampled_from(boundary.MODES)
SHAPES = st.just((1, 1, 1)) | st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 11))


def result(op, volume):
    """What an op that keeps the shape makes of a volume."""
    out = np.empty(volume.shape, op.infer(Spec(volume.shape, volume.dtype)).dtype)
    op.apply(volume, tuple(slice(0, n) for n in volume.shape), out)
    return out


def noise(shape, dtype, seed):
    """All of an integer dtype's range; of a float dtype some hundreds around 0."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def rounded(real, dtype):
    """As a voxel of the dtype: half to even and saturated."""
    if dtype.kind == "f":
        return real
    return np.rint(real).clip(np.iinfo(dtype).min, np.iinfo(dtype).max)


def allocated(call):
    """Bytes that a call allocates, at the most, once it has been called before.

    Calls leave some kB of small objects for the next ones: these are not what it allocates. Nor is
    what another thread does meanwhile, such as that of pytest-xdist: it adds to one call in
    hundreds, so the least of three calls is told.
    """
    call()
    tracemalloc.start()
    try:
        call()
        return min(_allocated(call) for _ in range(3))
    finally:
        tracemalloc.stop()


def _allocated(call):
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    call()
    return tracemalloc.get_traced_memory()[1] - kept
