"""Voxels as integers that ascend as the voxels do, for kernels that only ask which is less.

The bits of floats are made to ascend, with NaN above all else, as numpy.sort has it; so the ranks
of any voxels are defined, and no order of comparisons shows. All dtypes of one width share their
kernels.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.rounding import dtype_range

__all__ = ["Keys", "key", "keys_of", "load_keys", "store_keys", "to_key", "to_voxel"]


class Keys(NamedTuple):
    """How the voxels of a dtype are compared: as signed integers of its width."""

    dtype: np.dtype[Any]
    """An array of voxels is viewed as this one, before and after."""
    flipped: Any
    """Bits to flip: in all voxels if they are integers, in negative ones if they are floats."""
    infinity: Any
    """Key of infinity, above which are NaNs; 0 if voxels are integers."""


def keys_of(dtype: np.dtype[Any]) -> Keys:
    """How the voxels of a dtype are compared."""
    signed = np.dtype(f"i{dtype.itemsize}")
    limits = np.iinfo(signed)
    if dtype.kind == "f":
        infinity = np.array(np.inf, dtype).view(signed)[()]
        return Keys(signed, signed.type(limits.max), infinity)
    return Keys(signed, signed.type(limits.min if dtype.kind == "u" else 0), signed.type(0))


def key(value: float, dtype: np.dtype[Any]) -> Any:
    """The key of a finite number as a voxel of `dtype`: rounded half to even and saturated.

    Examples
    --------
    >>> int(key(-2.5, np.dtype("int8"))), int(key(1e9, np.dtype("uint16")))
    (-2, 32767)
    >>> float32 = np.dtype("float32")
    >>> bool(key(-1.5, float32) < key(-0.5, float32) < key(0, float32) < key(7, float32))
    True
    """
    with np.errstate(over="ignore"):
        whole = value if dtype.kind == "f" else np.rint(value)
        voxel = np.array(np.clip(whole, *dtype_range(dtype)), dtype)
    signed, flipped, infinity = keys_of(dtype)
    return signed.type(to_key.py_func(voxel.view(signed)[()], flipped, infinity))


@njit(nogil=True, cache=True, error_model="numpy")
def to_key(bits: Any, flipped: Any, infinity: Any) -> Any:
    """The key of a voxel viewed as an integer."""
    if infinity == 0:
        return bits ^ flipped
    size = bits & flipped
    if size > infinity:
        return size
    return bits if bits >= 0 else bits ^ flipped


@njit(nogil=True, cache=True, error_model="numpy")
def to_voxel(key: Any, flipped: Any, infinity: Any) -> Any:
    """The voxel of a key, viewed as an integer."""
    return key ^ flipped if infinity == 0 or key < 0 else key


@njit(nogil=True, cache=True, error_model="numpy")
def load_keys(row: Any, flipped: Any, infinity: Any, keys: Any) -> None:
    """Write the keys of a row, viewed as integers, into `keys`."""
    for x in range(row.size):
        keys[x] = to_key(row[x], flipped, infinity)


@njit(nogil=True, cache=True, error_model="numpy")
def store_keys(keys: Any, flipped: Any, infinity: Any, row: Any) -> None:
    """Write the voxels of `keys` into a row, viewed as integers."""
    for x in range(row.size):
        row[x] = to_voxel(keys[x], flipped, infinity)
