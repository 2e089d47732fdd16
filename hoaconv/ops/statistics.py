"""Measurements by exact sums of voxels, which don't depend on the number of workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, ldexp, prod, sqrt
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.exact_sums import MAX_VOXELS, accumulate, empty_sums, take_totals
from hoaconv.kernels.histogram import bin_values, is_exact
from hoaconv.kernels.rounding import dtype_range, is_wide, no_extremes
from hoaconv.kernels.types import Vector
from hoaconv.ops.declare import op
from hoaconv.ops.measure import Counting, Counts, plain
from hoaconv.ops.parameters import Declared

__all__ = ["Profile", "Stats", "Tally", "Volume"]


@dataclass
class Tally:
    """Numbers, exact sums and range of some voxels.

    `counts` are the numbers of all voxels, NaN, zeros and saturated ones; `edge` holds the least
    and the greatest voxel other than NaN; `total` and `squares` are sums of the finite ones.
    """

    dtype: np.dtype[Any]
    counts: Vector
    edge: Vector
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)
    waiting: int = 0
    sums: Plane = field(init=False)

    def __post_init__(self) -> None:
        self.sums = empty_sums(self.dtype)

    @classmethod
    def empty(cls, dtype: np.dtype[Any]) -> "Tally":
        """Return the tally of no voxels."""
        return cls(dtype, np.zeros(4, np.int64), no_extremes(dtype))

    @property
    def finite(self) -> int:
        """Number of voxels neither NaN nor infinite; an infinite float counts as saturated."""
        number, nan, _, saturated = (int(count) for count in self.counts)
        return number - nan - saturated if self.dtype.kind == "f" else number

    def add(self, block: Plane) -> None:
        """Add the voxels of a block."""
        rows = max(1, MAX_VOXELS // block.shape[1])
        for y in range(0, block.shape[0], rows):
            part = block[y : y + rows]
            if self.waiting + part.size > MAX_VOXELS:
                self.settle()
            accumulate(part, _saturated(self.dtype), self.sums, self.counts, self.edge)
            self.waiting += part.size

    def settle(self) -> None:
        """Update the exact sums."""
        total, squares = take_totals(self.sums)
        self.total, self.squares, self.waiting = self.total + total, self.squares + squares, 0

    def merged(self, other: "Tally") -> "Tally":
        """Return the tally of the voxels of both."""
        self.settle()
        other.settle()
        lo, hi = min(self.edge[0], other.edge[0]), max(self.edge[1], other.edge[1])
        return Tally(
            self.dtype,
            self.counts + other.counts,
            np.array([lo, hi], self.edge.dtype),
            total=self.total + other.total,
            squares=self.squares + other.squares,
        )

    @classmethod
    def of(cls, found: Counts) -> "Tally":
        """Return the tally of counts by value."""
        histogram = found.histogram
        some = np.flatnonzero(histogram)
        values, numbers = bin_values(found.dtype)[some], histogram[some]
        pairs = list(zip(values.tolist(), numbers.tolist(), strict=True))
        least, greatest = _saturated(found.dtype)
        number, zeros = sum(n for _, n in pairs), sum(n for v, n in pairs if v == 0)
        saturated = sum(n for v, n in pairs if v <= least or v >= greatest)
        return cls(
            found.dtype,
            np.array([number, 0, zeros, saturated]),
            np.array([pairs[0][0], pairs[-1][0]] if pairs else [inf, -inf], np.float64),
            total=Fraction(sum(v * n for v, n in pairs)),
            squares=Fraction(sum(v * v * n for v, n in pairs)),
        )


_ADDER_BYTES = empty_sums(np.dtype(np.float64)).nbytes
"""Bytes of the sums of a tally, at most."""


def _saturated(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the values at and beyond which a voxel is saturated; an unsigned 0 isn't."""
    least, greatest = dtype_range(dtype)
    return (-inf if dtype.kind == "u" else least), greatest


