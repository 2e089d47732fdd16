"""Chunked arrays opened for reading, box by box, through tensorstore."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from math import prod
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import tensorstore as ts

from hoaconv.engine import stop
from hoaconv.errors import SourceError
from hoaconv.io.chunk_files import ChunkFiles
from hoaconv.io.fetched import Fetching
from hoaconv.io.store_folder import StoreFolder, words_of

__all__ = ["TensorstoreArray", "opened", "packed_bytes", "unread"]

LOOKED_AT = 1000
"""Files whose sizes are read, at most: the total is estimated from their mean."""


class TensorstoreArray(ChunkFiles):
    """An open array of a store that tensorstore reads.

    Parameters
    ----------
    folder
        Folder of its chunks.
    store
        The array as tensorstore has opened it; its domain may begin anywhere.
    """

    def __init__(self, folder: StoreFolder, store: Any) -> None:
        self._fills_missing = True
        self.folder, self.path = folder, folder.path
        self.fetching: Fetching | None = None
        self.at_once = folder.at_once
        self.store = store[ts.d[:].translate_to[0]] if store.rank else store
        layout = store.chunk_layout
        self._chunks = tuple(map(int, layout.read_chunk.shape or ()))
        self._objects = tuple(map(int, layout.write_chunk.shape or ()))

    @property
    def location(self) -> str:
        """The path or URL that opens it again; paths are absolute."""
        return self.folder.location

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(self.store.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the stored voxels."""
        dtype: np.dtype[Any] = np.dtype(self.store.dtype.numpy_dtype)
        return dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk; in a shard, of one of its chunks."""
        return self._chunks

    @property
    def file_shape(self) -> tuple[int, ...]:
        """Shape of a shard, or of a chunk where there are no shards."""
        return self._objects

    def refuse_missing(self) -> None:
        """Make a missing chunk an error when it is read."""
        spec = self.store.spec().to_json()
        self.store = opened(self.folder, {**spec, "fill_missing_data_reads": False})
        self._fills_missing = False

    @property
    def fills_missing(self) -> bool:
        """True if missing chunks are read as the fill value."""
        return self._fills_missing

    def reading_bytes(self, chunks: int) -> int:
        """Return the bytes of so many chunks, packed and decoded, and of a shard's index."""
        chunk_bytes = prod(self.chunks) * self.dtype.itemsize
        copies = 2 if self.fetching is None else 4  # fetched, and as the store in memory keeps it
        return copies * chunks * chunk_bytes + self._index_bytes

    @property
    def _index_bytes(self) -> int:
        """Bytes of a shard's index of the places of its chunks, packed and unpacked."""
        chunks = prod(-(-o // c) for o, c in zip(self._objects, self.chunks, strict=True))
        return 2 * 16 * chunks if chunks > 1 else 0

    def read(self, box: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return the voxels of a box. A missing chunk has the fill value.

        Raises
        ------
        SourceError
            If a stored chunk can't be read completely.
        """
        try:
            store = self.store if self.fetching is None else self.fetching.around(box)
            coming = (store[box] if box else store).read()
            _wait_for(coming, self.folder.patience)
            voxels: np.ndarray[Any, Any] = coming.result()
        except SourceError:
            raise
        except Exception as error:  # for damaged chunks, codecs raise exceptions of any kind
            if not self._fills_missing and _MISSING.search(str(error)):
                raise absent(self.path, box, words_of(error)) from error
            told, advice = self.folder.told(error), self.folder.advice
            raise unread(self.path, box, told, advice) from error
        return voxels

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of all chunks or shards on disk: see `packed_bytes`."""
        raw = prod(self.shape) * self.dtype.itemsize
        return packed_bytes(self.folder, self.shape, self._objects, self.key, raw)


def opened(folder: StoreFolder, spec: Mapping[str, Any], *, assume_metadata: bool = False) -> Any:
    """Return an array in a folder, opened by tensorstore for reading, which keeps no chunk.

    If `assume_metadata`, the metadata in the specification are taken for those of the store.

    Raises
    ------
    SourceError
        If it can't be opened.
    """
    whole = {**spec, "context": {"cache_pool": {"total_bytes_limit": 0}}}
    try:
        opening = ts.open(whole, open=True, read=True, assume_metadata=assume_metadata)
        return opening.result(timeout=folder.patience)
    except Exception as error:  # of any kind, for metadata that are damaged
        raise SourceError(f"{folder.path} can't be opened: {folder.told(error)}") from error


def packed_bytes(
    folder: StoreFolder,
    shape: Sequence[int],
    objects: Sequence[int],
    key: Callable[[Sequence[int]], str],
    raw: int,
) -> int:
    """Return the bytes of an array on disk, estimated from `LOOKED_AT` files if it has more.

    Parameters
    ----------
    folder
        Folder of its chunks.
    shape, objects
        Shape of the array, and of what lies in one file.
    key
        Names the file at a place in their grid.
    raw
        What is returned where the store tells no sizes.
    """
    known = folder.total()
    if known is not None:
        return known
    counts = [-(-n // c) for n, c in zip(shape, objects, strict=True)]
    total, found = prod(counts), 0
    asked = min(total, LOOKED_AT)
    for i in range(asked):
        size = folder.size(key([int(j) for j in np.unravel_index(i * total // asked, counts)]))
        if size is None:
            return raw
        found += size
    return found * total // max(1, asked)


def unread(
    path: Path, box: tuple[slice, ...], words: str, advice: str = StoreFolder.advice
) -> SourceError:
    """Return the error of a box that can't be read."""
    where = ", ".join(f"{side.start}:{side.stop}" for side in box)
    return SourceError(
        f"{path}, voxels {where}, can't be read ({words}){f'; {advice}' if advice else ''}"
    )


_MISSING = re.compile(r"NOT_FOUND: chunk .* is missing")
"""Form of tensorstore's words on a chunk that isn't there."""


def absent(path: Path, box: tuple[slice, ...], words: str) -> SourceError:
    """Return the error of a box of which a chunk is missing."""
    where = ", ".join(f"{side.start}:{side.stop}" for side in box)
    return SourceError(
        f"{path}, voxels {where}: {words}; copy the store again, or read such chunks as the fill "
        'value by `missing="fill"`'
    )


def _wait_for(coming: Any, patience: float | None) -> None:
    """Wait until a read is done or has failed.

    Raises
    ------
    TimeoutError
        If it takes longer than `patience` seconds; it is then given up.
    """
    end = None if patience is None else monotonic() + patience

    def is_there(seconds: float) -> bool:
        if end is not None and monotonic() > end:
            coming.cancel()
            raise TimeoutError
        return _is_there(coming, seconds)

    stop.wait(is_there)


def _is_there(coming: Any, seconds: float) -> bool:
    """Wait for a read for so many seconds at most; return True if it is done or has failed."""
    with suppress(TimeoutError):
        coming.exception(timeout=seconds)
    return bool(coming.done())
