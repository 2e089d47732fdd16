"""Search for a dataset in an N5 store, with what the groups around it tell of levels and voxels.

N5 fixes no metadata of images; these are what programs write: N5 Viewer and n5-universe, whose
conventions the Human Organ Atlas follows (``resolution``, ``units``, ``downsamplingFactors``),
BigDataViewer (``setup0/timepoint0/s0``), COSEM and CellMap (``multiscales`` with ``transform``).
See https://github.com/saalfeldlab/n5, https://github.com/saalfeldlab/n5-viewer,
https://github.com/bigdataviewer/bigdataviewer-core/blob/master/BDV%20N5%20format.md and
https://github.com/janelia-cosem/schemas/blob/master/multiscale.md.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from glob import has_magic
from itertools import count, takewhile
from math import isfinite
from pathlib import Path
from typing import Any

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.kv_folder import folder_at, in_zip
from hoaconv.io.remote_folder import store_at
from hoaconv.io.store_folder import StoreFolder, read_json
from hoaconv.io.voxel_size import Axes, from_axes

__all__ = ["ATTRIBUTES", "Dataset", "find_dataset", "is_n5", "is_told"]

ATTRIBUTES = "attributes.json"
_LISTED = 8  # datasets and groups that an error lists, at most
_MOST_AROUND = 3  # groups around a dataset that may tell of it
_DEFAULT_AXES = "xyzct"
"""Those that programs write which name none."""
_LEVEL = re.compile(r"s(\d+)")
_TOLD = {"n5", "downsamplingFactors", "multiScale"}
"""Attributes that tell a group of levels, or a store."""
_DATASET = {"dimensions", "blockSize", "dataType"}


@dataclass(frozen=True)
class Dataset:
    """A dataset of a store by its metadata, before it is opened.

    Attributes
    ----------
    folder
        Folder of the dataset.
    name
        Path that begins with the store's own name, as in ``brain.n5/s0``.
    attributes
        Content of its ``attributes.json``.
    groups
        Attributes of the groups around it, the nearest first.
    levels
        Folders of all levels of the image that it belongs to; empty if there is no image.
    """

    folder: StoreFolder
    name: str
    attributes: Mapping[str, Any]
    groups: tuple[Mapping[str, Any], ...] = ()
    levels: tuple[StoreFolder, ...] = ()

    @property
    def level(self) -> int:
        """Number of its level, also where the levels before are missing; 0 if it is none."""
        paths = [level.path for level in self.levels]
        if self.folder.path in paths:
            return paths.index(self.folder.path)
        named = _LEVEL.fullmatch(self.folder.path.name)
        return int(named[1]) if named else 0

    @property
    def rank(self) -> int:
        """Number of its axes."""
        return len(self.attributes["dimensions"])

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Name of each axis in stored order, which in N5 is x first unless ``axes`` tells other."""
        for attributes in (self.attributes, *self.groups):
            named = attributes.get("axes")
            if isinstance(named, list) and len(named) == self.rank:
                return tuple(map(str, named))
        transform: Mapping[str, Any] = self._transform
        named = transform.get("axes")
        if isinstance(named, list) and len(named) == self.rank:
            in_order = str(transform.get("ordering", transform.get("order", "C"))).upper()
            return tuple(map(str, named if in_order == "F" else named[::-1]))
        return tuple(_DEFAULT_AXES[: self.rank]) if self.rank <= len(_DEFAULT_AXES) else ()

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of its voxels; None if nothing tells them with a unit."""
        if self._placed is None:
            return None
        return from_axes(dict(enumerate(self._placed)), axes, "N5 attributes")

    @property
    def without_unit(self) -> bool:
        """True if the attributes tell a voxel size without its unit."""
        spatial = [i for i, name in enumerate(self.axes) if name.lower() in ("x", "y", "z")]
        return self._placed is not None and not all(self._placed[i][2] for i in spatial)

    @cached_property
    def _placed(self) -> list[tuple[float, float, str]] | None:
        """Edge, origin and unit along each axis, in stored order."""
        if self._transform:
            return self._by_transform()
        told = ((self._resolution(a), a is self.attributes) for a in self._around)
        found, is_own = next(((r, own) for r, own in told if r), (None, False))
        if found is None:
            return None
        factors = self._factors
        if factors is None:
            return None
        # A level may tell its own voxel size, or that of level 0 and its factors.
        own_factors = self._row(self.attributes.get("downsamplingFactors"))
        are_of_level = is_own and own_factors is None
        edges, units = found
        ends = zip(edges, factors, units, strict=True)
        if are_of_level:
            return [(edge, edge * (f - 1) / 2 / f, unit) for edge, f, unit in ends]
        return [(edge * f, edge * (f - 1) / 2, unit) for edge, f, unit in ends]

    @property
    def _around(self) -> tuple[Mapping[str, Any], ...]:
        return (self.attributes, *self.groups)

    @property
    def _factors(self) -> Sequence[float] | None:
        """Return the voxels of level 0 that become one; None if that isn't told."""
        own = self._row(self.attributes.get("downsamplingFactors"))
        if own is not None:
            return own
        for attributes in self.groups:
            listed = attributes.get("downsamplingFactors", attributes.get("scales"))
            if isinstance(listed, list) and self.level < len(listed):
                return self._row(listed[self.level])
        return [1.0] * self.rank if self.level == 0 else None

    def _resolution(
        self, attributes: Mapping[str, Any]
    ) -> tuple[Sequence[float], Sequence[str]] | None:
        """Return edges along all axes, and their units, as some attributes tell them."""
        told = attributes.get("pixelResolution", attributes.get("resolution"))
        units = attributes.get("units")
        if isinstance(told, Mapping):
            units = told.get("unit")
            told = told.get("dimensions")
        edges = self._row(told)
        if edges is None:
            return None
        listed = units if isinstance(units, list) else [units] * self.rank
        if len(listed) < self.rank:
            listed = [*listed, *[None] * (self.rank - len(listed))]
        return edges, [unit if isinstance(unit, str) else "" for unit in listed]

    def _row(self, told: Any) -> Sequence[float] | None:
        """Return a number for each axis; 1 for those behind, if only x, y and z are told."""
        if not isinstance(told, list) or len(told) not in (self.rank, min(3, self.rank)):
            return None
        numbers = [float(n) for n in told if isinstance(n, int | float) and isfinite(n) and n > 0]
        return [*numbers, *[1.0] * (self.rank - len(told))] if len(numbers) == len(told) else None

    @cached_property
    def _transform(self) -> Mapping[str, Any]:
        """The transform of COSEM and CellMap; empty if there is none."""
        own = self.attributes.get("transform")
        listed = _datasets_of(self.groups[0]) if self.groups else ()
        rows = [row for row in listed if self.folder.path.name == str(row.get("path")).strip("/")]
        for found in (own, *(row.get("transform") for row in rows)):
            if isinstance(found, Mapping) and isinstance(found.get("scale"), list):
                return found
        return {}

    def _by_transform(self) -> list[tuple[float, float, str]] | None:
        transform = self._transform
        rows: dict[str, tuple[float, float, str]] = {}
        try:
            for i, name in enumerate(transform["axes"]):
                translate = transform.get("translate") or [0.0] * self.rank
                units = transform.get("units") or [""] * self.rank
                place = (float(transform["scale"][i]), float(translate[i]), str(units[i]))
                rows[str(name)] = place
            return [rows[name] for name in self.axes]
        except (IndexError, KeyError, TypeError, ValueError):
            return None


