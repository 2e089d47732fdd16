"""Estimate the time of storing a plane: a few chunks are packed that go nowhere."""

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt, prod
from time import perf_counter, process_time

import numpy as np

from hoaconv.engine.spec import Plane, Slab
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.zarr import write_nowhere
from hoaconv.kernels.downsample import downsample
from hoaconv.pyramid.levels import Level

__all__ = ["packed_bytes", "trial_seconds"]

CHUNKS = 3
SAMPLE_VOXELS = 1 << 23
SAMPLE_EDGE = 1 << 11

LONG = 3.0
"""Seconds: a trial that would take longer is made of a sixteenth."""


def trial_seconds(array: ArraySpec, levels: Sequence[Level], method: str, plane: Plane) -> float:
    """Return the seconds of one thread to store a plane, with its share of all levels.

    Parameters
    ----------
    array, levels
        Level 0, and the whole pyramid.
    method
        See `hoaconv.kernels.downsample`.
    plane
        One such as will be stored (y, x), or its first rows.
    """
    sample = _sample(array, plane)
    few = sample[:, : -(-sample.shape[1] // 16)]
    _packing(array, few)  # the first call loads what it needs
    each = _packing(array, few)
    if each * sample.size <= LONG:
        each = _packing(array, sample)
    voxels = sum(prod(level.shape) for level in levels) / array.shape[0]
    return each * voxels + _downsampling(levels, method, plane)


def packed_bytes(array: ArraySpec, levels: Sequence[Level], plane: Plane) -> int:
    """Return the estimated bytes of the packed chunks of all levels, from one plane.

    Flat chunks of the plane are packed, as large as the array's chunks; chunks made of shifted
    copies of one plane would pack better than real ones. The levels from 1 on are taken to pack as
    level 0 does.
    """
    rows, columns = (min(n, SAMPLE_EDGE) for n in plane.shape)
    edge = max(1, isqrt(prod(array.chunks)))
    chunks = (1, min(rows, edge), min(columns, edge))
    alone = replace(array, shape=(1, rows, columns), chunks=chunks, shards=None)
    nbytes = write_nowhere(alone, np.ascontiguousarray(plane[None, :rows, :columns]))
    return int(nbytes / (rows * columns) * sum(prod(level.shape) for level in levels))


def _packing(array: ArraySpec, sample: Slab) -> float:
    """Return the seconds for a voxel."""
    start = process_time()  # packing has threads of its own: the work of all of them counts
    write_nowhere(replace(array, shape=sample.shape, shards=None), sample)
    return (process_time() - start) / sample.size


def _sample(array: ArraySpec, plane: Plane) -> Slab:
    """Return a few chunks, each plane of which is another part of the given plane.

    Of huge chunks it returns a part.
    """
    depth, rows, columns = array.chunks
    width = min(CHUNKS * columns, plane.shape[1], SAMPLE_VOXELS)
    rows = min(rows, len(plane), -(-SAMPLE_VOXELS // width))
    depth = min(depth, -(-SAMPLE_VOXELS // (rows * width)))
    y, x = np.arange(rows), np.arange(width)
    parts = (
        plane[np.ix_((y + 7 * z) % len(plane), (x + 13 * z) % plane.shape[1])] for z in range(depth)
    )
    return np.stack(list(parts))


def _downsampling(levels: Sequence[Level], method: str, plane: Plane) -> float:
    """Return the seconds for the first step down; all further steps together take less."""
    if len(levels) < 2:
        return 0.0
    fz, fy, fx = levels[1].step
    out = np.empty((-(-len(plane) // fy), levels[1].shape[2]), plane.dtype)
    start = perf_counter()
    downsample(method, (plane,) * fz, fz, fy, fx, out)
    return (perf_counter() - start) / fz * levels[0].shape[1] / len(plane)
