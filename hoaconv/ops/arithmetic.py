"""Arithmetic on each voxel.

All ops compute in float64, or exactly in integers of 64 bits. Integer results are rounded half to
even and saturated.
"""

from abc import abstractmethod
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.kernels.histogram import is_exact
from hoaconv.kernels.lookup import apply_table, tabulate, tabulate_bytes
from hoaconv.kernels.pointwise import apply_unary, apply_unary_bytes, linear, linear_bytes
from hoaconv.kernels.rounding import dtype_range, is_wide
from hoaconv.kernels.types import Vector
from hoaconv.kernels.wide import add_whole
from hoaconv.ops.beside import Beside
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import POSITIVE
from hoaconv.ops.operands import DIVISOR, OPERAND, VolumeArithmetic
from hoaconv.ops.parameters import Declared, param
from hoaconv.ops.waiting import Waiting

__all__ = [
    "Abs",
    "Add",
    "Divide",
    "Exp",
    "Gamma",
    "Invert",
    "Log",
    "Multiply",
    "Sqrt",
    "Square",
    "Subtract",
    "real_dtype",
]


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of a real-valued result: float64 for float64, else float32."""
    return dtype if dtype == np.float64 else np.dtype(np.float32)


@op("invert")
class Invert(Declared, Op):
    """Invert brightness: bright becomes dark; the dtype stays.

    The result is that of skimage.util.invert: for unsigned dtypes the greatest value minus the
    voxel; for signed dtypes -1 minus the voxel, which exchanges the least and the greatest value;
    for floats 1 minus the voxel. NaN stays NaN.

    Examples
    --------
    >>> ops.invert(np.array([[[0, 1, 255]]], "uint8")).compute()
    array([[[255, 254,   0]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Invert ``block[core]`` into `out`."""
        voxels = block[core]
        if voxels.dtype.kind == "f":
            np.subtract(1, voxels, out=out)
        else:
            np.invert(voxels, out=out)


@op("abs")
class Abs(Declared, Op):
    """Take the absolute value; the dtype stays.

    The least value of a signed dtype has no positive counterpart and becomes the greatest value.
    NaN stays NaN.

    Examples
    --------
    >>> ops.abs(np.array([[[-128, -5, 5]]], "int8")).compute()
    array([[[127,   5,   5]]], dtype=int8)
    """

    takes_wide: ClassVar[bool] = True

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the magnitudes of ``block[core]`` into `out`."""
        for plane, given in zip(block[core], out, strict=True):
            if plane.dtype.kind == "i":
                np.maximum(plane, -np.iinfo(plane.dtype).max, out=given)
                np.abs(given, out=given)
            else:
                np.abs(plane, out=given)


class _Arithmetic(Waiting):
    """An op on each voxel and a number, in float64; the dtype stays.

    The class called with a volume, an array or a path returns a `VolumeArithmetic` instead.
    """

    deferred: ClassVar[tuple[str, ...]] = ("value",)

    value: float

    def __new__(cls, *values: Any, **named: Any) -> Any:
        """Return the op on a number, or, for another volume or its path, the op on that."""
        if len(values) + len(named) == 1:
            value = values[0] if values else named.get("value")
            with suppress(ValueError):  # `__init__` raises it with what was expected
                if isinstance(operand := OPERAND.accept(value), str | Beside):
                    return VolumeArithmetic(cls.word, operand)
        return super().__new__(cls, *values, **named)

    def work(self, spec: Spec) -> int:
        """Return the bytes of one row."""
        return linear_bytes(spec.shape[2])


class _Shift(_Arithmetic):
    """An addition of a number, which is exact in integers of 64 bits if the number is whole."""

    sign: ClassVar[int]

    @property
    def takes_wide(self) -> bool:  # type: ignore[override] # a fact of the class in most others
        """True for a whole number."""
        return isinstance(self.value, int | float) and self.value == int(self.value)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core]`` plus or minus the number into `out`."""
        if is_wide(block.dtype):
            add_whole(block[core], out, self.sign * int(self.value))
        else:
            linear(block[core], out, lo=-self.sign * self.value, span=1.0, gain=1.0, base=-0.0)


@op("add", example="add 100")
class Add(_Shift):
    """Add a number, or another volume; the dtype stays, saturated. NaN and infinities stay.

    The result is computed in float64; integer results are rounded half to even. Another volume has
    the same shape, or one plane, which is used for every z.

    Raises
    ------
    PlanError
        If another volume has neither the same shape nor one plane.

    Examples
    --------
    >>> ops.add(np.array([[[1, 200, 250]]], "uint8"), 10).compute()
    array([[[ 11, 210, 255]]], dtype=uint8)
    """

    sign: ClassVar[int] = 1

    value: float = param(OPERAND, "number to add, or path of a stack or zarr", takes=float | str)


@op("subtract", example="subtract 100")
class Subtract(_Shift):
    """Subtract a number, or another volume; the dtype stays, saturated. NaN and infinities stay.

    The result is computed in float64; integer results are rounded half to even. Another volume has
    the same shape, or one plane, such as a dark field, which is used for every z.

    Raises
    ------
    PlanError
        If another volume has neither the same shape nor one plane.

    Examples
    --------
    >>> ops.subtract(np.array([[[5, 10, 200]]], "uint8"), 10).compute()
    array([[[  0,   0, 190]]], dtype=uint8)
    >>> ops.subtract("slices/", "slices/*.tif").compute().max().item()  # a path: another volume
    0
    """

    sign: ClassVar[int] = -1

    value: float = param(
        OPERAND, "number to subtract, or path of a stack or zarr", takes=float | str
    )


@op("multiply", example="multiply 0.5")
class Multiply(_Arithmetic):
    """Multiply by a number, or another volume; the dtype stays, rounded and saturated.

    The result is computed in float64; integer results are rounded half to even. NaN stays, and an
    infinity times 0 is NaN. Another volume has the same shape, or one plane, which is used for
    every z.

    Raises
    ------
    PlanError
        If another volume has neither the same shape nor one plane.

    Examples
    --------
    >>> ops.multiply(np.array([[[1, 2, 3]]], "uint8"), 0.5).compute()
    array([[[0, 1, 2]]], dtype=uint8)
    """

    value: float = param(
        OPERAND, "number to multiply by, or path of a stack or zarr", takes=float | str
    )

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core] * value`` into `out`."""
        linear(block[core], out, lo=0.0, span=1.0, gain=self.value, base=-0.0)


@op("divide", example="divide 16")
class Divide(_Arithmetic):
    """Divide by a number, or another volume; the dtype stays, rounded and saturated.

    The result is computed in float64; integer results are rounded half to even. NaN and infinities
    stay. A voxel divided by 0 is infinite, which integers saturate; 0 divided by 0 is NaN, which
    integers replace by 0. Another volume has the same shape, or one plane, such as a flat field,
    which is used for every z.

    Raises
    ------
    PlanError
        If another volume has neither the same shape nor one plane.

    Examples
    --------
    >>> ops.divide(np.array([[[1, 3, 8]]], "uint8"), 2).compute()
    array([[[0, 2, 4]]], dtype=uint8)
    """

    value: float = param(
        DIVISOR, "number to divide by, or path of a stack or zarr", takes=float | str
    )

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core] / value`` into `out`."""
        linear(block[core], out, lo=0.0, span=self.value, gain=1.0, base=-0.0)


class _Curve(Declared, Op):
    """A function of each voxel: a table for dtypes of few values, else computed by NumPy.

    The table is made once, before the sweep, by `warm`.
    """

    @abstractmethod
    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:
        """Compute in place; `real` holds voxels of `dtype` as float64."""

    def work(self, spec: Spec) -> int:
        """Return the bytes of the table, or of some rows as float64."""
        if is_exact(spec.dtype):
            return tabulate_bytes(spec.dtype, self.infer(spec).dtype)
        return apply_unary_bytes(spec.shape[2])

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the function of ``block[core]`` into `out`."""
        if is_exact(block.dtype):
            apply_table(block[core], out, _table(self, block.dtype, out.dtype))
        else:
            with np.errstate(all="ignore"):  # infinities and NaN are what the docstrings promise
                apply_unary(block[core], out, partial(self.change, dtype=block.dtype))


class _RealCurve(_Curve):
    """A function whose range differs from that of its input."""

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))


