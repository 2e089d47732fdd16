"""Arrays at both ends of a sweep: a source of planes from any array, a sink into a NumPy array."""

import mmap
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, LayeredSource, Piece, Sink, Use, Writer
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import KNOWN, Plane, Slab, Spec
from hoaconv.errors import SourceError, SpellingError

__all__ = ["ArraySink", "ArraySource", "array_plan"]


NARROWER = {"float16": "float32"}
"""Dtypes that hoaconv doesn't take, and one that it takes that may hold the same values."""

PIECE_BYTES = 1 << 25
"""Smaller chunks are read several in one call, so that the array is sliced less often."""


class ArraySource(LayeredSource):
    """A source of planes of an array (z, y, x): of NumPy, Dask, h5py, zarr, or sliced like these.

    If an array has chunks, a layer of chunks is read at once and kept until its planes are given.
    Booleans are read as uint8, 0 and 1. Several threads slice the array.

    Parameters
    ----------
    array
        Object with `shape`, `dtype` and slicing. NumPy must be able to make an array of
        ``array[a:b]``, and of ``array[a:b, c:d]`` if there are many chunks along y.

    Raises
    ------
    SourceError
        If the array hasn't three axes, or has a dtype that hoaconv doesn't take.
    """

    spacing = (1, 1, 1)

    def __init__(self, array: Any) -> None:
        shape, dtype = tuple(map(int, array.shape)), np.dtype(array.dtype)
        dtype = np.dtype(np.uint8) if dtype == np.bool_ else dtype.newbyteorder("=")
        if len(shape) != 3:
            raise SourceError(
                f"the array has {len(shape)} axes, {shape}; a volume has three, z, y and x"
            )
        if dtype not in KNOWN:
            known, like = ", ".join(map(str, KNOWN)), NARROWER.get(str(dtype))
            how = f', as in array.astype("{like}")' if like else ""
            raise SourceError(
                f"the array holds {dtype}; hoaconv takes {known}: convert it first{how}"
            )
        if getattr(array, "mask", np.ma.nomask) is not np.ma.nomask:
            raise SourceError(
                "the array is masked, and voxels have no mask: fill it first, as in array.filled(0)"
            )
        self.array = array
        self.is_mask: bool = np.dtype(array.dtype) == np.bool_
        self._spec = Spec((shape[0], shape[1], shape[2]), dtype)
        self.geometry = Geometry()
        self._depth = min(_chunk_length(array, 0), shape[0])

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on how the voxels are read, for the user."""
        bools = np.dtype(self.array.dtype) == np.bool_
        return ("the array holds booleans; they are read as uint8, 0 and 1",) if bools else ()

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry of all planes."""
        return replace(self._spec, geometry=self.geometry)

    @property
    def files(self) -> tuple[Path, ...]:
        """File or folder of a memory map, or of an array of h5py or zarr; empty if unknown."""
        name = getattr(self.array, "filename", None)
        name = name or getattr(getattr(self.array, "file", None), "filename", None)
        if name:
            return (Path(name),)
        root = getattr(getattr(self.array, "store", None), "root", None)
        return () if root is None else (Path(root) / str(getattr(self.array, "path", "")) / "c",)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all planes, decoded, since the stored size of the array is unknown."""
        return self._spec.nbytes

    @property
    def depth(self) -> int:
        """Number of planes of a layer of chunks."""
        return self._depth

    @property
    def planes(self) -> range:
        """All planes of the array."""
        return range(self._spec.planes)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Rows and columns of each piece: whole chunks along y, several if small; all columns."""
        (ny, nx), rows = self._spec.plane_shape, _chunk_length(self.array, 1)
        many = -(-PIECE_BYTES // (self._depth * rows * nx * self._spec.dtype.itemsize))
        return tuple((band, slice(0, nx)) for band in bands(ny, many * rows))

    def piece_bytes(self, planes: int) -> int:  # noqa: ARG002 - a chunk is decoded whole
        """Return the bytes held while a piece is read, besides the planes.

        For NumPy arrays it is 0. For others it is twice the bytes of a piece, since their libraries
        decode chunks and then join them.
        """
        if isinstance(self.array, np.ndarray):
            return 0
        tallest: int = max(rows.stop - rows.start for rows, _ in self.pieces)
        row: int = self._spec.plane_bytes // self._spec.plane_shape[0]
        return 2 * self._depth * tallest * row

    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        """Copy a piece of some planes of a layer, in ascending order, into `out` (z, y, x).

        Raises
        ------
        SourceError
            If the array can't be read there, or gives another shape.
        """
        start, stop = planes[0], planes[-1] + 1
        slab = self._slab(start, stop, piece[0])
        out[...] = slab if len(planes) == len(slab) else slab[[z - start for z in planes]]
        _unload(self.array)

    def _slab(self, start: int, stop: int, rows: slice) -> Slab:
        """Return rows of planes `start` to `stop` - 1 as a NumPy array (z, y, x)."""
        whole = len(self.pieces) == 1
        try:
            slab = np.asarray(self.array[start:stop] if whole else self.array[start:stop, rows])
        except Exception as error:  # each library raises exceptions of its own
            raise SourceError(f"planes {start} to {stop - 1} can't be read: {error}") from error
        if slab.dtype.newbyteorder("=") != np.dtype(self.array.dtype).newbyteorder("="):
            raise SourceError(
                f"planes {start} to {stop - 1} of the array are {slab.dtype}, but the array says "
                f"{self.array.dtype}"
            )
        shape = (stop - start, rows.stop - rows.start, self._spec.shape[2])
        if slab.shape != shape:
            raise SourceError(
                f"planes {start} to {stop - 1} of the array have the shape {slab.shape}, "
                f"not {shape}"
            )
        return slab

    def at(self, geometry: Geometry) -> "ArraySource":
        """Return this volume with another voxel size or origin."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    def __str__(self) -> str:
        return f"{type(self.array).__module__.partition('.')[0]} array"


def array_plan(array: Any) -> Plan:
    """Return the plan that reads an array (z, y, x) or (y, x), which an op takes beside a volume.

    Nothing is copied.

    Raises
    ------
    SpellingError
        If it has other axes.
    SourceError
        If hoaconv doesn't take its dtype.
    """
    if len(array.shape) == 2 and isinstance(array, np.ndarray):
        array = array[np.newaxis]
    if len(array.shape) != 3:
        raise SpellingError(
            f"an array of the shape {tuple(array.shape)} is no operand: give one with the axes "
            "(z, y, x) or, in NumPy, (y, x)"
        )
    return Plan.read(ArraySource(array))


def _unload(array: Any) -> None:
    """Give the pages of a memory map back: they would count as memory that the process holds.

    The file's contents stay in the system's cache. Of a copy-on-write map the pages are the data.
    """
    pages: Any = getattr(array, "_mmap", None) if isinstance(array, np.memmap) else None
    if hasattr(pages, "madvise") and array.mode != "c":
        pages.madvise(mmap.MADV_DONTNEED)


def _chunk_length(array: Any, axis: int) -> int:
    """Return the length of a chunk along an axis; without chunks, 1 along z and all along y."""
    chunks = None if isinstance(array, np.ndarray) else getattr(array, "chunks", None)
    if not chunks:
        return 1 if axis == 0 else int(array.shape[axis])
    length = chunks[axis]
    return max(1, int(max(length) if isinstance(length, tuple) else length))


class ArraySink(Sink):
    """A sink of planes into one NumPy array; after the run, it is the attribute `array`."""

    array: Slab

    def infer(self, spec: Spec) -> Spec:
        """Return the spec unchanged: the sink takes any planes."""
        return spec

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:  # noqa: ARG002
        """Return the memory of the array."""
        return (Use(str(self), "the array that is returned", spec.nbytes),)

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:  # noqa: ARG002
        """Return 0 bytes: storing a plane takes no further memory."""
        return 0

    def files(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Return 0: there is no file."""
        return 0

    def trial(self, spec: Spec, plane: Plane) -> float:  # noqa: ARG002 - as above
        """Return 0 seconds: the time to store a plane is negligible."""
        return 0.0

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> Writer:  # noqa: ARG002
        """Allocate the array (z, y, x); return its writer."""
        self.array = np.empty(spec.shape, spec.dtype)
        return _ArrayWriter(self.array)

    def warm(self, spec: Spec) -> None:
        """Do nothing: there are no kernels to compile."""

    def __str__(self) -> str:
        return "array"


class _ArrayWriter(Writer):
    """A writer that lends parts of the array as planes; it copies planes made elsewhere."""

    def __init__(self, array: Slab) -> None:
        self._array, self._next = array, 0
        self._lent: set[int] = set()

    def lend(self, z: int) -> Plane | None:
        self._lent.add(z)
        plane: Plane = self._array[z]
        return plane

    @property
    def filled(self) -> bool:
        return self._next in self._lent

    def take(self, plane: Plane, rows: slice) -> None:
        self._array[self._next, rows] = plane[rows]

    def advance(self) -> None:
        self._next += 1

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: ARG002 - the contract
        return {}

    def release(self) -> None:
        pass

    def abort(self) -> bool:
        return False
