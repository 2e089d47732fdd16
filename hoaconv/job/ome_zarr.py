"""An OME-Zarr image to write, with its options: shapes of chunks and shards, codec, pyramid.

This module imports no kernels, so that the help of the command line appears at once.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from hoaconv.errors import SpellingError
from hoaconv.io.contents import ZARR_FILES
from hoaconv.io.url import as_path
from hoaconv.job.declared import (
    COMPRESSOR,
    FACTORS,
    FLAG,
    METHODS,
    NAME,
    SHARDS,
    count_of,
    index_of,
    one_of,
    option,
    triple_of,
)
from hoaconv.job.output import Output
from hoaconv.job.store_paths import check_store, check_store_free

__all__ = ["OmeZarr", "check_label_name", "grid_of", "is_label_name"]

Triple = tuple[int, int, int]

CHUNKS, UNSHARDED = (64, 64, 64), (128, 128, 128)
SHARD_WIDTH = 1024

_LABEL = re.compile(r"\w(?:[\w .-]*[\w-])?")


def is_label_name(name: str) -> bool:
    """Return whether a folder in a store can have the name of a label image."""
    return bool(_LABEL.fullmatch(name)) and name not in ZARR_FILES


def check_label_name(name: str) -> None:
    """Raise SpellingError if no folder in a store can have the name of a label image."""
    if not is_label_name(name):
        raise SpellingError(
            f"label {name!r} can't be the name of a folder in a store; take letters, digits, "
            "spaces, and . _ - inside"
        )


def grid_of(chunks: Any, shards: Any, *, sharded: bool) -> tuple[Triple, Triple | None]:
    """Return the shapes of chunks and shards that options mean, (z, y, x); None for no shards.

    Parameters
    ----------
    sharded
        Whether the format that is written has shards.

    Raises
    ------
    SpellingError
        If a shard doesn't hold whole chunks.
    """
    if shards == "none" or not sharded:
        return chunks or UNSHARDED, None
    inner: Triple = chunks or CHUNKS
    if shards is None:  # one chunk thick, since the layer is; whole chunks, about as wide
        y, x = (max(c, SHARD_WIDTH // c * c) for c in inner[1:])
        return inner, (inner[0], y, x)
    whole: Triple = shards
    if any(s % c for s, c in zip(whole, inner, strict=True)):
        raise SpellingError(f"shards {whole} don't hold whole chunks {inner}; write multiples")
    return inner, whole


@dataclass(frozen=True)
class OmeZarr(Output):
    """An OME-Zarr image to write: ``volume | OmeZarr("brain.zarr", chunks=64)`` is a job.

    Parameters
    ----------
    path
        The folder to make, such as ``brain.zarr``. Its metadata is written last.
    chunks
        Shape of a chunk in voxels, one number or (z, y, x). By default 64, or 128 without shards.
    shards
        Shape of a shard in voxels, one number or (z, y, x), a multiple of `chunks`. By default one
        chunk thick and about 1024 voxels wide. ``"none"`` makes a file of every chunk.
    ngff
        Version of OME-NGFF: ``0.5`` (zarr v3) or ``0.4`` (zarr v2, which has no shards).
    compressor
        ``zstd:3``, ``blosc-zstd:1:shuffle``, ``lz4``, ``gzip:5`` or ``none``.
    name
        Name of the image in the metadata; by default that of the source, or of the folder.
    overwrite
        If True, a zarr store that exists at `path` is replaced. It is removed when the first part
        of the new one is written.
    levels
        Levels of the pyramid, level 0 included; by default until one fits a chunk.
    downsample
        How voxels of a level are combined to one of the next: ``mean``, ``mode`` (for labels),
        ``max``, ``min``, ``nearest``, or ``gaussian``: each level is smoothed, and of the result
        every second voxel is taken; the standard deviation is 0.7355 voxels where an axis is
        halved, and sqrt((f**2 - 1) / (8 ln 2)) for a factor f (Cardoso et al., MICCAI 2015).
    factors
        Downsampling factors from level to level, one number or (z, y, x). By default 2; if voxels
        are longer along an axis, this axis is halved later.
    from_level
        The first level that is written; by default 0. With 1, the slices stay the only copy of
        level 0, and the store takes about 1/8 of the bytes. The arrays keep their numbers as names,
        ``1``, ``2`` and so on; viewers take them as the image's metadata list them.
    is_label
        True for a label image in the store of another image; see `label`.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.

    Examples
    --------
    >>> job = hc.open("slices/") | hc.OmeZarr("brain.zarr", chunks=(4, 8, 8), levels=2)
    >>> [level["shape"] for level in job.run().levels]
    [(8, 16, 16), (4, 8, 8)]
    """

    chunks: int | tuple[int, int, int] | str | None = option(
        triple_of("chunks"),
        "chunk shape, one number or z,y,x; default 64, or 128 without shards",
        "Output",
    )
    shards: int | tuple[int, int, int] | str | None = option(
        SHARDS,
        "shard shape z,y,x, or none; default one chunk thick and 1024 wide, none for NGFF 0.4",
        "Output",
    )
    ngff: str = option(
        one_of("NGFF version", "0.5", "0.4"),
        "version of OME-NGFF: 0.5 (zarr v3) or 0.4 (zarr v2)",
        "Output",
        "VERSION",
        "0.5",
    )
    compressor: str = option(
        COMPRESSOR,
        "compressor: zstd:3, blosc-zstd:1:shuffle, lz4, gzip:5 or none",
        "Output",
        "NAME",
        "blosc-zstd:1:shuffle",
    )
    name: str | None = option(NAME, "name of the image; default that of the source", "Output")
    overwrite: bool = option(
        FLAG,
        "replace DST if it is a zarr store; it is removed when the new one begins to be written",
        "Output",
        "",
        False,
    )
    levels: int | None = option(
        count_of("levels"),
        "number of pyramid levels, level 0 included; default until one fits a chunk",
        "Pyramid",
    )
    downsample: str = option(
        one_of("downsample method", *METHODS),
        "how voxels are combined: mean, mode (for labels), max, min, nearest or gaussian",
        "Pyramid",
        "METHOD",
        "mean",
    )
    factors: int | tuple[int, int, int] | str | None = option(
        FACTORS,
        "downsampling from level to level, z,y,x; default 2, later along axes with longer voxels",
        "Pyramid",
    )
    from_level: int = option(
        index_of("from_level"),
        "first level that is written; 1 leaves level 0 to the slices, and takes 1/8 of the bytes",
        "Pyramid",
        "N",
        0,
    )
    is_label: bool = field(default=False, kw_only=True)

    takes_several: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_label and as_path(self.path).parent.name != "labels":
            raise SpellingError(
                "is_label is no option: a label image is made by that of its image, as in "
                f'OmeZarr({str(self.path)!r}).label("tissue")'
            )
        self.grid()
        if self.levels is not None and self.from_level >= self.levels:
            raise SpellingError(
                f"from_level {self.from_level} is none of {self.levels} levels, counted from 0; "
                "ask for more with `levels`"
            )

    @property
    def what(self) -> str:
        """The kind of output, in words."""
        return "label image" if self.is_label else "OME-Zarr image"

    @property
    def is_part(self) -> bool:
        """True for a label image, which lies in the store of its image."""
        return self.is_label

    @property
    def downsampled_by(self) -> str:
        """The method by which the voxels are averaged to lower levels."""
        return self.downsample

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
            If a shard doesn't hold whole chunks, or shards are given for NGFF 0.4.
        """
        if self.shards not in (None, "none") and self.ngff == "0.4":
            raise SpellingError('NGFF 0.4 has no shards; drop `shards`, or take `ngff="0.5"`')
        return grid_of(self.chunks, self.shards, sharded=self.ngff == "0.5")

    @property
    def title(self) -> str:
        """Name of the folder without its suffix: the name of an image if no other is known."""
        name = as_path(self.path).absolute().name
        return re.sub(r"(\.ome)?\.zarr$", "", name, flags=re.I) or "image"

    def label(self, name: str) -> "OmeZarr":
        """Return a label image in this store, with the same chunks; it is downsampled by mode.

        Parameters
        ----------
        name
            Name of the label image, which is its folder under ``labels/``.

        Raises
        ------
        SpellingError
            If no folder can have the name.

        Examples
        --------
        >>> hc.OmeZarr("brain.zarr").label("tissue").downsample
        'mode'
        """
        check_label_name(name)
        path = as_path(self.path) / "labels" / name
        return replace(self, path=path, name=name, downsample="mode", is_label=True)
