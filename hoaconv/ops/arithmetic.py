"""Ops that compute with each voxel by itself.

All compute in float64. Integer results are rounded half to even and saturated.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Join, Op, Zip
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SpellingError
from hoaconv.kernels.histogram import is_exact
from hoaconv.kernels.lookup import apply_table, tabulate, tabulate_bytes
from hoaconv.kernels.pointwise import apply_unary, apply_unary_bytes, linear, linear_bytes
from hoaconv.kernels.rounding import dtype_range
from hoaconv.kernels.types import Vector
from hoaconv.ops.declare import FINITE, Declared, param, register
from hoaconv.ops.operands import OPERAND, Arithmetic

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
    """Of a result whose range isn't the input's: float32, of float64 float64."""
    return dtype if dtype == np.float64 else np.dtype(np.float32)


@register("invert")
@dataclass(frozen=True)
class Invert(Declared, Op):
    """Invert brightness: bright becomes dark; the dtype stays.

    The greatest value of an unsigned dtype less the voxel, -1 less the voxel of a signed one (so
    that its least and greatest change places), 1 less the voxel of a float one. As
    skimage.util.invert. NaN stays NaN.
    """

    word: ClassVar[str] = "invert"

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Invert ``block[core]`` into `out`."""
        voxels = block[core]
        if voxels.dtype.kind == "f":
            np.subtract(1, voxels, out=out)
        else:
            np.invert(voxels, out=out)


@register("abs")
@dataclass(frozen=True)
class Abs(Declared, Op):
    """Take the absolute value; the dtype stays.

    The least value of a signed dtype, whose magnitude it can't hold, becomes the greatest. NaN
    stays NaN.
    """

    word: ClassVar[str] = "abs"

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the magnitudes of ``block[core]`` into `out`."""
        for plane, given in zip(block[core], out, strict=True):
            if plane.dtype.kind == "i":
                np.maximum(plane, -np.iinfo(plane.dtype).max, out=given)
                np.abs(given, out=given)
            else:
                np.abs(plane, out=given)


class _Linear(Declared, Op, Zip):
    """A voxel and a number, or the voxel of another volume; the dtype stays."""

    value: float | str
    function: ClassVar[np.ufunc]

    @property
    def number(self) -> float:
        """What is computed with, where it is no volume."""
        return float(self.value)

    @property
    def others(self) -> tuple[str, ...]:
        """The other volume, if it is one."""
        return (self.value,) if isinstance(self.value, str) else ()

    def join(self) -> Join:
        """Takes the voxels and the other volume's."""
        return Arithmetic(str(self), self.function, *self.others)

    def infer(self, spec: Spec) -> Spec:
        """The same."""
        return spec

    def work(self, spec: Spec) -> int:
        """One row."""
        return linear_bytes(spec.shape[2])


@register("add 100")
@dataclass(frozen=True)
class Add(_Linear):
    """Add a number, or another volume; the dtype stays, saturated. NaN and infinities stay."""

    word: ClassVar[str] = "add"
    function: ClassVar[np.ufunc] = np.add

    value: float | str = param(OPERAND, "what is added to each voxel")

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core] + value`` into `out`."""
        linear(block[core], out, lo=-self.number, span=1.0, gain=1.0, base=-0.0)


@register("subtract 100")
@dataclass(frozen=True)
class Subtract(_Linear):
    """Subtract a number, or another volume; the dtype stays, saturated. NaN and infinities stay."""

    word: ClassVar[str] = "subtract"
    function: ClassVar[np.ufunc] = np.subtract

    value: float | str = param(OPERAND, "what is subtracted from each voxel")

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core] - value`` into `out`."""
        linear(block[core], out, lo=self.number, span=1.0, gain=1.0, base=-0.0)


