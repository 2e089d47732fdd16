"""Ops that keep or drop whole objects of a mask."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Scan, Scanner
from hoaconv.engine.spec import Plane, Spec
from hoaconv.kernels.small_objects import (
    CONNECTIVITIES,
    Labelling,
    compile_labelling,
    flush,
    label_plane,
    labelling_bytes,
    start_labelling,
    write_plane,
)
from hoaconv.ops.declare import NUMBER, Declared, Kind, param, register

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
        return labelling_bytes(spec.shape, self.volume)

    def open(self, spec: Spec, buffers: Buffers) -> Scanner:
        """Begin; planes that it gives come from `buffers`."""
        state = start_labelling(spec.shape, self.volume, self.connectivity, holes=self.holes)
        return _Labeller(state, spec.plane_shape, buffers)

    def warm(self, spec: Spec) -> None:
        """Compile the kernels."""
        compile_labelling(spec.shape, self.volume, spec.dtype)


@register("remove-small 50")
@dataclass(frozen=True)
class RemoveSmall(_SmallObjects):
    """Remove objects up to a volume from a mask: uint8, 1 in what stays, 0 elsewhere.

    Objects are connected voxels other than 0; NaN is one. As remove_small_objects of scikit-image
    with ``max_size=volume``.
    """

    word: ClassVar[str] = "remove-small"
    holes: ClassVar[bool] = False

    volume: int = param(_VOXELS, "voxels of the largest object that is removed")
    connectivity: int = param(_CONNECTIVITY, "neighbours of a voxel that belong to its object", 6)


@register("fill-holes 50")
@dataclass(frozen=True)
class FillHoles(_SmallObjects):
    """Fill holes up to a volume in a mask: uint8, 1 in mask and holes, 0 elsewhere.

    A hole is connected voxels that are 0 and don't reach any face of the volume. As
    scipy.ndimage.binary_fill_holes, which fills the larger ones too; NaN is no hole.
    """

    word: ClassVar[str] = "fill-holes"
    holes: ClassVar[bool] = True

    volume: int = param(_VOXELS, "voxels of the largest hole that is filled")
    connectivity: int = param(_CONNECTIVITY, "neighbours of a voxel that belong to its hole", 6)


class _Labeller(Scanner):
    """Counts planes; the kernels follow the objects."""

    def __init__(self, state: Labelling, shape: tuple[int, int], buffers: Buffers) -> None:
        self._state, self._shape, self._buffers = state, shape, buffers
        self._taken = self._given = 0

    def take(self, plane: Plane) -> Iterator[Plane]:
        """Follow the objects into the next plane."""
        undecided = label_plane(self._state, plane, self._taken, self._given)
        self._taken += 1
        return self._give(undecided)

    def end(self) -> Iterator[Plane]:
        """Decide those that reach the last plane."""
        flush(self._state, self._given)
        return self._give(self._taken)

    def _give(self, stop: int) -> Iterator[Plane]:
        first, self._given = self._given, stop
        return map(self._plane, range(first, stop))

    def _plane(self, z: int) -> Plane:
        out = self._buffers.take(self._shape, np.uint8)
        write_plane(self._state, z, out)
        return out
