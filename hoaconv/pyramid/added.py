"""Additions to an image that is there, levels or a label image, and their names."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoaconv.io.addition import Move, staging
from hoaconv.io.contents import ZARR_FILES
from hoaconv.io.zarr import write_json
from hoaconv.io.zarr_store import is_node, mapping, read_node
from hoaconv.pyramid.metadata import label_list, made_by, write_group

__all__ = ["Added", "AddedLabel", "AddedLevels"]


_SHARED = ("axes", "coordinateTransformations")
"""What a label image has in common with its image, besides the rows of its levels."""


@dataclass(frozen=True)
class Added(ABC):
    """Something that is added to an image; it lies elsewhere in the store until it is whole.

    Attributes
    ----------
    store
        Folder of the image's group.
    ngff
        Version of OME-NGFF of the store.
    """

    store: Path
    ngff: str

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Folder of the group that is written, with the arrays, before it is moved."""

    @abstractmethod
    def attributes(self, made: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of the group, given those of an image that was made alone."""

    @abstractmethod
    def moves(self) -> Sequence[Move]:
        """Return what is to be moved to which place, once all is written; metadata last.

        Metadata that stand beside what is moved are written here, as they have to be then.
        """


@dataclass(frozen=True)
class AddedLevels(Added):
    """Smaller levels of an image, or of an array that becomes level 0 of one.

    Attributes
    ----------
    names
        Names of the arrays of all levels, level 0 first.
    first
        The first level that is written; those before are kept.
    gone
        Names of arrays that no level has any more.
    """

    names: tuple[str, ...]
    first: int
    gone: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Folder of the new arrays and of the group's new metadata."""
        return staging(self.store)

    def attributes(self, made: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of the group as they are, with the new levels."""
        found = read_node(self.store)
        kept, new = dict(found.attributes), dict(made)
        own = dict(mapping(kept.get("ome"))) if self.ngff == "0.5" else kept
        of_new = new["ome"] if self.ngff == "0.5" else new
        if not found.images:
            own |= {name: of_new[name] for name in of_new if name not in ("hoaconv",)}
        else:
            (whole,) = of_new["multiscales"]
            images = [dict(image) for image in found.images]
            place = next(i for i, image in enumerate(images) if self._is_it(image))
            images[place] = self._with_levels(images[place], whole)
            own["multiscales"] = images
        if self.ngff == "0.5":
            kept["ome"] = own
        return {**kept, "hoaconv": self._provenance(mapping(kept.get("hoaconv")), new["hoaconv"])}

    def _is_it(self, image: Mapping[str, Any]) -> bool:
        return str(image["datasets"][0]["path"]) == self.names[0]

    def _with_levels(self, image: dict[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
        """Return an image's metadata, in which rows of levels follow those that are kept."""
        rows = [*image["datasets"][: self.first], *made["datasets"][self.first :]]
        told = made_by(made["type"]) if self.first == 1 else {}
        return {**image, "datasets": rows, **told}

    def _provenance(self, kept: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
        """Return the provenance of the image; what was added has an entry of its own."""
        new = {row["path"] for row in made["levels"]} | set(self.gone)
        levels = [row for row in kept.get("levels", ()) if row["path"] not in new]
        own = {name: made[name] for name in made if name != "levels"}
        before = kept.get("added", ())
        return {**kept, "levels": [*levels, *made["levels"]], "added": [*before, own]}

    def moves(self) -> Sequence[Move]:
        """Return new arrays, then the group's metadata, then files that repeat old metadata."""
        new = self.names[self.first :]
        gone: list[Move] = [(None, self.store / name) for name in self.gone if name not in new]
        arrays = [(self.folder / name, self.store / name) for name in new]
        own = [*arrays, *self._axes_of_first(), *_files(self.folder, self.store)]
        return [*own, *gone, *_outdated(self.store)]

    def _axes_of_first(self) -> list[Move]:
        """Return the metadata of level 0 with the names of its axes, where they have none.

        OME-NGFF 0.5 wants them; an array that wasn't part of an image may lack them. Its voxels
        aren't touched.
        """
        file, named = self.store / self.names[0] / "zarr.json", self.folder / "level-0.json"
        if self.ngff != "0.5" or read_node(self.store).images or not file.is_file():
            return []
        whole = json.loads(file.read_bytes())
        if whole.get("dimension_names"):
            return []
        write_json(named, {**whole, "dimension_names": ["z", "y", "x"]})
        return [(named, file)]


@dataclass(frozen=True)
class AddedLabel(Added):
    """A label image under ``labels/``, and its name in the list there."""

    name: str

    @property
    def folder(self) -> Path:
        """Folder of the new label image."""
        return self._labels / self.name

    @property
    def _labels(self) -> Path:
        return staging(self.store) / "labels"

    def attributes(self, made: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of the label image, with the axes and the place of its image."""
        image = next(iter(read_node(self.store).images), {})
        kept = {name: image[name] for name in _SHARED if name in image}
        own = made["ome"] if self.ngff == "0.5" else made
        (multiscale,) = own["multiscales"]
        whole = {**own, "multiscales": [{**multiscale, **kept}]}
        return {**made, "ome": whole} if self.ngff == "0.5" else whole

    def moves(self) -> Sequence[Move]:
        """Return the label's folder, then the list of labels that names it."""
        place = self.store / "labels"
        found = dict(read_node(place).attributes) if is_node(place) else {}
        own = dict(mapping(found.get("ome", {} if self.ngff == "0.5" else found)))
        before = own.get("labels", found.get("labels"))
        names = list(map(str, before)) if isinstance(before, list) else []
        listed = label_list([*names, *({self.name} - set(names))], self.ngff)
        both = {**found, "ome": own | listed["ome"]} if self.ngff == "0.5" else found | listed
        write_group(self._labels, self.ngff, both)
        if not place.exists():
            return [(self._labels, place), *_outdated(self.store)]
        files = _files(self._labels, place)
        return [(self.folder, place / self.name), *files, *_outdated(place), *_outdated(self.store)]


def _files(folder: Path, place: Path) -> list[Move]:
    """Return the metadata of a group that was written; the file that makes it a group is last."""
    names = [name for name in (".zattrs", ".zgroup", "zarr.json") if (folder / name).is_file()]
    return [(folder / name, place / name) for name in names]


def _outdated(folder: Path) -> list[Move]:
    """Return the file of zarr v2 that repeats all metadata of a store, as they were."""
    return [(None, folder / name) for name in ZARR_FILES[-1:] if (folder / name).is_file()]
