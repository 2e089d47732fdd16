"""Images in the metadata of OME-Zarr, of versions 0.1 to 0.6, brought to one form.

The form is that of 0.4 and 0.5: axes with names and units, and lists of scales and translations.
0.1 and 0.2 name no axes, 0.3 names them alone, 0.6 (RFC-5) names coordinate systems and how one
leads to the other. See https://ngff.openmicroscopy.org.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, prod
from typing import Any

from hoaconv.engine.geometry import Geometry
from hoaconv.io.voxel_size import Axes, from_ome_zarr

__all__ = ["OmeImage", "channels_in", "image_label_in", "images_in", "kind_in", "labels_in"]

_AXES = "tczyx"
"""Axes of versions 0.1 and 0.2, which have all five."""


class OmeImage:
    """An entry of ``multiscales``.

    Parameters
    ----------
    entry
        The entry as it is in the metadata.

    Attributes
    ----------
    entry
        The entry as it is in the metadata.
    name
        Name of the image, or None.
    levels
        Paths of its arrays, level 0 first.
    axes
        Names of its axes; None for an axis without a name, empty if it names none.
    strange
        What places its voxels otherwise than by a scale and a translation, such as ``a rotation``;
        None if nothing does.
    notes
        Remarks for the user.

    Raises
    ------
    ValueError
        If a level has no path.
    """

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        listed = entry.get("datasets")
        datasets = [_mapping(d) for d in listed] if isinstance(listed, list) else []
        if not all(isinstance(d.get("path"), str) and d["path"] for d in datasets):
            raise ValueError("a level has no path")
        self.levels = tuple(str(d["path"]) for d in datasets)
        name = entry.get("name")
        self.name = name if isinstance(name, str) and name else None
        axes, self.notes = _axes_of(entry, datasets)
        self.axes = tuple(_name_of(axis) for axis in axes)
        has_systems = "coordinateSystems" in entry
        # A level that isn't scaled has voxels of 1: in 0.6 that is told, before it is left open.
        ones = [{"type": "scale", "scale": [1.0] * len(axes)}] if has_systems else []
        self._datasets = [(d["path"], [*ones, *_steps(d)]) for d in datasets]
        self._steps = [] if has_systems else [*_steps(entry)]
        self._axes = [axis if isinstance(axis, Mapping) else {} for axis in axes]
        every = [*self._steps, *(step for _, steps in self._datasets for step in steps)]
        self.strange = next((word for word in map(_strange, every) if word), None)

    def step(self, level: str, axis: int) -> tuple[float, str]:
        """Return the step of an axis, such as the time from one volume to the next, and its unit.

        Both are left out, as 1 and an empty text, where the metadata don't tell.
        """
        found = [*dict(self._datasets).get(level, ()), *self._steps]
        try:
            scales = [float(s["scale"][axis]) for s in found if s.get("type") == "scale"]
            unit = self._axes[axis].get("unit")
        except (IndexError, KeyError, TypeError, ValueError):
            return 1.0, ""
        step = prod(scales)
        known = isfinite(step) and step > 0
        return (step if known else 1.0), (unit if isinstance(unit, str) else "")

    def geometry(self, level: str, axes: Axes) -> Geometry | None:
        """Return the geometry of a level; None if the metadata state no voxel size.

        Parameters
        ----------
        level
            Path of the level.
        axes
            Numbers of the axes z, y and x.
        """
        if self.strange:
            return None
        datasets = [{"path": path, "coordinateTransformations": s} for path, s in self._datasets]
        return from_ome_zarr(
            {"axes": self._axes, "datasets": datasets, "coordinateTransformations": self._steps},
            level,
            axes,
        )


def images_in(attributes: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of ``multiscales``: below ``ome`` from 0.5 on, at the root before."""
    found = _ome(attributes).get("multiscales")
    listed = found if isinstance(found, list) else ()
    return tuple(image for image in listed if isinstance(image, Mapping))


def labels_in(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the label images that the attributes of a group ``labels`` list."""
    listed = _ome(attributes).get("labels")
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def channels_in(attributes: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the channels of ``omero``, which tell viewers how to show the image."""
    found = _mapping(_ome(attributes).get("omero")).get("channels")
    listed = found if isinstance(found, list) else ()
    return tuple(channel for channel in listed if isinstance(channel, Mapping))


def image_label_in(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a label image tells of its labels; empty for other images."""
    return _mapping(_ome(attributes).get("image-label"))


def kind_in(attributes: Mapping[str, Any]) -> str | None:
    """Return what a group is that holds images but is none, such as ``a plate``; None for others.

    See the sections on plates, wells, bioformats2raw and scenes.
    """
    both = {**attributes, **_ome(attributes)}
    kinds = {
        "plate": "a plate of wells",
        "well": "a well of a plate",
        "bioformats2raw.layout": "a collection of images, as bioformats2raw makes it",
        "scene": "a scene of several images",
    }
    return next((words for key, words in kinds.items() if key in both), None)


def _ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def _axes_of(
    entry: Mapping[str, Any], datasets: Sequence[Mapping[str, Any]]
) -> tuple[list[Any], tuple[str, ...]]:
    """Return the axes as they are listed, and notes.

    In 0.6 they are those of the image's intrinsic coordinate system, to which all its datasets
    lead; what leads on to other systems isn't needed to read the image.
    """
    if "coordinateSystems" not in entry:
        axes = entry.get("axes")
        if axes is None and str(entry.get("version")) in ("0.1", "0.2"):
            return [*_AXES], ()
        return (axes if isinstance(axes, list) else []), ()
    listed = entry["coordinateSystems"]
    systems = [_mapping(s) for s in listed] if isinstance(listed, list) else []
    named = {_name_of(_mapping(s).get("output")) for d in datasets for s in _listed(d)}
    intrinsic = [s for s in systems if s.get("name") in named] or systems
    axes = intrinsic[0].get("axes") if intrinsic else None
    more = [_mapping(step).get("type") for step in _listed(entry)]
    others = [str(kind) for kind in more if kind not in (None, "identity")]
    notes = (
        f"its metadata also lead to another coordinate system ({', '.join(others)}), which isn't "
        "followed",
    )
    return (axes if isinstance(axes, list) else []), notes if others else ()


def _steps(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the transformations of an entry in their order, those of sequences one by one."""
    for step in map(_mapping, _listed(entry)):
        yield from _flat(step)


def _flat(step: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    inner = step.get("transformations")
    if step.get("type") == "sequence" and isinstance(inner, list):
        for part in map(_mapping, inner):
            yield from _flat(part)
    elif step.get("type") != "identity":
        yield step


def _strange(step: Mapping[str, Any]) -> str | None:
    """Return the kind of a transformation, if it is no scale and no translation in numbers."""
    kind = step.get("type")
    if kind not in ("scale", "translation"):
        return f"a transformation of the kind {str(kind)!r}"
    return None if "path" not in step else f"a {kind} that an array holds"


def _listed(entry: Mapping[str, Any]) -> list[Any]:
    steps = entry.get("coordinateTransformations")
    return steps if isinstance(steps, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name_of(value: Any) -> str | None:
    """Return the name of an axis or a system, which is told alone or with properties."""
    name = value.get("name") if isinstance(value, Mapping) else value
    return str(name) if name else None
