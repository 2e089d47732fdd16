"""Ops on the connected components of a mask."""

from collections.abc import Iterator
from dataclasses import replace
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
    """An op that removes small objects of a mask, or of its background.

    Objects are labelled exactly, whatever their shape. An object is decided when it has ended or is
    too large, so a plane waits for at most `volume` others.
    """

    takes_wide: ClassVar[bool] = True
    holes: ClassVar[bool]

    volume: int
    connectivity: int

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape as uint8."""
        return replace(spec, dtype=np.dtype(np.uint8))

    def delay(self, spec: Spec) -> int:
        """Return the planes that an undecided object can span: at most as many as it has voxels."""
        return min(self.volume, spec.planes - 1)

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of waiting planes, a bit per voxel, and of the objects' tables."""
        return labelling_bytes(spec.shape, self.volume)

    def open(self, spec: Spec, buffers: Buffers) -> Scanner:
        """Begin; the planes that it gives come from `buffers`."""
        state = start_labelling(spec.shape, self.volume, self.connectivity, holes=self.holes)
        return _Labeller(state, spec.plane_shape, buffers)

    def warm(self, spec: Spec) -> None:
        """Compile the kernels."""
        compile_labelling(spec.shape, self.volume, spec.dtype)


@op("remove-small", example="remove-small 50")
class RemoveSmall(_SmallObjects):
    """Remove small connected components from a mask: uint8, 1 in the others, 0 elsewhere.

    A component consists of connected voxels other than 0; NaN counts as such a voxel. The result is
    that of skimage.morphology.remove_small_objects with ``max_size=volume``. A component ends at
    the faces of the volume.

    Examples
    --------
    >>> ops.remove_small(np.array([[[1, 0, 1, 1, 1]]], "uint8"), 1).compute()
    array([[[0, 0, 1, 1, 1]]], dtype=uint8)
    """

    holes: ClassVar[bool] = False

    volume: int = param(_VOXELS, "voxels of the largest object that is removed")
    connectivity: int = param(
        _CONNECTIVITY, "neighbours of a voxel that belong to its object", default=6
    )


@op("fill-holes", example="fill-holes 50")
class FillHoles(_SmallObjects):
    """Fill small holes in a mask: uint8, 1 in mask and holes, 0 elsewhere.

    A hole is a connected component of voxels that are 0 and don't reach a face of the volume.
    scipy.ndimage.binary_fill_holes also fills larger holes. NaN isn't 0.

    Examples
    --------
    >>> ball = np.ones((3, 3, 3), "uint8")
    >>> ball[1, 1, 1] = 0
    >>> ops.fill_holes(ball, 1)[1, 1]
    array([1, 1, 1], dtype=uint8)
    """

    holes: ClassVar[bool] = True

    volume: int = param(_VOXELS, "voxels of the largest hole that is filled")
    connectivity: int = param(
        _CONNECTIVITY, "neighbours of a voxel that belong to its hole", default=6
    )


class _Labeller(Scanner):
    """A scanner that counts planes; the kernels label the objects."""

    def __init__(self, state: Labelling, shape: tuple[int, int], buffers: Buffers) -> None:
        self._state, self._shape, self._buffers = state, shape, buffers
        self._taken = self._given = 0

    def take(self, plane: Plane) -> Iterator[Plane]:
        """Label the objects of the next plane."""
        undecided = label_plane(self._state, plane, self._taken, self._given)
        self._taken += 1
        return self._give(undecided)

    def end(self) -> Iterator[Plane]:
        """Decide the objects that reach the last plane."""
        flush(self._state, self._given)
        return self._give(self._taken)

    def _give(self, stop: int) -> Iterator[Plane]:
        first, self._given = self._given, stop
        return map(self._plane, range(first, stop))

    def _plane(self, z: int) -> Plane:
        out = self._buffers.take(self._shape, np.uint8)
        write_plane(self._state, z, out)
        return out
