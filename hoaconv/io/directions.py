"""The grid of voxels in a space, as medical formats tell it: a vector for each axis, and an origin.

hoaconv's volumes have edges and an origin along their own axes, so the directions of these axes in
the space are not kept.
"""

from collections.abc import Sequence
from math import fsum, hypot, isfinite, nan

from hoaconv.io.file_array import Grid
from hoaconv.io.voxel_size import unit_name

__all__ = ["SPACE_AXES", "grid_of", "unknown_unit"]

SPACE_AXES = "xyz"

Vector = Sequence[float]


def grid_of(
    name: str,
    vectors: Sequence[Vector | None],
    origin: Vector | None,
    unit: str,
    told_by: str,
) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of an array, axis by axis as stored, and a note if axes are turned.

    Parameters
    ----------
    name
        Name of the file, for the note.
    vectors
        The step from voxel to voxel along each axis of the file, the fastest axis first, in the
        axes of the space; None for an axis of another kind.
    origin
        Centre of the first voxel in the space; None if unknown.
    """
    edges, places, turned = [], [], False
    for axis, vector in enumerate(vectors):
        edge = nan if vector is None else hypot(*vector)
        place = 0.0
        if vector is not None and origin is not None and edge > 0 and len(origin) == len(vector):
            place = fsum(v * o for v, o in zip(vector, origin, strict=True)) / edge
            turned |= any((v if i != axis else min(v, 0.0)) for i, v in enumerate(vector))
        edges.append(float(f"{edge:.9g}") if isfinite(edge) else nan)
        places.append(place if isfinite(place) else 0.0)
    note = (
        f"the axes of {name} are flipped or turned in its space; hoaconv keeps the voxels as they "
        "are stored, and tells the origin along their own axes"
    )
    grid = Grid(tuple(reversed(edges)), tuple(reversed(places)), unit, told_by)
    return grid, (note,) if turned else ()


def unknown_unit(name: str, edges: Sequence[float], word: str) -> str:
    """Return a note on a voxel size whose unit isn't a length, or isn't told."""
    told = " x ".join(f"{edge:.6g}" for edge in edges)
    what = f"in {word!r}, which is no unit of length" if unit_name(word) is None and word else ""
    return (
        f"{name} tells a spacing of {told} (x, y, z) {what or 'and no unit'}; give `voxel_size` "
        "with its unit"
    )