def is_n5(path: Path) -> bool:
    """Return True for the path of a store, and for a path inside a store, even a missing one."""
    if in_zip(path) or os.path.isfile(path):
        return False
    absolute = path.absolute()
    if any(p.suffix == ".n5" and os.path.isdir(p) for p in (absolute, *absolute.parents)):
        return not has_magic(path.name) or os.path.exists(path)
    folder = folder_at(path)
    if os.path.isdir(path):
        return is_told(folder)
    return not has_magic(str(path)) and any(map(is_told, folder.around))


def find_dataset(path: str | Path, credentials: str | None = None) -> Dataset:
    """Return the dataset at a path, or level 0 of the image at a path.

    Raises
    ------
    SourceError
        If there is no dataset; the message lists what is there instead.
    """
    folder = store_at(path, credentials)
    if (own := _read(folder)) and own.keys() >= _DATASET:
        return _dataset(folder, own)
    levels = _levels(folder)
    if not levels:
        raise SourceError(f"{folder} holds no N5 dataset{_instead(folder)}")
    return _dataset(levels[0], _read(levels[0]))


def _dataset(folder: StoreFolder, own: Mapping[str, Any]) -> Dataset:
    dimensions, chunks = own["dimensions"], own["blockSize"]
    both = isinstance(dimensions, list) and isinstance(chunks, list)
    if not both or len(dimensions) != len(chunks):
        raise SourceError(f"{folder}/{ATTRIBUTES} is damaged: dimensions and blockSize differ")
    around = list(zip(range(_MOST_AROUND), folder.around, strict=False))
    groups = [group for _, group in around]
    told = [_read(group) for group in groups]
    root = next((g for g in groups if g.path.suffix == ".n5" or "n5" in _read(g)), None)
    levels = _levels(groups[0]) if groups else ()
    levels = levels if folder.path in [level.path for level in levels] else ()
    top = root or (groups[0] if levels else folder)
    name = folder.path.relative_to(top.path.parent).as_posix()
    return Dataset(folder, name, own, tuple(told), levels)


