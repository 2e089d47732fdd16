"""The fold that reduces a volume along one or two of its axes, as NumPy's functions do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.rounding import is_wide
from hoaconv.ops.cells import Cells, Exact, Extremes, Twofold, Whole

__all__ = ["METHODS", "Reduced", "Reduction"]

METHODS = ("min", "max", "mean", "std", "sum")


@dataclass
class Reduced:
    """The state of `Reduction`.

    `cells` are those of the whole result, or, if z stays, of the plane at hand; `rows` counts the
    rows that were taken in. `planes` (planes, cells) holds what is finished, if z stays.
    """

    spec: Spec
    cells: Cells
    planes: Plane
    rows: int = 0
    lock: Any = field(default_factory=Lock)


@dataclass(frozen=True)
class Reduction(Fold):
    """Reduce a volume along axes by its minimum, maximum, mean, standard deviation or sum.

    NaN and infinities count as in NumPy's functions. The dtype stays for ``min`` and ``max``;
    ``mean`` and ``std`` are float64; ``sum`` is int64 of signed integers, uint64 of unsigned ones
    (float64 where a sum may be beyond that), and float64 of floats.

    Sums of integers are exact, and so are those of floats until they are rounded, once, at the
    end; but along z alone floats are summed in pairs of float64, of some 106 bits, in the order of
    the planes. A mean is the sum divided by the number of voxels. A standard deviation errs by
    some units in the last place: it is made of exact sums, along z alone of such pairs.

    Attributes
    ----------
    method
        One of `METHODS`.
    axes
        One or two of z, y and x, in this order, such as ``"zx"``.
    """

    takes_wide: ClassVar[bool] = True
    word: ClassVar[str] = "reduction"
    shared: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    method: str
    axes: str

    def __str__(self) -> str:
        return f"{self.method} along {' and '.join(self.axes)}"

    def init(self, spec: Spec) -> Reduced:
        """No voxels."""
        kept = (spec.planes, self._count(spec)) if "z" not in self.axes else (0, 0)
        return Reduced(spec, self._cells(spec), np.empty(kept, self.dtype(spec)))

    def step(self, state: Reduced, block: Plane, z: int = 0, y: int = 0) -> None:
        """Take in some rows of a plane; one thread at a time where rows share cells."""
        across = self._across(state.spec)
        if across[0]:
            state.cells.add(block, across, y * across[0])
        with state.lock:
            if not across[0]:
                state.cells.add(block, across, 0)
            state.rows += len(block)
            if "z" not in self.axes and state.rows % state.spec.plane_shape[0] == 0:
                state.cells.values(self.method, self._number(state), state.planes[z])
                state.cells.clear()

    def merge(self, one: Reduced, other: Reduced) -> Reduced:
        """One that has seen the planes of both.

        Raises
        ------
        PlanError
            If the result has a value for each plane: these are no parts of one value.
        """
        if "z" not in self.axes:
            raise PlanError(f"'{self}' has a value for each slice, which a sample doesn't tell")
        made = self.init(one.spec)
        for part in (one, other):
            made.cells.merge(part.cells)
            made.rows += part.rows
        return made

    def finish(self, state: Reduced) -> Mapping[str, Any]:
        """The shape of the result, which keeps the axes that aren't reduced, and its dtype."""
        return {"shape": list(self.shape(state.spec)), "dtype": str(self.dtype(state.spec))}

    def draw(self, state: Reduced) -> Plane:
        """The result; one row of values if there is one axis left."""
        if "z" not in self.axes:
            return state.planes if len(self.axes) == 1 else state.planes.reshape(1, -1)
        out = np.empty(self._count(state.spec), self.dtype(state.spec))
        state.cells.values(self.method, self._number(state), out)
        return out.reshape(state.spec.plane_shape if self.axes == "z" else (1, -1))

    def shape(self, spec: Spec) -> tuple[int, ...]:
        """Shape of the result, which keeps the axes that aren't reduced."""
        lengths = zip("zyx", spec.shape, strict=True)
        return tuple(n for axis, n in lengths if axis not in self.axes)

    def dtype(self, spec: Spec) -> np.dtype[Any]:
        """Dtype of the result."""
        if self.method in ("min", "max"):
            return spec.dtype
        whole = self.method == "sum" and spec.dtype.kind in "iu" and self._fits(spec)
        return np.dtype(f"{spec.dtype.kind}8" if whole else np.float64)

    def state_bytes(self, spec: Spec) -> int:
        """Bytes of the cells and of the result."""
        count, dtype = self._count(spec), self.dtype(spec)
        results = spec.planes * count if "z" not in self.axes else count
        return self._cell_bytes(spec, count) + results * dtype.itemsize

    def warm(self, spec: Spec) -> None:
        """Compile the kernels, those at the end too."""
        state = self.init(Spec((1, 1, 1), spec.dtype))
        self.step(state, np.zeros((1, 1), spec.dtype))
        self.draw(state)

    def _count(self, spec: Spec) -> int:
        """Return how many cells a plane takes part in."""
        return prod(
            n for axis, n in zip("yx", spec.plane_shape, strict=True) if axis not in self.axes
        )

    def _across(self, spec: Spec) -> tuple[int, int]:
        """Return how many cells further the next row is, and the next column."""
        columns = 0 if "x" in self.axes else 1
        return 0 if "y" in self.axes else spec.shape[2] if columns else 1, columns

    def _number(self, state: Reduced) -> int:
        """Return how many voxels each cell has seen."""
        rows, columns = state.spec.plane_shape
        planes = state.rows // rows if "z" in self.axes else 1
        return planes * (rows if "y" in self.axes else 1) * (columns if "x" in self.axes else 1)

    def _fits(self, spec: Spec) -> bool:
        """Return whether int64 holds each cell's sum, and for std the sum of its squares."""
        lengths = zip("zyx", spec.shape, strict=True)
        number = prod(n for axis, n in lengths if axis in self.axes)
        bits = 8 * spec.dtype.itemsize * (2 if self.method == "std" else 1)
        return spec.dtype.kind in "iu" and number << bits < 1 << 63

    def _pairs(self, spec: Spec) -> bool:
        """Return whether sums are pairs of float64, which integers of 64 bits wouldn't fit."""
        return self.axes == "z" and not is_wide(spec.dtype)

    def _cells(self, spec: Spec) -> Cells:
        count = self._count(spec)
        if self.method in ("min", "max"):
            return Extremes(count, spec.dtype, self.method)
        if self._fits(spec):
            return Whole(count, self.method)
        if self._pairs(spec):
            return Twofold(count, self.method)
        return Exact(count, spec.dtype, self.method)

    def _cell_bytes(self, spec: Spec, count: int) -> int:
        if self.method in ("min", "max"):
            return Extremes.nbytes(count, spec.dtype)
        if self._fits(spec):
            return Whole.nbytes(count, self.method)
        if self._pairs(spec):
            return Twofold.nbytes(count, self.method)
        return Exact.nbytes(count, spec.dtype, self.method)
