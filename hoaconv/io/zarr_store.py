"""Search for an array in a zarr store, with the metadata of the image around it.

It covers zarr v3 and v2, with or without the OME-NGFF metadata of an image (0.4, 0.5). The
specifications are https://zarr-specs.readthedocs.io and https://ngff.openmicroscopy.org.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path
from typing import Any

from natsort import natsorted

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.folder import ZARR_FILES
from hoaconv.io.voxel_size import Axes, from_ome_zarr

__all__ = ["ArrayNode", "Node", "find_array", "is_node", "is_zarr", "mapping", "read_node"]

_LISTED = 8  # arrays and groups that an error lists, at most


@dataclass(frozen=True)
class ArrayNode:
    """An array of a store by its metadata, before it is opened.

    Attributes
    ----------
    path
        Folder of the array.
    name
        Path that begins with the store's own name, as in ``brain.zarr/0``.
    zarr_format
        Version of the zarr format, 3 or 2.
    metadata
        Content of its ``zarr.json`` or ``.zarray``.
    axes
        Names of its axes; None for an axis without a name, empty if the metadata name none.
    image
        The entry of ``multiscales`` that the array is a level of; None if there is no image.
    level
        Path of the array in the image.
    labels
        Names of the image's label images.
    levels
        Folders of all arrays of the image, level 0 first; empty if there is no image.
    channels
        What ``omero`` tells of each channel of the image: name, color, window.
    image_label
        What a label image tells of its labels: colors, properties; empty for other images.
    """

    path: Path
    name: str
    zarr_format: int
    metadata: Mapping[str, Any]
    axes: tuple[str | None, ...]
    image: Mapping[str, Any] | None = None
    level: str = ""
    labels: tuple[str, ...] = ()
    levels: tuple[Path, ...] = ()
    channels: tuple[Mapping[str, Any], ...] = ()
    image_label: Mapping[str, Any] = field(default_factory=dict)

    @property
    def image_name(self) -> str | None:
        """Name of the image around it; None if there is no image, or it has no name."""
        title = self.image.get("name") if self.image else None
        return title if isinstance(title, str) and title else None

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the geometry from the image's metadata; None if they state no voxel size.

        Parameters
        ----------
        axes
            Numbers of the axes z, y and x.
        """
        return from_ome_zarr(self.image, self.level, axes) if self.image else None


@dataclass(frozen=True)
class Node:
    """Metadata and attributes of a group or an array."""

    zarr_format: int
    array: Mapping[str, Any] | None
    attributes: Mapping[str, Any]

    @property
    def images(self) -> Sequence[Mapping[str, Any]]:
        """Multiscales of OME-NGFF: below ``ome`` in 0.5, at the root in 0.4."""
        ome = self.attributes.get("ome")
        found = (ome if isinstance(ome, Mapping) else self.attributes).get("multiscales", ())
        listed = found if isinstance(found, list) else ()
        return tuple(image for image in listed if isinstance(image, Mapping))

    @property
    def channels(self) -> tuple[Mapping[str, Any], ...]:
        """Rendering settings of each channel, as ``omero`` tells them."""
        omero = mapping(mapping(self.attributes.get("ome", self.attributes)).get("omero"))
        listed = omero.get("channels")
        return tuple(map(mapping, listed)) if isinstance(listed, list) else ()

    @property
    def image_label(self) -> Mapping[str, Any]:
        """What a label image tells of its labels."""
        return mapping(mapping(self.attributes.get("ome", self.attributes)).get("image-label"))


def is_zarr(path: Path) -> bool:
    """Return True for the path of a store, and for a path inside a store, even a missing one.

    A glob pattern that is no existing path means slices, even inside a store.
    """
    if is_node(path) or (path.suffix == ".zarr" and os.path.isdir(path)):
        return True
    if os.path.exists(path) or has_magic(str(path)):
        return False
    return any(map(is_node, path.absolute().parents))


def find_array(path: Path) -> ArrayNode:
    """Return the array at a path, or level 0 of the OME-Zarr image at a path.

    Raises
    ------
    SourceError
        If there is no array; the message lists what is there instead.
    """
    node = read_node(path) if is_node(path) else None
    if node is None:
        raise SourceError(f"{path} holds no array{_instead(path)}")
    if node.array is not None:
        return _stored(path, node, node.array)
    if not node.images:
        raise SourceError(f"{path} is a zarr group, but no OME-Zarr image{_instead(path)}")
    levels = _levels(path, node.images[0])
    if not levels:
        raise SourceError(f"{path} is an OME-Zarr image whose metadata names no level")
    array = read_node(path / levels[0]) if is_node(path / levels[0]) else None
    if array is None or array.array is None:
        raise SourceError(f"{path} lacks the array {levels[0]} that its metadata names")
    return _stored(path / levels[0], array, array.array)


