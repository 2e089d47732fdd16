"""Boxes of a volume as users write them: in voxels, or in lengths of its coordinate system."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from operator import index
from typing import Any

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.io.voxel_size import in_unit, unit_name
from hoaconv.ops.cropping import Crop
from hoaconv.ops.geometry import Pad

__all__ = ["Box", "Length"]

_LENGTH = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]*|\")\s*")
_FORM = (
    "is written z0:z1,y0:y1,x0:x1, in voxels or in lengths, as in 100:356,0:256,: or "
    "2mm:3mm,0.5mm:,:"
)


@dataclass(frozen=True)
class Length:
    """A length and its unit, as OME-NGFF spells it."""

    value: float
    unit: str


End = int | Length | None


@dataclass(frozen=True)
class Box:
    """A box: for z, y, x where it begins and where it ends; None is an end of the volume.

    A number counts voxels from the first one. A length is a place in the coordinate system of the
    volume, whose origin is the centre of the first voxel unless its metadata place it elsewhere.
    """

    ends: tuple[tuple[End, End], ...]

    @classmethod
    def parse(cls, given: Any) -> "Box":
        """Return the box of a text, of three slices, or of three pairs of ends.

        Raises
        ------
        SpellingError
            If it isn't understood.

        Examples
        --------
        >>> Box.parse("2mm:,-3:7,:").ends
        ((Length(value=2.0, unit='millimeter'), None), (-3, 7), (None, None))
        """
        parts = given.split(",") if isinstance(given, str) else given
        if not isinstance(parts, Sequence) or len(parts) != 3:
            raise SpellingError(f"the box {given!r} has not three sides; it {_FORM}")
        return cls(tuple(_side(part, given) for part in parts))

    def voxels(self, spec: Spec) -> tuple[range, range, range]:
        """Return the voxels of the box along z, y, x; they may lie beyond the volume.

        A voxel belongs to it if its centre lies at the beginning of a side or behind, and before
        its end.

        Raises
        ------
        SpellingError
            If a side is in lengths, and the voxel size is unknown.
        PlanError
            If there is no voxel along an axis.
        """
        sides = []
        for axis, (ends, n) in enumerate(zip(self.ends, spec.shape, strict=True)):
            start = 0 if ends[0] is None else _voxel(ends[0], axis, spec.geometry)
            stop = n if ends[1] is None else _voxel(ends[1], axis, spec.geometry)
            if stop <= start:
                raise PlanError(
                    f"the box holds no voxel along {'zyx'[axis]}: {extent(spec)}"
                    f"; it would begin at voxel {start} and end before {stop}"
                )
            sides.append(range(start, stop))
        z, y, x = sides
        return z, y, x

    def ops(self, spec: Spec, fill: float | None) -> tuple[Crop | Pad, ...]:
        """Return the ops that make the box of a volume.

        Parameters
        ----------
        fill
            The value of what lies beyond the volume; None if nothing may.

        Raises
        ------
        SpellingError
            If a side is in lengths, and the voxel size is unknown.
        PlanError
            If the box holds no voxel of the volume, or goes beyond it and `fill` is None.
        """
        sides = self.voxels(spec)
        inner = [
            range(max(0, side.start), min(n, side.stop))
            for side, n in zip(sides, spec.shape, strict=True)
        ]
        if not all(inner):
            raise PlanError(f"the box lies wholly beyond the volume: {extent(spec)}")
        beyond = [(i.start - s.start, s.stop - i.stop) for s, i in zip(sides, inner, strict=True)]
        ops: list[Crop | Pad] = []
        if [len(side) for side in inner] != list(spec.shape):
            ops.append(Crop(tuple((side.start, side.stop) for side in inner)))  # type: ignore[arg-type]
        if any(map(any, beyond)):
            if fill is None:
                words = ",".join(f"{side.start}:{side.stop}" for side in sides)
                raise PlanError(
                    f"the box goes beyond the volume: {extent(spec)}; the box is {words}. To fill "
                    'in what is outside, write `fill="0"`'
                )
            ops.append(Pad(tuple(beyond), "constant", fill))
        return tuple(ops)


def extent(spec: Spec) -> str:
    """Return where a volume lies, in words: in voxels, and in lengths if its voxel size is known.

    In lengths, it is from the first edge of the first voxel to the last edge of the last.
    """
    words = "it has the voxels " + ",".join(f"0:{n}" for n in spec.shape)
    geometry = spec.geometry
    if geometry.unit is None:
        return words
    sides = zip(spec.shape, geometry.edges, geometry.origin, strict=True)
    places = [f"{o - e / 2:g}:{o + (n - 0.5) * e:g}" for n, e, o in sides]
    return f"{words}, in {geometry.unit} {','.join(places)}"


def _side(part: Any, given: Any) -> tuple[End, End]:
    if isinstance(part, slice):
        if part.step not in (None, 1):
            raise SpellingError(
                f"the box {given!r} has a step; shrink what is read with the op bin"
            )
        part = (part.start, part.stop)
    ends = part.split(":") if isinstance(part, str) else part
    if not isinstance(ends, Sequence) or len(ends) != 2:
        raise SpellingError(f"the side {part!r} of the box isn't understood; a box {_FORM}")
    return _end(ends[0]), _end(ends[1])


def _end(end: Any) -> End:
    if end is None or (isinstance(end, str) and not end.strip()):
        return None
    if not isinstance(end, str):
        try:
            return index(end)
        except TypeError:
            raise SpellingError(f"{end!r} in the box is no whole number of voxels") from None
    match = _LENGTH.fullmatch(end)
    if match is None:
        raise SpellingError(f"{end.strip()!r} in the box isn't understood; a box {_FORM}")
    if not match[2]:
        if not float(match[1]).is_integer():
            raise SpellingError(
                f"{end.strip()} in the box is no whole number of voxels; a length has a unit, as "
                f"in {end.strip()}mm"
            )
        return int(float(match[1]))
    unit = unit_name(match[2])
    if unit is None:
        raise SpellingError(f"{match[2]!r} in the box is no unit of length, such as mm or um")
    return Length(float(match[1]), unit)


def _voxel(end: int | Length, axis: int, geometry: Geometry) -> int:
    """Return the first voxel whose centre lies at a place or behind it."""
    if isinstance(end, int):
        return end
    if geometry.unit is None:
        raise SpellingError(
            "the box is given in lengths, and the source tells no voxel size: give `voxel_size`, "
            "or write the box in voxels"
        )
    unit = unit_name(geometry.unit)
    if unit is None:
        raise SpellingError(f"the voxel size is in {geometry.unit}; write the box in voxels")
    place = in_unit(end.value, end.unit, unit)
    voxels: float = (place - geometry.origin[axis]) / geometry.edges[axis]
    return ceil(round(voxels, 6))
