"""Ops that map each voxel's value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Fold, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.kernels.pointwise import (
    above,
    at_least,
    at_most,
    clip,
    linear,
    linear_bytes,
    within,
    within_bytes,
)
from hoaconv.kernels.rounding import dtype_range, is_wide
from hoaconv.kernels.wide import convert, convert_bytes
from hoaconv.ops.arithmetic import real_dtype
from hoaconv.ops.declare import op
from hoaconv.ops.deferred import CONSTANT, Deferred
from hoaconv.ops.kinds import (
    ANY_DTYPE,
    DTYPE,
    FINITE,
    POSITIVE,
    VOXEL,
    exact_number,
    number_or,
)
from hoaconv.ops.parameters import Declared, param
from hoaconv.ops.statistics import Stats
from hoaconv.ops.thresholds import METHODS

__all__ = ["BOUND", "THRESHOLD", "Between", "Cast", "Clip", "Normalize", "Rescale", "Threshold"]

BOUND = number_or(percentile=True, number=VOXEL)
END = number_or(percentile=True, number=FINITE)
THRESHOLD = number_or(*METHODS, percentile=True, number=VOXEL)


@op("threshold", example="threshold otsu")
class Threshold(Deferred):
    """Mark voxels greater than a value: uint8, 1 there and 0 elsewhere.

    ``otsu``, ``li`` and ``moments`` compute the value from the histogram of the whole volume;
    ``p99`` is a percentile of the whole volume. For integers of up to 16 bits the value is exact.
    For other dtypes a percentile has a relative error of less than 1/128, and the methods use the
    first 8 significant bits of each voxel. If all voxels have one value, a method or a percentile
    gives 0 everywhere. NaN gives 0.

    Sources: N. Otsu, IEEE Trans. Systems, Man, and Cybernetics 9 (1979); C. H. Li and P. K. S. Tam,
    Pattern Recognition Letters 19 (1998); W.-H. Tsai, Computer Vision, Graphics, and Image
    Processing 29 (1985).

    Examples
    --------
    >>> ops.threshold(np.array([[[1, 5, 9]]], "uint8"), 5).compute()
    array([[[0, 0, 1]]], dtype=uint8)
    >>> ops.threshold("slices/", "otsu").dtype
    dtype('uint8')
    """

    takes_wide: ClassVar[bool] = True
    deferred: ClassVar[tuple[str, ...]] = ("value",)

    value: float | str = param(
        THRESHOLD, "greatest value that gives 0, or the method that computes it"
    )

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as uint8."""
        return replace(spec, dtype=np.dtype(np.uint8))

    def write(self, voxels: Slab, out: Slab) -> None:
        """Compare exactly, for any dtype; NaN gives 0."""
        above(voxels, out, exact_number(self.value))


@op("between", example="between 1000 60000")
class Between(Deferred):
    """Mark voxels between two bounds, bounds included: uint8, 1 there and 0 elsewhere.

    A bound is a number, or a percentile of the whole volume. NaN gives 0.

    Examples
    --------
    >>> ops.between(np.array([[[1, 5, 9]]], "uint8"), 5, 9).compute()
    array([[[0, 1, 1]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True
    deferred: ClassVar[tuple[str, ...]] = ("lo", "hi")

    lo: float | str = param(BOUND, "least value that is 1, or a percentile")
    hi: float | str = param(BOUND, "greatest value that is 1, or a percentile")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self.word, self.lo, self.hi)

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as uint8."""
        return replace(spec, dtype=np.dtype(np.uint8))

    def work(self, spec: Spec) -> int:
        """Return the bytes of a mask of some rows."""
        return within_bytes(spec.shape[2])

    def write(self, voxels: Slab, out: Slab) -> None:
        """Compare exactly, for any dtype; NaN gives 0."""
        within(voxels, out, exact_number(self.lo), exact_number(self.hi))


