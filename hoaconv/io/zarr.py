"""Writer of zarr arrays, shard by shard through tensorstore; metadata are written last.

It covers zarr v3 (sharded or not) and v2, as in https://zarr-specs.readthedocs.io. While chunks are
being written there are no metadata, so an unfinished store can't be opened.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorstore as ts

from hoaconv.engine import stop
from hoaconv.engine.spec import Slab
from hoaconv.errors import StoreError
from hoaconv.io.array_spec import ArraySpec, regions
from hoaconv.io.place import place_at
from hoaconv.io.remote import reason as remote_reason

__all__ = [
    "ArrayWriter",
    "Counts",
    "Row",
    "reason",
    "write_json",
    "write_metadata",
    "write_nowhere",
    "write_parts",
]

_OS_ERROR = re.compile(r"\[OS error \d+: ([^\]]*)\]")
"""Form of a file system's message in a tensorstore error, among tensorstore's source locations."""


@dataclass
class Counts:
    """Counts of what is written of an array, by all sweeps that write it.

    Attributes
    ----------
    stored, empty
        Numbers of stored shards or chunks, and of those of the fill value alone, not stored.
    files, bytes
        Number of files written, metadata included, and their bytes.
    """

    stored: int = 0
    empty: int = 0
    files: int = 0
    bytes: int = 0

    def add(self, other: "Counts") -> None:
        """Add what was counted elsewhere."""
        self.stored += other.stored
        self.empty += other.empty
        self.files += other.files
        self.bytes += other.bytes


class Row(NamedTuple):
    """Shards or chunks side by side along x: their folder, the first one's name, their voxels."""

    folder: Path
    first: int
    units: Sequence[np.ndarray[Any, Any]]


