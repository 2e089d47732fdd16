"""Encoded chunks copied as they are: into files of their own or into shards, and out of these.

A chunk is not decoded where source and output have the same chunks, codecs and dtype.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import tensorstore as ts

from hoaconv.engine import stop
from hoaconv.errors import SourceError, StoreError
from hoaconv.io.array_layout import INDEX_CODECS, Layout
from hoaconv.io.kvstore import kvstore
from hoaconv.io.packing import sharding_of
from hoaconv.io.store_folder import words_of
from hoaconv.io.zarr import Counts, reason
from hoaconv.io.zarr_array import ZarrArray

__all__ = ["ChunkCopy", "copies", "copy_number"]

Index = tuple[int, ...]

HELD = 3
"""Bytes that are held for a byte of a unit: read, put together, written."""

INDEX_POOL = 1 << 24
"""Bytes of memory for indexes of shards that are read."""


def copies(array: ZarrArray, source: Layout, made: Layout) -> bool:
    """Return whether the chunks of an array can be copied into another without being decoded."""
    sharding = sharding_of(array.node.metadata)
    if sharding is not None and (
        len(array.node.metadata["codecs"]) > 1 or sharding_of(sharding) is not None
    ):
        return False  # a shard is packed once more, or holds shards
    one, other = source.packing, made.packing
    same_format = one.zarr_format == other.zarr_format
    same = one == other if same_format else one.form is not None and one.form == other.form
    fills = (source.bits, made.bits)
    filled = all(fill is not None for fill in fills) and bool(fills[0] == fills[1])
    return source.chunks == made.chunks and source.dtype == made.dtype and same and filled


def copy_number(array: ZarrArray, path: Path, made: Layout, counts: Counts) -> None:
    """Write an array without axes, which is one number.

    Raises
    ------
    SourceError
        If it can't be read.
    StoreError
        If it can't be written.
    """
    files = made.files()
    spec = {
        "driver": "zarr3" if made.zarr_format == 3 else "zarr",
        "kvstore": kvstore(path),
        "metadata": files.get("zarr.json") or files[".zarray"],
        "open": True,
        "assume_metadata": True,
    }
    number = array.read(())
    try:
        ts.open(spec).result().write(number).result()
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: {reason(error)}") from error
    file = path / ("c" if made.zarr_format == 3 else "0")
    if file.is_file():
        counts.add(Counts(1, 0, 1, file.stat().st_size))


class ChunkCopy:
    """The copy of one array, file by file.

    Parameters
    ----------
    array
        The array to read.
    path, made
        Folder of the array to write, and its form.
    guard
        Function called before each file; it raises StoreError if the folder is not this run's.
    """

    def __init__(
        self, array: ZarrArray, path: Path, made: Layout, guard: Callable[[], None]
    ) -> None:
        self._array, self._path, self._made, self._guard = array, path, made, guard
        context = {
            "cache_pool": {"total_bytes_limit": INDEX_POOL},
            "file_io_sync": False,
        }
        self._context = ts.Context(context)
        self._sharded = array.is_sharded
        self._within = tuple(o // c for o, c in zip(array.file_shape, array.chunks, strict=True))
        self._source = self._kvstore(array.node.folder.kvstore())
        self._out = self._kvstore(kvstore(path))

    @property
    def units(self) -> Iterator[Index]:
        """Number along each axis of each file that may be written."""
        return product(*(range(-(-n // u)) for n, u in self._sides))

    @property
    def count(self) -> int:
        """Number of files that may be written."""
        return prod(-(-n // u) for n, u in self._sides)

    @property
    def _sides(self) -> list[tuple[int, int]]:
        return list(zip(self._made.shape, self._made.unit, strict=True))

    @staticmethod
    def held_bytes(made: Layout) -> int:
        """Return the bytes that are held while a file is written, if no chunk is smaller packed."""
        return HELD * prod(made.unit) * made.dtype.itemsize

    def copy(self, unit: Index, counts: Counts) -> None:
        """Copy the chunks of one file; what is missing stays missing.

        Raises
        ------
        SourceError
            If a chunk can't be read.
        StoreError
            If the file can't be written.
        """
        stop.raise_if_asked()
        self._guard()
        chunks = dict(self._read(unit))
        if not chunks:
            counts.empty += 1
            return
        try:
            if self._made.shards:
                self._write_shard(unit, chunks)
            else:
                (packed,) = chunks.values()
                self._out.write(self._key(unit), packed).result()
            size = (self._path / self._key(unit)).stat().st_size
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._path}: {reason(error)}") from error
        counts.stored += 1
        counts.files += 1
        counts.bytes += size

    def _read(self, unit: Index) -> Iterator[tuple[Index, bytes]]:
        """Yield the chunks that are there of a file, by their numbers in the whole array."""
        sides = zip(unit, self._made.unit, self._made.chunks, self._made.shape, strict=True)
        ranges = [range(i * u // c, -(-min((i + 1) * u, n) // c)) for i, u, c, n in sides]
        asked = [(where, self._begin(where)) for where in product(*ranges)]
        for where, coming in asked:
            try:
                found = coming.result()
            except Exception as error:  # as of a damaged index
                raise SourceError(
                    f"{self._array.path}, chunk {', '.join(map(str, where))}, can't be read "
                    f"({words_of(error)}); copy it again"
                ) from error
            if found.state == "value":
                yield where, found.value

    def _begin(self, where: Index) -> Any:
        if not self._sharded:
            return self._source.read(self._array.key(where))
        file = [i // n for i, n in zip(where, self._within, strict=True)]
        shard = self._shard(
            kvstore_of(self._array.node.folder.kvstore(), self._array.key(file)), *self._stored
        )
        return shard.read(_packed([i % n for i, n in zip(where, self._within, strict=True)]))

    @property
    def _stored(self) -> tuple[Sequence[int], Any, str]:
        own = self._array.node.metadata["codecs"][0]["configuration"]
        return self._within, own.get("index_codecs", INDEX_CODECS), own.get("index_location", "end")

    def _write_shard(self, unit: Index, chunks: dict[Index, bytes]) -> None:
        pairs = zip(self._made.unit, self._made.chunks, strict=True)
        within = [u // c for u, c in pairs]
        base = kvstore_of(kvstore(self._path), self._key(unit))
        whole = ts.Transaction()
        shard = self._shard(base, within, INDEX_CODECS, "end").with_transaction(whole)
        begun = [
            shard.write(_packed([i % n for i, n in zip(where, within, strict=True)]), packed)
            for where, packed in chunks.items()
        ]
        done = whole.commit_async()
        for write in begun:
            write.result()
        done.result()

    def _shard(self, base: Any, within: Sequence[int], codecs: Any, location: str) -> Any:
        spec = {
            "driver": "zarr3_sharding_indexed",
            "base": base,
            "grid_shape": list(within),
            "index_codecs": codecs,
            "index_location": location,
        }
        return ts.KvStore.open(spec, context=self._context).result()

    def _kvstore(self, spec: Any) -> Any:
        return ts.KvStore.open(spec, context=self._context).result()

    def _key(self, unit: Index) -> str:
        prefix = ["c"] if self._made.zarr_format == 3 else []
        return "/".join([*prefix, *map(str, unit)]) or "0"


def kvstore_of(base: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the specification of one file of a folder."""
    return {**base, "path": base["path"] + key}


def _packed(numbers: Sequence[int]) -> bytes:
    """Return the key of a chunk in a shard."""
    return struct.pack(f">{len(numbers)}I", *numbers)
