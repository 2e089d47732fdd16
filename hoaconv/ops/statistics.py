"""Folds that sum up voxels: exactly, so that no order of bands and workers shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, ldexp, sqrt
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.exact_sums import MAX_VOXELS, accumulate, empty_sums, take_totals
from hoaconv.kernels.histogram import bin_values, is_exact
from hoaconv.kernels.rounding import dtype_range
from hoaconv.kernels.types import Vector
from hoaconv.ops.declare import Declared, register
from hoaconv.ops.measure import Counting, Counts, plain

__all__ = ["Profile", "Stats", "Tally", "Volume"]


@dataclass
class Tally:
    """What is known of some voxels: numbers of them, exact sums, and ends.

    `counts` are of all voxels, NaN, zeros and saturated ones; `edge` holds the least and the
    greatest voxel that is no NaN; `total` and `squares` sum up the finite ones.
    """

    dtype: np.dtype[Any]
    counts: Vector = field(default_factory=lambda: np.zeros(4, np.int64))
    edge: Vector = field(default_factory=lambda: np.array([np.inf, -np.inf]))
    sums: Plane = field(default_factory=empty_sums)
    waiting: int = 0
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)

    @property
    def finite(self) -> int:
        """How many voxels are neither NaN nor infinite, which is how a float is saturated."""
        number, nan, _, saturated = (int(count) for count in self.counts)
        return number - nan - saturated if self.dtype.kind == "f" else number

    def add(self, block: Plane) -> None:
        """Take in the voxels of a block."""
        rows = max(1, MAX_VOXELS // block.shape[1])
        for y in range(0, block.shape[0], rows):
            part = block[y : y + rows]
            if self.waiting + part.size > MAX_VOXELS:
                self.settle()
            accumulate(part, _saturated(self.dtype), self.sums, self.counts, self.edge)
            self.waiting += part.size

    def settle(self) -> None:
        """Bring the sums up to date."""
        total, squares = take_totals(self.sums)
        self.total, self.squares, self.waiting = self.total + total, self.squares + squares, 0

    def merged(self, other: "Tally") -> "Tally":
        """What is known of the voxels of both."""
        self.settle()
        other.settle()
        lo, hi = min(self.edge[0], other.edge[0]), max(self.edge[1], other.edge[1])
        return Tally(
            self.dtype,
            self.counts + other.counts,
            np.array([lo, hi]),
            total=self.total + other.total,
            squares=self.squares + other.squares,
        )

    @classmethod
    def of(cls, found: Counts) -> "Tally":
        """From counts of every value."""
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


def _saturated(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Values at and beyond which a voxel is saturated; below, an unsigned one is just 0."""
    least, greatest = dtype_range(dtype)
    return (-inf if dtype.kind == "u" else least), greatest


@register("stats")
@dataclass(frozen=True)
class Stats(Declared, Counting):
    """Compute number, minimum, maximum, mean, standard deviation, sum, zeros, saturated voxels.

    All are exact, or exact results rounded once. NaN is counted and otherwise left out, and by
    mean, std and sum infinities too. Saturated is a voxel at the greatest value of an integer
    dtype, or, of a signed one, the least; of a float, an infinity.
    """

    word: ClassVar[str] = "stats"

    def init(self, spec: Spec) -> Counts | Tally:  # type: ignore[override]
        """No voxels."""
        return super().init(spec) if is_exact(spec.dtype) else Tally(spec.dtype)

    def step(self, state: Any, block: Plane, z: int = 0, y: int = 0) -> None:
        """Take in the voxels of some rows of a plane."""
        if isinstance(state, Tally):
            state.add(block)
        else:
            super().step(state, block, z, y)

    def merge(self, one: Any, other: Any) -> Any:
        """All voxels of both."""
        return one.merged(other) if isinstance(one, Tally) else super().merge(one, other)

    def finish(self, state: Counts | Tally) -> Mapping[str, Any]:
        """The numbers by their names; None for those that need a voxel where there is none."""
        tally = state if isinstance(state, Tally) else Tally.of(state)
        tally.settle()
        number, nan, zeros, saturated = (int(count) for count in tally.counts)
        least, greatest = map(float, tally.edge)
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
        """Bytes of the counts, or of the sums."""
        return super().state_bytes(spec) if is_exact(spec.dtype) else empty_sums().nbytes + 4096


def _rounded(exact: Fraction) -> float:
    """The nearest float; infinite beyond the greatest."""
    try:
        return float(exact)
    except OverflowError:
        return inf if exact > 0 else -inf


def _root(square: Fraction) -> float:
    """The square root, even where the square itself is too small or large for a float."""
    half = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    return ldexp(sqrt(square / Fraction(4) ** half), half)


@register("volume")
@dataclass(frozen=True)
class Volume(Declared, Fold):
    """Count the voxels that aren't 0, as in a mask; the report tells their volume too.

    NaN isn't 0 either. The volume is in the cube of the voxel size's unit.
    """

    word: ClassVar[str] = "volume"

    def init(self, spec: Spec) -> list[int]:  # noqa: ARG002 - the parameter is the contract
        """No voxels."""
        return [0]

    def step(self, state: list[int], block: Plane, z: int = 0, y: int = 0) -> None:  # noqa: ARG002
        """Count in some rows of a plane."""
        state[0] += int(np.count_nonzero(block))

    def merge(self, one: list[int], other: list[int]) -> list[int]:
        """The voxels of both."""
        return [one[0] + other[0]]

    def finish(self, state: list[int]) -> Mapping[str, Any]:
        """How many voxels there are."""
        return {"voxels": state[0]}

    def state_bytes(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Bytes of a number."""
        return 64


Sum = tuple[int, Fraction]
"""How many voxels, and their sum."""

Sums = list[Sum]
"""Slice by slice."""


@register("profile")
@dataclass(frozen=True)
class Profile(Declared, Fold):
    """Compute the mean of each slice; NaN and infinities are left out."""

    word: ClassVar[str] = "profile"

    def init(self, spec: Spec) -> Sums:
        """No voxels."""
        return [(0, Fraction(0))] * spec.planes

    def step(self, state: Sums, block: Plane, z: int = 0, y: int = 0) -> None:  # noqa: ARG002
        """Take in the voxels of some rows of a plane."""
        state[z] = _added(state[z], _summed(block))

    def merge(self, one: Sums, other: Sums) -> Sums:
        """The voxels of both."""
        return list(map(_added, one, other))

    def finish(self, state: Sums) -> Mapping[str, Any]:
        """The means, slice by slice; None where a slice has no finite voxel."""
        return {"mean": [plain(_rounded(total / n)) if n else None for n, total in state]}

    def state_bytes(self, spec: Spec) -> int:
        """Bytes of the slices' sums, those of floats being long numbers, and of what adds up."""
        return spec.planes * 1024 + empty_sums().nbytes


def _added(one: Sum, other: Sum) -> Sum:
    return one[0] + other[0], one[1] + other[1]


def _summed(block: Plane) -> Sum:
    if block.dtype.kind in "iu":
        return block.size, Fraction(int(block.sum(dtype=np.int64)))
    tally = Tally(block.dtype)
    tally.add(block)
    tally.settle()
    return tally.finite, tally.total
