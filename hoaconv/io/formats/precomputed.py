"""Volumes of Neuroglancer's precomputed format, sharded or not, of one or several channels.

The format is described in
https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.kv_folder import folder_at, in_zip
from hoaconv.io.remote_folder import store_at
from hoaconv.io.store_folder import LocalFolder, StoreFolder, read_json
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.stored_objects import Objects
from hoaconv.io.tensorstore_array import TensorstoreArray, opened
from hoaconv.io.voxel_size import Axes, from_axes

__all__ = ["PrecomputedArray", "Scale", "holds", "is_volume", "open_array"]

INFO = "info"
VOLUME = "neuroglancer_multiscale_volume"
_GZIPPED = (".gz", ".br", ".zstd", ".xz", ".bz2")
"""Suffixes of files that CloudVolume packs once more; tensorstore would find no chunk at all."""


@dataclass(frozen=True)
class Scale:
    """A scale of a volume: what other formats call a level.

    Attributes
    ----------
    root
        Folder of the volume, which holds the file ``info``.
    info
        Content of that file.
    number
        Number of the scale in it.
    """

    root: StoreFolder
    info: Mapping[str, Any]
    number: int

    @property
    def told(self) -> Mapping[str, Any]:
        """The entry of this scale in the file."""
        scale: Mapping[str, Any] = self.info["scales"][self.number]
        return scale

    @property
    def folder(self) -> StoreFolder:
        """Folder of its chunks."""
        return self.root.inner(self.told["key"])

    @property
    def offset(self) -> list[int]:
        """Voxels (x, y, z) that the first one lies from the origin of coordinates."""
        return list(self.told.get("voxel_offset") or (0, 0, 0))

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of the voxels, in micrometer.

        There, coordinates begin at the corner of a voxel, and here at the middle of the first one:
        a volume of level 0 that begins at voxel 0 has its origin at 0, and all scales one place.
        """
        first = self.info["scales"][0]["resolution"]
        rows = zip(self.told["resolution"], self.offset, first, strict=True)
        placed = {
            axis: (edge / 1000, ((offset + 0.5) * edge - 0.5 * finest) / 1000, "micrometer")
            for axis, (edge, offset, finest) in enumerate(rows)
        }
        return from_axes(placed, axes, "precomputed info")


def holds(path: str) -> bool:
    """Return whether a path is that of a volume, or lies in one."""
    where = Path(path)
    if in_zip(where) or os.path.isfile(where):
        return False
    folder = folder_at(where)
    if is_volume(folder):
        return True
    if os.path.isdir(where):
        return any(_keys(around, folder) for around in folder.around if around.has(INFO))
    return not has_magic(path) and any(map(is_volume, folder.around))


def open_array(address: Address) -> StoredArray:
    """Open a scale, or the first scale of a volume; no chunk is read.

    Raises
    ------
    SourceError
        If there is none, or it can't be opened.
    """
    folder = store_at(address.place, address.credentials)
    root = next((f for f in (folder, *folder.around) if f.has(INFO)), None)
    if root is None:
        raise SourceError(f"{folder} holds no precomputed volume: there is no file {INFO}")
    if root.is_fetched:
        raise SourceError(f"{root} is precomputed in a zip file, which isn't read: unpack it first")
    info = _checked(root)
    keys = [scale["key"] for scale in info["scales"]]
    if root.path == folder.path:
        return PrecomputedArray(Scale(root, info, 0))
    paths = [root.inner(key).path for key in keys]
    if folder.path not in paths:
        raise SourceError(
            f"{folder} is no scale of a precomputed volume; {root} holds {', '.join(keys)}: name "
            "one of them"
        )
    return PrecomputedArray(Scale(root, info, paths.index(folder.path)))


