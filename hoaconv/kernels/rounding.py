"""How a computed value becomes a voxel: rounded half to even and saturated, never wrapped."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

__all__ = ["dtype_range", "store_row"]


def dtype_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Least and greatest value of an integer dtype; of a float one, minus and plus infinity.

    Examples
    --------
    >>> dtype_range(np.dtype("int16")), dtype_range(np.dtype("float32"))
    ((-32768.0, 32767.0), (-inf, inf))
    """
    if dtype.kind == "f":
        return -np.inf, np.inf
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)


def store_row(row: Any, lo: Any, hi: Any, out: Any) -> None:
    """Write the floats of `row` into `out`: rounded half to even and held within lo..hi.

    Only for use inside kernels. `lo` and `hi` have the dtype of `row`, and are what `dtype_range`
    gives for the dtype of `out`. Into a float `out` values go as they are; into an integer one
    NaN becomes 0.
    """
    raise NotImplementedError("store_row works inside compiled kernels only")


@overload(store_row, strict=False)
def _store_row(row: Any, lo: Any, hi: Any, out: Any) -> Callable[..., None]:  # noqa: ARG001
    if isinstance(out.dtype, types.Float):
        return _store_float
    # The narrow integer converts in vector registers; float64 holds every 32-bit value.
    return _store_narrow if out.dtype.bitwidth <= 16 else _store_wide


def _store_float(row: Any, lo: Any, hi: Any, out: Any) -> None:  # noqa: ARG001
    for x in range(out.size):
        out[x] = row[x]


def _store_narrow(row: Any, lo: Any, hi: Any, out: Any) -> None:
    for x in range(out.size):
        value = np.rint(row[x])
        value = lo if value < lo else value
        value = hi if value > hi else value
        out[x] = np.int32(row.dtype.type(0) if np.isnan(value) else value)


def _store_wide(row: Any, lo: Any, hi: Any, out: Any) -> None:
    for x in range(out.size):
        value = np.rint(row[x])
        value = lo if value < lo else value
        value = hi if value > hi else value
        out[x] = np.int64(row.dtype.type(0) if np.isnan(value) else value)
