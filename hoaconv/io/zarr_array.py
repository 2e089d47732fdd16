"""Zarr arrays opened for reading: by tensorstore, or what that can't read by zarr-python."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.chunk_files import ChunkFiles
from hoaconv.io.fetched import fetching_zarr
from hoaconv.io.ome_image import channels_in, image_label_in
from hoaconv.io.packing import sharding_of
from hoaconv.io.stored_array import StoredArray, refused_dtype
from hoaconv.io.tensorstore_array import TensorstoreArray, opened
from hoaconv.io.voxel_size import Axes
from hoaconv.io.zarr_facts import facts_of
from hoaconv.io.zarr_store import ArrayNode

__all__ = ["StoredZarr", "ZarrArray", "codecs_in", "open_zarr"]

_UNKNOWN = re.compile(r'"([^"]+)" is not registered')
"""Form of tensorstore's words on a codec that it doesn't know."""


class StoredZarr(ChunkFiles):
    """An array of a zarr store, with what the metadata tell of it."""

    scheme = "zarr"
    node: ArrayNode

    def _tell(self, node: ArrayNode) -> None:
        """Take over what the metadata tell."""
        self.folder = node.folder
        self.node, self.path, self.name, self.axes = node, node.folder.path, node.name, node.axes
        self.image_name = node.image.name if node.image else None
        self.labels, self.notes = node.labels, node.notes
        self.levels = tuple(level.location for level in node.levels)

    @property
    def is_sharded(self) -> bool:
        """True if chunks lie in shards."""
        return sharding_of(self.node.metadata) is not None

    @property
    def channels(self) -> tuple[Mapping[str, Any], ...]:
        """``label`` and ``color`` of each channel, as far as the image's metadata tell."""
        return channels_in(self.node.around)

    @property
    def image_label(self) -> Mapping[str, Any]:
        """Colors and properties of labels, as the metadata of a label image tell them."""
        return image_label_in(self.node.around)

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder of the chunks."""
        return self.node.folder.files("c" if self.node.zarr_format == 3 else "0")

    def step(self, axis: int) -> tuple[float, str]:
        """Return step and unit of an axis as the image around the array tells."""
        image = self.node.image
        return image.step(self.node.level, axis) if image else super().step(axis)

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of the voxels as the image around the array tells."""
        return self.node.geometry(axes)

    def facts(self) -> dict[str, Any]:
        """Return what the metadata tell of the array and of the image around it."""
        return facts_of(self.node, self.file_shape, self.chunks)

    def key(self, where: Sequence[int]) -> str:
        """Return the file of a chunk or shard, relative to the array's folder."""
        numbers, metadata = map(str, where), self.node.metadata
        if self.node.zarr_format == 2:
            return str(metadata.get("dimension_separator", ".")).join(numbers) or "0"
        encoding = metadata["chunk_key_encoding"]
        default = encoding["name"] == "default"
        separator = encoding.get("configuration", {}).get("separator", "/" if default else ".")
        return str(separator).join([*(["c"] if default else []), *numbers])


class ZarrArray(StoredZarr, TensorstoreArray):
    """An array that tensorstore has opened.

    Parameters
    ----------
    node
        Its metadata.
    kvstore
        Specification of its folder.

    Raises
    ------
    SourceError
        If it can't be opened.
    """

    def __init__(self, node: ArrayNode, kvstore: Mapping[str, Any]) -> None:
        driver = "zarr3" if node.zarr_format == 3 else "zarr"
        spec = {"driver": driver, "kvstore": kvstore}
        super().__init__(node.folder, opened(node.folder, spec))
        self._tell(node)
        if node.folder.is_fetched:
            told = node.zarr_format, node.metadata
            self.fetching = fetching_zarr(node.folder, *told, self.chunks, self.key)


def open_zarr(node: ArrayNode) -> StoredArray:
    """Open an array: by tensorstore, or by zarr-python if that alone can.

    Raises
    ------
    SourceError
        If it can't be opened.
    """
    if node.zarr_format == 2 and not isinstance(node.metadata.get("dtype"), str):
        raise SourceError(f"{node.folder} has voxels of several fields; hoaconv takes one value")
    kvstore = node.folder.kvstore()
    _check_dtype(node)
    try:
        return ZarrArray(node, kvstore)
    except SourceError as error:
        return _by_zarr_python(node, error)


def _check_dtype(node: ArrayNode) -> None:
    """Raise SourceError if the voxels are no numbers, such as texts or times."""
    told = node.metadata.get("data_type" if node.zarr_format == 3 else "dtype")
    word = told.get("name") if isinstance(told, Mapping) else told
    if not isinstance(word, str):
        return  # who opens the array tells what is wrong
    try:
        dtype = np.dtype(word)
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "buifc":
        name = word if dtype is None else dtype.name
        raise refused_dtype(node.folder, name)


def _by_zarr_python(node: ArrayNode, refused: SourceError) -> StoredArray:
    """Open an array that tensorstore has refused; raise that error if nothing else can either."""
    codec = _refused_codec(node, refused)
    try:
        zarr_python: Any = import_module("hoaconv.io.zarr_python")  # zarr is slow to import
    except ImportError as error:
        if codec is None:
            raise refused from error
        raise SourceError(
            f"{node.folder} has the codec {codec}, which zarr-python may read: "
            f'pip install "hoaconv[zarr]" ({error})'
        ) from error
    try:
        array: StoredArray = zarr_python.ZarrPythonArray(node, codec)
    except SourceError as error:
        if codec is None:
            raise refused from error
        raise SourceError(
            f"{node.folder} can't be opened: neither tensorstore nor zarr-python reads its codec "
            f"{codec} here ({error})"
        ) from error
    return array


def _refused_codec(node: ArrayNode, refused: SourceError) -> str | None:
    """Return the codec of an array that tensorstore doesn't know; None if that isn't why."""
    found = _UNKNOWN.search(str(refused))
    return found[1] if found and found[1] in set(codecs_in(node.metadata)) else None


def codecs_in(metadata: Any) -> Iterator[str]:
    """Give the names of the codecs in the metadata of an array, also of those in shards."""
    both = [metadata.get("codecs"), metadata.get("filters")]
    listed = [codec for codecs in both if isinstance(codecs, list) for codec in codecs]
    for codec in (*listed, metadata.get("compressor")):
        if isinstance(codec, Mapping):
            yield str(codec.get("name", codec.get("id")))
            configuration = codec.get("configuration")
            yield from codecs_in(configuration if isinstance(configuration, Mapping) else {})
