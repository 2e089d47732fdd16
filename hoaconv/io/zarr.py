"""Zarr arrays, written shard by shard through tensorstore; metadata comes last.

zarr v3 (sharded or not) and v2, as in https://zarr-specs.readthedocs.io. While chunks are
being written there is no metadata at all: a store that was left half-made can't be opened.
"""

import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from hoaconv.engine import stop
from hoaconv.engine.spec import Slab
from hoaconv.errors import SpellingError, StoreError
from hoaconv.io.compressor import Compressor
from hoaconv.io.kvstore import kvstore
from hoaconv.io.zarr_memory import packing_bytes

__all__ = ["ArraySpec", "ArrayWriter", "write_json", "write_nowhere"]

_OS_ERROR = re.compile(r"\[OS error \d+: ([^\]]*)\]")
"""How tensorstore tells what the file system said, amid its own source locations."""

WRITE_BYTES = 1 << 22
"""Chunks of fewer bytes are written several at a time, so that Python is called less often."""

PIECE_BYTES = 1 << 26
"""A layer that waits in scratch comes back by as many bytes, or by one shard or chunk."""


@dataclass(frozen=True)
class ArraySpec:
    """One array of a store: shape, chunks and shards are (z, y, x), in voxels.

    `shards` is None where every chunk is an object of its own. Chunks and shards are cut to
    what the array needs.

    Raises
    ------
    SpellingError
        For plain zstd in zarr v2: tensorstore leaves the size out of the frame's header, and
        zarr-python, with numcodecs before 0.16, then can't read it.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    chunks: tuple[int, int, int]
    shards: tuple[int, int, int] | None
    compressor: Compressor
    zarr_format: int

    def __post_init__(self) -> None:
        if self.zarr_format == 2 and self.compressor.codec == "zstd":
            raise SpellingError(
                "plain zstd in zarr v2 can't be read by every reader; write "
                f"--compressor blosc-zstd:{min(max(self.compressor.level, 1), 9)}:shuffle, "
                "or take --ngff 0.5"
            )
        cut = _map(min, self.chunks, self.shape)
        object.__setattr__(self, "chunks", cut)
        if self.shards is not None:
            whole = _map(lambda n, c: -(-n // c) * c, self.shape, cut)
            inside = _map(lambda s, c: -(-s // c) * c, self.shards, cut)
            object.__setattr__(self, "shards", _map(min, inside, whole))

    @property
    def unit(self) -> tuple[int, int, int]:
        """What is written whole, once: the shard, else the chunk."""
        return self.shards or self.chunks

    @property
    def objects(self) -> int:
        """Shards or chunks that the array has."""
        return prod(-(-n // u) for n, u in zip(self.shape, self.unit, strict=True))

    @property
    def write_shape(self) -> tuple[int, int, int]:
        """Voxels written in one call: a unit, or as many chunks along x as are worth a call."""
        size = prod(self.unit) * self.dtype.itemsize
        many = max(1, WRITE_BYTES // size)
        return (*self.unit[:2], self.unit[2] * many)

    @property
    def piece_shape(self) -> tuple[int, int, int]:
        """Voxels of a piece: what comes back at once of a layer in scratch, to be written."""
        depth, height, width = self.write_shape
        many = max(1, PIECE_BYTES // (prod(self.write_shape) * self.dtype.itemsize))
        return _map(min, (depth, height, width * many), self.shape)

    @property
    def pieces(self) -> tuple[tuple[slice, slice], ...]:
        """Rows and columns of a layer's pieces."""
        return tuple(_regions(self.shape[1:], self.piece_shape[1:]))

    @property
    def piece_count(self) -> int:
        """How many pieces a layer has; a plan of a huge volume counts them and lists none."""
        return _cells(self.shape[1:], self.piece_shape[1:])

    def in_flight(self, workers: int, *, lean: bool) -> int:
        """Calls under way at once.

        So many that each worker has two chunks to pack, or, `lean`, one. A whole shard is then
        put to disk by one thread, which takes up to a quarter of what packing it takes: for every
        four workers one more shard is packed meanwhile, but never more than half a layer at once.
        """
        chunks = prod(self.write_shape) // prod(self.chunks)
        packed = -(-(workers if lean else 2 * workers) // chunks)
        if lean or not self.shards:
            return packed
        calls = _cells(self.shape[1:], self.write_shape[1:])  # of one layer
        return max(packed, min(1 + -(-workers // 4), calls // 2))

    def write_bytes(self, workers: int, *, lean: bool) -> int:
        """Bytes held while a layer is being written, besides the layer.

        Where the array ends within a shard, tensorstore copies all its chunks.
        """
        chunk, sharded = prod(self.chunks), self.shards is not None
        chunks = -(-self._voxels_in_flight(workers, lean=lean) // chunk)
        copied = any(n % u for n, u in zip(self.shape, self.unit, strict=True))
        packed = chunks, chunk * self.dtype.itemsize, self.compressor, workers
        return packing_bytes(*packed, sharded=sharded, copied=copied)

    def _voxels_in_flight(self, workers: int, *, lean: bool) -> int:
        """Voxels of the chunks in the calls under way, the most of any one after another."""
        padded = [-(-n // c) * c for n, c in zip(self.shape[1:], self.chunks[1:], strict=True)]
        depth, height, width = self.write_shape
        calls, row = self.in_flight(workers, lean=lean), -(-self.shape[2] // width)
        last = calls // row  # of so many calls at the least, each is the last of its row
        columns = (calls - last) * width + last * (padded[1] - (row - 1) * width)
        return min(depth * min(height, padded[0]) * columns, self.unit[0] * prod(padded))

    def metadata(self) -> dict[str, Any]:
        """The array's ``zarr.json`` or ``.zarray``."""
        return self._v3() if self.zarr_format == 3 else self._v2()

    def _v3(self) -> dict[str, Any]:
        # The checksum makes a flipped byte an error: few compressors notice it themselves.
        packed = [_bytes_codec(), *self.compressor.v3(self.dtype.itemsize), {"name": "crc32c"}]
        sharding = {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": list(self.chunks),
                "codecs": packed,
                "index_codecs": [_bytes_codec(), {"name": "crc32c"}],
                "index_location": "end",
            },
        }
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.unit)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [sharding] if self.shards else packed,
            "dimension_names": ["z", "y", "x"],
            "attributes": {},
        }

    def _v2(self) -> dict[str, Any]:
        return {
            "zarr_format": 2,
            "shape": list(self.shape),
            "chunks": list(self.chunks),
            "dtype": self.dtype.newbyteorder("<").str,
            "compressor": self.compressor.v2(),
            "fill_value": 0,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }


def _bytes_codec() -> dict[str, Any]:
    return {"name": "bytes", "configuration": {"endian": "little"}}


def _map(function: Any, *triples: tuple[int, int, int]) -> tuple[int, int, int]:
    z, y, x = (function(*values) for values in zip(*triples, strict=True))
    return z, y, x


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
        for rows, columns in _regions(layer.shape[1:], self.spec.write_shape[1:]):
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
        sizes = _sizes(folder, first=x // width, count=-(-row.shape[2] // width))
        for i, size in enumerate(sizes):
            if size:
                self.stored, self.files, self.bytes = (
                    self.stored + 1,
                    self.files + 1,
                    self.bytes + size,
                )
            elif size == 0 or row[:, :, i * width : (i + 1) * width].any():
                what = "is empty" if size == 0 else "is missing"
                raise StoreError(
                    f"{folder / str(x // width + i)} was written and {what}: the folder was moved "
                    "or changed meanwhile, or its disk fails; convert again"
                )
            else:
                self.empty += 1

    def write_metadata(self) -> None:
        """Make the array readable: to be called when all layers are written."""
        name = "zarr.json" if self.spec.zarr_format == 3 else ".zarray"
        written = {name: self.spec.metadata()}
        if self.spec.zarr_format == 2:
            written[".zattrs"] = {"_ARRAY_DIMENSIONS": ["z", "y", "x"]}
        for file, values in written.items():
            self.files += 1
            self.bytes += write_json(self.path / file, values)


def _sizes(folder: Path, first: int, count: int) -> list[int | None]:
    """Return the bytes of files called `first`, ...; None for each that isn't there.

    One listing instead of a question a file: most of a brain's chunks may be zeros.
    """
    wanted = {str(first + i): i for i in range(count)}
    sizes: list[int | None] = [None] * count
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in wanted:
                    sizes[wanted[entry.name]] = entry.stat().st_size
    except FileNotFoundError:
        pass  # no chunk of this row is stored, or somebody has removed the folder
    except OSError as error:
        raise StoreError(f"{folder}: {_reason(error)}") from error
    return sizes


def _cells(shape: tuple[int, int], by: tuple[int, int]) -> int:
    """How many cells a grid has."""
    return prod(-(-n // step) for n, step in zip(shape, by, strict=True))


def _regions(shape: tuple[int, int], by: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of a grid's cells, cut at the ends."""
    (ny, nx), (dy, dx) = shape, by
    for y, x in product(range(0, ny, dy), range(0, nx, dx)):
        yield slice(y, min(y + dy, ny)), slice(x, min(x + dx, nx))


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


def write_nowhere(spec: ArraySpec, volume: Slab) -> None:
    """Pack a whole array into memory, which is then let go: for a trial of how long it takes."""
    opened = _open_spec(Path(), spec, workers=1) | {"kvstore": {"driver": "memory"}}
    ts.open(opened).result().write(volume).result()


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
