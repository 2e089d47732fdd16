"""Ops that take another volume of the same shape: plane by plane, zipped with their own."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Join, Zip
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.pointwise import apply_binary, apply_unary_bytes
from hoaconv.ops.declare import FINITE, Declared, Kind, param, register, spell_number

__all__ = ["OPERAND", "VOLUME", "Arithmetic", "Mask", "Where"]


def _volume(value: Any) -> str:
    text = str(value).strip()
    if not text or any(mark in text for mark in "| \t"):
        raise ValueError("a stack or zarr, by a path without spaces")
    return text


def _operand(value: Any) -> float | str:
    try:
        return float(FINITE.accept(value))
    except ValueError:
        if isinstance(value, str) and not _looks_like_a_number(value):
            return _volume(value)
        raise ValueError("a finite number, or a path without spaces") from None


def _looks_like_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


VOLUME = Kind("path", _volume, str)
"""A stack or a zarr."""

OPERAND = Kind("number or path", _operand, lambda v: v if isinstance(v, str) else spell_number(v))
"""A number, or a stack or a zarr whose voxels are the numbers."""


def _same_shape(who: object, specs: tuple[Spec, ...], names: tuple[str, ...]) -> Spec:
    """The first spec. Raises PlanError if a shape differs."""
    for spec, name in zip(specs[1:], names, strict=True):
        if spec.shape != specs[0].shape:
            raise PlanError(f"{who}: {name} is {spec}, but its voxels are to meet {specs[0]}")
    return specs[0]


@dataclass(frozen=True)
class Arithmetic(Join):
    """One volume with another by a ufunc, in float64; the first one's dtype stays, saturated."""

    spelled: str
    function: np.ufunc
    other: str

    def infer(self, *specs: Spec) -> Spec:
        """The first volume's. Raises PlanError if the shapes differ."""
        return _same_shape(self, specs, (self.other,))

    def work(self, *specs: Spec) -> int:
        """Some rows of each volume as float64."""
        return 2 * apply_unary_bytes(specs[0].shape[2])

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Compute into `out`."""
        with np.errstate(all="ignore"):  # what is divided by 0 is infinite or NaN
            apply_binary(planes[0], planes[1], out, self.function)

    def __str__(self) -> str:
        return self.spelled


@dataclass(frozen=True)
class _Choice(Join):
    """The first or the third volume, or a number, by whether the second is 0."""

    spelled: str
    names: tuple[str, ...]
    outside: float | None = None

    def infer(self, *specs: Spec) -> Spec:
        """The first volume's. Raises PlanError if shapes differ, or dtypes that would be mixed."""
        spec = _same_shape(self, specs, self.names)
        if self.outside is None and specs[2].dtype != spec.dtype:
            raise PlanError(
                f"{self}: {self.names[1]} is {specs[2].dtype}, but would be mixed with "
                f"{spec.dtype}; put a cast before"
            )
        return spec

    def work(self, *specs: Spec) -> int:
        """A mask of one row."""
        return specs[0].shape[2]

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Choose row by row into `out`."""
        outside = None if self.outside is None else saturated(self.outside, out.dtype)
        for y in range(len(out)):
            out[y] = planes[0][y]
            other = planes[2][y] if outside is None else outside
            np.copyto(out[y], other, where=planes[1][y] == 0, casting="unsafe")

    def __str__(self) -> str:
        return self.spelled


def saturated(value: float, dtype: np.dtype[Any]) -> float:
    """Return a finite number as a voxel of `dtype`: rounded half to even and saturated."""
    if dtype.kind == "f":
        return value
    info = np.iinfo(dtype)
    return min(max(round(value), info.min), info.max)


class _Two(Declared, Zip):
    """A zip whose result has the dtype of its own stream."""

    def infer(self, spec: Spec) -> Spec:
        """The same."""
        return replace(spec)


@register("mask tissue.zarr")
@dataclass(frozen=True)
class Mask(_Two):
    """Keep voxels where another volume isn't 0; elsewhere they become `outside`."""

    word: ClassVar[str] = "mask"

    other: str = param(VOLUME, "stack or zarr of the same shape")
    outside: float = param(FINITE, "value where that is 0; rounded and saturated", 0.0)

    @property
    def others(self) -> tuple[str, ...]:
        """The mask."""
        return (self.other,)

    def join(self) -> Join:
        """Takes the voxels and the mask."""
        return _Choice(str(self), (self.other,), self.outside)


@register("where tissue.zarr raw.zarr")
@dataclass(frozen=True)
class Where(_Two):
    """Keep voxels where another volume isn't 0; elsewhere take those of a third volume."""

    word: ClassVar[str] = "where"

    condition: str = param(VOLUME, "stack or zarr of the same shape")
    other: str = param(VOLUME, "stack or zarr of the same shape and dtype")

    @property
    def others(self) -> tuple[str, ...]:
        """The condition, and what is taken where it is 0."""
        return (self.condition, self.other)

    def join(self) -> Join:
        """Takes the voxels, the condition, the others."""
        return _Choice(str(self), self.others)