def _levels(group: StoreFolder) -> tuple[StoreFolder, ...]:
    """Return the levels of the image that a group is; none if it isn't one."""
    named = [row["path"] for row in _datasets_of(_read(group)) if isinstance(row.get("path"), str)]
    listed = (group.inner(name.strip("/")) for name in named if name.strip("/"))
    found = tuple(folder for folder in listed if _is_dataset(folder))
    if found:
        return found
    return tuple(takewhile(_is_dataset, (group.inner(f"s{n}") for n in count())))


def _datasets_of(attributes: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    images = attributes.get("multiscales")
    first = images[0] if isinstance(images, list) and images else None
    listed = first.get("datasets") if isinstance(first, Mapping) else None
    rows = listed if isinstance(listed, list) else []
    return (row for row in rows if isinstance(row, Mapping))


def is_told(folder: StoreFolder) -> bool:
    """Return whether a folder without a suffix is a dataset, a group of levels, or a store."""
    try:
        found = _read(folder)
    except SourceError:
        return False  # another program's file of this name
    return bool(found.keys() & _TOLD or found.keys() >= _DATASET or _is_dataset(folder.inner("s0")))


def _is_dataset(folder: StoreFolder) -> bool:
    return _read(folder).keys() >= _DATASET


def _read(folder: StoreFolder) -> Mapping[str, Any]:
    return read_json(folder, ATTRIBUTES) or {}


def _instead(folder: StoreFolder) -> str:
    """Return words that list what lies in the folder, or in the nearest one around it."""
    within = next(filter(_is_dataset, folder.around), None)
    if within is not None:
        return f": {within.path} is a dataset, in which there are chunks alone"
    there = next((f for f in (folder, *folder.around) if f.exists()), folder)
    names = [name for name in there.names() if there.inner(name).exists()]
    if not names:
        return f": nothing lies in {there.path}"
    more = ", ..." if len(names) > _LISTED else ""
    return f"; {there.path} holds {', '.join(names[:_LISTED])}{more}: name one of them"
