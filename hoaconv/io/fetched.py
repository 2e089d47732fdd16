"""Chunks of arrays in zip files, brought into memory before tensorstore decodes them.

tensorstore reads chunks in batches, and a batch with an entry of more than about 4 MB of a zip file
never ends (tensorstore 0.1.86); single reads of parts of entries do. So chunks are read singly,
those in shards by the shard's index, and decoded from a store in memory.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import tensorstore as ts

from hoaconv.errors import SourceError
from hoaconv.io.store_folder import StoreFolder

__all__ = ["Fetching", "fetching_zarr"]

_SHARDS = "sharding_indexed"
_INDEX_BYTES = {"bytes": 0, "crc32c": 4}
"""Codecs of an index of shards, and the bytes that they add."""

_NONE = (1 << 64) - 1
"""Offset of a chunk that a shard lacks."""

Key = Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class Fetching:
    """Reading of an array in a folder whose files are fetched singly.

    Attributes
    ----------
    folder
        Folder of the array.
    driver
        Driver of tensorstore.
    name, metadata
        File of the metadata, and its content, as the fetched chunks need it.
    chunks
        Shape of a chunk, in a shard of one of its chunks.
    key
        Names the file of a chunk, by its place in the grid.
    shards
        How they are read, if there are any.
    """

    folder: StoreFolder
    driver: str
    name: str
    metadata: Mapping[str, Any]
    chunks: Sequence[int]
    key: Key
    shards: "_Shards | None" = None

    def around(self, box: Sequence[slice]) -> Any:
        """Return the array with the chunks alone that a box touches.

        Raises
        ------
        SourceError
            If a file can't be read.
        """
        files = {self.name: json.dumps(self.metadata).encode()}
        sides = zip(box, self.chunks, strict=True)
        ranges = [range(side.start // n, -(-side.stop // n)) for side, n in sides]
        for where in product(*ranges):
            content = (
                self.folder.read(self.key(where))
                if self.shards is None
                else self.shards.chunk(self.folder, where)
            )
            if content is not None:
                files[self.key(where)] = content
        return _in_memory(self.driver, files)


@dataclass(frozen=True)
class _Shards:
    """Layout of chunks in shards: see the section on sharding of the zarr v3 specification."""

    grid: tuple[int, ...]
    codecs: Sequence[Mapping[str, Any]]
    at_start: bool
    key: Key

    def chunk(self, folder: StoreFolder, where: Sequence[int]) -> bytes | None:
        """Return the content of a chunk; None if it is missing."""
        pairs = [divmod(i, n) for i, n in zip(where, self.grid, strict=True)]
        shard = self.key([i for i, _ in pairs])
        nbytes = 16 * prod(self.grid) + sum(_INDEX_BYTES[str(c["name"])] for c in self.codecs)
        place = slice(0, nbytes) if self.at_start else slice(-nbytes, None)
        index = folder.read(shard, place)
        if index is None:
            return None
        offset, length = map(int, self._decoded(index)[tuple(j for _, j in pairs)])
        return None if offset == _NONE else folder.read(shard, slice(offset, offset + length))

    def _decoded(self, index: bytes) -> np.ndarray[Any, Any]:
        shape = [*self.grid, 2]
        metadata = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": shape,
            "data_type": "uint64",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
            "chunk_key_encoding": {"name": "default"},
            "fill_value": 0,
            "codecs": self.codecs,
        }
        key = "/".join(["c", *["0"] * len(shape)])
        files = {"zarr.json": json.dumps(metadata).encode(), key: index}
        decoded: np.ndarray[Any, Any] = _in_memory("zarr3", files).read().result()
        return decoded


def fetching_zarr(
    folder: StoreFolder,
    zarr_format: int,
    metadata: Mapping[str, Any],
    chunks: Sequence[int],
    key: Key,
) -> Fetching:
    """Return how a zarr array is read from a folder whose files are fetched singly.

    Raises
    ------
    SourceError
        If it has shards within shards, or behind another codec.
    """
    if zarr_format == 2:
        return Fetching(folder, "zarr", ".zarray", metadata, chunks, key)
    codecs = metadata["codecs"]
    if not any(codec["name"] == _SHARDS for codec in _all(codecs)):
        return Fetching(folder, "zarr3", "zarr.json", metadata, chunks, key)
    told = codecs[0].get("configuration", {})
    index = [{"configuration": {}, **c} for c in told.get("index_codecs", ())]
    nested = any(codec["name"] == _SHARDS for codec in _all(told.get("codecs", ())))
    if len(codecs) > 1 or nested or not {c["name"] for c in index} <= _INDEX_BYTES.keys():
        raise SourceError(
            f"{folder} has shards within shards, or shards behind another codec, which isn't read "
            "in a zip file: unpack it first"
        )
    whole = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    grid = tuple(n // m for n, m in zip(whole, chunks, strict=True))
    shards = _Shards(grid, index, told.get("index_location") == "start", key)
    regular = {"name": "regular", "configuration": {"chunk_shape": list(chunks)}}
    unsharded = {**metadata, "chunk_grid": regular, "codecs": told["codecs"]}
    return Fetching(folder, "zarr3", "zarr.json", unsharded, chunks, key, shards)


def _all(codecs: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (codec for codec in codecs if isinstance(codec, Mapping))


def _in_memory(driver: str, files: Mapping[str, bytes]) -> Any:
    """Return an array whose files are these."""
    context = ts.Context({"cache_pool": {"total_bytes_limit": 0}})
    store = ts.KvStore.open("memory://", context=context).result()
    for name, content in files.items():
        store.write(name, content).result()
    spec = {"driver": driver, "kvstore": "memory://"}
    return ts.open(spec, context=context, open=True, read=True).result()
