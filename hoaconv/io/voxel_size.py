"""Voxel sizes from the metadata of scanners, ImageJ and OME, and from folder names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from math import isclose, isfinite
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hoaconv.engine.geometry import Geometry, Lengths

__all__ = [
    "Axes",
    "choose",
    "from_axes",
    "from_imagej",
    "from_metres",
    "from_name",
    "from_ome",
    "from_ome_zarr",
    "from_tiff_tags",
    "in_micrometer",
    "in_unit",
    "placed",
    "unit_name",
]

Axes = tuple[int | None, int, int]
"""Numbers of the stored axes that are z, y and x; None for z if there is no such axis."""

FOLDER = "folder name"

_METRES = {
    "angstrom": 1e-10,
    "picometer": 1e-12,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "decimeter": 1e-1,
    "meter": 1.0,
    "kilometer": 1e3,
    "inch": 0.0254,
}
_SPELLINGS = {
    "Å": "angstrom",
    "pm": "picometer",
    "nm": "nanometer",
    "um": "micrometer",
    "µm": "micrometer",
    "μm": "micrometer",
    "\\u00b5m": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "dm": "decimeter",
    "m": "meter",
    "km": "kilometer",
    "in": "inch",
    "inches": "inch",
    '"': "inch",
}
_IN_NAME = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?) ?(nm|um|µm|μm|mm)(?![A-Za-z])")
_PRINT_DPI = (1, 72, 96, 150, 300)


def unit_name(text: str) -> str | None:
    """Return a unit of length as OME-Zarr spells it, or None for "pixel" and unknown words.

    Examples
    --------
    >>> unit_name("µm"), unit_name("micron"), unit_name("Millimetres"), unit_name("pixel")
    ('micrometer', 'micrometer', 'millimeter', None)
    """
    word = text.strip()
    known = _SPELLINGS.get(word) or _SPELLINGS.get(word.lower())
    if known:
        return known
    word = word.lower().removesuffix("s").replace("metre", "meter")
    return word if word in _METRES else None


def from_metres(per_metre_y: float, per_metre_x: float, told_by: str) -> Geometry | None:
    """Return the voxel size in micrometer from points per metre along y and x.

    Return None for defaults of image programs that don't know a voxel size: 72, 96 or 300 dots
    per inch.
    """
    if not _real(per_metre_y, per_metre_x) or _is_print(per_metre_y, per_metre_x):
        return None
    # A JP2 box stores 16-bit fractions, which hold six digits at most.
    y, x = (float(f"{1e6 / n:.6g}") for n in (per_metre_y, per_metre_x))
    return _with_z(None, y, x, "micrometer", told_by)


def from_tiff_tags(per_unit_y: float, per_unit_x: float, unit: int) -> Geometry | None:
    """Return the voxel size from TIFF's YResolution, XResolution and ResolutionUnit.

    `unit` is 2 for inch and 3 for centimetre. Return None for other units and for 1 point per unit.
    """
    metre = {2: 1 / 0.0254, 3: 100.0}.get(unit)
    if metre is None or per_unit_y == per_unit_x == 1:
        return None
    return from_metres(per_unit_y * metre, per_unit_x * metre, "TIFF resolution tags")


def in_micrometer(geometry: Geometry) -> Lengths | None:
    """Return the edges of a voxel (z, y, x) in micrometer; None where they or the unit are unknown.

    Examples
    --------
    >>> in_micrometer(Geometry((0.002, 0.001, 0.001), "millimeter"))
    (2.0, 1.0, 1.0)
    """
    unit = unit_name(geometry.unit or "")
    if unit is None or not _real(*geometry.edges):
        return None
    z, y, x = (in_unit(edge, unit, "micrometer") for edge in geometry.edges)
    return (z, y, x)


def from_imagej(
    metadata: Mapping[str, Any], per_unit_y: float, per_unit_x: float
) -> Geometry | None:
    """Return the voxel size from ImageJ's metadata and the resolution tags in ImageJ's unit.

    Return None if the unit is no length or a resolution isn't positive. Sizes in centimetre, in
    which TIFF's own tags are, become micrometer, as those of the tags do.
    """
    unit = unit_name(str(metadata.get("unit", "")))
    if unit is None or not _real(per_unit_y, per_unit_x):
        return None
    y, x = (float(f"{1 / n:.9g}") for n in (per_unit_y, per_unit_x))
    z = metadata.get("spacing")
    if unit == "centimeter":
        y, x = (in_unit(edge, unit, "micrometer") for edge in (y, x))
        z = in_unit(z, unit, "micrometer") if isinstance(z, int | float) else z
        unit = "micrometer"
    return _with_z(z, y, x, unit, "ImageJ metadata")


def from_ome(xml: str, number: int = 0) -> Geometry | None:
    """Return the voxel size of an image of an OME-XML text, in the unit of its x axis.

    Return None if the text isn't XML, has no image of this number, or states no voxel size.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None  # tifffile, too, reads such a file as a plain TIFF
    images = (e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels")
    pixels = next(islice(images, number, None), None)
    unit = unit_name(pixels.get("PhysicalSizeXUnit", "µm")) if pixels is not None else None
    if pixels is None or unit is None:
        return None
    z, y, x = (_ome_edge(pixels, axis, unit) for axis in "ZYX")
    return _with_z(z, y, x, unit, "OME-XML") if y is not None and x is not None else None


def from_ome_zarr(image: Mapping[str, Any], level: str, zyx: Axes) -> Geometry | None:
    """Return the geometry of a level of an OME-NGFF image, in the unit of its x axis.

    The transformations of the level are applied first, then those of the image; each is a list of
    scales and translations in any order. Return None if an axis has no unit of length, since a
    scale without one may be in any unit.

    Parameters
    ----------
    image
        One of OME-NGFF's ``multiscales``.
    level
        Path of one of its datasets.
    zyx
        Numbers of the axes z, y and x, whatever the metadata call them. Where there is no z, the
        edge along z is taken equal to that along y, if that is equal to that along x.
    """
    try:
        (dataset,) = (d for d in image["datasets"] if d["path"] == level)
        steps = [*dataset.get("coordinateTransformations", ()), *_steps_of(image)]
        found = {
            axis: (*placed(steps, axis), str(image["axes"][axis].get("unit", "")))
            for axis in zyx
            if axis is not None
        }
        has_scale = any(step["type"] == "scale" for step in steps)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None  # the metadata don't follow the specification
    geometry = from_axes(found, zyx, "OME-Zarr metadata") if has_scale else None
    return geometry and replace(geometry, orientation=_orientation(image, zyx))


def _orientation(image: Mapping[str, Any], zyx: Axes) -> tuple[str, str, str] | None:
    """Return the directions of z, y and x as RFC-4 has them, if all three are told."""
    try:
        found = [image["axes"][axis]["orientation"] for axis in zyx if axis is not None]
        ways = [str(one["value"]) for one in found if one["type"] == "anatomical"]
    except (KeyError, TypeError):
        return None
    if len(ways) < 3 or any("-to-" not in way for way in ways):
        return None
    z, y, x = ways
    return z, y, x


def from_axes(
    placed: Mapping[int, tuple[float, float, str]], zyx: Axes, told_by: str
) -> Geometry | None:
    """Return the geometry from what is known of stored axes, in the unit of the x axis.

    Return None if an axis has no unit of length, or an edge isn't positive.

    Parameters
    ----------
    placed
        Edge, origin and unit of axes, by their numbers.
    zyx
        Numbers of the axes z, y and x. Where there is no z, the edge along z is taken equal to that
        along y, if that is equal to that along x.
    told_by
        The source of these numbers.
    """
    there = [placed[axis] for axis in zyx if axis is not None and axis in placed]
    units = [unit for unit in (unit_name(word) for *_, word in there) if unit is not None]
    if len(units) < sum(axis is not None for axis in zyx) or not _real(*(e for e, *_ in there)):
        return None
    both = zip(there, units, strict=True)
    pairs = [[in_unit(length, own, units[-1]) for length in pair] for (*pair, _), own in both]
    *of_z, (y, oy), (x, ox) = pairs
    if not of_z and not isclose(y, x, rel_tol=1e-3):
        return None
    z, oz = of_z[0] if of_z else (y, 0.0)
    origin = (oz, oy, ox) if all(map(isfinite, (oz, oy, ox))) else (0.0, 0.0, 0.0)
    return Geometry((z, y, x), units[-1], origin, told_by)


def _steps_of(image: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the transformations of an image that apply to all its levels."""
    return tuple(image.get("coordinateTransformations", ()))


def placed(steps: Sequence[Mapping[str, Any]], axis: int) -> tuple[float, float]:
    """Return edge and origin along an axis, after all steps in their order."""
    edge, origin = 1.0, 0.0
    for step in steps:
        if step["type"] == "scale":
            factor = float(step["scale"][axis])
            edge, origin = edge * factor, origin * factor
        elif step["type"] == "translation":
            origin += float(step["translation"][axis])
    return edge, origin


def in_unit(edge: float, own: str, unit: str) -> float:
    """Return a length in another unit; both as `unit_name` returns them."""
    return edge if own == unit else float(f"{edge * _METRES[own] / _METRES[unit]:.9g}")


def from_name(path: Path) -> Geometry | None:
    """Return the voxel size that the Human Organ Atlas writes into a folder's name.

    The path's own name is searched, then the names of its folder and of the folder above. Return
    None if none holds a voxel size.

    Examples
    --------
    >>> print(from_name(Path("19.57um_S-20-29_brain_complete-organ_jp2_")))
    19.57 x 19.57 x 19.57 micrometer (folder name)
    """
    for name in [path.name, *(parent.name for parent in path.parents)][:3]:
        match = _IN_NAME.search(name)
        if match and _real(float(match[1])):
            edge = float(match[1])
            return Geometry((edge, edge, edge), _SPELLINGS[match[2]], told_by=FOLDER)
    return None


def choose(found: Iterable[Geometry | None]) -> tuple[Geometry | None, tuple[str, ...]]:
    """Return the first geometry that isn't None, and a note on each that disagrees with it."""
    sizes = [size for size in found if size is not None]
    if not sizes:
        return None, ()
    first = sizes[0]
    notes = (
        f"voxel size {first} is used, though another place says {other}: check which is right"
        for other in sizes[1:]
        if not _agree(first, other)
    )
    return first, tuple(notes)


def _agree(one: Geometry, other: Geometry) -> bool:
    """Return True if two sizes agree up to rounding; folder names are cut to 2 decimals."""
    factor = _METRES[one.unit or ""] / _METRES[other.unit or ""]
    slack = 0.0101 if other.told_by == FOLDER else 0.0
    pairs = zip(one.edges, other.edges, strict=True)
    return all(isclose(a * factor, b, rel_tol=1e-3, abs_tol=slack) for a, b in pairs)


def _with_z(z: Any, y: float, x: float, unit: str, told_by: str) -> Geometry | None:
    """Return the geometry; an unknown z is taken equal to y if y and x agree, else return None."""
    if not _real(y, x):
        return None
    if isinstance(z, (int, float)) and _real(abs(z)):
        return Geometry((abs(float(z)), y, x), unit, told_by=told_by)
    if not isclose(y, x, rel_tol=1e-3):
        return None
    return Geometry((y, y, x), unit, told_by=f"{told_by}; z taken equal to y")


def _ome_edge(pixels: ElementTree.Element, axis: str, unit: str) -> float | None:
    """Return one PhysicalSize attribute in `unit`, or None if it isn't a length."""
    own = unit_name(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    try:
        edge = float(pixels.get(f"PhysicalSize{axis}", ""))
    except ValueError:
        return None
    if own is None or not _real(edge):
        return None
    return in_unit(edge, own, unit)


def _real(*lengths: float) -> bool:
    return all(isfinite(length) and length > 0 for length in lengths)


def _is_print(per_metre_y: float, per_metre_x: float) -> bool:
    """Return True if image programs write these dots per inch by default."""
    dots = [per_metre * 0.0254 for per_metre in (per_metre_y, per_metre_x)]
    return all(any(isclose(d, dpi, rel_tol=5e-4) for dpi in _PRINT_DPI) for d in dots)
