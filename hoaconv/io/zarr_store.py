"""Search for an array in a zarr store, with the metadata of the image around it.

It covers zarr v3 and v2, with or without the OME-NGFF metadata of an image. The specifications are
https://zarr-specs.readthedocs.io and https://ngff.openmicroscopy.org.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from glob import has_magic
from pathlib import Path
from typing import Any

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.contents import ZARR_FILES
from hoaconv.io.kv_folder import folder_at, in_zip
from hoaconv.io.ome_image import OmeImage, images_in, kind_in, labels_in
from hoaconv.io.remote_folder import store_at
from hoaconv.io.store_folder import StoreFolder, read_json
from hoaconv.io.voxel_size import Axes

__all__ = ["ArrayNode", "StoredNode", "find_array", "is_node", "is_zarr", "mapping", "read_node"]

_LISTED = 8  # arrays and groups that an error lists, at most


@dataclass(frozen=True)
class ArrayNode:
    """An array of a store by its metadata, before it is opened.

    Attributes
    ----------
    folder
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
        The image that the array is a level of; None if there is none.
    level
        Path of the array in the image.
    labels
        Names of the image's label images.
    levels
        Folders of all arrays of the image, level 0 first; empty if there is no image.
    notes
        Remarks for the user.
    around
        Attributes of the image's group; empty if there is no image.
    """

    folder: StoreFolder
    name: str
    zarr_format: int
    metadata: Mapping[str, Any]
    axes: tuple[str | None, ...]
    image: OmeImage | None = None
    level: str = ""
    labels: tuple[str, ...] = ()
    levels: tuple[StoreFolder, ...] = ()
    notes: tuple[str, ...] = ()
    around: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The folder of the array."""
        return self.folder.path

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the geometry from the image's metadata; None if they state no voxel size.

        Parameters
        ----------
        axes
            Numbers of the axes z, y and x.
        """
        return self.image.geometry(self.level, axes) if self.image else None


@dataclass(frozen=True)
class StoredNode:
    """Metadata and attributes of a group or an array."""

    zarr_format: int
    array: Mapping[str, Any] | None
    attributes: Mapping[str, Any]

    @property
    def images(self) -> tuple[Mapping[str, Any], ...]:
        """The entries of ``multiscales``."""
        return images_in(self.attributes)


def is_zarr(path: Path) -> bool:
    """Return True for the path of a store, and for a path inside a store, even a missing one.

    A glob pattern that is no existing path means slices, even inside a store.
    """
    if in_zip(path):
        return True
    if os.path.exists(path):
        return os.path.isdir(path) and (path.suffix == ".zarr" or is_node(folder_at(path)))
    if has_magic(str(path)):
        return False
    folder = folder_at(path)
    return is_node(folder) or any(map(is_node, folder.around))


def find_array(path: str | Path, credentials: str | None = None) -> ArrayNode:
    """Return the array at a path, or level 0 of the OME-Zarr image at a path.

    Raises
    ------
    SourceError
        If there is no array; the message lists what is there instead.
    """
    folder = store_at(path, credentials)
    node = read_node(folder) if is_node(folder) else None
    if node is None:
        raise SourceError(f"{folder} holds no array{_instead(folder)}")
    if node.array is not None:
        return _stored(folder, node, node.array)
    images = images_in(node.attributes)
    if not images:
        kind = kind_in(node.attributes) or "a zarr group"
        raise SourceError(f"{folder} is {kind}, but no OME-Zarr image{_instead(folder)}")
    image = _image(folder, images[0])
    if image.strange:
        raise SourceError(
            f"{folder} places its voxels by {image.strange}; hoaconv takes scales and "
            f"translations: name an array in it to read that without a voxel size, such as "
            f"{folder}/{image.levels[0] if image.levels else 0}"
        )
    if not image.levels:
        raise SourceError(f"{folder} is an OME-Zarr image whose metadata names no level")
    inner = folder.inner(image.levels[0])
    level = read_node(inner) if is_node(inner) else None
    if level is None or level.array is None:
        raise SourceError(f"{folder} lacks the array {image.levels[0]} that its metadata names")
    return _stored(inner, level, level.array)


def is_node(place: StoreFolder | Path) -> bool:
    """Return whether a folder holds the metadata of a group or an array."""
    folder = place if isinstance(place, StoreFolder) else folder_at(place)
    return any(folder.has(name) for name in ZARR_FILES)


def _instead(folder: StoreFolder) -> str:
    """Return words that list the nodes in the folder, or in the nearest one around it with any."""
    there = next((f for f in (folder, *folder.around) if f.exists()), folder)
    names = [name for name in there.names() if is_node(there.inner(name))]
    if not names:
        return f": in {there.path} there is no array with metadata (zarr.json or .zarray)"
    more = ", ..." if len(names) > _LISTED else ""
    return f"; {there.path} holds {', '.join(names[:_LISTED])}{more}: name one of them"


def read_node(place: StoreFolder | Path) -> StoredNode:
    """Return the metadata and attributes of a group or array.

    Raises
    ------
    SourceError
        If they are invalid.
    """
    folder = place if isinstance(place, StoreFolder) else folder_at(place)
    read = read_json(folder, "zarr.json")
    if read is not None:
        array = read if read.get("node_type") == "array" else None
        return StoredNode(3, array, mapping(read.get("attributes")))
    return StoredNode(2, read_json(folder, ".zarray"), read_json(folder, ".zattrs") or {})


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value of JSON if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _stored(folder: StoreFolder, node: StoredNode, array: Mapping[str, Any]) -> ArrayNode:
    """Return the array, with properties from the image around it."""
    own = _own_axes(array, node.attributes)
    root, found = folder, ArrayNode(folder, "", node.zarr_format, array, own)
    for around in folder.around:
        if not is_node(around):
            break
        root, inside = around, folder.path.relative_to(around.path).as_posix()
        attributes = read_node(around).attributes if found.image is None else {}
        images = images_in(attributes)
        for image in (_image(around, entry) for entry in images):
            if inside in image.levels:
                level = _level(found, around, image, inside, len(images))
                found = replace(level, around=attributes)
                break
    name = folder.path.relative_to(root.path.parent).as_posix()
    return replace(found, name=name)


def _level(
    node: ArrayNode, group: StoreFolder, image: OmeImage, level: str, many: int
) -> ArrayNode:
    """Return an array as a level of an image."""
    notes = list(image.notes)
    if image.strange:
        notes.append(
            f"its image places it by {image.strange}, which hoaconv doesn't take: its voxel size "
            "isn't read"
        )
    if many > 1:
        notes.append(f"{group} has {many} images; this array is of {image.name or 'one of them'}")
    labels = group.inner("labels")
    return replace(
        node,
        axes=image.axes or node.axes,
        image=image,
        level=level,
        labels=labels_in(read_node(labels).attributes) if is_node(labels) else (),
        levels=tuple(group.inner(name) for name in image.levels),
        notes=tuple(notes),
    )


def _image(folder: StoreFolder, entry: Mapping[str, Any]) -> OmeImage:
    try:
        return OmeImage(entry)
    except ValueError as error:
        raise SourceError(f"{folder} is an OME-Zarr image with a level that has no path") from error


def _own_axes(array: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return names of axes from the array's own metadata, in the form of v3 or of xarray."""
    listed = array.get("dimension_names") or attributes.get("_ARRAY_DIMENSIONS")
    names = listed if isinstance(listed, list) else []
    return tuple(str(name) if name else None for name in names)
