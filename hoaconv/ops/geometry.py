"""Ops that move voxels and keep their values: flip, rotate, pad."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from operator import index
from typing import Any, ClassVar, Protocol

import numpy as np

from hoaconv.engine.contract import Resample
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.rearrange import NUMPY_MODES, copy_transposed, pad, pad_indices
from hoaconv.kernels.rounding import as_voxel
from hoaconv.ops.boundary import boundary
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import VOXEL, Kind
from hoaconv.ops.parameters import Declared, param

__all__ = ["Flip", "Pad", "Rotate90", "TransposeXY", "whole"]

Pair = tuple[int, int]


class Widths(Protocol):
    """Type of a field that holds the voxels before and after, for each axis (z, y, x)."""

    def __get__(self, op: Any, owner: Any = None, /) -> tuple[Pair, Pair, Pair]: ...

    def __set__(self, op: Any, value: int | Sequence[int | Pair] | str, /) -> None: ...


def _axes(value: Any) -> tuple[str, ...]:
    axes = value.split(",") if isinstance(value, str) else value
    if (
        not isinstance(axes, Sequence)
        or not axes
        or len(set(axes)) < len(axes)
        or not set(axes) <= set("zyx")
    ):
        raise ValueError("axes such as z or y,x")
    return tuple(axis for axis in "zyx" if axis in axes)


def whole(value: Any) -> int:
    """Return a whole number, or the number that a text stands for. Raise ValueError if it isn't."""
    try:
        return int(value) if isinstance(value, str) else index(value)
    except (TypeError, ValueError):
        raise ValueError("a whole number") from None


