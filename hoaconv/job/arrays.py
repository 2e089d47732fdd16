"""Arrays at both ends of a sweep: planes from any array, planes into a NumPy array."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Decode, Economy, Fold, Sink, Source, Use, Writer
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import DTYPES, Plane, Slab, Spec
from hoaconv.errors import SourceError

__all__ = ["ArraySink", "ArraySource"]


class ArraySource(Source):
    """Planes of an array (z, y, x): of NumPy, Dask, h5py, zarr, or anything sliced like these.

    Of an array in chunks a layer of chunks is read at once, and kept until its planes are given.
    Booleans are read as uint8, 0 and 1. The array is sliced by several threads.

    Parameters
    ----------
    array
        It has `shape`, `dtype` and slicing; ``array[a:b]`` gives what NumPy takes as an array.

    Raises
    ------
    SourceError
        If it hasn't three axes, or a dtype that hoaconv doesn't take.
    """

    spacing = (1, 1, 1)

    def __init__(self, array: Any) -> None:
        shape, dtype = tuple(map(int, array.shape)), np.dtype(array.dtype)
        dtype = np.dtype(np.uint8) if dtype == np.bool_ else dtype.newbyteorder("=")
        if len(shape) != 3:
            raise SourceError(
                f"the array has {len(shape)} axes, {shape}; a volume has three, z, y and x"
            )
        if dtype not in DTYPES:
            known = ", ".join(map(str, DTYPES))
            raise SourceError(f"the array holds {dtype}; hoaconv takes {known}: convert it first")
        self.array = array
        self._spec = Spec((shape[0], shape[1], shape[2]), dtype)
        self.geometry = Geometry()
        self._depth = min(_chunk_depth(array), shape[0])
        self._first = 0

    @property
    def spec(self) -> Spec:
        """Shape, dtype and geometry of all planes."""
        return replace(self._spec, geometry=self.geometry)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all planes, decoded: how an array is stored is its own affair."""
        return self._spec.nbytes

    def read(self, z: int, out: Plane) -> None:
        """Copy plane `z` into `out`.

        Raises
        ------
        SourceError
            If the array can't be read there.
        """
        out[...] = self._slab(self._first + z, self._first + z + 1)[0]

    def _slab(self, start: int, stop: int) -> Slab:
        """Some of the array's planes, as a NumPy array."""
        try:
            slab = np.asarray(self.array[start:stop])
        except Exception as error:  # whatever library the array is of raises its own
            raise SourceError(f"planes {start} to {stop - 1} can't be read: {error}") from error
        if slab.shape != (stop - start, *self._spec.plane_shape):
            raise SourceError(
                f"planes {start} to {stop - 1} of the array have the shape {slab.shape}, "
                f"not {(stop - start, *self._spec.plane_shape)}"
            )
        return slab

    def scratch(self) -> int:
        """Bytes of a plane, twice: what isn't NumPy's own is decoded, then put together."""
        alone = self._depth == 1 and not isinstance(self.array, np.ndarray)
        return 2 * self._spec.plane_bytes if alone else 0

    @property
    def together(self) -> int:
        """Planes of a layer of chunks."""
        return self._depth

    def holds(self, workers: int) -> int:
        """As many layers as the planes lie in that the threads copy at once.

        Twice, since a layer is decoded chunk by chunk, then put together.
        """
        if self._depth == 1:
            return 0
        layers = (workers + self._depth - 2) // self._depth + 1
        return 2 * min(layers * self._depth, self._spec.planes) * self._spec.plane_bytes

    def at(self, geometry: Geometry) -> "ArraySource":
        """Return the same volume with its voxels of another size, or elsewhere."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    def choose(self, planes: Sequence[int]) -> Source:
        """These planes alone; of planes that follow each other a layer is still read once."""
        if list(planes) != list(range(planes[0], planes[0] + len(planes))):
            return super().choose(planes)
        chosen = copy(self)
        chosen._first = self._first + planes[0]
        chosen._spec = Spec((len(planes), *self._spec.plane_shape), self._spec.dtype)
        return chosen

    def begin(self, buffers: Buffers) -> Callable[[int], Decode]:
        """Begin a sweep, in which every layer is read once."""
        if self._depth == 1:
            return super().begin(buffers)
        layers: dict[int, _Layer] = {}

        def ask(z: int) -> Decode:
            number = (self._first + z) // self._depth
            if number not in layers:  # planes are asked for in order: those before are done
                layers.clear()
                layers[number] = _Layer(partial(self._layer, number))
            return partial(layers[number].give, (self._first + z) % self._depth)

        return ask

    def _layer(self, number: int) -> tuple[Slab, int]:
        """Planes of a layer of chunks, as far as they are wanted, and which of them is first."""
        start = max(number * self._depth, self._first)
        stop = min((number + 1) * self._depth, self._first + self._spec.planes)
        return self._slab(start, stop), start % self._depth

    def __str__(self) -> str:
        return f"{type(self.array).__module__.partition('.')[0]} array"


class _Layer:
    """The planes of one layer of chunks: read when the first is wanted, forgotten with the last."""

    def __init__(self, read: Callable[[], tuple[Slab, int]]) -> None:
        self._read, self._lock = read, Lock()
        self._planes: tuple[Slab, int] | None = None

    def give(self, z: int, out: Plane) -> None:
        with self._lock:
            if self._planes is None:
                self._planes = self._read()
        slab, first = self._planes
        out[...] = slab[z - first]


def _chunk_depth(array: Any) -> int:
    """Planes of a chunk along z; 1 where the array has none."""
    if isinstance(array, np.ndarray):
        return 1
    chunks = getattr(array, "chunks", None)
    if not chunks:
        return 1
    first = chunks[0]
    return max(1, int(max(first) if isinstance(first, tuple) else first))


class ArraySink(Sink):
    """Planes into one NumPy array, which `array` is when the run is over."""

    array: Slab

    def infer(self, spec: Spec) -> Spec:
        """Spec as it is: any fits."""
        return spec

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:  # noqa: ARG002
        """The array."""
        return (Use(str(self), "the array that is returned", spec.nbytes),)

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:  # noqa: ARG002
        """Nothing besides."""
        return 0

    def files(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """No file."""
        return 0

    def trial(self, spec: Spec, plane: Plane) -> float:  # noqa: ARG002 - as above
        """No time that counts."""
        return 0.0

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> Writer:  # noqa: ARG002
        """Make the array."""
        self.array = np.empty(spec.shape, spec.dtype)
        return _ArrayWriter(self.array)

    def warm(self, spec: Spec) -> None:
        """Nothing is compiled."""

    def __str__(self) -> str:
        return "array"


class _ArrayWriter(Writer):
    """Lends planes their places in the array; what is made elsewhere is copied."""

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
