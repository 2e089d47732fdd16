"""The precision of arithmetic, and the rounding of its results to voxels.

Results are rounded half to even and saturated, never wrapped.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

__all__ = ["as_voxel", "compute_dtype", "dtype_range", "is_wide", "no_extremes", "store_row"]


def compute_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which voxels of `dtype` are computed.

    Returns
    -------
    numpy.dtype
        float32 for float32 and integers of up to 16 bits, whose rounding errors are then a few
        hundredths of a 16-bit grey value; float64 for the other dtypes.
    """
    narrow = dtype.itemsize <= 2 or dtype == np.float32
    return np.dtype(np.float32 if narrow else np.float64)


def dtype_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the minimum and maximum of an integer dtype, or the infinities for a float dtype.

    Examples
    --------
    >>> dtype_range(np.dtype("int16")), dtype_range(np.dtype("float32"))
    ((-32768.0, 32767.0), (-inf, inf))
    """
    if dtype.kind == "f":
        return -np.inf, np.inf
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)


def is_wide(dtype: np.dtype[Any]) -> bool:
    """Return whether the dtype has integers that float64 rounds: those of 64 bits."""
    return dtype.kind in "iu" and dtype.itemsize == 8


def as_voxel(value: float, dtype: np.dtype[Any]) -> Any:
    """Return a number other than NaN as a voxel: rounded half to even and saturated in integers.

    Examples
    --------
    >>> as_voxel(2.5, np.dtype("int8")), as_voxel(2**53 + 1, np.dtype("uint64"))
    (np.int8(2), np.uint64(9007199254740993))
    >>> as_voxel(np.inf, np.dtype("int64"))
    np.int64(9223372036854775807)
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):  # what the dtype can't hold is infinite
            return dtype.type(value)
    info = np.iinfo(dtype)
    return dtype.type(round(min(max(value, info.min), info.max)))


def no_extremes(dtype: np.dtype[Any]) -> np.ndarray[tuple[int], np.dtype[Any]]:
    """Return minimum and maximum of no voxels (2,): all voxels are below the one, above the other.

    They are of the dtype itself where float64 rounds its values, else float64.
    """
    if is_wide(dtype):
        return np.array([as_voxel(np.inf, dtype), as_voxel(-np.inf, dtype)], dtype)
    return np.array([np.inf, -np.inf])


def store_row(row: Any, lo: Any, hi: Any, out: Any) -> None:
    """Write a row of floats as voxels. Only compiled kernels can call this function.

    Parameters
    ----------
    row : float array (x,)
        Computed values.
    lo, hi : scalars of the dtype of `row`
        `dtype_range` of the dtype of `out`.
    out : array (x,)
        Takes the voxels. An integer `out` takes values rounded half to even and clipped to lo..hi,
        and 0 for NaN. A float `out` takes the values unchanged.
    """
    raise NotImplementedError("store_row works inside compiled kernels only")


@overload(store_row, strict=False)
def _overload_store_row(row: Any, lo: Any, hi: Any, out: Any) -> Callable[..., None]:  # noqa: ARG001
    if isinstance(out.dtype, types.Float):
        return _store_float
    # The narrow integer converts in vector registers; float64 holds every 32-bit value.
    return _store_narrow if out.dtype.bitwidth <= 16 else _store_wide


def _store_float(row: Any, lo: Any, hi: Any, out: Any) -> None:  # noqa: ARG001
    for x in range(out.size):
        out[x] = row[x]


def _store_integer(integer: Any) -> Callable[..., None]:
    """Return the function that rounds floats to `integer`, which holds every voxel."""

    def store(row: Any, lo: Any, hi: Any, out: Any) -> None:
        for x in range(out.size):
            value = np.rint(row[x])
            value = lo if value < lo else value
            value = hi if value > hi else value
            out[x] = integer(row.dtype.type(0) if np.isnan(value) else value)

    return store


_store_narrow, _store_wide = _store_integer(np.int32), _store_integer(np.int64)
