"""Ops that combine a volume with other volumes.

Another volume has the same shape, or one plane, such as a flat field, which is used for every z. A
plane of each volume is held, and one of the result (equation 7 of Sporring and Stansby, 2026).
"""

from abc import abstractmethod
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Join, Zip
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.pointwise import apply_binary, apply_unary_bytes
from hoaconv.kernels.rounding import as_voxel
from hoaconv.ops.beside import Beside, Subject, is_array
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import FINITE_VOXEL, Kind, spell_number
from hoaconv.ops.parameters import Declared, param

__all__ = ["DIVISOR", "OPERAND", "VOLUME", "Mask", "VolumeArithmetic", "Where"]


def _volume(value: Any) -> str | Beside:
    if isinstance(value, Beside):
        return value
    if isinstance(value, Subject) or is_array(value):
        return Beside(value)
    if not isinstance(value, str | PathLike):
        raise ValueError("a volume, an array, or the path of a stack or zarr")
    text = fspath(value).strip()
    if not text or any(mark in text for mark in "| \t"):
        raise ValueError("a stack or zarr, by a path without spaces")
    return text


def _operand(value: Any) -> float | str | Beside:
    if isinstance(value, Beside | Subject) or is_array(value):
        return _volume(value)
    try:
        taken: float = FINITE_VOXEL.accept(value)
        return taken
    except ValueError:
        if isinstance(value, str | PathLike) and not _looks_like_a_number(value):
            return _volume(value)
        raise ValueError(f"a finite number, or {_others(value)}") from None


def _divisor(value: Any) -> float | str | Beside:
    taken = _operand(value)
    if taken == 0:
        raise ValueError(f"a number other than 0, or {_others(value)}")
    return taken


def _others(value: Any) -> str:
    """Return what else an operand may be, for a value of a text or of Python."""
    path = "a path without spaces"
    return path if isinstance(value, str) else f"{path}, a volume or an array"


def _looks_like_a_number(text: str | PathLike[str]) -> bool:
    try:
        float(fspath(text))
    except ValueError:
        return False
    return True


def _spell_operand(value: float | str | Beside) -> str:
    return str(value) if isinstance(value, str | Beside) else spell_number(value)


VOLUME = Kind("path", _volume, str)
"""Path of a stack or a zarr."""

OPERAND = Kind("number or path", _operand, _spell_operand)
"""A number, or the path of a stack or a zarr whose voxels are the numbers."""

DIVISOR = Kind("number or path", _divisor, _spell_operand)


class _WithVolumes(Zip, Join):
    """An op on the voxels of its own stream and of other volumes; the stream's dtype stays."""

    def join(self) -> Join:
        """Return the op itself: it takes the stream's planes, then those of the others."""
        return self

    def infer(self, *specs: Spec) -> Spec:
        """Return the stream's spec, given it alone or with those of the others.

        Raises
        ------
        PlanError
            If another volume has another shape.
        """
        for spec, name in zip(specs[1:], self.others, strict=False):
            if spec.shape != specs[0].shape:
                raise PlanError(
                    f"{self}: {name} is {spec}, but its voxels are to meet {specs[0]}; take a "
                    "volume of the same shape, or of one plane, which is used for every z"
                )
        return specs[0]

    @abstractmethod
    def work(self, *specs: Spec) -> int:
        """Return the bytes that `apply` allocates for planes of these specs."""


@dataclass(frozen=True)
class VolumeArithmetic(_WithVolumes):
    """Add, subtract, multiply or divide by the voxels of another volume, in float64.

    Integer results are rounded half to even and saturated. Made by ``Add("other.zarr")`` and its
    like.

    Attributes
    ----------
    operation
        Word of the op, which is the name of NumPy's function too.
    other
        Path of a stack or a zarr, or a volume or an array.
    """

    word: ClassVar[str] = "arithmetic"

    operation: str
    other: str | Beside

    @property
    def others(self) -> tuple[Any, ...]:
        """The other volume."""
        return (self.other,)

    def work(self, *specs: Spec) -> int:
        """Return the bytes of some rows of each volume as float64."""
        return 2 * apply_unary_bytes(specs[0].shape[2])

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Compute into `out`; a division by 0 gives an infinity or NaN, saturated in integers."""
        function: np.ufunc = getattr(np, self.operation)
        with np.errstate(all="ignore"):
            apply_binary(planes[0], planes[1], out, function)

    def __str__(self) -> str:
        return f"{self.operation} {self.other}"


class _Choice(Declared, _WithVolumes):
    """An op that keeps a voxel where that of the second volume isn't 0, and replaces it elsewhere.

    NaN isn't 0.
    """

    takes_wide: ClassVar[bool] = True

    def work(self, *specs: Spec) -> int:
        """Return the bytes of a mask of one row."""
        return specs[0].shape[2]

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Choose row by row into `out`."""
        outside = self._outside(planes, out.dtype)
        for y, row in enumerate(out):
            row[:] = planes[0][y]
            np.copyto(row, outside[y], where=planes[1][y] == 0, casting="unsafe")

    @abstractmethod
    def _outside(self, planes: tuple[Plane, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """Return rows of the voxels that replace others, as long as a row or a single voxel."""


@op("mask", example="mask tissue.zarr")
class Mask(_Choice):
    """Keep voxels where a mask isn't 0, and set all others to `outside`; the dtype stays.

    The mask is another volume of the same shape, or of one plane, which is used for every z. NaN
    isn't 0.

    Raises
    ------
    PlanError
        If the mask has neither the same shape nor one plane.

    Examples
    --------
    >>> masked = ops.mask("slices/", "tissue.tif")
    >>> masked[2, 0, 6:10]
    array([206, 207,   0,   0], dtype=uint16)
    """

    other: str = param(VOLUME, "stack or zarr: the mask")
    outside: float = param(
        FINITE_VOXEL, "value where the mask is 0; rounded and saturated", default=0.0
    )

    @property
    def others(self) -> tuple[Any, ...]:
        """The mask."""
        return (self.other,)

    def _outside(self, planes: tuple[Plane, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        return np.broadcast_to(as_voxel(self.outside, dtype), (len(planes[0]), 1))


@op("where", example="where tissue.zarr raw.zarr")
class Where(_Choice):
    """Keep voxels where a mask isn't 0, and take those of another volume elsewhere.

    Mask and other volume have the shape of the input, or one plane, which is used for every z. The
    dtype stays, and the other volume must have it. NaN isn't 0.

    Raises
    ------
    PlanError
        If another volume has neither the same shape nor one plane, or the dtypes differ.

    Examples
    --------
    >>> mixed = hc.open("slices/") | "invert" | ops.Where("tissue.tif", "slices/")
    >>> mixed[2, 0, 6:10]
    array([65329, 65328,   208,   209], dtype=uint16)
    """

    condition: str = param(VOLUME, "stack or zarr: the mask")
    other: str = param(VOLUME, "stack or zarr of the same dtype: voxels where the mask is 0")

    @property
    def others(self) -> tuple[Any, ...]:
        """The condition, and the volume that is taken where it is 0."""
        return (self.condition, self.other)

    def infer(self, *specs: Spec) -> Spec:
        """Return the stream's spec.

        Raises
        ------
        PlanError
            If another volume has another shape, or the third one another dtype.
        """
        spec = super().infer(*specs)
        if len(specs) > 1 and specs[2].dtype != spec.dtype:
            raise PlanError(
                f"{self}: {self.other} is {specs[2].dtype}, but would be mixed with "
                f"{spec.dtype}; put a cast before"
            )
        return spec

    def _outside(self, planes: tuple[Plane, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:  # noqa: ARG002
        return planes[2]
