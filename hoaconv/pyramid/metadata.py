"""OME-NGFF metadata, 0.4 and 0.5: https://ngff.openmicroscopy.org.

Here alone `voxel_size` becomes OME's ``scale``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoaconv import __version__
from hoaconv.engine.geometry import Geometry
from hoaconv.io.leading import Leading
from hoaconv.pyramid.levels import Level

__all__ = ["UNITS", "ImageInfo", "as_label", "attributes", "label_list", "window_of", "window_over"]

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
        Label and colour of each channel; colours are six hexadecimal digits, red first.
    """

    name: str
    method: str
    channels: tuple[tuple[str, str], ...] = ()

    def channel(self, number: int, count: int) -> tuple[str, str]:
        """Return label and colour of a channel of so many."""
        if number < len(self.channels):
            return self.channels[number]
        if count == 1:
            return self.name, "FFFFFF"
        return f"channel {number}", COLORS[number % len(COLORS)]


def attributes(
    image: ImageInfo,
    geometry: Geometry,
    levels: Sequence[Level],
    ngff: str,
    windows: Sequence[Mapping[str, float] | None],
    provenance: Mapping[str, Any],
    leading: Leading,
) -> dict[str, Any]:
    """Return the attributes of the image's group, for NGFF ``"0.5"`` or ``"0.4"``.

    Parameters
    ----------
    windows
        What viewers show of each channel: see `window_of`.
    leading
        The axes before z.
    """
    multiscale: dict[str, Any] = {
        "name": image.name,
        "axes": _axes(geometry, leading),
        "datasets": [
            _dataset(image.method, geometry, i, level, leading) for i, level in enumerate(levels)
        ],
        "type": image.method,
        "metadata": {
            "description": f"downsampled from level to level, method {image.method}",
            "method": "hoaconv.stack_to_omezarr",
            "version": __version__,
        },
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


def as_label(values: Mapping[str, Any], ngff: str) -> dict[str, Any]:
    """Return an image's attributes as those of a label image two groups below its source.

    The spec wants colors; label 1, which a threshold marks, is yellow.
    """
    colors = [{"label-value": 1, "rgba": [255, 255, 0, 255]}]
    mark = {"colors": colors, "source": {"image": "../../"}}
    if ngff == "0.5":
        return {**values, "ome": {**values["ome"], "image-label": mark}}
    return {**values, "image-label": {"version": "0.4", **mark}}


def label_list(names: Sequence[str], ngff: str) -> dict[str, Any]:
    """Return the attributes of the group ``labels``."""
    listed = {"labels": list(names)}
    return {"ome": {"version": "0.5", **listed}} if ngff == "0.5" else listed


_TYPES = {"t": "time", "c": "channel"}


def _axes(geometry: Geometry, leading: Leading) -> list[dict[str, str]]:
    unit = {"unit": geometry.unit} if geometry.unit else {}
    before = [
        {"name": name, "type": _TYPES[name], **({"unit": own} if own else {})}
        for name, own in zip(leading.axes, leading.units, strict=True)
    ]
    return [*before, *({"name": name, "type": "space", **unit} for name in "zyx")]


def _dataset(
    method: str, geometry: Geometry, i: int, level: Level, leading: Leading
) -> dict[str, Any]:
    """Return a level's row: scale, then translation, in the order of the specification.

    The centre of a voxel that stands for f voxels of level 0 lies (f - 1) / 2 of them further than
    that of the first; with ``nearest`` it is the first one itself.
    """
    placed = geometry.coarser(level.factor, middle=0.0 if method == "nearest" else 0.5)
    zeros = [0.0] * len(leading.axes)
    transformations: list[dict[str, Any]] = [
        {"type": "scale", "scale": [*leading.scale, *map(_tidy, placed.edges)]},
        {"type": "translation", "translation": [*zeros, *map(_tidy, placed.origin)]},
    ]
    return {"path": str(i), "coordinateTransformations": transformations}


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
        label, color = image.channel(number, count)
        channels.append(
            {
                "label": label,
                "color": color,
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
