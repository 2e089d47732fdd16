"""Arrays whose chunks or shards are files, each with a name of its own."""

from abc import abstractmethod
from collections.abc import Sequence
from math import prod

from hoaconv.io.store_folder import LocalFolder, StoreFolder
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.stored_objects import Objects, count_files, count_objects, place_of, size_at

__all__ = ["ChunkFiles"]


class ChunkFiles(StoredArray):
    """A stored array of which the chunks or shards on disk can be counted.

    Attributes
    ----------
    folder
        Folder of its chunks.
    """

    folder: StoreFolder

    @property
    @abstractmethod
    def file_shape(self) -> tuple[int, ...]:
        """Shape of what a file holds: a shard, or a chunk where there are no shards."""

    @abstractmethod
    def key(self, where: Sequence[int]) -> str:
        """Return the file of a chunk or shard, by its place in their grid, in `folder`."""

    def objects(self, seconds: float) -> Objects | None:
        """Count its chunks or shards on disk; estimate if that takes longer than given."""
        if not isinstance(self.folder, LocalFolder):
            return None
        grid = [-(-n // c) for n, c in zip(self.shape, self.file_shape, strict=True)]
        counted = count_files(self.folder.path, prod(grid), seconds / 2)
        return counted or self.objects_of(tuple(slice(0, n) for n in self.shape), seconds / 2)

    def objects_of(self, box: tuple[slice, ...], seconds: float) -> Objects | None:
        """Count the chunks or shards that hold the voxels of a box."""
        if not isinstance(self.folder, LocalFolder):
            return None
        pairs = list(zip(box, self.file_shape, strict=True))
        first = [side.start // c for side, c in pairs]
        grid = [-(-side.stop // c) - f for (side, c), f in zip(pairs, first, strict=True)]

        def size_of(number: int) -> int | None:
            place = zip(first, place_of(number, grid), strict=True)
            return size_at(f"{self.folder.path}/{self.key([start + i for start, i in place])}")

        return count_objects(prod(grid), size_of, seconds)
