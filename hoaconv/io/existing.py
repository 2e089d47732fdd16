"""Images in stores, to which levels or labels are to be added: what their metadata tell.

OME-NGFF 0.4 and 0.5, https://ngff.openmicroscopy.org. An array that isn't an image yet, but lies in
a group, is taken as level 0 of one.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import StoreError
from hoaconv.io.compressor import SHUFFLES, Compressor
from hoaconv.io.voxel_size import placed
from hoaconv.io.zarr_store import ArrayNode, find_array, is_node, mapping, read_node

__all__ = ["Existing", "chunks_of", "compressor_of", "find_image", "shape_of"]

Triple = tuple[int, int, int]

_FIRST = re.compile(r"([A-Za-z_-]*)(\d+)")
"""Form of the name of a level from which the names of the next are made: 0, s0."""


@dataclass(frozen=True)
class Existing:
    """An image of a store, or an array in a group that can become level 0 of one.

    Attributes
    ----------
    group
        Folder of the image's group.
    ngff
        Version of OME-NGFF: ``0.5`` or ``0.4``, as the zarr format of the group allows.
    levels
        The arrays of all levels, level 0 first; the array alone where there is no image yet.
    names
        Their paths in the group.
    image
        The entry of ``multiscales``; None where there is no image yet.
    name
        Name of the image by its metadata, or None.
    """

    group: Path
    ngff: str
    levels: tuple[ArrayNode, ...]
    names: tuple[str, ...]
    image: Mapping[str, Any] | None
    name: str | None = None

    @property
    def shapes(self) -> tuple[Triple, ...]:
        """Shape (z, y, x) of each level."""
        return tuple(map(shape_of, self.levels))

    @property
    def geometry(self) -> Geometry:
        """Scale and translation of level 0 by its own row, without those of the whole image."""
        return self.geometry_of(0)

    def geometry_of(self, i: int) -> Geometry:
        """Return scale and translation of a level by its own row.

        Raises
        ------
        StoreError
            If they aren't told in the form of the specification.
        """
        if self.image is None:
            return Geometry()
        rows = {row["path"]: row for row in self.image["datasets"]}
        steps = rows[self.names[i]].get("coordinateTransformations", ())
        try:
            z, y, x = (placed(steps, axis) for axis in range(3))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise StoreError(
                f"{self.group} places its level {self.names[i]} in a way that hoaconv doesn't "
                "know; it takes a scale and a translation"
            ) from None
        unit = mapping(self.image["axes"][2]).get("unit")
        return Geometry((z[0], y[0], x[0]), unit, (z[1], y[1], x[1]), "OME-Zarr metadata")

    def name_of(self, i: int) -> str:
        """Return the name for the array of level `i`: as level 0's with another number."""
        if i < len(self.names):
            return self.names[i]
        first = _FIRST.fullmatch(self.names[0])
        return f"{first[1]}{int(first[2]) + i}" if first else str(i)


def find_image(store: Path) -> Existing:
    """Return the image, or the array in a group, at a path.

    Raises
    ------
    SourceError
        If there is no array.
    StoreError
        If nothing can be added to it: it is an array alone, or another version of OME-NGFF, or has
        other axes than z, y, x.
    """
    node = find_array(store)
    group = _as_given(_group_of(node), store)
    found = read_node(group)
    ngff = _version(group, found.zarr_format, found.attributes)
    if node.image is None:
        if found.images:
            raise StoreError(
                f"{group} is an OME-Zarr image, whose metadata don't name {node.path.name}; name "
                f"the image itself: {group}"
            )
        _check_axes(node, node.axes or (None,) * len(node.metadata["shape"]))
        return Existing(group, ngff, (node,), (node.path.name,), None)
    names = tuple(str(row["path"]) for row in node.image.entry["datasets"])
    if node.level != names[0]:
        raise StoreError(f"{store} is level {node.level} of {group}; name the image itself")
    _check_axes(node, node.axes)
    levels = tuple(find_array(group / name) for name in names)
    for level in levels:
        _check_axes(level, node.axes)
    return Existing(group, ngff, levels, names, node.image.entry, node.image.name)


