"""Sizes and places of the voxels of HDF5 datasets, by the conventions of the field.

Asked in turn: the axes of a NeXus NXdata, ``element_size_um`` (ilastik, Fiji), ``voxel_size``, the
configuration of tomoscan and nabu, and pixel sizes of a NeXus detector. NeXus means metre where no
unit is told.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from json import loads
from math import isclose, isfinite, nan
from typing import Any

import numpy as np

from hoaconv.io.file_array import Grid
from hoaconv.io.nexus import attribute
from hoaconv.io.voxel_size import in_unit, unit_name

__all__ = ["axes_of", "doubts", "grid_of_dataset"]

LEAST, MOST = 1e-3, 1e3
"""Micrometers outside of which a voxel size is doubted: 1 nm and 1 mm."""

_OTHER = ("t", "c", "time", "channel")
_CONFIGURATION = "configuration/processing_options/reconstruction"


def axes_of(dataset: Any) -> tuple[str | None, ...]:
    """Return names of the axes by NXdata, HDF5's own labels, or ilastik's tags; else none."""
    n = len(dataset.shape)
    return next((a for a in _named(dataset) if len(a) == n and any(a)), (None,) * n)


def _named(dataset: Any) -> Iterator[tuple[str | None, ...]]:
    names = _nexus_axes(dataset)
    yield tuple(None if name in (".", "") else name.lower() for name in names)
    yield tuple(dim.label.lower() or None for dim in dataset.dims)
    tags = attribute(dataset, "axistags")
    try:
        yield tuple(str(axis["key"]) for axis in loads(tags)["axes"])
    except (KeyError, TypeError, ValueError):
        return


def _nexus_axes(dataset: Any) -> list[str]:
    """Return ``@axes`` of the group, or of the dataset in old files."""
    axes = attribute(dataset.parent, "axes")
    if axes is None:
        axes = attribute(dataset, "axes")
    if isinstance(axes, str):
        return axes.strip("[]").replace(",", ":").split(":")
    if not isinstance(axes, np.ndarray | list | tuple):
        return []
    return [a.decode("utf-8", "replace") if isinstance(a, bytes) else str(a) for a in axes]


def grid_of_dataset(dataset: Any, axes: Sequence[str | None]) -> Grid | None:
    """Return sizes and places of the voxels of a dataset, in micrometer; None if nothing tells."""
    spatial = [i for i, name in enumerate(axes) if name not in _OTHER][-3:]
    asked = (_of_axes, _of_attributes, _of_tomoscan, _of_pixels)
    return next((grid for ask in asked if (grid := ask(dataset, spatial)) is not None), None)


def doubts(grid: Grid | None) -> tuple[str, ...]:
    """Return a note on voxels over 1 mm or under 1 nm: the unit may be another one."""
    edges = [edge for edge in grid.edges if isfinite(edge)] if grid else []
    if all(LEAST <= edge <= MOST for edge in edges):
        return ()
    told = " x ".join(f"{edge:g}" for edge in edges)
    return (
        f"voxels of {told} micrometer ({grid.told_by if grid else ''}) are unlikely: check the "
        "unit in the file, or give `voxel_size`",
    )


def _grid(
    dataset: Any,
    spatial: Sequence[int],
    edges: Sequence[float],
    origin: Sequence[float],
    told_by: str,
) -> Grid | None:
    """Return the grid whose lengths along the spatial axes are given, in micrometer."""
    if len(edges) != len(spatial) or not all(isfinite(e) and e > 0 for e in edges):
        return None
    n = len(dataset.shape)
    sizes, places = [nan] * n, [0.0] * n
    for axis, edge, place in zip(spatial, edges, origin, strict=True):
        sizes[axis] = float(f"{edge:.9g}")
        places[axis] = place if isfinite(place) else 0.0
    return Grid(tuple(sizes), tuple(places), "micrometer", told_by)


def _numbers(value: Any) -> list[float]:
    try:
        return [float(number) for number in np.atleast_1d(np.asarray(value, dtype=float)).ravel()]
    except (TypeError, ValueError):
        return []


def _unit(node: Any, default: str = "meter") -> str | None:
    """Return the unit of a field by its attribute; None if that is no length."""
    word = next((w for name in ("units", "unit") if (w := attribute(node, name))), None)
    return default if word is None else unit_name(str(word))


def _of_attributes(dataset: Any, spatial: Sequence[int]) -> Grid | None:
    edges = _numbers(attribute(dataset, "element_size_um"))
    if edges:
        grid = _grid(
            dataset, spatial, edges[-len(spatial) :], [0.0] * len(spatial), "element_size_um"
        )
        if grid is not None:
            return grid
    for node in (dataset, dataset.parent):
        edges = _numbers(attribute(node, "voxel_size"))
        edges = edges * len(spatial) if len(edges) == 1 else edges
        named = attribute(node, "voxel_size_units") or attribute(node, "voxel_size_unit")
        unit = unit_name(str(named)) if named else "meter"
        if edges and unit:
            lengths = [in_unit(edge, unit, "micrometer") for edge in edges]
            grid = _grid(dataset, spatial, lengths, [0.0] * len(spatial), "voxel_size")
            if grid is not None:
                return grid
    return None


def _of_axes(dataset: Any, spatial: Sequence[int]) -> Grid | None:
    """Return the grid by the positions of the voxels along each axis, where these are even."""
    names = _nexus_axes(dataset)
    if len(names) != len(dataset.shape):
        return None
    sizes = _numbers(attribute(dataset, "element_size_um"))
    lone = sizes[-len(spatial) :] if len(sizes) >= len(spatial) else [nan] * len(spatial)
    fields = [_positions(dataset, names[axis], axis) for axis in spatial]
    if any(field is None for field in fields):
        return None
    # A single position doesn't tell the size of a voxel.
    pairs = [
        (edge if isfinite(edge) else other, place)
        for (edge, place), other in zip(filter(None, fields), lone, strict=True)
    ]
    return _grid(dataset, spatial, [e for e, _ in pairs], [p for _, p in pairs], "NXdata axes")


def _positions(dataset: Any, name: str, axis: int) -> tuple[float, float] | None:
    """Return the distance of voxels along an axis and the place of the first one, in micrometer.

    The distance is NaN if there is one voxel. Return None if the group has no even positions.
    """
    field = dataset.parent.get(name) if name not in (".", "") else None
    unit = _unit(field) if hasattr(field, "shape") else None
    places = _numbers(field[()]) if field is not None and unit is not None else []
    if unit is None or len(places) != dataset.shape[axis]:
        return None
    first = in_unit(places[0], unit, "micrometer")
    if len(places) == 1:
        return nan, first
    step = (places[-1] - places[0]) / (len(places) - 1)
    if step <= 0 or not all(isclose(b - a, step, rel_tol=1e-3) for a, b in pairwise(places)):
        return None
    return in_unit(step, unit, "micrometer"), first


def _of_tomoscan(dataset: Any, spatial: Sequence[int]) -> Grid | None:
    """Return the grid by the configuration beside ``results``; the position is the middle's."""
    parent = dataset.parent.parent
    options = parent.get(_CONFIGURATION) if parent is not None else None
    if options is None or not hasattr(options, "keys"):
        return None
    for name in ("voxel_size_cm", "pixel_size_cm"):
        field = options.get(name)
        edges = _numbers(field[()]) if hasattr(field, "shape") else []
        edges = edges * len(spatial) if len(edges) == 1 else edges
        if len(edges) != len(spatial):
            continue
        lengths = [edge * 1e4 for edge in edges]
        middle = options.get("position")
        places = _numbers(middle[()]) if hasattr(middle, "dtype") else []
        origin = [0.0] * len(spatial)
        if len(places) == len(spatial):
            both = zip(places, lengths, spatial, strict=True)
            origin = [p * 1e6 - e * (dataset.shape[a] - 1) / 2 for p, e, a in both]
        return _grid(dataset, spatial, lengths, origin, "tomoscan configuration")
    return None


