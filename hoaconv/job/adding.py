"""Additions to a store that is there, as the user declares them: levels, or a label image.

This module imports no kernels, so that the help of the command line appears at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hoaconv.errors import SpellingError
from hoaconv.io.mark import MARK, refuse_if_alive
from hoaconv.job.declared import (
    COMPRESSOR,
    FACTORS,
    FLAG,
    METHODS,
    NAME,
    SHARDS,
    count_of,
    one_of,
    option,
    triple_of,
)
from hoaconv.job.ome_zarr import check_label_name
from hoaconv.job.output import Output
from hoaconv.job.paths import check_path

__all__ = ["AddedLabel", "AddedLevels", "Adding"]


@dataclass(frozen=True)
class Adding(Output):
    """Arrays that are added to an image, in chunks as its own.

    Parameters
    ----------
    chunks
        Shape of a chunk in voxels, one number or (z, y, x). By default as level 0 has them.
    shards
        Shape of a shard in voxels, one number or (z, y, x), a multiple of `chunks`; ``"none"``
        makes a file of every chunk. By default as level 0 has them.
    compressor
        ``zstd:3``, ``blosc-zstd:1:shuffle``, ``lz4``, ``gzip:5`` or ``none``. By default that of
        level 0, or ``blosc-zstd:1:shuffle`` if hoaconv doesn't write that.
    """

    chunks: int | tuple[int, int, int] | str | None = option(
        triple_of("chunks"), "chunk shape, one number or z,y,x; default as level 0", "Output"
    )
    shards: int | tuple[int, int, int] | str | None = option(
        SHARDS, "shard shape z,y,x, or none; default as level 0", "Output"
    )
    compressor: str | None = option(
        COMPRESSOR,
        "zstd:3, blosc-zstd:1:shuffle, lz4, gzip:5 or none; default as level 0",
        "Output",
        "NAME",
    )

    @property
    def in_place(self) -> bool:
        """True: it is added to a store that is there, and may be read from."""
        return True

    def check_name(self) -> None:
        """Raise SpellingError if the path is empty, or an address."""
        check_path(self.path)

    def check_free(self) -> None:
        """Raise StoreError if another run may be at work in the store."""
        if (Path(self.path) / MARK).exists():
            refuse_if_alive(Path(self.path))


@dataclass(frozen=True)
class AddedLevels(Adding):
    """Smaller levels of an OME-Zarr image that is there, or of an array in a group.

    Parameters
    ----------
    overwrite
        If True, the levels from 1 on that are there are made anew. By default they are kept, if
        their shapes are those that hoaconv would make.
    levels
        Levels of the pyramid, level 0 included; by default until one fits a chunk.
    downsample
        How voxels of a level are combined to one of the next: ``mean``, ``mode`` (for labels),
        ``max``, ``min``, ``nearest`` or ``gaussian``. By default as the image tells of its levels,
        else ``mode`` for a label image and ``mean`` for others.
    factors
        Downsampling factors from level to level, one number or (z, y, x). By default 2; if voxels
        are longer along an axis, this axis is halved later.
    """

    overwrite: bool = option(
        FLAG,
        "make the levels from 1 on anew; default: those that are there are kept",
        "Output",
        "",
        False,
    )
    levels: int | None = option(
        count_of("levels"),
        "number of pyramid levels, level 0 included; default until one fits a chunk",
        "Pyramid",
    )
    downsample: str | None = option(
        one_of("downsample method", *METHODS),
        "mean, mode (for labels), max, min, nearest or gaussian; default as the image tells",
        "Pyramid",
        "METHOD",
    )
    factors: int | tuple[int, int, int] | str | None = option(
        FACTORS,
        "downsampling from level to level, z,y,x; default 2, later along axes with longer voxels",
        "Pyramid",
    )

    what: ClassVar[str] = "levels of an OME-Zarr image"

    @property
    def downsampled_by(self) -> str | None:
        """The method, if it is given."""
        return self.downsample


@dataclass(frozen=True)
class AddedLabel(Adding):
    """A label image that is added to an OME-Zarr image.

    Parameters
    ----------
    name
        Name of the label image, which is its folder under ``labels/``.
    overwrite
        If True, a label image of this name is replaced, when the new one is whole.
    """

    name: str | None = option(NAME, "name of the label image: its folder under labels/", "Output")
    overwrite: bool = option(
        FLAG, "replace a label image of this name, when the new one is whole", "Output", "", False
    )

    what: ClassVar[str] = "label image"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is None:
            raise SpellingError('give the label image a name, as in `name="vessels"`')
        check_label_name(self.name)

    @property
    def downsampled_by(self) -> str:
        """``mode``: labels can't be averaged."""
        return "mode"

    @property
    def folder(self) -> Path:
        """Folder of the label image."""
        return Path(self.path) / "labels" / str(self.name)
