"""Writer of zarr arrays, shard by shard through tensorstore; metadata are written last.

It covers zarr v3 (sharded or not) and v2, as in https://zarr-specs.readthedocs.io. While chunks are
being written there are no metadata, so an unfinished store can't be opened.
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
from hoaconv.io.place import place_at
from hoaconv.io.remote import reason

__all__ = ["ArrayWriter", "write_json", "write_nowhere"]

_OS_ERROR = re.compile(r"\[OS error \d+: ([^\]]*)\]")
"""Form of a file system's message in a tensorstore error, among tensorstore's source locations."""


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
        """Numbers of stored shards or chunks, and of those that are all zeros and not stored."""
        self.files = self.bytes = 0
        """Number of files written, metadata included, and their bytes."""
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
        begun: deque[Any] = deque()
        try:  # no loop here: in Python 3.13 an interrupt at its jumps would escape the `try`
            self._write(begun, z, layer, y, x)
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path}: {_reason(error)}") from error
        finally:
            _settle(begun)
        for row in range(0, layer.shape[1], self.spec.unit[1]):
            self._check_row(z, y + row, x, layer[:, row : row + self.spec.unit[1]])

    def _write(self, begun: deque[Any], z: int, layer: Slab, y: int, x: int) -> None:
        """Write a layer; keep the writes that are under way in `begun`."""
        for rows, columns in regions(layer.shape[1:], self.spec.write_shape[1:]):
            part = layer[:, rows, columns]
            there = (_moved(rows, y), _moved(columns, x))
            target = self._store[z : z + len(layer), *there]
            # `map` starts the write and `extend` keeps it in one step, which no interrupt can
            # divide: every write that has begun must be waited for.
            write = partial(target.write, can_reference_source_data_indefinitely=True)
            begun.extend(map(write, (part,)))
            if len(begun) >= self._in_flight:
                _wait_for_first(begun)
        while begun:
            _wait_for_first(begun)

    def _check_row(self, z: int, y: int, x: int, row: Slab) -> None:
        """Compare a row of units with the listing of their folder, and count them.

        Raises
        ------
        StoreError
            If a file is empty, or a file is missing whose unit isn't all zeros.
        """
        depth, height, width = self.spec.unit
        prefix = ("c",) if self.spec.zarr_format == 3 else ()
        folder = self.path.joinpath(*prefix, str(z // depth), str(y // height))
        try:
            sizes = place_at(folder).sizes(first=x // width, count=-(-row.shape[2] // width))
        except StoreError:
            raise
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
        """Raise StoreError if there are fewer files than were written."""
        try:
            found = place_at(self.path).count()
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"{self.path}: {_reason(error)}") from error
        if found < self.files:
            raise StoreError(
                f"{self.path}: {self.files - found} of {self.files} files that were written are "
                "missing: somebody removed them meanwhile, or its disk fails; convert again"
            )

    def write_metadata(self) -> None:
        """Write the metadata, which make the array readable; call this after all layers.

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
    opened = _open_spec(Path(), spec, workers=1) | {"kvstore": {"driver": "memory"}}
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


def _reason(error: Exception) -> str:
    found = _OS_ERROR.search(str(error))
    text = found[1] if found else reason(error, {}).splitlines()[0]
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
        raise StoreError(f"{path}: {_reason(error)}") from error