def _of_pixels(dataset: Any, spatial: Sequence[int]) -> Grid | None:
    """Return the grid by pixel sizes beside the dataset, or of the entry's detector."""
    for group in _around(dataset):
        found = {axis: _length(group.get(f"{axis}_pixel_size")) for axis in "zyx"}
        y, x = found["y"], found["x"]
        if y is None or x is None:
            continue
        z = found["z"] or (y if isclose(y, x, rel_tol=1e-3) else nan)
        edges = (z, y, x)[-len(spatial) :]
        return _grid(dataset, spatial, edges, [0.0] * len(spatial), "NeXus pixel size")
    return None


def _around(dataset: Any) -> Iterator[Any]:
    """Yield groups that may tell a pixel size: the dataset's own, and those of its entry."""
    yield (group := dataset.parent)
    while group.name not in (None, "/"):
        if attribute(group, "NX_class") == "NXentry":
            names = ("instrument/detector", "sample", "reconstruction")
            found = (group.get(name) for name in names)
            yield from (one for one in found if hasattr(one, "keys"))
        group = group.parent


def _length(field: Any) -> float | None:
    """Return a field of one length in micrometer; None if it is no such field."""
    if not hasattr(field, "shape") or field.size != 1:
        return None
    unit, numbers = _unit(field), _numbers(field[()])
    return in_unit(numbers[0], unit, "micrometer") if numbers and unit else None
