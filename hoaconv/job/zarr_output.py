"""A plain zarr array to write, with its options: chunks, shards, codec; no pyramid.

This module imports no kernels, so that the help of the command line appears at once.
"""

from dataclasses import dataclass
from typing import ClassVar

from hoaconv.errors import SpellingError
from hoaconv.job.declared import COMPRESSOR, FLAG, SHARDS, one_of, option, triple_of
from hoaconv.job.ome_zarr import grid_of
from hoaconv.job.output import Output
from hoaconv.job.store_paths import check_store, check_store_free

__all__ = ["Zarr"]

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Zarr(Output):
    """A plain zarr array to write: ``volume | Zarr("brain.zarr", chunks=64)`` is a job.

    The array has the axes z, y and x, by name, and no lower levels. `OmeZarr` writes an image that
    viewers open, with its voxel size.

    Parameters
    ----------
    path
        The folder to make, such as ``brain.zarr``. Its metadata is written last.
    chunks
        Shape of a chunk in voxels, one number or (z, y, x). By default 64, or 128 without shards.
    shards
        Shape of a shard in voxels, one number or (z, y, x), a multiple of `chunks`. By default one
        chunk thick and about 1024 voxels wide. ``"none"`` makes a file of every chunk.
    zarr_format
        Version of the zarr format: ``3``, or ``2``, which has no shards.
    compressor
        ``zstd:3``, ``blosc-zstd:1:shuffle``, ``lz4``, ``gzip:5`` or ``none``.
    overwrite
        If True, a zarr store that exists at `path` is replaced.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.

    Examples
    --------
    >>> job = hc.open("slices/") | hc.Zarr("brain.zarr", chunks=(4, 8, 8), shards="none")
    >>> job.run()["brain.zarr"].name
    'brain.zarr'
    >>> hc.open("brain.zarr").shape
    (8, 16, 16)
    """

    chunks: int | tuple[int, int, int] | str | None = option(
        triple_of("chunks"), "chunk shape, one number or z,y,x; default 64", "Output"
    )
    shards: int | tuple[int, int, int] | str | None = option(
        SHARDS, "shard shape z,y,x, or none; default one chunk thick and 1024 wide", "Output"
    )
    zarr_format: str | int = option(
        one_of("zarr format", "3", "2"), "version of the zarr format: 3 or 2", "Output", "N", "3"
    )
    compressor: str = option(
        COMPRESSOR,
        "compressor: zstd:3, blosc-zstd:1:shuffle, lz4, gzip:5 or none",
        "Output",
        "NAME",
        "blosc-zstd:1:shuffle",
    )
    overwrite: bool = option(
        FLAG,
        "replace DST if it is a zarr store; it is removed when the new one begins to be written",
        "Output",
        "",
        False,
    )

    takes_several: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.grid()

    @property
    def what(self) -> str:
        """The kind of output, in words."""
        return "zarr array"

    def check_name(self) -> None:
        """Raise an error if no store can have this path; see `Output.check_name`."""
        check_store(self.path)

    def check_free(self) -> None:
        """Raise StoreError if what is there is in the way; change nothing."""
        check_store_free(self.path, overwrite=self.overwrite)

    def grid(self) -> tuple[Triple, Triple | None]:
        """Return the shapes of chunks and shards, in voxels (z, y, x); None for no shards.

        Raises
        ------
        SpellingError
            If a shard doesn't hold whole chunks, or shards are given for zarr v2.
        """
        if self.zarr_format == "2" and self.shards not in (None, "none"):
            raise SpellingError("zarr v2 has no shards; drop them, or write zarr v3")
        return grid_of(self.chunks, self.shards, sharded=self.zarr_format == "3")
