"""The attributes of the group of an image that a sink has written, or has added to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hoaconv.engine.spec import Spec
from hoaconv.errors import StoreError
from hoaconv.io.leading import Leading
from hoaconv.io.place import place_at
from hoaconv.io.zarr import ArrayWriter, write_json
from hoaconv.pyramid.added import Added, AddedLevels
from hoaconv.pyramid.levels import Level
from hoaconv.pyramid.metadata import (
    ImageInfo,
    as_label,
    attributes,
    label_list,
    window_of,
    window_over,
    write_group,
)

__all__ = ["LevelWritten", "put_report", "root_of", "write_label_list"]


@dataclass(frozen=True)
class LevelWritten:
    """A level that was written.

    Attributes
    ----------
    row
        What the report tells of it.
    stored
        The name of its array, and the numbers of its shards or chunks.
    files, bytes
        Files, metadata included, and their bytes.
    """

    row: Mapping[str, Any]
    stored: Mapping[str, Any]
    files: int
    bytes: int

    @classmethod
    def of(cls, number: int, level: Level, array: ArrayWriter) -> "LevelWritten":
        """Return what an array that was written tells."""
        spec = array.spec
        row = {
            "level": number,
            "shape": level.shape,
            "factor": level.factor,
            "chunks": spec.chunks,
            "shards": spec.shards,
            "bytes": prod(level.shape) * spec.dtype.itemsize,
        }
        stored = {
            "path": array.path.name,
            "files": array.counts.stored,
            "empty": array.counts.empty,
        }
        return cls(row, stored, array.counts.files, array.counts.bytes)


class Written(Protocol):
    """The part of a sink that metadata are made of."""

    @property
    def image(self) -> ImageInfo:
        """Name and method."""

    @property
    def ngff(self) -> str:
        """Version of OME-NGFF."""

    @property
    def added(self) -> Added | None:
        """The addition to a store that is there, or None."""

    @property
    def is_label(self) -> bool:
        """True for a label image."""

    @property
    def leading(self) -> Leading:
        """The axes before z."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The provenance of the image."""

    def all_levels(self, whole: Spec) -> tuple[Level, ...]:
        """Return all levels, given level 0."""


def root_of(
    sink: Written,
    whole: Spec,
    stored: Sequence[Mapping[str, Any]],
    histograms: Mapping[tuple[int, ...], Mapping[str, Any]],
    distinct: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the attributes of the image's group.

    Parameters
    ----------
    whole
        Level 0.
    stored
        For each level that was written its path, and the numbers of its files.
    histograms
        Values of the fold `Histogram` for each volume, by its index; empty where it isn't required.
    distinct
        Value of the fold `Distinct`; empty where it isn't required.
    """
    told = sink.all_levels(whole)[-len(stored) :]
    paths = tuple(str(row["path"]) for row in stored)
    if isinstance(sink.added, AddedLevels):
        told, paths = sink.all_levels(whole), sink.added.names
    found = windows_of(sink.leading, histograms, whole.dtype)
    channels = (sink.image.channel(number, len(found)) for number in range(len(found)))
    pairs = zip(channels, found, strict=True)
    windows = [channel.get("window") or window for channel, window in pairs]
    provenance = {**sink.provenance, "levels": list(stored)}
    values = attributes(
        sink.image, whole.geometry, told, sink.ngff, windows, provenance, paths, sink.leading
    )
    if sink.is_label:
        values = as_label(values, sink.ngff, distinct.get("values", (1,)), sink.image.label)
    return sink.added.attributes(values) if sink.added else values


def windows_of(
    leading: Leading, histograms: Mapping[tuple[int, ...], Mapping[str, Any]], dtype: np.dtype[Any]
) -> list[Mapping[str, float] | None]:
    """Return what viewers show of each channel, at all times."""
    by_channel: dict[int, list[Mapping[str, float] | None]] = {}
    for volume in leading.all():
        window = window_of(dtype, histograms[volume.index])
        by_channel.setdefault(volume.channel, []).append(window)
    return [window_over(windows) for windows in by_channel.values()]


def write_label_list(path: Path, ngff: str, labels: Sequence[str]) -> tuple[int, int]:
    """Write the group of an image's labels, if it has any; return files, and their bytes."""
    if not labels:
        return 0, 0
    return write_group(path / "labels", ngff, label_list(labels, ngff))


def put_report(folder: Path, ngff: str, values: Mapping[str, Any], *, added: bool) -> int:
    """Put what a run tells of itself into the provenance of a group; return the bytes it takes.

    Parameters
    ----------
    added
        Whether the run added something to an image that another run has made.

    Raises
    ------
    StoreError
        If it can't be written; the output is complete all the same.
    """
    file = folder / ("zarr.json" if ngff == "0.5" else ".zattrs")
    try:
        text = place_at(folder).read(file.name)
        whole = json.loads(text)
        attributes = whole["attributes"] if ngff == "0.5" else whole
        told = attributes["hoaconv"]["added"][-1] if added else attributes["hoaconv"]
        told["report"] = dict(values)
        return write_json(file, whole) - len(text)
    except (OSError, ValueError, LookupError) as error:
        raise StoreError(
            f"the report can't be put into {file}: {error}; the output is complete"
        ) from error
