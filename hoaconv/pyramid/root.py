"""Metadata of groups on disk, and what those of an image are made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.io.leading import Leading
from hoaconv.io.zarr import write_json
from hoaconv.pyramid.metadata import label_list, window_of, window_over

__all__ = ["windows_of", "write_group", "write_label_list"]


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


def write_label_list(path: Path, ngff: str, labels: Sequence[str]) -> tuple[int, int]:
    """Write the group of an image's labels, if it has any; return files, and their bytes."""
    if not labels:
        return 0, 0
    return write_group(path / "labels", ngff, label_list(labels, ngff))


def windows_of(
    leading: Leading, histograms: Mapping[tuple[int, ...], Mapping[str, Any]], dtype: np.dtype[Any]
) -> list[Mapping[str, float] | None]:
    """Return what viewers show of each channel, at all times.

    Parameters
    ----------
    histograms
        The value of the fold `Histogram` for each volume, by its index.
    """
    by_channel: dict[int, list[Mapping[str, float] | None]] = {}
    for volume in leading.all():
        window = window_of(dtype, histograms[volume.index])
        by_channel.setdefault(volume.channel, []).append(window)
    return [window_over(windows) for windows in by_channel.values()]