@lru_cache(maxsize=8)
def _table(curve: _Curve, taken: np.dtype[Any], given: np.dtype[Any]) -> Vector:
    with np.errstate(all="ignore"):
        return tabulate(partial(curve.change, dtype=taken), taken, given)


@op("square")
class Square(_Curve):
    """Multiply each voxel by itself; the dtype stays, saturated.

    NaN stays NaN.

    Examples
    --------
    >>> ops.square(np.array([[[3, 15, 16]]], "uint8")).compute()
    array([[[  9, 225, 255]]], dtype=uint8)
    """

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Square in place."""
        np.square(real, out=real)


@op("sqrt")
class Sqrt(_RealCurve):
    """Compute the square root: float32 (float64 stays).

    A negative voxel gives NaN.

    Examples
    --------
    >>> ops.sqrt(np.array([[[4, 9, 16]]], "uint8")).compute()
    array([[[2., 3., 4.]]], dtype=float32)
    """

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Take the square root in place."""
        np.sqrt(real, out=real)


@op("log")
class Log(_RealCurve):
    """Compute the natural logarithm: float32 (float64 stays).

    0 gives minus infinity and a negative voxel NaN; ``clip 1 inf | log`` avoids both.

    Examples
    --------
    >>> ops.log(np.array([[[0, 1]]], "uint8")).compute()
    array([[[-inf,   0.]]], dtype=float32)
    """

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Take the logarithm in place."""
        np.log(real, out=real)


@op("exp")
class Exp(_RealCurve):
    """Compute the exponential: float32 (float64 stays).

    A result that is too large for the dtype is infinite; in float32 this begins at the exponent 89.

    Examples
    --------
    >>> ops.exp(np.array([[[0, 1]]], "uint8")).compute()
    array([[[1.       , 2.7182817]]], dtype=float32)
    """

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Compute the exponential in place."""
        np.exp(real, out=real)


@op("gamma", example="gamma 0.5")
class Gamma(_Curve):
    """Correct brightness by a power law (gamma correction); the dtype stays.

    The whole range of an integer dtype is mapped to 0..1, raised to the power, and mapped back, so
    its least and greatest values stay. In a signed dtype, such as that of CT numbers, 0 lies in the
    middle of this range: use `rescale` first. Floats are raised as they are; a negative one to a
    fractional power gives NaN.

    Examples
    --------
    >>> ops.gamma(np.array([[[0, 64, 255]]], "uint8"), 0.5).compute()
    array([[[  0, 128, 255]]], dtype=uint8)
    """

    value: float = param(POSITIVE, "exponent, above 0; below 1 it brightens dark voxels")

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:
        """Raise to the power in place."""
        if dtype.kind == "f":
            np.power(real, self.value, out=real)
            return
        least, greatest = dtype_range(dtype)
        real -= least
        real /= greatest - least
        np.power(real, self.value, out=real)
        real *= greatest - least
        real += least
