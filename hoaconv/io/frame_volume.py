"""A frame of a stored array as a source of planes: see `hoaconv.io.frames`."""

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from hoaconv.engine.contract import LayeredSource, Piece
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import SourceError
from hoaconv.io.array_volume import PIECE_BYTES
from hoaconv.io.frames import Frame
from hoaconv.io.stored_array import StoredArray

__all__ = ["FrameVolume", "bits_of"]

_SIZES = (1, 2, 4, 8)


def bits_of(array: StoredArray) -> np.dtype[np.unsignedinteger[np.typing.NBitBase]]:
    """Return the unsigned dtype in which the voxels of an array are carried, bit for bit.

    Raises
    ------
    SourceError
        If there is none.
    """
    size = array.dtype.itemsize
    if size not in _SIZES or array.dtype.kind in "OSU":
        raise SourceError(
            f"{array.path} holds {array.dtype.name}, of {size} bytes a voxel; hoaconv copies "
            "numbers of 1, 2, 4 or 8 bytes"
        )
    return np.dtype(f"u{size}")


class FrameVolume(LayeredSource):
    """Planes (rows, x) along z of a frame; each chunk that it touches is decoded once.

    The voxels are carried as unsigned integers of the same size, whatever they are.
    """

    def __init__(self, array: StoredArray, frame: Frame) -> None:
        self._array, self.frame = array, frame
        self._dtype = bits_of(array)

    @property
    def spec(self) -> Spec:
        """Shape and dtype of all planes."""
        return Spec(self.frame.shape, self._dtype)

    @property
    def path(self) -> Path:
        """The array's folder or file."""
        return self._array.path

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, or the folder of the array's chunks."""
        return self._array.files

    @property
    def stored_bytes(self) -> int:
        """Bytes of the frame, were all parts of the array alike."""
        return self._array.stored_bytes * prod(self.frame.lengths) // prod(self._array.shape)

    @cached_property
    def _chunk(self) -> tuple[int, int, int]:
        """Planes, rows of y and columns of a chunk."""
        *_, z, y, x = (1, 1, *self._array.chunks)
        return (z, y, x) if len(self._array.shape) > 2 else (y, 1, x)

    @property
    def depth(self) -> int:
        """Planes of a chunk."""
        return self._chunk[0]

    @property
    def planes(self) -> Sequence[int]:
        """All planes."""
        return range(self.frame.shape[0])

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Pieces of a layer: a block of y of all indices, and a chunk or several along x."""
        ny, nx = self.frame.rows, self.frame.shape[2]
        rows, columns = self.frame.block, self._columns
        return tuple(
            (self._rows(slice(y, min(y + rows, ny))), slice(x, min(x + columns, nx)))
            for y, x in product(range(0, ny, rows), range(0, nx, columns))
        )

    def _rows(self, y: slice) -> slice:
        return slice(y.start * self.frame.indices, y.stop * self.frame.indices)

    @property
    def piece_count(self) -> int:
        """Pieces of a layer, counted without a list of them."""
        return -(-self.frame.rows // self.frame.block) * -(-self.frame.shape[2] // self._columns)

    @cached_property
    def _columns(self) -> int:
        """Columns of a piece."""
        piece = prod(self._chunk) * self.frame.indices * self._dtype.itemsize
        many = max(1, PIECE_BYTES // piece)
        return min(many * self._chunk[2], self.frame.shape[2])

    def piece_bytes(self, planes: int) -> int:  # noqa: ARG002 - all planes of a chunk are read
        """Return the bytes held while a piece is read: as the format needs, and the piece."""
        rows = self.frame.block * self.frame.indices
        picked = min(self.depth, self.frame.shape[0]) * rows * self._columns
        sides = zip(self.frame.lead, self._array.chunks, strict=False)
        chunks = prod(-(-n // c) for n, c in sides) * -(-self._columns // self._chunk[2])
        return picked * self._dtype.itemsize + self._array.reading_bytes(chunks)

    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        """Decode a piece of a layer.

        Raises
        ------
        SourceError
            If a chunk can't be read whole; the message names the array.
        """
        first, (rows, x) = planes[0], piece
        y = slice(rows.start // self.frame.indices, rows.stop // self.frame.indices)
        box = self.frame.box(slice(first, planes[-1] + 1), y, x)
        voxels = np.ascontiguousarray(self._array.read(box)).view(self._dtype)
        part = self.frame.flat(voxels)
        out[...] = part if len(planes) == len(part) else part[[z - first for z in planes]]

    def __str__(self) -> str:
        return str(self._array)