class PrecomputedArray(TensorstoreArray):
    """An open scale of a volume.

    Raises
    ------
    SourceError
        If it can't be opened.
    """

    scheme = "precomputed"

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        _check_unpacked(scale.folder)
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": scale.root.kvstore(),
            "scale_index": scale.number,
        }
        super().__init__(scale.folder, opened(scale.root, spec))
        # Every volume has an axis of channels here; one channel alone says nothing.
        self.axes = ("x", "y", "z", "c" if self.shape[3] > 1 else None)
        self.name = scale.folder.path.relative_to(scale.root.path.parent).as_posix()
        scales = (scale.root.inner(told["key"]) for told in scale.info["scales"])
        self.levels = tuple(folder.location for folder in scales)

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder of the chunks."""
        return self.folder.files("0")

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of the voxels as the file ``info`` tells."""
        return self.scale.geometry(axes)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all chunks or shards, estimated if there are many chunks."""
        if not self.scale.told.get("sharding"):
            return super().stored_bytes
        shards = (name for name in self.folder.names() if name.endswith(".shard"))
        sizes = [self.folder.size(name) for name in shards]
        if not sizes or None in sizes:
            return int(np.prod(self.shape)) * self.dtype.itemsize
        return sum(size for size in sizes if size)

    def objects(self, seconds: float) -> Objects | None:
        """Count the chunks on disk; shards aren't counted, since one holds chunks from all over."""
        return None if self.scale.told.get("sharding") else super().objects(seconds)

    def objects_of(self, box: tuple[slice, ...], seconds: float) -> Objects | None:
        """Count the chunks that hold the voxels of a box."""
        return None if self.scale.told.get("sharding") else super().objects_of(box, seconds)

    def key(self, where: Sequence[int]) -> str:
        """Return the file of a chunk by its place in the grid of chunks."""
        rows = zip(where[:3], self._objects[:3], self.shape[:3], self.scale.offset, strict=True)
        ends = [(at + i * n, at + min((i + 1) * n, size)) for i, n, size, at in rows]
        return "_".join(f"{start}-{end}" for start, end in ends)


def is_volume(folder: StoreFolder) -> bool:
    """Return whether a folder is that of a volume."""
    try:
        info = read_json(folder, INFO) or {}
    except SourceError:
        return False  # another program's file of this name
    return info.get("@type") == VOLUME or info.keys() >= {"data_type", "num_channels", "scales"}


def _keys(root: StoreFolder, folder: StoreFolder) -> bool:
    """Return whether a folder is that of a scale of the volume in `root`."""
    if not is_volume(root):
        return False
    scales = (read_json(root, INFO) or {}).get("scales")
    listed = scales if isinstance(scales, list) else []
    keys = (scale.get("key") for scale in listed if isinstance(scale, Mapping))
    return any(isinstance(key, str) and root.inner(key).path == folder.path for key in keys)


def _checked(root: StoreFolder) -> Mapping[str, Any]:
    """Return the content of ``info``; raise SourceError if it isn't that of a volume."""
    info = read_json(root, INFO) or {}
    kind = info.get("@type", VOLUME)
    if kind != VOLUME:
        raise SourceError(f"{root} holds {kind}, which is no volume; hoaconv reads {VOLUME}")
    scales = info.get("scales")
    listed = scales if isinstance(scales, list) else []
    if not listed or not all(isinstance(s, Mapping) and _is_whole(s) for s in listed):
        raise SourceError(f"{root}/{INFO} is damaged: it lacks scales with key and resolution")
    return info


def _is_whole(scale: Mapping[str, Any]) -> bool:
    rows = (scale.get("resolution"), scale.get("size"), scale.get("voxel_offset") or [0] * 3)
    numbers = all(isinstance(r, list) and len(r) == 3 and all(map(_is_number, r)) for r in rows)
    return isinstance(scale.get("key"), str) and numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_unpacked(folder: StoreFolder) -> None:
    """Raise SourceError if files of chunks are packed once more, as CloudVolume does."""
    if not isinstance(folder, LocalFolder):
        return
    with os.scandir(folder.path) if folder.exists() else nullcontext(()) as entries:
        first = next((entry.name for entry in entries if entry.is_file()), "")
    if first.endswith(_GZIPPED):
        raise SourceError(
            f"{folder} holds chunks that are packed once more ({first}), as CloudVolume packs them "
            "on a file system, which isn't read: unpack them, or write them with compress=False"
        )
