"""Zarr arrays that tensorstore can't read, opened by zarr-python: filters, codecs of numcodecs.

Nobody imports this module but `hoaconv.io.zarr_array`, when it needs it: zarr-python is an extra.
"""

import warnings
from contextlib import suppress
from functools import cached_property
from math import prod
from typing import Any

import numcodecs
import numpy as np
import zarr
from numcodecs.errors import UnknownCodecError
from zarr.storage import LocalStore, ZipStore

from hoaconv.errors import SourceError
from hoaconv.io.kv_folder import ZipFolder
from hoaconv.io.store_folder import LocalFolder
from hoaconv.io.tensorstore_array import packed_bytes, unread
from hoaconv.io.zarr_array import StoredZarr, codecs_in
from hoaconv.io.zarr_store import ArrayNode

__all__ = ["ZarrPythonArray"]

_OWN = "numcodecs."
"""What the names of codecs of numcodecs begin with in zarr v3."""

_COPIES = 3
"""Times that a chunk is held while it is decoded: packed, and before and behind a filter."""


class ZarrPythonArray(StoredZarr):
    """An array that zarr-python has opened.

    Parameters
    ----------
    node
        Its metadata.
    codec
        The codec that tensorstore doesn't know, if that is why; for the note.

    Raises
    ------
    SourceError
        If it can't be opened.
    """

    def __init__(self, node: ArrayNode, codec: str | None = None) -> None:
        _check_codecs(node)
        self._array = _opened(node)
        self._tell(node)
        why = f"its codec {codec}" if codec else "it"
        self.notes += (f"{self} is read by zarr-python, since tensorstore can't read {why}",)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(self._array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the stored voxels."""
        dtype: np.dtype[Any] = np.dtype(self._array.dtype)
        return dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk; in a shard, of one of its chunks."""
        return tuple(self._array.chunks)

    def refuse_missing(self) -> None:
        """Refuse it: zarr-python fills in missing chunks without a word."""
        raise SourceError(
            f"{self} is read by zarr-python, which doesn't tell missing chunks; drop `missing`"
        )

    @property
    def file_shape(self) -> tuple[int, ...]:
        """Shape of what a file holds."""
        return tuple(self._array.shards or self._array.chunks)

    def reading_bytes(self, chunks: int) -> int:
        """Return the bytes of so many chunks while they are decoded."""
        return _COPIES * chunks * prod(self.chunks) * self.dtype.itemsize

    def read(self, box: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return the voxels of a box. A missing chunk has the fill value.

        Raises
        ------
        SourceError
            If a stored chunk can't be read completely.
        """
        try:
            voxels: np.ndarray[Any, Any] = np.asarray(self._array[box])
        except Exception as error:  # for damaged chunks, codecs raise exceptions of any kind
            raise unread(self.path, box, _words(error)) from error
        return voxels

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of all chunks or shards on disk, estimated as tensorstore's arrays are."""
        objects = tuple(self._array.shards or self._array.chunks)
        raw = prod(self.shape) * self.dtype.itemsize
        return packed_bytes(self.node.folder, self.shape, objects, self.key, raw)


def _opened(node: ArrayNode) -> Any:
    folder = node.folder
    store: Any
    if isinstance(folder, LocalFolder):
        store, inside = LocalStore(folder.path, read_only=True), ""
    elif isinstance(folder, ZipFolder):
        store, inside = ZipStore(folder.file, mode="r"), folder.inside
    else:
        raise SourceError("zarr-python is asked for stores on file systems and in zip files only")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of codecs and dtypes without a specification
            version: Any = node.zarr_format
            return zarr.open_array(store, path=inside, mode="r", zarr_format=version)
    except Exception as error:  # of any kind, for metadata that are damaged
        raise SourceError(_words(error)) from error


def _check_codecs(node: ArrayNode) -> None:
    """Raise SourceError for a codec that isn't installed: zarr-python would tell when it reads."""
    for name in codecs_in(node.metadata):
        if name.startswith(_OWN):
            with suppress(TypeError):  # it is there, and wants settings
                _check_there(name.removeprefix(_OWN))


def _check_there(codec: str) -> None:
    try:
        numcodecs.get_codec({"id": codec})
    except UnknownCodecError as error:
        raise SourceError(_words(error)) from error


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
