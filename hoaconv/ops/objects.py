"""Ops that keep or drop whole objects of a mask."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Scan, Scanner
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.objects import (
    CONNECTIVITIES,
    Tracks,
    finish,
    follow,
    give,
    track,
    track_bytes,
    warm,
)
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import NUMBER, Kind
from hoaconv.ops.parameters import Declared, param

__all__ = ["FillHoles", "RemoveSmall"]


def _voxels(value: Any) -> int:
    text = str(value)  # digits that a float would round are taken as they are
    number = int(text) if text.isdecimal() else NUMBER.accept(value)
    if not 1 <= number < inf or number != int(number):
        raise ValueError("a whole number of voxels, 1 or more")
    return int(number)


def _connectivity(value: Any) -> int:
    if str(value) not in map(str, CONNECTIVITIES):
        raise ValueError("6 (faces), 18 (and edges) or 26 (and corners)")
    return int(value)


_VOXELS = Kind("voxels", _voxels, str)
_CONNECTIVITY = Kind("|".join(map(str, CONNECTIVITIES)), _connectivity, str)


class _SmallObjects(Declared, Scan):
    """What both ops are: small objects of a mask or of its background change sides.

    Objects are told apart exactly, however they wind. One is decided when it has ended or is too
    large, so that planes wait for no more than `volume` others.
    """

    holes: ClassVar[bool]

    volume: int
    connectivity: int

    def infer(self, spec: Spec) -> Spec:
        """The same shape as uint8."""
        return replace(spec, dtype=np.dtype(np.uint8))

    def delay(self, spec: Spec) -> int:
        """An object too small to be decided spans as many planes as it has voxels, at the most."""
        return min(self.volume, spec.planes - 1)

    def state_bytes(self, spec: Spec) -> int:
        """A bit a voxel of the planes that wait, and tables for the most objects in a plane."""
        return track_bytes(spec.shape, self.volume)

    def open(self, spec: Spec, buffers: Buffers) -> Scanner:
        """Begin; planes that it gives come from `buffers`."""
        tracks = track(spec.shape, self.volume, self.connectivity, holes=self.holes)
        return _Follower(tracks, spec.plane_shape, buffers)

    def warm(self, spec: Spec) -> None:
        """Compile the kernels."""
        warm(spec.shape, self.volume, spec.dtype)


@op("remove-small", example="remove-small 50")
class RemoveSmall(_SmallObjects):
    """Remove objects up to a volume from a mask: uint8, 1 in what stays, 0 elsewhere.

    Objects are connected voxels other than 0; NaN is one. As remove_small_objects of scikit-image
    with ``max_size=volume``.
    """

    holes: ClassVar[bool] = False

    volume: int = param(_VOXELS, "voxels of the largest object that is removed")
    connectivity: int = param(
        _CONNECTIVITY, "neighbours of a voxel that belong to its object", default=6
    )


@op("fill-holes", example="fill-holes 50")
class FillHoles(_SmallObjects):
    """Fill holes up to a volume in a mask: uint8, 1 in mask and holes, 0 elsewhere.

    A hole is connected voxels that are 0 and don't reach any face of the volume. As
    scipy.ndimage.binary_fill_holes, which fills the larger ones too; NaN is no hole.
    """

    holes: ClassVar[bool] = True

    volume: int = param(_VOXELS, "voxels of the largest hole that is filled")
    connectivity: int = param(
        _CONNECTIVITY, "neighbours of a voxel that belong to its hole", default=6
    )


class _Follower(Scanner):
    """Counts planes; the kernels follow the objects."""

    def __init__(self, tracks: Tracks, shape: tuple[int, int], buffers: Buffers) -> None:
        self._tracks, self._shape, self._buffers = tracks, shape, buffers
        self._taken = self._given = 0

    def take(self, plane: Plane) -> Iterator[Plane]:
        """Follow the objects into the next plane."""
        undecided = follow(self._tracks, plane, self._taken, self._given)
        self._taken += 1
        return self._give(undecided)

    def end(self) -> Iterator[Plane]:
        """Decide those that reach the last plane."""
        finish(self._tracks, self._given)
        return self._give(self._taken)

    def _give(self, stop: int) -> Iterator[Plane]:
        first, self._given = self._given, stop
        return map(self._plane, range(first, stop))

    def _plane(self, z: int) -> Plane:
        out = self._buffers.take(self._shape, np.uint8)
        give(self._tracks, z, out)
        return out
