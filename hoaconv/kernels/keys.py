"""Integer keys that ascend with the voxels, for kernels that only compare.

The bits of floats are mapped to an ascending order with NaN last, as in numpy.sort. Every voxel
then has a defined rank, and the order of comparisons does not matter. All dtypes of one width share
the compiled kernels.
"""

from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rounding import as_voxel

__all__ = [
    "KeyEncoding",
    "decode_key",
    "decode_row",
    "encode_key",
    "encode_row",
    "key_encoding",
    "key_of",
]


class KeyEncoding(NamedTuple):
    """The map between the voxels of a dtype and signed integer keys of the same width."""

    dtype: np.dtype[Any]
    """The dtype of the keys. Arrays of voxels are viewed as this dtype."""
    flip: Any
    """Bits to flip: in all voxels of an integer dtype, in the negative ones of a float dtype."""
    infinity: Any
    """The key of infinity, which only NaN exceeds; 0 for an integer dtype."""


def key_encoding(dtype: np.dtype[Any]) -> KeyEncoding:
    """Return the key encoding of a dtype."""
    signed = np.dtype(f"i{dtype.itemsize}")
    limits = np.iinfo(signed)
    if dtype.kind == "f":
        infinity = np.array(np.inf, dtype).view(signed)[()]
        return KeyEncoding(signed, signed.type(limits.max), infinity)
    flip = signed.type(limits.min if dtype.kind == "u" else 0)
    return KeyEncoding(signed, flip, signed.type(0))


def key_of(value: float, dtype: np.dtype[Any]) -> Any:
    """Return the key of a finite number, which is rounded half to even and saturated to `dtype`.

    Examples
    --------
    >>> int(key_of(-2.5, np.dtype("int8"))), int(key_of(1e9, np.dtype("uint16")))
    (-2, 32767)
    >>> float32 = np.dtype("float32")
    >>> bool(key_of(-1.5, float32) < key_of(-0.5, float32) < key_of(0, float32))
    True
    """
    voxel = np.array(as_voxel(value, dtype), dtype)
    signed, flip, infinity = key_encoding(dtype)
    return signed.type(_encode(voxel.view(signed)[()], flip, infinity))


def _encode(bits: Any, flip: Any, infinity: Any) -> Any:
    """Return the key of a voxel that is viewed as an integer."""
    if infinity == 0:
        return bits ^ flip
    magnitude = bits & flip
    if magnitude > infinity:
        return magnitude
    return bits if bits >= 0 else bits ^ flip


encode_key = kernel(_encode)


@kernel
def decode_key(key: Any, flip: Any, infinity: Any) -> Any:
    """Return the voxel of a key, viewed as an integer."""
    return key ^ flip if infinity == 0 or key < 0 else key


@kernel
def encode_row(row: Any, flip: Any, infinity: Any, keys: Any) -> None:
    """Write the keys of a row of voxels that are viewed as integers."""
    for x in range(row.size):
        keys[x] = encode_key(row[x], flip, infinity)


@kernel
def decode_row(keys: Any, flip: Any, infinity: Any, row: Any) -> None:
    """Write the voxels of a row of keys, viewed as integers."""
    for x in range(row.size):
        row[x] = decode_key(keys[x], flip, infinity)
