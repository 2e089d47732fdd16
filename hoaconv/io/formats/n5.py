"""N5: datasets, and groups of levels; see `hoaconv.io.n5_store`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.fetched import Fetching
from hoaconv.io.n5_store import ATTRIBUTES, Dataset, find_dataset, is_n5
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.tensorstore_array import TensorstoreArray, opened
from hoaconv.io.voxel_size import Axes

__all__ = ["N5Array", "holds", "open_array"]

_COMPRESSIONS = {
    "raw": (),
    "gzip": ("level", "useZlib"),
    "bzip2": ("blockSize",),
    "xz": ("preset",),
    "blosc": ("cname", "clevel", "shuffle", "blocksize"),
    "zstd": ("level",),
}
"""Compressions that are read, and their settings; programs write others too, such as threads."""


def holds(path: str) -> bool:
    """Return whether a path is that of a store, or lies in one."""
    return is_n5(Path(path))


def open_array(address: Address) -> StoredArray:
    """Open a dataset, or level 0 of a group of levels; no chunk is read.

    Raises
    ------
    SourceError
        If there is none, or it can't be opened.
    """
    return N5Array(find_dataset(address.place, address.credentials))


class N5Array(TensorstoreArray):
    """An open dataset of an N5 store.

    Raises
    ------
    SourceError
        If it can't be opened, or its compression isn't read.
    """

    scheme = "n5"

    def __init__(self, dataset: Dataset) -> None:
        metadata = _metadata(dataset)
        spec = {"driver": "n5", "kvstore": dataset.folder.kvstore(), "metadata": metadata}
        # Attributes besides these are anything, which tensorstore would stumble over.
        super().__init__(dataset.folder, opened(dataset.folder, spec, assume_metadata=True))
        self.dataset, self.name, self.axes = dataset, dataset.name, dataset.axes
        self.levels = tuple(level.location for level in dataset.levels)
        if dataset.folder.is_fetched:
            files = dataset.folder, "n5", ATTRIBUTES
            self.fetching = Fetching(*files, metadata, self.chunks, self.key)
        if dataset.without_unit:
            self.notes = (
                f"{self} tells a voxel size without a unit, which isn't used; give `voxel_size`",
            )

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder of the chunks, which N5 calls blocks."""
        return self.folder.files("0")

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of the voxels as the attributes tell."""
        return self.dataset.geometry(axes)

    def key(self, where: Sequence[int]) -> str:
        """Return the file of a chunk by its place in the grid of chunks."""
        return "/".join(map(str, where))


def _metadata(dataset: Dataset) -> dict[str, Any]:
    """Return what tensorstore needs of the attributes."""
    attributes = dataset.attributes
    compression = attributes.get("compression", {"type": attributes.get("compressionType", "raw")})
    told = compression if isinstance(compression, dict) else {"type": compression}
    kind = str(told.get("type"))
    if kind not in _COMPRESSIONS:
        raise SourceError(
            f"{dataset.folder} has the compression {kind}, which isn't read; hoaconv reads "
            f"{', '.join(_COMPRESSIONS)}: copy it with one of these"
        )
    settings = {key: told[key] for key in _COMPRESSIONS[kind] if key in told}
    return {
        "dimensions": attributes["dimensions"],
        "blockSize": attributes["blockSize"],
        "dataType": attributes["dataType"],
        "compression": {"type": kind, **settings},
    }
