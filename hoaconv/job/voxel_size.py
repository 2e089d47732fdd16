"""Choice of the voxel size of an output: from the user's options, else from the source."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SpellingError
from hoaconv.io.voxel_size import unit_name
from hoaconv.pyramid.metadata import UNITS
from hoaconv.units import did_you_mean, parse_triple

__all__ = ["choose_geometry"]


class Placed(Protocol):
    """A source with a geometry, and with the number of stored voxels that each voxel stands for."""

    @property
    def geometry(self) -> Geometry:
        """Size, unit and origin of the voxels that are read."""

    @property
    def spacing(self) -> tuple[int, int, int]:
        """Stored voxels (z, y, x) from one voxel that is read to the next."""


_SIZED = re.compile(r"([\d.,eE+\s-]*\d[\d.,\s]*?)\s*([^\d\s.,]+)")


def choose_geometry(
    size: str | float | Sequence[float] | None,
    unit: str | None,
    volume: Placed,
    orientation: tuple[str, str, str] | None = None,
) -> tuple[Geometry, str]:
    """Return the geometry of a source, and a note on the origin of its voxel size.

    Options take precedence over the source; the note says so if they differ. Options give the size
    of voxels as stored; if some stored voxels are left out, a voxel that is read stands for
    several. If an option replaces the voxel size, the origin stays the same number of voxels away.

    Raises
    ------
    SpellingError
        If size or unit can't be parsed, or there is a unit but no size.
    """
    chosen, note = _choose(size, unit, volume)
    if orientation is None:
        return chosen, note
    told = chosen.orientation
    if told not in (None, orientation):
        note += f"; orientation {','.join(orientation)}, as given; the source says {','.join(told)}"
    return replace(chosen, orientation=orientation), note


def _choose(
    size: str | float | Sequence[float] | None, unit: str | None, volume: Placed
) -> tuple[Geometry, str]:
    if unit is not None and not (isinstance(unit, str) and unit.strip()):
        raise SpellingError(f"unit {unit!r} is not the name of a length, such as micrometer")
    size, unit = _with_unit(size, unit)
    named, found = _unit(unit or "micrometer"), volume.geometry
    if size is None and unit is not None:
        raise SpellingError(f"unit {unit} is that of `voxel_size`; give both")
    if size is not None:
        edges, ways = parse_triple(size, "voxel size"), found.orientation
        given = Geometry(edges, named, told_by="option", orientation=ways)
        voxels = [o / e for o, e in zip(found.origin, found.edges, strict=True)]
        chosen = given.coarser(volume.spacing, middle=0).shifted(voxels)
        note = f"voxel size {_spell(chosen)}, as given{_left_out(given, volume)}"
        if found.unit and (found.edges, found.unit) != (chosen.edges, chosen.unit):
            note += f"; the source says {_spell(found)} ({found.told_by})"
        return chosen, note
    if found.unit is None:
        return found, "voxel size unknown; set it with `voxel_size`"
    stored = found.coarser([1 / n for n in volume.spacing], middle=0)
    return found, f"voxel size {_spell(found)}, from {found.told_by}{_left_out(stored, volume)}"


def _left_out(stored: Geometry, volume: Placed) -> str:
    """Return words on how much larger the voxels that are read are than those that are stored."""
    if volume.spacing == (1, 1, 1):
        return ""
    times = ",".join(map(str, volume.spacing))
    return f" ({_spell(stored)} as stored, times {times} by range and reduce)"


def _with_unit(size: Any, unit: str | None) -> tuple[Any, str | None]:
    """Return size and unit; text such as ``20um`` is split into both.

    Raises
    ------
    SpellingError
        If there are two different units.
    """
    match = _SIZED.fullmatch(size.strip()) if isinstance(size, str) else None
    if not match:
        return size, unit
    if unit is not None and _unit(unit) != _unit(match[2]):
        raise SpellingError(f"voxel size {size} has a unit of its own, and `unit` says {unit}")
    return match[1], match[2]


def _spell(size: Geometry) -> str:
    edges = [f"{v:g}" for v in size.edges]
    return f"{edges[0] if len(set(edges)) == 1 else ','.join(edges)} {size.unit}"


def _unit(text: str) -> str:
    name = unit_name(text) or text
    if name not in UNITS:
        hint = did_you_mean(text, UNITS)
        raise SpellingError(f"unit {text!r} is not a length that OME-NGFF knows{hint}")
    return name
