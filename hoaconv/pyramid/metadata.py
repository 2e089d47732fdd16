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
from hoaconv.io.leading import Leading
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
    "window_over",
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


COLORS = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")
"""Colours of channels that have none of their own."""


@dataclass(frozen=True)
class ImageInfo:
    """The name of an image, the method that downsamples it, and its channels.

    Attributes
    ----------
    name, method
        Name of the image; see `hoaconv.kernels.downsample`.
    channels
        ``label``, ``color`` and ``window`` of each channel, where these are known. Colors are six
        hexadecimal digits, red first.
    label
        ``colors`` and ``properties`` of the labels of a label image, where these are known.
    """

    name: str
    method: str
    channels: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)
    label: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def channel(self, number: int, count: int) -> dict[str, Any]:
        """Return label, color and, if it is known, the window of a channel of so many."""
        told = self.channels[number] if number < len(self.channels) else {}
        alone = {"label": self.name, "color": "FFFFFF"}
        one_of = {"label": f"channel {number}", "color": COLORS[number % len(COLORS)]}
        return {**(alone if count == 1 else one_of), **told}


def attributes(
    image: ImageInfo,
    geometry: Geometry,
    levels: Sequence[Level],
    ngff: str,
    windows: Sequence[Mapping[str, float] | None],
    provenance: Mapping[str, Any],
    paths: Sequence[str],
    leading: Leading,
) -> dict[str, Any]:
    """Return the attributes of the image's group, for NGFF ``"0.5"`` or ``"0.4"``.

    Parameters
    ----------
    geometry
        Size and place of the voxels of level 0, whether or not that is one of `levels`.
    levels, paths
        The levels that are there, and the names of their arrays.
    windows
        What viewers show of each channel: see `window_of`.
    leading
        The axes before z.
    """
    both = zip(paths, levels, strict=True)
    multiscale: dict[str, Any] = {
        "name": image.name,
        "axes": _axes(geometry, leading),
        "datasets": [dataset(image.method, geometry, path, level, leading) for path, level in both],
        **made_by(image.method),
    }
    omero = {"omero": _omero(image, levels[0], windows)} if any(windows) else {}
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


_TYPES = {"t": "time", "c": "channel"}


def _axes(geometry: Geometry, leading: Leading) -> list[dict[str, Any]]:
    """Return the axes; their orientation is that of RFC-4, https://ngff.openmicroscopy.org/rfc/4."""
    unit = {"unit": geometry.unit} if geometry.unit else {}
    before = [
        {"name": name, "type": _TYPES[name], **({"unit": own} if own else {})}
        for name, own in zip(leading.axes, leading.units, strict=True)
    ]
    ways = geometry.orientation or (None, None, None)
    told = ({"orientation": {"type": "anatomical", "value": way}} if way else {} for way in ways)
    space = (
        {"name": name, "type": "space", **unit, **way}
        for name, way in zip("zyx", told, strict=True)
    )
    return [*before, *space]


def dataset(
    method: str, geometry: Geometry, path: str, level: Level, leading: Leading
) -> dict[str, Any]:
    """Return a level's row: scale, then translation, in the order of the specification.

    The centre of a voxel that stands for f voxels of level 0 lies (f - 1) / 2 of them further than
    that of the first; with ``nearest`` and ``gaussian`` it is the first one itself.
    """
    middle = 0.0 if method in ("nearest", "gaussian") else 0.5
    placed = geometry.coarser(level.factor, middle=middle)
    zeros = [0.0] * len(leading.axes)
    transformations: list[dict[str, Any]] = [
        {"type": "scale", "scale": [*leading.scale, *map(_tidy, placed.edges)]},
        {"type": "translation", "translation": [*zeros, *map(_tidy, placed.origin)]},
    ]
    return {"path": path, "coordinateTransformations": transformations}


def _tidy(value: float) -> float:
    """Return the number without errors in its last bits: 58.71, not 58.709999999999994."""
    return float(f"{value:.12g}")


def _omero(
    image: ImageInfo, level: Level, windows: Sequence[Mapping[str, float] | None]
) -> dict[str, Any]:
    """Return rendering settings: channels, each with the window of values to show."""
    count = len(windows)
    channels = []
    for number, window in enumerate(windows):
        told = image.channel(number, count)
        channels.append(
            {
                "label": told["label"],
                "color": told["color"],
                "active": True,
                "coefficient": 1,
                "family": "linear",
                "inverted": False,
                **({"window": dict(window)} if window else {}),
            }
        )
    model = "greyscale" if count == 1 else "color"
    return {
        "channels": channels,
        "rdefs": {"defaultT": 0, "defaultZ": level.shape[0] // 2, "model": model},
    }


def window_over(windows: Sequence[Mapping[str, float] | None]) -> Mapping[str, float] | None:
    """Return the window that shows what each of some shows: that of a channel at all times."""
    seen = [window for window in windows if window]
    least, most = ("min", "start"), ("max", "end")
    if not seen:
        return None
    return {name: min(w[name] for w in seen) for name in least} | {
        name: max(w[name] for w in seen) for name in most
    }


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