def _widths(value: Any) -> tuple[Pair, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence | np.ndarray):
        parts = (parts,)
    if len(parts) not in {1, 3}:
        raise ValueError("one width, or three for z,y,x; BEFORE:AFTER for two sides that differ")
    pairs = [_width(part) for part in parts]
    return (pairs[0], pairs[len(parts) // 2], pairs[-1])


def _width(part: Any) -> Pair:
    ends = part.split(":") if isinstance(part, str) else part
    ends = ends if isinstance(ends, Sequence | np.ndarray) else (ends,)
    numbers = [whole(end) for end in ends]
    if len(numbers) not in {1, 2} or min(numbers) < 0:
        raise ValueError("widths of 0 or more, such as 1,2,2 or 1:2,0,0")
    if max(numbers) > WIDEST:
        raise ValueError(f"widths of at most {WIDEST} voxels")
    return numbers[0], numbers[-1]


def _spell_widths(widths: tuple[Pair, ...]) -> str:
    words = [str(b) if b == a else f"{b}:{a}" for b, a in widths]
    return words[0] if len(set(words)) == 1 else ",".join(words)


AXES = Kind("axes", _axes, ",".join)
QUARTERS = Kind("quarter turns", lambda value: whole(value) % 4, str)
WIDEST = 1 << 20
"""Most voxels that are added on a side."""

WIDTHS = Kind("width or z,y,x", _widths, _spell_widths)


class _PlaneByPlane(Declared, Resample):
    """An op that makes each plane of the result from the plane at the same z."""

    takes_wide: ClassVar[bool] = True

    def reach(self, spec: Spec, z: int) -> range:  # noqa: ARG002 - for any input
        """Return the same plane."""
        return range(z, z + 1)

    def chooses(self, spec: Spec) -> range | None:
        """Return all planes, in their order."""
        return range(spec.planes)


@op("flip", example="flip z")
class Flip(_PlaneByPlane):
    """Reverse axes. A flip along z must come first: it reads the slices in reverse order.

    Values and dtype stay. The volume is reversed about its own centre, so the origin stays.

    Examples
    --------
    >>> ops.flip(np.array([[[1, 2, 3]]], "uint8"), "x").compute()
    array([[[3, 2, 1]]], dtype=uint8)
    """

    axes: tuple[str, ...] = param(
        AXES, "z, y, x, or several with commas", takes=str | tuple[str, ...]
    )

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the input, its axes in other directions."""
        axes = ("zyx".index(axis) for axis in self.axes)
        return replace(spec, geometry=spec.geometry.flipped(*axes))

    def chooses(self, spec: Spec) -> range | None:
        """Return all planes, backwards for a flip along z."""
        planes = range(spec.planes)
        return planes[::-1] if "z" in self.axes else planes

    def within(self) -> "Flip | None":
        """Return the flip along y and x; None if there is none."""
        rest = tuple(axis for axis in self.axes if axis != "z")
        return Flip(rest) if rest else None

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Copy rows in the reversed order."""
        y, x = (slice(None, None, -1 if axis in self.axes else 1) for axis in "yx")
        out[...] = planes[0][y, x][rows]


@op("rotate90")
class Rotate90(_PlaneByPlane):
    """Rotate every plane by k quarter turns, from y towards x, as numpy.rot90 does.

    Values and dtype stay. The volume is rotated about its own centre, so the origin stays.

    Examples
    --------
    >>> ops.rotate90(np.array([[[1, 2], [3, 4]]], "uint8")).compute()
    array([[[2, 4],
            [1, 3]]], dtype=uint8)
    """

    k: int = param(QUARTERS, "quarter turns; negative ones turn the other way", default=1)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec with rows and columns swapped for odd k."""
        reversed_axes = ((), (1,), (1, 2), (2,))[self.k % 4]
        turned = _transposed(spec) if self.k % 2 else spec
        return replace(turned, geometry=turned.geometry.flipped(*reversed_axes))

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Copy rows of the rotated plane."""
        view = np.rot90(planes[0], self.k)[rows]
        if self.k % 2:
            copy_transposed(view, out)
        else:
            out[...] = view


@op("transpose-xy")
class TransposeXY(_PlaneByPlane):
    """Swap y and x: rows become columns; values and dtype stay.

    The voxel sizes and the origins along y and x are swapped too.

    Examples
    --------
    >>> ops.transpose_xy(np.array([[[1, 2], [3, 4]]], "uint8")).compute()
    array([[[1, 3],
            [2, 4]]], dtype=uint8)
    """

    def infer(self, spec: Spec) -> Spec:
        """Return the spec with rows and columns swapped."""
        return _transposed(spec)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Copy columns into rows."""
        copy_transposed(planes[0].T[rows], out)


@op("pad", example="pad 1,2,2")
class Pad(Declared, Resample):
    """Add voxels around the volume; the dtype stays.

    The origin moves to the first voxel that is added. Along z the modes reflect and mirror hold as
    many planes in memory as they add on one side.

    Examples
    --------
    >>> row = np.array([[[1, 2]]], "uint8")
    >>> ops.pad(row, (0, 0, 1)).compute()
    array([[[0, 1, 2, 0]]], dtype=uint8)
    >>> ops.pad(row, "0,0,2:0", mode="nearest").compute()
    array([[[1, 1, 1, 2]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True

    width: Widths = param(
        WIDTHS,
        "voxels on both sides, or BEFORE:AFTER, of each axis",
        takes=int | tuple[int | Pair, ...] | str,
    )
    mode: str = param(
        boundary(*sorted(NUMPY_MODES)), "values of the added voxels", default="constant"
    )
    cval: float = param(VOXEL, "value, for mode=constant; rounded and saturated", default=0.0)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec with the widths added; the origin moves by the width before."""
        lengths = zip(spec.shape, self.width, strict=True)
        z, y, x = (n + before + after for n, (before, after) in lengths)
        geometry = spec.geometry.shifted([-before for before, _ in self.width])
        return replace(spec, shape=(z, y, x), geometry=geometry)

    def _index(self, spec: Spec, axis: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return pad_indices(spec.shape[axis], *self.width[axis], self.mode)

    def reach(self, spec: Spec, z: int) -> range:
        """Return the planes from the first still needed to the last that was; maybe none."""
        starts, stops = _ends(spec.planes, *self.width[0], self.mode)
        return range(starts[z], stops[z])

    def chooses(self, spec: Spec) -> range | None:
        """Return all planes, if nothing is added along z."""
        return range(spec.planes) if self.width[0] == (0, 0) else None

    def work(self, spec: Spec) -> int:
        """Return the bytes of a column, which NumPy copies twice within one plane."""
        return self.infer(spec).shape[1] * spec.dtype.itemsize

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:
        """Copy rows, and fill in the voxels around them."""
        at, value = int(self._index(spec, 0)[z]), as_voxel(self.cval, spec.dtype)
        if at < 0:
            out[...] = value
            return
        plane = planes[at - self.reach(spec, z).start]
        (_, (top, _), (left, _)) = self.width
        indices = self._index(spec, 1)[rows], self._index(spec, 2)
        pad(plane, *indices, (top - rows.start, left), value, out)


def _transposed(spec: Spec) -> Spec:
    z, y, x = spec.shape
    return replace(spec, shape=(z, x, y), geometry=spec.geometry.transposed())


@lru_cache(maxsize=8)
def _ends(n: int, before: int, after: int, mode: str) -> tuple[list[int], list[int]]:
    """Return the first plane that is still needed at each place, and the end of those before."""
    taken = pad_indices(n, before, after, mode)
    wanted = np.where(taken < 0, n, taken)
    starts = np.minimum.accumulate(wanted[::-1])[::-1]
    return starts.tolist(), np.maximum.accumulate(taken + 1).tolist()