@op("stats")
class Stats(Declared, Counting):
    """Compute number, minimum, maximum, mean, standard deviation, sum, zeros, saturated voxels.

    All are exact, or exact results rounded once. NaN is counted and otherwise left out; mean, std
    and sum leave out infinities too. A voxel is saturated if it has the greatest value of an
    integer dtype, the least value of a signed one, or is an infinity. The result goes into the
    report; the voxels stay.

    Examples
    --------
    >>> found = ops.stats(np.array([[[0, 1, 5]]], "uint8")).compute()
    >>> found.n, found.mean, found.max, found.zeros
    (3, 2, 5, 1)
    """

    def init(self, spec: Spec) -> Counts | Tally:  # type: ignore[override]
        """Return the statistics of no voxels."""
        return super().init(spec) if is_exact(spec.dtype) else Tally.empty(spec.dtype)

    def step(self, state: Any, block: Plane, z: int = 0, y: int = 0) -> None:
        """Add the voxels of some rows of a plane."""
        if isinstance(state, Tally):
            state.add(block)
        else:
            super().step(state, block, z, y)

    def merge(self, one: Any, other: Any) -> Any:
        """Return the statistics of the voxels of both."""
        return one.merged(other) if isinstance(one, Tally) else super().merge(one, other)

    def finish(self, state: Counts | Tally) -> Mapping[str, Any]:
        """Return the numbers by their names; None for those that need a voxel but have none."""
        tally = state if isinstance(state, Tally) else Tally.of(state)
        tally.settle()
        number, nan, zeros, saturated = (int(count) for count in tally.counts)
        least, greatest = tally.edge.tolist()
        mean = tally.total / tally.finite if tally.finite else None
        return {
            "n": number,
            "nan": nan,
            "min": plain(least) if least <= greatest else None,
            "max": plain(greatest) if least <= greatest else None,
            "mean": None if mean is None else plain(_rounded(mean)),
            "std": None if mean is None else plain(_root(tally.squares / tally.finite - mean**2)),
            "sum": int(tally.total) if tally.dtype.kind in "iu" else plain(_rounded(tally.total)),
            "zeros": zeros,
            "saturated": saturated,
        }

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of the counts, or of the sums."""
        return super().state_bytes(spec) if is_exact(spec.dtype) else _ADDER_BYTES + 4096


def _rounded(exact: Fraction) -> float:
    """Return the nearest float; an infinity beyond the greatest."""
    try:
        return float(exact)
    except OverflowError:
        return inf if exact > 0 else -inf


def _root(square: Fraction) -> float:
    """Return the square root, also where the square is too small or too large for a float."""
    half = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    return ldexp(sqrt(square / Fraction(4) ** half), half)


@dataclass
class Marked:
    """Voxels that aren't 0, and their size: the state of `Volume`."""

    geometry: Geometry
    voxels: int = 0


@op("volume")
class Volume(Declared, Fold):
    """Count the voxels that aren't 0, such as those of a mask, and report their volume.

    NaN isn't 0. If the voxel size is known, the report of a conversion has the volume too, in cubic
    units such as cubic micrometers. The result goes into the report; the voxels stay.

    Examples
    --------
    >>> ops.volume(np.array([[[0, 1, 1]]], "uint8")).compute().voxels
    2
    """

    takes_wide: ClassVar[bool] = True

    def init(self, spec: Spec) -> Marked:
        """Return a count of no voxels."""
        return Marked(spec.geometry)

    def step(self, state: Marked, block: Plane, z: int = 0, y: int = 0) -> None:  # noqa: ARG002
        """Count in some rows of a plane."""
        state.voxels += int(np.count_nonzero(block))

    def merge(self, one: Marked, other: Marked) -> Marked:
        """Return the sum of two counts."""
        return Marked(one.geometry, one.voxels + other.voxels)

    def finish(self, state: Marked) -> Mapping[str, Any]:
        """Return the number of voxels, their volume and its unit; None for what isn't known."""
        size, unit = state.geometry.voxel_size, state.geometry.unit
        return {
            "voxels": state.voxels,
            "volume": state.voxels * prod(size) if size else None,
            "unit": f"{unit}^3" if unit else None,
        }

    def state_bytes(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Return the bytes of a number."""
        return 64


Sum = tuple[int, Fraction]
"""Number of voxels, and their sum."""

Sums = list[Sum]
"""Sums of the slices."""


@op("profile")
class Profile(Declared, Fold):
    """Compute the mean of each slice; NaN and infinities are left out.

    The result goes into the report; the voxels stay.

    Examples
    --------
    >>> ops.profile(np.array([[[1, 2]], [[3, 5]]], "uint8")).compute().mean
    array([1.5, 4. ])
    """

    takes_wide: ClassVar[bool] = True

    def init(self, spec: Spec) -> Sums:
        """Return sums of no voxels."""
        return [(0, Fraction(0))] * spec.planes

    def step(self, state: Sums, block: Plane, z: int = 0, y: int = 0) -> None:  # noqa: ARG002
        """Add the voxels of some rows of a plane."""
        state[z] = _added(state[z], _summed(block))

    def merge(self, one: Sums, other: Sums) -> Sums:
        """Return the sums of both, slice by slice."""
        return list(map(_added, one, other))

    def finish(self, state: Sums) -> Mapping[str, Any]:
        """Return the means, slice by slice; None where a slice has no finite voxel."""
        return {"mean": [plain(_rounded(total / n)) if n else None for n, total in state]}

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of the slices' sums, long numbers for floats, and of the adder."""
        return spec.planes * 1024 + _ADDER_BYTES


def _added(one: Sum, other: Sum) -> Sum:
    return one[0] + other[0], one[1] + other[1]


def _summed(block: Plane) -> Sum:
    if block.dtype.kind in "iu" and not is_wide(block.dtype):
        return block.size, Fraction(int(block.sum(dtype=np.int64)))
    tally = Tally.empty(block.dtype)
    tally.add(block)
    tally.settle()
    return tally.finite, tally.total
