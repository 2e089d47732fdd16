"""Rounding away of the lowest bits of voxels, exactly, on their bits as unsigned integers."""

from typing import Any

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import flat_rows, row_view
from hoaconv.kernels.types import FlatRows, Slab

__all__ = ["most_bits", "quantize"]


def most_bits(dtype: np.dtype[Any]) -> int:
    """Return the most bits that can be rounded away: two bits of an integer stay, one of a float.

    Examples
    --------
    >>> most_bits(np.dtype("uint8")), most_bits(np.dtype("float32"))
    (6, 22)
    """
    if dtype.kind == "f":
        return int(np.finfo(dtype).nmant) - 1
    return 8 * dtype.itemsize - 2


def quantize(block: Slab, out: Slab, bits: int) -> None:
    """Write the nearest multiple of ``2**bits``, of two the one whose quotient is even.

    Parameters
    ----------
    block, out : arrays (z, y, x) of one dtype
        Integers saturate: where the multiple is beyond the dtype, they become its greatest value.
        Of floats, the last bits of the mantissa are rounded; what would become infinite becomes the
        greatest finite number, and infinities and NaN stay.
    bits : int
        At most `most_bits`.
    """
    dtype = block.dtype
    unsigned = np.dtype(f"u{dtype.itemsize}")
    whole, sign = (1 << 8 * dtype.itemsize) - 1, 1 << 8 * dtype.itemsize - 1
    low = (1 << bits - 1) - 1
    source, target = flat_rows(block.view(unsigned)), flat_rows(out.view(unsigned))
    if dtype.kind == "f":
        infinite = int(np.array(np.inf, dtype).view(unsigned))
        numbers = _numbers(sign, infinite, low, bits, whole >> bits << bits)
        _round_floats(source, target, block.shape, numbers)
    else:
        bias = sign if dtype.kind == "i" else 0
        numbers = _numbers(bias, whole, low, bits, whole >> bits << bits)
        _round_integers(source, target, block.shape, numbers)


def _numbers(*values: int) -> tuple[np.uint64, ...]:
    return tuple(map(np.uint64, values))


@kernel
def _round_integers(source: FlatRows, target: FlatRows, shape: Any, numbers: Any) -> None:
    """Round integers; with the sign bit flipped, signed ones are in the order of unsigned ones."""
    bias, most, low, bits, mask = numbers
    one = np.uint64(1)
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            voxels, made = row_view(source, z, y, nx), row_view(target, z, y, nx)
            for x in range(nx):
                value = np.uint64(voxels[x]) ^ bias
                rounded = (value + low + ((value >> bits) & one)) & mask
                if rounded > most or rounded < (value & mask):  # the second beyond 64 bits
                    rounded = most
                made[x] = made.dtype.type(rounded ^ bias)


@kernel
def _round_floats(source: FlatRows, target: FlatRows, shape: Any, numbers: Any) -> None:
    """Round floats, whose bits without the sign are in the order of their magnitudes."""
    sign, infinite, low, bits, mask = numbers
    one = np.uint64(1)
    nz, ny, nx = shape
    for z in range(nz):
        for y in range(ny):
            voxels, made = row_view(source, z, y, nx), row_view(target, z, y, nx)
            for x in range(nx):
                own = np.uint64(voxels[x]) & sign
                value = np.uint64(voxels[x]) ^ own
                if value < infinite:
                    value = (value + low + ((value >> bits) & one)) & mask
                    value = value if value < infinite else infinite - one
                made[x] = made.dtype.type(value | own)
