"""Which voxel size is written: the user's, or the one that the source tells."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.io.source import Volume
from hoaconv.io.voxel_size import VoxelSize, unit_name
from hoaconv.pyramid.metadata import UNITS
from hoaconv.units import did_you_mean, parse_triple

__all__ = ["choose_voxel_size"]

_SIZED = re.compile(r"([\d.,eE+\s-]*\d[\d.,\s]*?)\s*([^\d\s.,]+)")


def choose_voxel_size(
    size: str | float | Sequence[float] | None, unit: str | None, volume: Volume
) -> tuple[VoxelSize | None, str]:
    """The voxel size to write, and a note that says where it is from.

    Options win over what the source tells; the note says so where they differ. They are of the
    voxels as stored; where some are left out, a voxel that is read stands for several.

    Raises
    ------
    SpellingError
        If size or unit can't be read, or there is a unit and no size.
    """
    size, unit = _with_unit(size, unit)
    named, found = _unit(unit or "micrometer"), volume.voxel_size
    if size is None and unit is not None:
        raise SpellingError(f"unit {unit} is that of --voxel-size; give both")
    if size is not None:
        given = VoxelSize(parse_triple(size, "voxel size"), named, "option")
        chosen = given.times(volume.spacing)
        note = f"voxel size {_spell(chosen)}, as given{_left_out(given, volume)}"
        if found and (found.zyx, found.unit) != (chosen.zyx, chosen.unit):
            note += f"; the source says {_spell(found)} ({found.origin})"
        return chosen, note
    if found is None:
        return None, "voxel size unknown; set it with --voxel-size"
    stored = replace(found, zyx=_divided(found.zyx, volume.spacing))
    return found, f"voxel size {_spell(found)}, from {found.origin}{_left_out(stored, volume)}"


def _divided(edges: Sequence[float], by: Sequence[int]) -> tuple[float, float, float]:
    z, y, x = (edge / n for edge, n in zip(edges, by, strict=True))
    return z, y, x


def _left_out(stored: VoxelSize, volume: Volume) -> str:
    """How the voxels that are read are larger than those that are stored."""
    if volume.spacing == (1, 1, 1):
        return ""
    times = ",".join(map(str, volume.spacing))
    return f" ({_spell(stored)} as stored, times {times} by range and reduce)"


def _with_unit(size: Any, unit: str | None) -> tuple[Any, str | None]:
    """Size and unit of ``20um``, where both are in one word.

    Raises
    ------
    SpellingError
        If there are two units.
    """
    match = _SIZED.fullmatch(size.strip()) if isinstance(size, str) else None
    if not match:
        return size, unit
    if unit is not None and _unit(unit) != _unit(match[2]):
        raise SpellingError(f"voxel size {size} has a unit of its own, and --unit says {unit}")
    return match[1], match[2]


def _spell(size: VoxelSize) -> str:
    edges = [f"{v:g}" for v in size.zyx]
    return f"{edges[0] if len(set(edges)) == 1 else ','.join(edges)} {size.unit}"


def _unit(text: str) -> str:
    name = unit_name(text) or text
    if name not in UNITS:
        hint = did_you_mean(text, UNITS)
        raise SpellingError(f"unit {text!r} is not a length that OME-NGFF knows{hint}")
    return name
