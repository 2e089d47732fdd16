"""Integers of 64 bits, computed exactly: float64 would round those beyond 2**53."""

import numpy as np

from hoaconv.kernels.types import Slab, Vector

__all__ = ["add_whole", "convert", "convert_bytes"]


def convert(block: Slab, out: Slab) -> None:
    """Write the voxels in the dtype of `out`, rounded half to even and saturated; 0 for NaN.

    `block` and `out` are arrays (z, y, x) of any dtypes. Integers become the nearest float, and
    stay exact in an integer dtype that holds them.
    """
    for plane, made in zip(block, out, strict=True):
        for voxels, row in zip(plane, made, strict=True):
            if row.dtype.kind == "f":
                row[:] = voxels
            elif voxels.dtype.kind == "f":
                _round(voxels, row)
            else:
                _saturate(voxels, row)


def convert_bytes(nx: int) -> int:
    """Return the bytes that `convert` allocates for blocks of `nx` columns."""
    return nx * (8 + 1)


def _round(voxels: Vector, row: Vector) -> None:
    """Write floats as integers. The greatest value isn't a float64, so a mask sets it."""
    info = np.iinfo(row.dtype)
    values = voxels.astype(np.float64)
    np.rint(values, out=values)
    np.copyto(values, 0.0, where=np.isnan(values))
    beyond = float(info.max)  # rounded up: one more than the greatest value
    above = values >= beyond
    np.clip(values, float(info.min), np.nextafter(beyond, 0.0), out=values)
    np.copyto(row, values, casting="unsafe")
    np.copyto(row, row.dtype.type(info.max), where=above)


def _saturate(voxels: Vector, row: Vector) -> None:
    """Write integers as integers of another dtype."""
    taken, given = np.iinfo(voxels.dtype), np.iinfo(row.dtype)
    least, greatest = max(taken.min, given.min), min(taken.max, given.max)
    row[:] = np.clip(voxels, voxels.dtype.type(least), voxels.dtype.type(greatest))


def add_whole(block: Slab, out: Slab, number: int) -> None:
    """Write the voxels with a whole number added, saturated.

    `block` and `out` are arrays (z, y, x) of one integer dtype of 64 bits. Voxels are clipped so
    that the sum is in range; it may then be computed modulo 2**64.
    """
    info = np.iinfo(block.dtype)
    if number >= 0:
        np.minimum(block, block.dtype.type(max(info.max - number, info.min)), out=out)
    else:
        np.maximum(block, block.dtype.type(min(info.min - number, info.max)), out=out)
    number = min(max(number, info.min - info.max), info.max - info.min)
    bits = out.view(np.uint64)
    np.add(bits, np.uint64(number % (1 << 64)), out=bits)