def _group_of(node: ArrayNode) -> Path:
    """Return the group that an array lies in. Raise StoreError if there is none."""
    if node.image is not None:
        return node.path.parents[len(Path(node.level).parts) - 1]
    if not is_node(node.path.parent):
        raise StoreError(
            f"{node.path} is an array alone: levels lie beside each other in a group, which it "
            "can't become in its place; make an image of it in another folder: hoaconv "
            f"stack-to-omezarr {node.path.name} {_beside(node.path)}"
        )
    return node.path.parent


def _as_given(group: Path, store: Path) -> Path:
    """Return a group's path as the user has begun to write it."""
    above = (store, *store.parents)
    return next((path for path in above if path.absolute() == group), group)


def _beside(path: Path) -> str:
    stem = path.name.removesuffix(".zarr")
    names = (f"{stem}-{word}.zarr" for word in ("levels", *map(str, range(2, 1000))))
    return next(name for name in names if not os.path.lexists(path.with_name(name)))


def _version(group: Path, zarr_format: int, attributes: Mapping[str, Any]) -> str:
    """Return the version of OME-NGFF of an image. Raise StoreError for one that isn't written."""
    if zarr_format == 3:
        ome = mapping(attributes.get("ome"))
        told = ome.get("version", "0.5")
        return "0.5" if told == "0.5" else _other(group, told)
    images = attributes.get("multiscales") or [{"version": "0.4"}]
    told = mapping(images[0]).get("version", "0.4")
    return "0.4" if told == "0.4" else _other(group, told)


def _other(group: Path, version: Any) -> NoReturn:
    raise StoreError(
        f"{group} follows OME-NGFF {version}; hoaconv adds to 0.4 and 0.5: write it anew with "
        "hoaconv stack-to-omezarr"
    )


def _check_axes(node: ArrayNode, axes: Sequence[str | None]) -> None:
    shape = node.metadata["shape"]
    unnamed = not any(axes)
    if len(shape) == 3 and (unnamed or tuple(axes) == ("z", "y", "x")):
        return
    names = ", ".join(f"{name or 'unnamed'} {n}" for name, n in zip(axes, shape, strict=False))
    raise StoreError(
        f"{node.path} has the axes {names}; hoaconv adds to images with the axes z, y, x: write it "
        "anew with hoaconv stack-to-omezarr"
    )


def shape_of(node: ArrayNode) -> Triple:
    """Return the shape (z, y, x) of an array by its metadata."""
    z, y, x = node.metadata["shape"]
    return z, y, x


def compressor_of(node: ArrayNode) -> Compressor | None:
    """Return the compressor of an array; None if it has codecs that hoaconv doesn't write."""
    if node.zarr_format == 2:
        return _of_v2(node.metadata)
    codecs = list(node.metadata["codecs"])
    if [codec["name"] for codec in codecs] == ["sharding_indexed"]:
        codecs = list(codecs[0]["configuration"]["codecs"])
    packing = [codec for codec in codecs if codec["name"] not in ("bytes", "crc32c")]
    if not packing:
        return Compressor("none")
    own = mapping(packing[0].get("configuration"))
    if len(packing) > 1 or packing[0]["name"] not in ("blosc", "gzip", "zstd"):
        return None
    if packing[0]["name"] != "blosc":
        return Compressor(packing[0]["name"], own.get("level", 0))
    return Compressor("blosc", own["clevel"], own["cname"], own["shuffle"], own["blocksize"])


def _of_v2(metadata: Mapping[str, Any]) -> Compressor | None:
    found = metadata.get("compressor")
    if metadata.get("filters"):
        return None
    if found is None:
        return Compressor("none")
    if found["id"] == "gzip":
        return Compressor("gzip", found["level"])
    if found["id"] != "blosc" or found["shuffle"] not in range(len(SHUFFLES)):
        return None
    block = found.get("blocksize", 0)
    return Compressor("blosc", found["clevel"], found["cname"], SHUFFLES[found["shuffle"]], block)


def chunks_of(node: ArrayNode) -> tuple[Triple, Triple | None]:
    """Return the shapes of chunks and shards (z, y, x) of an array; None for no shards."""
    if node.zarr_format == 2:
        z, y, x = node.metadata["chunks"]
        return (z, y, x), None
    z, y, x = node.metadata["chunk_grid"]["configuration"]["chunk_shape"]
    first = node.metadata["codecs"][0]
    if first["name"] != "sharding_indexed":
        return (z, y, x), None
    cz, cy, cx = first["configuration"]["chunk_shape"]
    return (cz, cy, cx), (z, y, x)
