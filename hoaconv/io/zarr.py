"""Zarr arrays, written shard by shard through tensorstore; metadata comes last.

zarr v3 (sharded or not) and v2, as in https://zarr-specs.readthedocs.io. While chunks are
being written there is no metadata at all: a store that was left half-made can't be opened.
"""

import json
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import tensorstore as ts

from hoaconv.engine import stop
from hoaconv.engine.spec import Slab
from hoaconv.errors import StoreError
from hoaconv.io.array_spec import ArraySpec, regions
from hoaconv.io.kvstore import kvstore
from hoaconv.io.listing import count_files, sizes_of

__all__ = ["ArrayWriter", "write_json", "write_nowhere"]

_OS_ERROR = re.compile(r"\[OS error \d+: ([^\]]*)\]")
"""How tensorstore tells what the file system said, amid its own source locations."""


class ArrayWriter:
    """Writes layers of an array, unit by unit, a bounded number at once.

    No object is read back: every unit is written whole. All-zero chunks are not stored. After each
    layer its folders are listed: what was written has to be there.

    Parameters
    ----------
    guard
        Called before each layer; raises StoreError if the folder isn't this run's any more.
    """

    def __init__(
        self,
        path: Path,
        spec: ArraySpec,
        workers: int,
        *,
        lean: bool = False,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self.path, self.spec, self._guard = path, spec, guard
        self.stored = self.empty = 0
        """Shards or chunks that are there, and those of zeros, which are not stored."""
        self.files = self.bytes = 0
        """Files written, metadata included, and their bytes."""
        self._in_flight = spec.in_flight(workers, lean=lean)
        self._store = ts.open(_open_spec(path, spec, workers)).result()

    def write_layer(self, z: int, layer: Slab, y: int = 0, x: int = 0) -> None:
        """Write planes `z` onward; returns when they are stored, so that `layer` is free again.

        A piece of a layer begins at row `y` and column `x`, and is made of whole units.

        Raises
        ------
        StoreError
            If the file system refuses, the folder isn't this run's any more, or a file is missing.
        """
        self._guard()
        begun: deque[Any] = deque()
        try:  # without a loop: an interrupt at its jumps would be outside, in Python 3.13
            self._write(begun, z, layer, y, x)
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path}: {_reason(error)}") from error
        finally:
            _settle(begun)
        for row in range(0, layer.shape[1], self.spec.unit[1]):
            self._check_row(z, y + row, x, layer[:, row : row + self.spec.unit[1]])

    def _write(self, begun: deque[Any], z: int, layer: Slab, y: int, x: int) -> None:
        """Write a layer; `begun` holds the writes that are under way."""
        for rows, columns in regions(layer.shape[1:], self.spec.write_shape[1:]):
            part = layer[:, rows, columns]
            there = (_moved(rows, y), _moved(columns, x))
            target = self._store[z : z + len(layer), *there]
            # In one step, which no interrupt can divide: a write that has begun is waited for.
            write = partial(target.write, can_reference_source_data_indefinitely=True)
            begun.extend(map(write, (part,)))
            if len(begun) >= self._in_flight:
                _wait_for_first(begun)
        while begun:
            _wait_for_first(begun)

    def _check_row(self, z: int, y: int, x: int, row: Slab) -> None:
        """Hold a row of units against the folder that they lie in, and count them.

        Raises
        ------
        StoreError
            If one is missing that isn't all zeros, or is empty.
        """
        depth, height, width = self.spec.unit
        prefix = ("c",) if self.spec.zarr_format == 3 else ()
        folder = self.path.joinpath(*prefix, str(z // depth), str(y // height))
        try:
            sizes = sizes_of(folder, first=x // width, count=-(-row.shape[2] // width))
        except OSError as error:
            raise StoreError(f"{folder}: {_reason(error)}") from error
        for i, size in enumerate(sizes):
            if size:
                self.stored += 1
                self.files += 1
                self.bytes += size
            elif size == 0 or row[:, :, i * width : (i + 1) * width].any():
                what = "is empty" if size == 0 else "is missing"
                raise StoreError(
                    f"{folder / str(x // width + i)} was written and {what}: the folder was moved "
                    "or changed meanwhile, or its disk fails; convert again"
                )
            else:
                self.empty += 1

    def _check_count(self) -> None:
        """Hold how many files there are against how many were written."""
        try:
            found = count_files(self.path)
        except OSError as error:
            raise StoreError(f"{self.path}: {_reason(error)}") from error
        if found < self.files:
            raise StoreError(
                f"{self.path}: {self.files - found} of {self.files} files that were written are "
                "missing: somebody removed them meanwhile, or its disk fails; convert again"
            )

    def write_metadata(self) -> None:
        """Make the array readable: to be called when all layers are written.

        Raises
        ------
        StoreError
            If files of earlier layers are gone, or the file system refuses.
        """
        self._check_count()
        name = "zarr.json" if self.spec.zarr_format == 3 else ".zarray"
        written = {name: self.spec.metadata()}
        if self.spec.zarr_format == 2:
            written[".zattrs"] = {"_ARRAY_DIMENSIONS": ["z", "y", "x"]}
        for file, values in written.items():
            self.files += 1
            self.bytes += write_json(self.path / file, values)


def _moved(where: slice, by: int) -> slice:
    return slice(where.start + by, where.stop + by)


def _open_spec(path: Path, spec: ArraySpec, workers: int) -> dict[str, Any]:
    return {
        "driver": "zarr3" if spec.zarr_format == 3 else "zarr",
        "kvstore": kvstore(path),
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
    opened = _open_spec(Path(), spec, workers=1) | {"kvstore": {"driver": "memory"}}
    array = ts.open(opened, context=ts.Context()).result()
    array.write(volume).result()
    chunks: Any = array.kvstore
    keys = [key for key in chunks.list().result() if not key.endswith(METADATA)]
    return sum(len(chunks.read(key).result().value) for key in keys)


METADATA = (b"zarr.json", b".zarray", b".zattrs")


def _wait_for_first(begun: deque[Any]) -> None:
    """It leaves the queue when it is done: an interrupt while waiting must not lose it."""
    stop.wait(partial(_is_done, begun[0]))
    begun[0].result()
    begun.popleft()


def _is_done(future: Any, seconds: float) -> bool:
    """Wait for a write so many seconds; return whether it is done."""
    with suppress(TimeoutError):
        future.exception(timeout=seconds)
    return bool(future.done())


def _settle(begun: deque[Any]) -> None:
    """Wait for writes that nobody asks about any more: they refer to the layer."""
    for future in begun:
        future.exception()


def _reason(error: Exception) -> str:
    found = _OS_ERROR.search(str(error))
    text = found[1] if found else str(error).splitlines()[0]
    if "No space left" in text:
        return "the disk is full; free some space, or write elsewhere"
    return f"can't be written: {text}"


def write_json(path: Path, value: object) -> int:
    """Write a JSON file so that it is there whole or not at all; return its bytes.

    Raises
    ------
    StoreError
        If it can't be written.
    """
    beside = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = beside.write_bytes((json.dumps(value, indent=2) + "\n").encode())
        beside.replace(path)
        return written
    except OSError as error:
        raise StoreError(f"{path}: {_reason(error)}") from error