def is_node(path: Path) -> bool:
    """Return True for the folder of a group or an array."""
    return any(os.path.isfile(path / name) for name in ZARR_FILES)  # False for invalid names


def _instead(path: Path) -> str:
    """Return words that list the nodes in the folder, or in the nearest existing one around it."""
    around = (path.absolute(), *path.absolute().parents)
    there = next(folder for folder in around if os.path.isdir(folder))
    try:
        names = natsorted(entry.name for entry in there.iterdir() if is_node(entry))
    except OSError:
        names = []
    if not names:
        return f": in {there} there is no array with metadata (zarr.json or .zarray)"
    more = ", ..." if len(names) > _LISTED else ""
    return f"; {there} holds {', '.join(names[:_LISTED])}{more}: name one of them"


def read_node(path: Path) -> Node:
    """Return the metadata of a group or array. Raise SourceError if they are invalid."""
    if os.path.isfile(path / "zarr.json"):
        read = _json(path / "zarr.json")
        array = read if read.get("node_type") == "array" else None
        return Node(3, array, mapping(read.get("attributes")))
    array = _json(path / ".zarray") if os.path.isfile(path / ".zarray") else None
    attributes = _json(path / ".zattrs") if os.path.isfile(path / ".zattrs") else {}
    return Node(2, array, attributes)


def _json(file: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{file} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise SourceError(f"{file} is damaged, it is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise SourceError(f"{file} is damaged: it holds no metadata")
    return read


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a JSON object as it is, and an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def _stored(path: Path, node: Node, array: Mapping[str, Any]) -> ArrayNode:
    """Return the array, with properties from the image around it."""
    labels: tuple[str, ...] = ()
    levels: tuple[Path, ...] = ()
    channels: tuple[Mapping[str, Any], ...] = ()
    image_label: Mapping[str, Any] = {}
    root, image, level = path, None, ""
    for folder in path.absolute().parents:
        if not is_node(folder):
            break
        root, inside = folder, path.absolute().relative_to(folder).as_posix()
        around = read_node(folder)
        for candidate in around.images:
            if image is None and inside in _levels(folder, candidate):
                image, level, labels = candidate, inside, _labels(folder)
                levels = tuple(folder / name for name in _levels(folder, candidate))
                channels, image_label = around.channels, around.image_label
    name = path.absolute().relative_to(root.absolute().parent).as_posix()
    axes = _axes_of(image) if image else _own_axes(array, node.attributes)
    found = image, level, labels, levels, channels, image_label
    return ArrayNode(path.absolute(), name, node.zarr_format, array, axes, *found)


def _labels(image: Path) -> tuple[str, ...]:
    """Return the names of label images that an image's group lists."""
    folder = image / "labels"
    attributes = read_node(folder).attributes if is_node(folder) else {}
    listed = mapping(attributes.get("ome", attributes)).get("labels")
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _levels(path: Path, image: Mapping[str, Any]) -> list[str]:
    """Return the paths of an image's arrays, level 0 first."""
    datasets = image.get("datasets")
    found = [mapping(d).get("path") for d in datasets] if isinstance(datasets, list) else []
    if not all(isinstance(level, str) and level for level in found):
        raise SourceError(f"{path} is an OME-Zarr image with a level that has no path")
    return [str(level) for level in found]


def _axes_of(image: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return names of axes, which NGFF 0.3 lists alone, and 0.4 and later with properties."""
    axes = image.get("axes")
    listed = axes if isinstance(axes, list) else []
    return tuple(_name(mapping(a).get("name") if isinstance(a, Mapping) else a) for a in listed)


def _own_axes(array: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return names of axes from the array's own metadata, in the form of v3 or of xarray."""
    listed = array.get("dimension_names") or attributes.get("_ARRAY_DIMENSIONS")
    return tuple(map(_name, listed)) if isinstance(listed, list) else ()


def _name(axis: Any) -> str | None:
    return str(axis) if axis else None
