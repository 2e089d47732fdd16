"""The op that keeps a box of a volume."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Resample
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.rounding import as_voxel
from hoaconv.ops.declare import op
from hoaconv.ops.geometry import WIDEST, Pad, whole
from hoaconv.ops.kinds import VOXEL, Kind, or_word
from hoaconv.ops.parameters import Declared, param

__all__ = ["Crop"]

Range = tuple[int, int | None]


def _three(value: Any) -> list[Any]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence | np.ndarray) or len(parts) != 3:
        raise ValueError("three ranges z,y,x such as 10:200,0:512,:")
    return list(parts)


def _range(part: Any) -> Range:
    """Return the first index and the one behind the last, None for the end."""
    if isinstance(part, slice):
        part = (part.start, part.stop, *([part.step] if part.step not in (None, 1) else []))
    ends = part.split(":") if isinstance(part, str) else part
    try:
        start, stop = (None if end in (None, "") else whole(end) for end in ends)
    except (TypeError, ValueError):
        raise ValueError("three ranges START:STOP without a step; the op 'bin' shrinks") from None
    return start or 0, stop


def _spell_range(ends: Range) -> str:
    start, stop = ends
    return f"{start or ''}:{'' if stop is None else stop}"


RANGES = Kind(
    "z,y,x ranges",
    lambda v: tuple(map(_range, _three(v))),
    lambda v: ",".join(map(_spell_range, v)),
)


@op("crop", example="crop 10:200,0:512,:")
class Crop(Declared, Resample):
    """Keep a box of voxels: START:STOP along z, y and x, as in Python's slices.

    Values and dtype stay. The origin moves to the first voxel that is kept. Slices outside the
    range along z aren't decoded, unless an earlier op needs them as neighbours; of a chunked array,
    chunks outside the box aren't decoded. A box that goes beyond the volume is an error, unless
    `fill` says what is there.

    Raises
    ------
    PlanError
        If nothing is left along an axis, or the box goes beyond the volume.

    Examples
    --------
    >>> ops.crop("slices/", "2:6,:,4:12")
    Volume(4 x 16 x 8 uint16: crop 2:6,:,4:12)
    >>> ops.crop(np.array([[[1, 2, 3, 4]]], "uint8"), (":", ":", "1:-1")).compute()
    array([[[2, 3]]], dtype=uint8)
    >>> ops.crop(np.array([[[1, 2, 3, 4]]], "uint8"), ":,:,2:6", fill=9).compute()
    array([[[3, 4, 9, 9]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True

    ranges: tuple[Range, Range, Range] = param(
        RANGES,
        "ranges to keep; an end may be left out; a negative one counts from the far end",
        takes=str | tuple[slice, slice, slice],
    )
    fill: float | str = param(
        or_word(VOXEL, "none", "number or none"),
        "value of voxels beyond the volume, rounded and saturated; none makes them an error",
        default="none",
    )

    def kept(self, spec: Spec) -> tuple[range, range, range]:
        """Return the voxels that are kept along z, y, x; they may begin or end beyond the volume.

        Parameters
        ----------
        spec
            The volume that is cropped.
        """
        z, y, x = (_counted(*ends, n) for ends, n in zip(self.ranges, spec.shape, strict=True))
        return z, y, x

    def beyond(self, spec: Spec) -> tuple[tuple[int, int], ...]:
        """Return the voxels that lie before and behind the volume, for z, y, x.

        Parameters
        ----------
        spec
            The volume that is cropped.
        """
        both = zip(self.kept(spec), spec.shape, strict=True)
        return tuple(
            (min(len(k), max(0, -k.start)), min(len(k), max(0, k.stop - n))) for k, n in both
        )

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the box.

        Raises
        ------
        PlanError
            If nothing is left along an axis, or the box goes beyond the volume.
        """
        kept = self.kept(spec)
        rows = zip("zyx", self.ranges, kept, spec.shape, self.beyond(spec), strict=True)
        for axis, ends, one, n, outside in rows:
            if not one:
                raise PlanError(f"crop: {_spell_range(ends)} keeps nothing of {n} along {axis}")
            if any(outside) and self.fill == "none":
                raise PlanError(
                    f"crop: {_spell_range(ends)} goes beyond the volume, which has {n} voxels "
                    f"along {axis}: 0:{n}; to fill in what is outside, write fill=0"
                )
        z, y, x = map(len, kept)
        geometry = spec.geometry.shifted([axis.start for axis in kept])
        return replace(spec, shape=(z, y, x), geometry=geometry)

    def parts(self, spec: Spec) -> tuple[Resample, ...]:
        """Return ops that do the same one after the other: a crop within the volume comes first.

        A source can then give the crop alone. It is the crop itself if nothing lies beyond.
        """
        inner = tuple(
            (max(0, side.start), min(n, side.stop))
            for side, n in zip(self.kept(spec), spec.shape, strict=True)
        )
        beyond = self.beyond(spec)
        widest = max(map(max, beyond))
        is_within = not widest or self.fill == "none"
        if is_within or widest > WIDEST or any(stop <= start for start, stop in inner):
            return (self,)
        return Crop(inner), Pad(beyond, "constant", float(self.fill))  # type: ignore[arg-type]

    def reach(self, spec: Spec, z: int) -> range:
        """Return the one plane; none beyond the volume."""
        at = self.kept(spec)[0].start + z
        first = min(max(at, 0), spec.planes)
        return range(first, first + (0 <= at < spec.planes))

    def chooses(self, spec: Spec) -> range | None:
        """Return the planes that are kept along z, if all lie in the volume."""
        return None if any(self.beyond(spec)[0]) else self.kept(spec)[0]

    def within(self) -> "Crop | None":
        """Return the crop along y and x; None if there is none."""
        rest = (0, None), *self.ranges[1:]
        return Crop(rest, self.fill) if rest != ((0, None),) * 3 else None

    def cuts(self, spec: Spec) -> tuple[slice, slice] | None:
        """Return rows and columns, if all planes are kept and nothing lies beyond the volume."""
        z, y, x = self.kept(spec)
        if z != range(spec.planes) or any(map(any, self.beyond(spec))):
            return None
        return slice(y.start, y.stop), slice(x.start, x.stop)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Copy rows of the box; fill in what lies beyond the volume."""
        _, y, x = self.kept(spec)
        (ny, nx), top, bottom = spec.plane_shape, y.start + rows.start, y.start + rows.stop
        taken = slice(max(0, top), max(0, min(ny, bottom)))
        columns = slice(max(0, x.start), max(0, min(nx, x.stop)))
        if not planes or out.shape != (taken.stop - taken.start, columns.stop - columns.start):
            out[...] = as_voxel(float(self.fill), spec.dtype)
        if planes and taken.start < taken.stop and columns.start < columns.stop:
            inner = planes[0][taken, columns]
            down, right = taken.start - top, columns.start - x.start
            out[down : down + inner.shape[0], right : right + inner.shape[1]] = inner


def _counted(start: int, stop: int | None, n: int) -> range:
    """Return a range of whole numbers; negative ends count from the far end, as in Python."""
    first = start + n if start < 0 else start
    last = n if stop is None else stop + n if stop < 0 else stop
    return range(first, max(first, last))
