"""All groups and arrays of a store, and OME metadata carried between the zarr formats.

NGFF 0.5 is stored in zarr v3, with its metadata below ``ome``; 0.4 and before in zarr v2, at the
root of a group's attributes. The specification is https://ngff.openmicroscopy.org.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoaconv.errors import SourceError
from hoaconv.io.kv_folder import folder_at
from hoaconv.io.ome_image import OmeImage, images_in
from hoaconv.io.store_folder import StoreFolder
from hoaconv.io.zarr_array import ZarrArray, open_zarr
from hoaconv.io.zarr_store import StoredNode, find_array, is_node, read_node

__all__ = ["TreeNode", "axes_in", "ome_attributes", "tree_of"]

_OME = (
    *("multiscales", "omero", "labels", "image-label", "plate", "well", "series"),
    "bioformats2raw.layout",
)
"""Attributes of NGFF, which 0.5 has below ``ome``."""

_VERSIONED = ("multiscales", "image-label", "plate", "well")
"""Those that state a version each, before 0.5."""

_BESIDE = re.compile(r"(?i:(README|LICENSE)(\.(md|txt|rst))?)|METADATA\.ome\.xml")
"""Files that go with a store, besides its arrays and metadata."""


@dataclass(frozen=True)
class TreeNode:
    """A group or an array of a store.

    Attributes
    ----------
    path
        Its path in the store; empty for the store's root.
    folder
        Its folder.
    array
        The open array; None for a group.
    attributes
        Its attributes.
    beside
        Names of files in a group's folder that are neither metadata nor chunks.
    """

    path: str
    folder: StoreFolder
    zarr_format: int
    array: ZarrArray | None
    attributes: Mapping[str, Any]
    beside: tuple[str, ...] = ()


def tree_of(root: Path) -> tuple[TreeNode, ...]:
    """Return all groups and arrays of a store, or of a part of one, the root first.

    Raises
    ------
    SourceError
        If there is none, metadata are damaged, or an array can't be opened by tensorstore.
    """
    folder = folder_at(root)
    if not is_node(folder):
        find_array(root)  # its words tell what is there instead
        raise SourceError(f"{root} holds no zarr store")
    return tuple(_nodes(folder, ""))


def _nodes(folder: StoreFolder, path: str) -> Iterator[TreeNode]:
    node: StoredNode = read_node(folder)
    if node.array is not None:
        array = open_zarr(find_array(folder.path))
        if not isinstance(array, ZarrArray):
            raise SourceError(
                f"{folder} has a codec that zarr-python alone reads, and hoaconv doesn't write: "
                "convert it by stack-to-omezarr"
            )
        yield TreeNode(path, folder, node.zarr_format, array, node.attributes)
        return
    names = folder.names()
    beside = tuple(name for name in names if _BESIDE.fullmatch(name) and folder.has(name))
    yield TreeNode(path, folder, node.zarr_format, None, node.attributes, beside)
    for name in names:
        inner = folder.inner(name)
        if name not in beside and is_node(inner):
            yield from _nodes(inner, f"{path}/{name}".lstrip("/"))


def axes_in(nodes: Sequence[TreeNode]) -> dict[str, tuple[str | None, ...]]:
    """Return the names of the axes that images of a store tell of their levels, by path.

    NGFF 0.5 wants them in each array too; 0.4 has them in the image's group alone.
    """
    named = {}
    for node in nodes:
        for entry in images_in(node.attributes) if node.array is None else ():
            try:
                image = OmeImage(entry)
            except ValueError:
                continue  # its metadata are kept as they are
            if image.axes and all(image.axes):
                levels = (f"{node.path}/{level}".lstrip("/") for level in image.levels)
                named.update(dict.fromkeys(levels, image.axes))
    return named


def ome_attributes(attributes: Mapping[str, Any], zarr_format: int, to: int) -> dict[str, Any]:
    """Return a group's attributes as the NGFF version of another zarr format has them.

    Raises
    ------
    SourceError
        If they are of another version than 0.4 and 0.5, whose metadata differ in more than place.
    """
    if zarr_format == to:
        return dict(attributes)
    _check_version(attributes)
    if to == 2:
        ome = dict(attributes.get("ome", {}))
        ome.pop("version", None)
        rest = {name: value for name, value in attributes.items() if name != "ome"}
        own = {name: _versioned(name, value) for name, value in ome.items()}
        return {**own, **rest}
    own = {name: _plain(value) for name, value in attributes.items() if name in _OME}
    rest = {name: value for name, value in attributes.items() if name not in _OME}
    return {**({"ome": {"version": "0.5", **own}} if own else {}), **rest}


def _check_version(attributes: Mapping[str, Any]) -> None:
    """Raise SourceError if attributes of NGFF are neither of 0.4 nor of 0.5."""
    ome = attributes.get("ome")
    told = [ome] if isinstance(ome, Mapping) else images_in(attributes)
    for version in (entry.get("version") for entry in told):
        if version is not None and str(version) not in ("0.4", "0.5"):
            raise SourceError(
                f"its metadata are of OME-NGFF {version}, which can't be carried to another zarr "
                "format as they are: drop `ngff`, or convert level 0 by stack-to-omezarr"
            )


def _versioned(name: str, value: Any) -> Any:
    """Return a value with the version that NGFF 0.4 has in it."""
    if name not in _VERSIONED:
        return value
    if isinstance(value, list):
        return [_versioned(name, inner) for inner in value]
    return {"version": "0.4", **value} if isinstance(value, Mapping) else value


def _plain(value: Any) -> Any:
    """Return a value without the version in it."""
    if isinstance(value, list):
        return [_plain(inner) if isinstance(inner, Mapping) else inner for inner in value]
    if isinstance(value, Mapping):
        return {name: inner for name, inner in value.items() if name != "version"}
    return value
