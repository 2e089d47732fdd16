"""Voxels as integers that ascend as the voxels do, for kernels that only ask which is less.

Integers are their own keys. The bits of floats are made to ascend, with NaN above all else, as
numpy.sort has it; so the ranks of any voxels are defined, and no order of comparisons shows.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hoaconv.kernels.rounding import dtype_range

__all__ = ["Keys", "key", "keys_of", "load_keys", "store_keys", "to_key", "to_voxel"]


class Keys(NamedTuple):
    """How the voxels of a dtype are compared."""

    dtype: np.dtype[Any]
    """Of the keys, as wide as a voxel: an array of voxels is viewed as this one."""
    most: Any
    """Greatest key there can be."""
    infinity: Any
    """Key of infinity, above which are NaNs; 0 where voxels are their own keys."""


def keys_of(dtype: np.dtype[Any]) -> Keys:
    """How the voxels of a dtype are compared."""
    if dtype.kind != "f":
        return Keys(dtype, dtype.type(np.iinfo(dtype).max), dtype.type(0))
    signed = np.dtype(f"i{dtype.itemsize}")
    infinity = np.array(np.inf, dtype).view(signed)[()]
    return Keys(signed, signed.type(np.iinfo(signed).max), infinity)


def key(value: float, dtype: np.dtype[Any]) -> Any:
    """The key of a finite number as a voxel of `dtype`: rounded half to even and saturated.

    Examples
    --------
    >>> int(key(-2.5, np.dtype("int8"))), int(key(1e9, np.dtype("uint16")))
    (-2, 65535)
    >>> float32 = np.dtype("float32")
    >>> bool(key(-1.5, float32) < key(-0.5, float32) < key(0, float32) < key(7, float32))
    True
    """
    with np.errstate(over="ignore"):
        whole = value if dtype.kind == "f" else np.rint(value)
        voxel = np.array(np.clip(whole, *dtype_range(dtype)), dtype)
    signed, most, _ = keys_of(dtype)
    bits = voxel.view(signed)[()]
    return bits ^ most if dtype.kind == "f" and bits < 0 else bits


@njit(nogil=True, cache=True, error_model="numpy")
def to_key(bits: Any, most: Any, infinity: Any) -> Any:
    """The key of a voxel viewed as an integer."""
    if infinity == 0:
        return bits
    size = bits & most
    if size > infinity:
        return size
    return bits if bits >= 0 else bits ^ most


@njit(nogil=True, cache=True, error_model="numpy")
def to_voxel(key: Any, most: Any, infinity: Any) -> Any:
    """The voxel of a key, viewed as an integer."""
    return key if infinity == 0 or key >= 0 else key ^ most


@njit(nogil=True, cache=True, error_model="numpy")
def load_keys(row: Any, most: Any, infinity: Any, keys: Any) -> None:
    """Write the keys of a row, viewed as integers, into `keys`."""
    for x in range(row.size):
        keys[x] = to_key(row[x], most, infinity)


@njit(nogil=True, cache=True, error_model="numpy")
def store_keys(keys: Any, most: Any, infinity: Any, row: Any) -> None:
    """Write the voxels of `keys` into a row, viewed as integers."""
    for x in range(row.size):
        row[x] = to_voxel(keys[x], most, infinity)
