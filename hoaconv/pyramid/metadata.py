"""OME-NGFF metadata, 0.4 and 0.5: https://ngff.openmicroscopy.org.

Here alone `voxel_size` becomes OME's ``scale``.
"""

from collections.abc import Mapping, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from hoaconv import __version__
from hoaconv.engine.geometry import Geometry
from hoaconv.io.zarr import write_json
from hoaconv.pyramid.levels import Level

__all__ = [
    "UNITS",
    "ImageInfo",
    "as_label",
    "attributes",
    "color_of",
    "dataset",
    "label_list",
    "made_by",
    "window_of",
    "write_group",
]

_PREFIXES = (
    *("yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci"),
    *("", "hecto", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta"),
)
UNITS = (
    *(f"{prefix}meter" for prefix in _PREFIXES),
    *("angstrom", "foot", "inch", "mile", "parsec", "yard"),
)
"""Units of length that NGFF allows."""


@dataclass(frozen=True)
class ImageInfo:
    """The name of an image, the method that downsamples it, and what viewers are told.

    Attributes
    ----------
    shown
        ``label``, ``color`` and ``window`` of its channel, where these are known.
    label
        ``colors`` and ``properties`` of the labels of a label image, where these are known.
    """

    name: str
    method: str
    shown: Mapping[str, Any] = field(default_factory=dict, compare=False)
    label: Mapping[str, Any] = field(default_factory=dict, compare=False)


def attributes(
    image: ImageInfo,
    geometry: Geometry,
    levels: Sequence[Level],
    ngff: str,
    window: Mapping[str, float] | None,
    provenance: Mapping[str, Any],
    paths: Sequence[str],
) -> dict[str, Any]:
    """Return the attributes of the image's group, for NGFF ``"0.5"`` or ``"0.4"``.

    Parameters
    ----------
    geometry
        Size and place of the voxels of level 0, whether or not that is one of `levels`.
    levels, paths
        The levels that are there, and the names of their arrays.
    """
    both = zip(paths, levels, strict=True)
    multiscale: dict[str, Any] = {
        "name": image.name,
        "axes": _axes(geometry),
        "datasets": [dataset(image.method, geometry, path, level) for path, level in both],
        **made_by(image.method),
    }
    omero = {"omero": _omero(image, levels[0], window)} if window else {}
    if ngff == "0.5":
        ome = {"version": "0.5", "multiscales": [multiscale], **omero}
        return {"ome": ome, "hoaconv": dict(provenance)}
    return {
        "multiscales": [{"version": "0.4", **multiscale}],
        **omero,
        "hoaconv": dict(provenance),
    }


def made_by(method: str) -> dict[str, Any]:
    """Return what a multiscale tells of how its levels were made."""
    return {
        "type": method,
        "metadata": {
            "description": f"downsampled from level to level, method {method}",
            "method": "hoaconv.stack_to_omezarr",
            "version": __version__,
        },
    }


def as_label(
    values: Mapping[str, Any],
    ngff: str,
    labels: Sequence[int] = (1,),
    known: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return an image's attributes as those of a label image two groups below its source.

    Parameters
    ----------
    labels
        The labels that get a color; by default 1, which a threshold marks.
    known
        Colors and properties of the labels, where they are known.
    """
    colors = [{"label-value": label, "rgba": color_of(label)} for label in labels]
    mark = {"colors": colors, **known, "source": {"image": "../../"}}
    if ngff == "0.5":
        return {**values, "ome": {**values["ome"], "image-label": mark}}
    return {**values, "image-label": {"version": "0.4", **mark}}


def color_of(label: int) -> list[int]:
    """Return the color of a label, red, green, blue and opacity: always the same one.

    Hues of consecutive labels differ by the golden ratio of a circle, so that no two of the first
    dozens are alike. Label 1 is yellow.
    """
    hue = (1 / 6 + (label - 1) * GOLDEN) % 1
    return [*(round(255 * part) for part in hsv_to_rgb(hue, 1, 1)), 255]


GOLDEN = (sqrt(5) - 1) / 2


def label_list(names: Sequence[str], ngff: str) -> dict[str, Any]:
    """Return the attributes of the group ``labels``."""
    listed = {"labels": list(names)}
    return {"ome": {"version": "0.5", **listed}} if ngff == "0.5" else listed


def _axes(geometry: Geometry) -> list[dict[str, Any]]:
    """Return the axes; their orientation is that of RFC-4, https://ngff.openmicroscopy.org/rfc/4."""
    unit = {"unit": geometry.unit} if geometry.unit else {}
    ways = geometry.orientation or (None, None, None)
    told = ({"orientation": {"type": "anatomical", "value": way}} if way else {} for way in ways)
    return [
        {"name": name, "type": "space", **unit, **way}
        for name, way in zip("zyx", told, strict=True)
    ]


def dataset(method: str, geometry: Geometry, path: str, level: Level) -> dict[str, Any]:
    """Return a level's row: scale, then translation, in the order of the specification.

    The centre of a voxel that stands for f voxels of level 0 lies (f - 1) / 2 of them further than
    that of the first; with ``nearest`` and ``gaussian`` it is the first one itself.
    """
    placed = geometry.coarser(
        level.factor, middle=0.0 if method in ("nearest", "gaussian") else 0.5
    )
    transformations: list[dict[str, Any]] = [
        {"type": "scale", "scale": list(map(_tidy, placed.edges))},
        {"type": "translation", "translation": list(map(_tidy, placed.origin))},
    ]
    return {"path": path, "coordinateTransformations": transformations}


def _tidy(value: float) -> float:
    """Return the number without errors in its last bits: 58.71, not 58.709999999999994."""
    return float(f"{value:.12g}")


def _omero(image: ImageInfo, level: Level, window: Mapping[str, float]) -> dict[str, Any]:
    """Return rendering settings: one grey channel and the window of values to show."""
    channel = {
        "label": image.name,
        "color": "FFFFFF",
        "active": True,
        "coefficient": 1,
        "family": "linear",
        "inverted": False,
        "window": dict(window),
        **image.shown,
    }
    rdefs = {"defaultT": 0, "defaultZ": level.shape[0] // 2, "model": "greyscale"}
    return {"channels": [channel], "rdefs": rdefs}


def window_of(dtype: np.dtype[Any], histogram: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the ``window`` of omero, from the value of the fold `Histogram`.

    It shows what lies between the 0.1 and the 99.9 percentile, or, where that is one value,
    between the least and the greatest. None where there is nothing finite to show.
    """
    percentiles = histogram.get("percentiles", {})
    seen = (percentiles.get("0.1"), percentiles.get("99.9"))
    ends = (histogram.get("min"), histogram.get("max"))
    if not all(isinstance(value, int | float) for value in (*seen, *ends)):
        return None
    low, high = ends if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    start, end = ends if seen[0] == seen[1] else seen
    values = {"min": low, "max": high, "start": start, "end": end}
    return {name: _exact(value) for name, value in values.items() if value is not None}


def _exact(value: float) -> float:
    """Return the number as a float, or as it is if a float would round it: 2**64 - 1."""
    return float(value) if float(value) == value else value


def write_group(path: Path, ngff: str, values: Mapping[str, Any]) -> tuple[int, int]:
    """Write a group's metadata; in zarr v2 the file that makes it a group comes last.

    Returns
    -------
    tuple of int
        Files, and their bytes.
    """
    if ngff == "0.5":
        group = {"zarr_format": 3, "node_type": "group", "attributes": dict(values)}
        return 1, write_json(path / "zarr.json", group)
    size = write_json(path / ".zattrs", dict(values))
    return 2, size + write_json(path / ".zgroup", {"zarr_format": 2})