class ArrayWriter:
    """A writer of the layers of an array: it writes a bounded number of units at once.

    No object is read back, since every unit is written whole. All-zero chunks are not stored. After
    each layer its folders are listed to check that every written file exists.

    Parameters
    ----------
    path, spec
        Folder of the array and its specification.
    workers
        Threads that pack and write.
    lean
        If True, fewer calls are under way at once: see `ArraySpec.in_flight`.
    guard
        Function called before each layer; it raises StoreError if the folder no longer belongs to
        this run.
    index
        The index of the volume along each axis before z: see `ArraySpec.leading`.
    counts
        What earlier sweeps have counted of the same array.
    """

    refers = True
    """True if parts are written from where they lie, and not copied before."""

    def __init__(
        self,
        path: Path,
        spec: ArraySpec,
        workers: int,
        *,
        lean: bool = False,
        guard: Callable[[], None] = lambda: None,
        index: tuple[int, ...] = (),
        counts: Counts | None = None,
    ) -> None:
        self.path, self.spec, self._guard, self._index = path, spec, guard, index
        self.counts = counts or Counts()
        self._in_flight = spec.in_flight(workers, lean=lean)
        self._store = ts.open(_open_spec(path, spec, workers)).result()

    def write_layer(self, z: int, layer: Slab, y: int = 0, x: int = 0) -> None:
        """Write a layer (z, y, x) that begins at plane `z`, row `y` and column `x`.

        Return when it is stored, so that `layer` may be used again. `layer` may be a piece of a
        layer, of whole units.

        Raises
        ------
        StoreError
            If the file system refuses, the folder no longer belongs to this run, or a file is
            missing.
        """
        self._guard()
        parts = ((self._store[place], part) for place, part in self._parts(z, layer, y, x))
        try:
            write_parts(parts, self._in_flight, refers=self.refers)
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path}: {reason(error)}") from error
        for row in self._rows(z, layer, y, x):
            self._check_row(row)

    def _parts(self, z: int, layer: Slab, y: int, x: int) -> Iterator[tuple[Any, Any]]:
        """Yield the parts of a layer that are written in one call, each with its place."""
        for rows, columns in regions(layer.shape[1:], self.spec.write_shape[1:]):
            there = (_moved(rows, y), _moved(columns, x))
            yield (*self._index, slice(z, z + len(layer)), *there), layer[:, rows, columns]

    def _rows(self, z: int, layer: Slab, y: int, x: int) -> Iterator[Row]:
        """Yield the rows of units of a layer, as they lie in folders."""
        depth, height, width = self.spec.unit
        for start in range(0, layer.shape[1], height):
            row = layer[:, start : start + height]
            numbers = (*self._index, z // depth, (y + start) // height)
            units = [row[:, :, i : i + width] for i in range(0, row.shape[2], width)]
            yield Row(self._folder(numbers), x // width, units)

    def _folder(self, numbers: Sequence[int]) -> Path:
        """Return the folder of the units with these numbers along all axes but x."""
        prefix = ("c",) if self.spec.zarr_format == 3 else ()
        return self.path.joinpath(*prefix, *map(str, numbers))

    def _check_row(self, row: Row) -> None:
        """Compare a row of units with the listing of their folder, and count them.

        Raises
        ------
        StoreError
            If a file is empty, or a file is missing whose unit isn't all zeros.
        """
        try:
            sizes = place_at(row.folder).sizes(row.first, len(row.units))
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"{row.folder}: {reason(error)}") from error
        for i, (size, unit) in enumerate(zip(sizes, row.units, strict=True)):
            if size:
                self.counts.stored += 1
                self.counts.files += 1
                self.counts.bytes += size
            elif size == 0 or not self._is_fill(unit):
                what = "is empty" if size == 0 else "is missing"
                raise StoreError(
                    f"{row.folder / str(row.first + i)} was written and {what}: the folder was "
                    "moved or changed meanwhile, or its disk fails; convert again"
                )
            else:
                self.counts.empty += 1

    def _is_fill(self, unit: np.ndarray[Any, Any]) -> bool:
        """Return whether a unit holds nothing but the fill value, so that it isn't stored."""
        return not unit.any()

    def write_metadata(self) -> None:
        """Write the metadata, which make the array readable; call this after all layers.

        Raises
        ------
        StoreError
            If files of earlier layers are gone, or the file system refuses.
        """
        write_metadata(self.path, self.spec.metadata_files(), self.counts)


def write_parts(parts: Iterable[tuple[Any, Any]], in_flight: int, *, refers: bool = True) -> None:
    """Write parts of arrays through tensorstore; return when all are stored.

    Parameters
    ----------
    parts
        Pairs of a place in a tensorstore, and the voxels for it.
    in_flight
        Number of writes that are under way at once.
    refers
        Whether parts are written from where they lie, and not copied before.

    Raises
    ------
    OSError, ValueError
        If the file system refuses.
    """
    begun: deque[Any] = deque()
    try:  # no loop here: in Python 3.13 an interrupt at its jumps would escape the `try`
        _begin(begun, parts, in_flight, refers)
    finally:
        _settle(begun)


def _begin(
    begun: deque[Any], parts: Iterable[tuple[Any, Any]], in_flight: int, refers: bool
) -> None:
    """Write parts; keep the writes that are under way in `begun`."""
    for target, part in parts:
        # `map` starts the write and `extend` keeps it in one step, which no interrupt can divide:
        # every write that has begun must be waited for.
        write = partial(target.write, can_reference_source_data_indefinitely=refers)
        begun.extend(map(write, (part,)))
        if len(begun) >= in_flight:
            _wait_for_first(begun)
    while begun:
        _wait_for_first(begun)


def write_metadata(path: Path, files: Mapping[str, Any], counts: Counts) -> None:
    """Write the metadata of an array whose chunks are all written, and count them.

    Raises
    ------
    StoreError
        If there are fewer files than were written, or the file system refuses.
    """
    try:
        found = place_at(path).count()
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: {reason(error)}") from error
    if found < counts.files:
        raise StoreError(
            f"{path}: {counts.files - found} of {counts.files} files that were written are "
            "missing: somebody removed them meanwhile, or its disk fails; convert again"
        )
    for file, values in files.items():
        counts.files += 1
        counts.bytes += write_json(path / file, values)


def _moved(where: slice, by: int) -> slice:
    return slice(where.start + by, where.stop + by)


def _open_spec(path: Path, spec: ArraySpec, workers: int) -> dict[str, Any]:
    return {
        "driver": "zarr3" if spec.zarr_format == 3 else "zarr",
        "kvstore": place_at(path).kvstore(),
        "metadata": spec.metadata(),
        "open": True,
        "assume_metadata": True,  # nothing is read or written before the first layer
        "context": {
            "cache_pool": {"total_bytes_limit": 0},
            "data_copy_concurrency": {"limit": workers},
            "file_io_concurrency": {"limit": max(4, workers)},
            "file_io_sync": False,
        },
    }


def write_nowhere(spec: ArraySpec, volume: Slab) -> int:
    """Pack a whole array into memory, which is then let go: for a trial of how long it takes.

    Returns
    -------
    int
        Bytes of the packed chunks.
    """
    alone = replace(spec, leading=(), names=("z", "y", "x"))
    opened = _open_spec(Path(), alone, workers=1) | {"kvstore": {"driver": "memory"}}
    array = ts.open(opened, context=ts.Context()).result()
    array.write(volume).result()
    chunks: Any = array.kvstore
    keys = [key for key in chunks.list().result() if not key.endswith(METADATA)]
    return sum(len(chunks.read(key).result().value) for key in keys)


METADATA = (b"zarr.json", b".zarray", b".zattrs")


def _wait_for_first(begun: deque[Any]) -> None:
    """Wait for the first write, then remove it: an interrupt while waiting must not lose it."""
    stop.wait(partial(_is_done, begun[0]))
    begun[0].result()
    begun.popleft()


def _is_done(future: Any, seconds: float) -> bool:
    """Wait for a write for so many seconds at most; return True if it is done."""
    with suppress(TimeoutError):
        future.exception(timeout=seconds)
    return bool(future.done())


def _settle(begun: deque[Any]) -> None:
    """Wait for the remaining writes and ignore their errors: they refer to the layer's memory."""
    for future in begun:
        future.exception()


def reason(error: Exception) -> str:
    """Return what a tensorstore error means for the user, in words."""
    found = _OS_ERROR.search(str(error))
    text = found[1] if found else remote_reason(error, {}).splitlines()[0]
    if "No space left" in text:
        return "the disk is full; free some space, or write elsewhere"
    return f"can't be written: {text}"


def write_json(path: Path, value: object) -> int:
    """Write a JSON file, completely or not at all; return its bytes.

    Raises
    ------
    StoreError
        If it can't be written.
    """
    content = (json.dumps(value, indent=2) + "\n").encode()
    try:
        place_at(path.parent).write(path.name, content)
        return len(content)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: {reason(error)}") from error