@register("multiply 0.5")
@dataclass(frozen=True)
class Multiply(_Linear):
    """Multiply by a number, or another volume; the dtype stays, rounded and saturated.

    NaN stays, and an infinity times 0 is NaN.
    """

    word: ClassVar[str] = "multiply"
    function: ClassVar[np.ufunc] = np.multiply

    value: float | str = param(OPERAND, "what each voxel is multiplied by")

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core] * value`` into `out`."""
        linear(block[core], out, lo=0.0, span=1.0, gain=self.number, base=-0.0)


@register("divide 16")
@dataclass(frozen=True)
class Divide(_Linear):
    """Divide by a number, or another volume; the dtype stays, rounded and saturated.

    NaN and infinities stay. What is divided by a voxel of 0 is infinite: saturated, or NaN of 0.
    """

    word: ClassVar[str] = "divide"
    function: ClassVar[np.ufunc] = np.divide

    value: float | str = param(OPERAND, "what each voxel is divided by")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value == 0:
            raise SpellingError("divide: value should not be 0")

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write ``block[core] / value`` into `out`."""
        linear(block[core], out, lo=0.0, span=self.number, gain=1.0, base=-0.0)


class _Curve(Declared, Op):
    """A function of each voxel: by table where a dtype has few values, else as numpy computes it.

    The table is made once, before the sweep, when the op is warmed.
    """

    @abstractmethod
    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:
        """Compute in place; `real` are voxels of `dtype` as float64."""

    def work(self, spec: Spec) -> int:
        """The table, or some rows as float64."""
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
    """One whose range isn't the input's."""

    def infer(self, spec: Spec) -> Spec:
        """The same shape as float32; float64 stays."""
        return replace(spec, dtype=real_dtype(spec.dtype))


@lru_cache(maxsize=8)
def _table(curve: _Curve, taken: np.dtype[Any], given: np.dtype[Any]) -> Vector:
    with np.errstate(all="ignore"):
        return tabulate(partial(curve.change, dtype=taken), taken, given)


@register("square")
@dataclass(frozen=True)
class Square(_Curve):
    """Multiply each voxel by itself; the dtype stays, saturated. NaN stays."""

    word: ClassVar[str] = "square"

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Square in place."""
        np.square(real, out=real)


@register("sqrt")
@dataclass(frozen=True)
class Sqrt(_RealCurve):
    """Compute the square root, as float32 (float64 stays); of a negative voxel it is NaN."""

    word: ClassVar[str] = "sqrt"

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Take the root in place."""
        np.sqrt(real, out=real)


@register("log")
@dataclass(frozen=True)
class Log(_RealCurve):
    """Compute the natural logarithm, as float32 (float64 stays).

    Of 0 it is minus infinity, of a negative voxel NaN: ``clip 1 inf | log`` avoids both.
    """

    word: ClassVar[str] = "log"

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Take the logarithm in place."""
        np.log(real, out=real)


@register("exp")
@dataclass(frozen=True)
class Exp(_RealCurve):
    """Compute the exponential, as float32 (float64 stays); what that can't hold is infinite."""

    word: ClassVar[str] = "exp"

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:  # noqa: ARG002 - as declared
        """Raise in place."""
        np.exp(real, out=real)


@register("gamma 0.5")
@dataclass(frozen=True)
class Gamma(_Curve):
    """Correct brightness by a power law (gamma); the dtype stays.

    An integer dtype's whole range stands for 0..1 and that is raised to the power, so its least and
    greatest value stay. Floats are raised as they are: a negative one to a fraction is NaN. Of
    signed integers, such as CT numbers, 0 lies in the middle of that range: rescale them first.
    """

    word: ClassVar[str] = "gamma"

    value: float = param(FINITE, "the power, above 0; below 1 it brightens the dark")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value <= 0:
            raise SpellingError(f"gamma: value should be above 0, not {self.value:g}")

    def change(self, real: Slab, dtype: np.dtype[Any]) -> None:
        """Raise in place."""
        if dtype.kind == "f":
            np.power(real, self.value, out=real)
            return
        least, greatest = dtype_range(dtype)
        real -= least
        real /= greatest - least
        np.power(real, self.value, out=real)
        real *= greatest - least
        real += least
