"""Arrays whose voxels lie in one file, one after the other: raw, .vol, NRRD, MetaImage, NIfTI."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_bytes import Run, VoxelBytes
from hoaconv.io.voxel_size import Axes, from_axes

__all__ = ["FileArray", "Grid"]

PIECE_BYTES = 1 << 22
"""Bytes that are read in one call, about."""

LINE_BYTES = 1 << 12
"""Bytes of a line that are read at once, at least: a page of a disk."""


IN_ORDER = (
    "{} is compressed as a whole, so that one thread decodes it, from its beginning on; planes "
    "against their order are slow"
)
"""Note on voxels in one compressed stream."""


@dataclass(frozen=True)
class Grid:
    """Sizes and places of the voxels of an array, axis by axis as they are stored.

    Attributes
    ----------
    edges, origin
        Edge of a voxel and centre of the first one along each axis; NaN for an axis of another
        kind.
    unit
        A unit of length as OME-NGFF spells it.
    told_by
        What tells it, in words.
    """

    edges: tuple[float, ...]
    origin: tuple[float, ...]
    unit: str
    told_by: str

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the geometry of the volume with these axes z, y, x; None if a length is none.

        Without z, its edge is taken equal to that along y, if that is equal to that along x.
        """
        both = enumerate(zip(self.edges, self.origin, strict=True))
        placed = {axis: (*lengths, self.unit) for axis, lengths in both}
        return from_axes(placed, axes, self.told_by)


class FileArray(StoredArray):
    """An array of voxels that lie one after the other in a file, the last axis fastest.

    Parameters
    ----------
    scheme, path, name, axes, image_name, notes
        As of `hoaconv.io.stored_array.StoredArray`.
    shape, dtype
        Of the whole array; the dtype has the byte order of the file.
    voxels
        Their bytes.
    grid
        Size and place of the voxels; None if unknown.
    """

    def __init__(
        self,
        scheme: str,
        path: Path,
        name: str,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        voxels: VoxelBytes,
        *,
        axes: Sequence[str | None] = (),
        grid: Grid | None = None,
        image_name: str | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.scheme, self.path, self.name, self.axes = scheme, path, name, tuple(axes)
        self.image_name, self.voxels = image_name, voxels
        self.notes = (*notes, *((IN_ORDER.format(path.name),) if voxels.in_order else ()))
        self._shape, self._dtype, self._grid = tuple(map(int, shape)), dtype, grid

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the voxels, in the byte order of the file."""
        return self._dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of what is read at once: parts of rows, or whole planes of what is compressed."""
        if self.voxels.in_order:
            return self._planes_at_once
        *others, last = self._shape
        part = min(last, max(1, LINE_BYTES // self._dtype.itemsize))
        made, size = [part], -(-last // part) * part * self._dtype.itemsize
        for axis, n in reversed(list(enumerate(others))):
            take = 1 if axis == 0 and len(others) > 1 else min(n, max(1, PIECE_BYTES // size))
            made.append(take)
            size *= take if take == n else PIECE_BYTES  # an axis in parts ends it
        return tuple(reversed(made))

    @property
    def _planes_at_once(self) -> tuple[int, ...]:
        """Shape of some whole planes: threads that ask for parts would get in each other's way."""
        plane = self._shape[-3:] if self.axes[-1:] == ("c",) else self._shape[-2:]
        *others, n = self._shape[: -len(plane)] or (1,)
        planes = max(1, PIECE_BYTES // (prod(plane) * self._dtype.itemsize))
        made = (*(1 for _ in others), min(n, planes), *plane)
        return made[-len(self._shape) :]

    @property
    def files(self) -> tuple[Path, ...]:
        """The header's file and that of the voxels."""
        return tuple(dict.fromkeys((self.path, self.voxels.path)))

    @property
    def stored_bytes(self) -> int:
        """Bytes of the voxels on disk."""
        return self.voxels.stored_bytes

    def reading_bytes(self, chunks: int) -> int:
        """Return the bytes of lines that are read wider than the box, and of a decoder."""
        return chunks * prod(self.chunks) * self._dtype.itemsize + self.voxels.held_bytes

    def read(self, box: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return the voxels of a box.

        Raises
        ------
        SourceError
            If the file has changed, or can't be read.
        """
        wide = (*box[:-1], self._widened(box[-1]))
        part = np.empty([side.stop - side.start for side in wide], self._dtype)
        self.voxels.read(list(self._runs(wide, part)))
        if wide == box:
            return part
        first = box[-1].start - wide[-1].start
        taken: np.ndarray[Any, Any] = part[..., first : first + box[-1].stop - box[-1].start]
        return taken

    def _widened(self, side: slice) -> slice:
        """Return the part of lines that is read to have a smaller one."""
        whole = self.chunks[-1]
        return slice(
            side.start // whole * whole, min(-(-side.stop // whole) * whole, self._shape[-1])
        )

    def _runs(self, box: tuple[slice, ...], part: np.ndarray[Any, Any]) -> Iterator[Run]:
        """Yield the runs of bytes of a box, as long as they can be, and their places in `part`."""
        lengths, axis = part.shape, len(box) - 1
        while axis > 0 and lengths[axis] == self._shape[axis]:
            axis -= 1  # whole lines follow each other
        item = self._dtype.itemsize
        flat: Any = part.reshape(-1).view(np.uint8).data
        nbytes = prod(lengths[axis:]) * item
        for number, where in enumerate(np.ndindex(lengths[:axis])):
            corner = [side.start + i for side, i in zip(box, (*where, 0), strict=False)]
            corner += [side.start for side in box[len(corner) :]]
            start = 0
            for n, i in zip(self._shape, corner, strict=True):
                start = start * n + i
            yield start * item, flat[number * nbytes : (number + 1) * nbytes]

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of the voxels as the header tells."""
        return self._grid.geometry(axes) if self._grid else None
