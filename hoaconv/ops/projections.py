"""Projections along z, such as the maximum-intensity projection."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.rounding import as_voxel
from hoaconv.kernels.welford import welford_update
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import choice
from hoaconv.ops.parameters import Declared, param

__all__ = ["METHOD", "Projected", "Projection"]

METHOD = choice("max", "mean", "min", "sum", "std")

_JOINS = {"max": np.maximum, "min": np.minimum, "sum": np.add, "mean": np.add}

_BYTES = {"sum": 8 + 8, "mean": 8 + 8 + 4, "std": 8 + 8 + 8 + 4}
"""Bytes of a pixel: its state, and what converting the picture to its dtype allocates."""


@dataclass
class Projected:
    """Pixels of a projection so far: the state of `Projection`.

    `values` (y, x) are greatest or least voxels, sums, or means; `spreads` (y, x), for ``std``
    alone, are sums of squared differences from the means. `numbers` (y) count the voxels of each
    row along z.
    """

    dtype: np.dtype[Any]
    values: Plane
    spreads: Plane
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]]


@op("projection", example="projection max")
class Projection(Declared, Fold):
    """Project all slices along z to one TIFF picture (y, x): max, mean, min, sum or std.

    ``projection max`` is the maximum-intensity projection. ``max`` and ``min`` keep the dtype,
    ``mean`` and ``std`` are float32 (float64 for float64), ``sum`` is float64. Sums and means of
    integers are exact, then rounded. NaN at a pixel stays; infinities follow numpy: their std is
    NaN. The picture is written beside the output; the voxels stay.

    Examples
    --------
    >>> ops.projection(np.array([[[1, 7]], [[3, 5]]], "uint8"), "max").compute()
    array([[3, 7]], dtype=uint8)
    """

    shared: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    method: str = param(METHOD, "how the voxels along z are combined")

    @property
    def takes_wide(self) -> bool:  # type: ignore[override] # a fact of the class in most others
        """True for max and min."""
        return self.method in ("max", "min")

    def init(self, spec: Spec) -> Projected:
        """Return pixels of no slices."""
        shape, dtype = spec.plane_shape, spec.dtype
        numbers = np.zeros(shape[0], np.int64)
        if self.method in ("max", "min"):
            first = as_voxel(-inf if self.method == "max" else inf, dtype)
            return Projected(dtype, np.full(shape, first, dtype), np.empty((0, 0)), numbers)
        wide = np.int64 if dtype.kind in "iu" and self.method != "std" else np.float64
        spreads = np.zeros(shape if self.method == "std" else (0, 0))
        return Projected(dtype, np.zeros(shape, wide), spreads, numbers)

    def step(self, state: Projected, block: Plane, z: int = 0, y: int = 0) -> None:  # noqa: ARG002
        """Add some rows of a plane."""
        rows = slice(y, y + len(block))
        state.numbers[rows] += 1
        values = state.values[rows]
        if self.method == "std":
            welford_update(block, int(state.numbers[y]), values, state.spreads[rows])
        else:
            with np.errstate(all="ignore"):  # infinities and NaN are numpy's
                _JOINS[self.method](values, block, out=values)

    def merge(self, one: Projected, other: Projected) -> Projected:
        """Return the pixels of the slices of both.

        T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance",
        The American Statistician 37 (1983), 242-247.
        """
        numbers = one.numbers + other.numbers
        if self.method != "std":
            values = _JOINS[self.method](one.values, other.values)
            return Projected(one.dtype, values, one.spreads, numbers)
        share = (other.numbers / np.maximum(numbers, 1))[:, None]
        away = other.values - one.values
        between = away**2 * (one.numbers[:, None] * share)
        spreads = one.spreads + other.spreads + between
        return Projected(one.dtype, one.values + away * share, spreads, numbers)

    def finish(self, state: Projected) -> Mapping[str, Any]:
        """Return shape (y, x) and dtype of the picture."""
        return {"shape": list(state.values.shape), "dtype": str(self._dtype(state.dtype))}

    def draw(self, state: Projected) -> Plane:
        """Return the picture."""
        given = self._dtype(state.dtype)
        if self.method in ("max", "min", "sum"):
            return state.values.astype(given, copy=False)
        number = np.maximum(state.numbers, 1)[:, None]
        found = (state.spreads if self.method == "std" else state.values) / number
        if self.method == "std":
            np.sqrt(found, out=found)
        with np.errstate(over="ignore"):  # what float32 can't hold is infinite
            return found.astype(given, copy=False)

    def shape(self, spec: Spec) -> tuple[int, int]:
        """Return the shape (y, x) of the picture."""
        return spec.plane_shape

    def dtype(self, spec: Spec) -> np.dtype[Any]:
        """Return the dtype of the picture."""
        return self._dtype(spec.dtype)

    def _dtype(self, taken: np.dtype[Any]) -> np.dtype[Any]:
        if self.method in ("max", "min"):
            return taken
        return np.dtype(np.float64) if self.method == "sum" else real_dtype(taken)

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of the pixels, and of the picture."""
        rows, columns = spec.plane_shape
        return rows * columns * _BYTES.get(self.method, spec.dtype.itemsize) + rows * 8