@op("cast", example="cast float32")
class Cast(Declared, Op):
    """Change the dtype, rounding half to even and saturating; NaN becomes 0 in an integer.

    Examples
    --------
    >>> ops.cast(np.array([[[0.5, 1.5, 300]]], "float32"), "uint8").compute()
    array([[[  0,   2, 255]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True

    dtype: str = param(ANY_DTYPE, "dtype of the result")

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape in the new dtype."""
        return replace(spec, dtype=np.dtype(self.dtype))

    def is_identity(self, spec: Spec) -> bool:
        """Return True if the input has that dtype."""
        return spec.dtype == self.dtype

    def work(self, spec: Spec) -> int:
        """Return the bytes of one row."""
        wide = self._is_wide(spec.dtype)
        return convert_bytes(spec.shape[2]) if wide else linear_bytes(spec.shape[2])

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Convert ``block[core]`` into `out`."""
        if self._is_wide(block.dtype):
            convert(block[core], out)
        else:
            linear(block[core], out, lo=0.0, span=1.0, gain=1.0, base=0.0)

    def _is_wide(self, taken: np.dtype[Any]) -> bool:
        return is_wide(taken) or is_wide(np.dtype(self.dtype))


@op("clip", example="clip 1000 60000")
class Clip(Deferred):
    """Clip values to lo..hi, numbers or percentiles; the dtype stays.

    A percentile is that of the whole volume, and is the value of a voxel. For integers a fractional
    bound is rounded inwards: ``clip 10.5 20.5`` gives 11..20. NaN stays NaN.

    Raises
    ------
    PlanError
        If the dtype has no value in lo..hi.

    Examples
    --------
    >>> ops.clip(np.array([[[1, 5, 9]]], "uint8"), 2, 6).compute()
    array([[[2, 5, 6]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True
    deferred: ClassVar[tuple[str, ...]] = ("lo", "hi")

    lo: float | str = param(BOUND, "least value of the result, or a percentile as in p0.5")
    hi: float | str = param(BOUND, "greatest value of the result, or a percentile as in p99.5")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self.word, self.lo, self.hi)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the input. Raises PlanError if its dtype has no value in lo..hi."""
        if self.waits:
            return spec
        lo, hi = exact_number(self.lo), exact_number(self.hi)
        least, greatest = at_least(lo, spec.dtype), at_most(hi, spec.dtype)
        if least is None or greatest is None or least > greatest:  # type: ignore[operator]
            raise PlanError(f"clip: {spec.dtype} has no value in {_window(lo, hi)}")
        return spec

    def write(self, voxels: Slab, out: Slab) -> None:
        """Clip `voxels` into `out`; NaN stays NaN."""
        clip(voxels, out, exact_number(self.lo), exact_number(self.hi))


@op("rescale", example="rescale p0.5 p99.5 uint8")
class Rescale(Deferred):
    """Map the window lo..hi linearly to an integer dtype's whole range, or to 0..1 of a float.

    Integer results are rounded half to even, and saturated for voxels outside the window; float
    results continue below 0 and above 1. The ends of the window are numbers, or percentiles of the
    whole volume: exact for integers of up to 16 bits, with a relative error of less than 1/128 for
    other dtypes. NaN stays NaN in a float, and becomes 0 in an integer. If all voxels have one
    value and the ends are percentiles, the result is 0 everywhere.

    Examples
    --------
    >>> ops.rescale(np.array([[[100, 150, 200]]], "uint16"), 100, 200).compute()
    array([[[  0, 128, 255]]], dtype=uint8)
    >>> ops.rescale("slices/", "p1", "p99", "float32").dtype
    dtype('float32')
    """

    deferred: ClassVar[tuple[str, ...]] = ("lo", "hi")

    lo: float | str = param(END, "value that becomes the dtype's least, or 0; or a percentile")
    hi: float | str = param(END, "value that becomes the dtype's greatest, or 1; or a percentile")
    dtype: str = param(DTYPE, "dtype of the result", default="uint8")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self.word, self.lo, self.hi, apart=True)

    def _with_words(self, found: Mapping[str, Any]) -> Op:
        """Return the op with numbers for percentiles; 0 everywhere if both are one value."""
        lo, hi = (found.get(str(end), end) for end in (self.lo, self.hi))
        if self.needs and lo == hi and CONSTANT in found:
            return Zeros(self.dtype)
        return super()._with_words(found)

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape in the new dtype."""
        return replace(spec, dtype=np.dtype(self.dtype))

    def work(self, spec: Spec) -> int:
        """Return the bytes of one row."""
        return linear_bytes(spec.shape[2])

    def write(self, voxels: Slab, out: Slab) -> None:
        """Rescale `voxels` into `out`."""
        least, greatest = (0.0, 1.0) if out.dtype.kind == "f" else dtype_range(out.dtype)
        lo, hi = float(self.lo), float(self.hi)
        linear(voxels, out, lo=lo, span=hi - lo, gain=greatest - least, base=least)


@dataclass(frozen=True)
class Zeros(Op):
    """The result of an op whose window is a single value: 0 everywhere, NaN stays NaN.

    Parameters
    ----------
    dtype
        Dtype of the result; empty for float32, or float64 if the input is float64.
    """

    word: ClassVar[str] = "zeros"

    dtype: str

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape in the dtype of the result."""
        dtype = np.dtype(self.dtype) if self.dtype else real_dtype(spec.dtype)
        return replace(spec, dtype=dtype)

    def work(self, spec: Spec) -> int:
        """Return the bytes of a mask of a row."""
        return spec.shape[2]

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write 0 into `out`."""
        voxels = block[core]
        for plane, made in zip(voxels, out, strict=True):
            for row, line in zip(plane, made, strict=True):
                line[:] = 0
                if row.dtype.kind == "f" and line.dtype.kind == "f":
                    line[np.isnan(row)] = np.nan

    def __str__(self) -> str:
        return "0, since the volume has one value"


@op("normalize")
class Normalize(Deferred):
    """Subtract the mean and divide by the standard deviation: float32 (float64 stays).

    Both are numbers, or those of the whole volume, as the op `stats` computes them. NaN stays NaN.
    If all voxels have one value, the result is 0 everywhere.

    Examples
    --------
    >>> ops.normalize(np.array([[[1, 3]]], "uint8")).compute()
    array([[[-1.,  1.]]], dtype=float32)
    """

    deferred: ClassVar[tuple[str, ...]] = ("mean", "std")

    mean: float | str = param(
        number_or("mean", number=FINITE),
        "value that becomes 0; mean is that of the volume",
        default="mean",
    )
    std: float | str = param(
        number_or("std", number=POSITIVE),
        "difference that becomes 1; std is that of the volume",
        default="std",
    )

    def fold_for(self, words: tuple[str, ...]) -> Fold:  # noqa: ARG002 - it finds both
        """Return the fold that computes mean and standard deviation."""
        return Stats()

    def _with_words(self, found: Mapping[str, Any]) -> Op:
        """Return the op with numbers for words; 0 everywhere if all voxels have one value."""
        flat = self.std == "std" and found.get("std") == 0
        return Zeros("") if flat else super()._with_words(found)

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))

    def work(self, spec: Spec) -> int:
        """Return the bytes of one row."""
        return linear_bytes(spec.shape[2])

    def write(self, voxels: Slab, out: Slab) -> None:
        """Write ``(voxels - mean) / std`` into `out`."""
        linear(voxels, out, lo=float(self.mean), span=float(self.std), gain=1.0, base=-0.0)


def _check_order(word: str, lo: float | str, hi: float | str, *, apart: bool = False) -> None:
    """Raise SpellingError for two numbers, or two percentiles, in the wrong order."""
    if isinstance(lo, str) != isinstance(hi, str):
        return
    if not (isinstance(lo, str | float | int) and isinstance(hi, str | float | int)):
        return
    low, high = (exact_number(str(end).removeprefix("p")) for end in (lo, hi))
    if low > high or (apart and low == high):
        order = "be below" if apart else "not be above"
        raise SpellingError(f"{word}: lo should {order} hi, but {_window(lo, hi)}")


def _window(lo: float | str, hi: float | str) -> str:
    return f"{BOUND.spell(lo)}..{BOUND.spell(hi)}"
