"""How long storing a plane takes, tried on a few chunks that go nowhere."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from time import perf_counter, process_time

import numpy as np

from hoaconv.engine.spec import Plane, Slab
from hoaconv.io.zarr import ArraySpec, write_nowhere
from hoaconv.kernels.downsample import downsample
from hoaconv.pyramid.levels import Level

__all__ = ["trial_seconds"]

CHUNKS = 3


def trial_seconds(array: ArraySpec, levels: Sequence[Level], method: str, plane: Plane) -> float:
    """Seconds of one thread to store a plane, its share of all levels included.

    Parameters
    ----------
    array, levels
        Level 0, and the whole pyramid.
    method
        See `hoaconv.kernels.downsample`.
    plane
        One such as will be stored (y, x).
    """
    sample = _sample(array, plane)
    packing = replace(array, shape=sample.shape, shards=None)
    write_nowhere(packing, sample)  # the first call loads what it needs
    start = process_time()  # packing has threads of its own: the work of all of them counts
    write_nowhere(packing, sample)
    voxels = sum(prod(level.shape) for level in levels) / array.shape[0]
    seconds = (process_time() - start) / sample.size * voxels
    return seconds + _downsampling(levels, method, plane)


def _sample(array: ArraySpec, plane: Plane) -> Slab:
    """A few chunks; each of their planes is another part of the plane, as if it went on along z."""
    depth, rows, columns = array.chunks
    width = min(CHUNKS * columns, plane.shape[1])
    parts = (np.roll(plane, (-7 * z, -13 * z), (0, 1))[:rows, :width] for z in range(depth))
    return np.stack(list(parts))


def _downsampling(levels: Sequence[Level], method: str, plane: Plane) -> float:
    """Seconds for the first step down, which all further ones together don't reach."""
    if len(levels) < 2:
        return 0.0
    fz, fy, fx = levels[1].step
    out = np.empty(levels[1].shape[1:], plane.dtype)
    start = perf_counter()
    downsample(method, (plane,) * fz, fz, fy, fx, out)
    return (perf_counter() - start) / fz
