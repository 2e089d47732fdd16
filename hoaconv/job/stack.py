"""A stack of slices to write, or one TIFF file of many pages, with its options.

This module imports no kernels, so that the help of the command line appears at once.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hoaconv.errors import SpellingError, StoreError
from hoaconv.io.file_claim import check_file_free
from hoaconv.io.folder import check_free
from hoaconv.io.slice_folder import SLICES, SliceNames
from hoaconv.job.declared import (
    COMPRESSION,
    FLAG,
    NAME,
    RATIO,
    TILE,
    count_of,
    one_of,
    option,
)
from hoaconv.job.output import Output
from hoaconv.job.paths import OTHER_FORMATS, check_path

__all__ = ["Stack"]

SUFFIX = {"tiff": ".tif", "jp2": ".jp2", "png": ".png"}
PATTERN = "slice_%06d"

_TIFF = (".tif", ".tiff")
_ONE_SLICE = {".jp2": "jp2", ".j2k": "jp2", ".jpx": "jp2", ".png": "png"}
"""Suffixes of files that hold one slice, with the format that makes them."""

_OWN = {
    "tiff": ("compression", "tile", "strip"),
    "jp2": ("ratio", "resolutions", "tile"),
    "png": ("compression",),
}
"""Options that not all formats have, by the formats that have them."""

RESOLUTIONS = 6
"""Resolutions of a JP2 slice, unless others are asked for."""

MOST_RESOLUTIONS = 33
"""The most resolutions that JPEG 2000 has."""


@dataclass(frozen=True)
class Stack(Output):
    """A folder of slices to write, or one TIFF file: ``volume | Stack("out/")`` is a job.

    Parameters
    ----------
    path
        The folder to make. A path that ends in ``.tif`` or ``.tiff`` is one file, a page a plane;
        in ``.ome.tif`` it is an OME-TIFF. A file larger than 4 GB is a BigTIFF.
    format
        Format of the slices: ``tiff``, ``jp2`` or ``png``; by default that of `pattern`, else
        ``tiff``. TIFF holds all dtypes, JP2 uint8, int8, uint16 and int16, PNG uint8 and uint16.
    pattern
        Names of the slices, with one number, which counts from 0: by default ``slice_%06d``.
    compression
        Compression of TIFF: ``none``, ``deflate:6``, ``zstd:3`` or ``lzw``; of PNG
        ``deflate:6``. By default TIFF isn't compressed, and PNG is in the fastest way.
    tile
        Rows and columns of a tile of TIFF, multiples of 16, or of JP2, powers of two; one number
        or (y, x). By default TIFF has strips, and a JP2 slice is one tile.
    strip
        Rows of a TIFF strip. By default 256 KiB, or the whole plane without compression.
    ratio
        Bytes of a plane for each byte of a JP2 slice, such as 10. By default JP2 is lossless.
    resolutions
        Resolutions of a JP2 slice, the full one included; by default 6.
    overwrite
        If True, slices or a file that are there are replaced. They are removed when the first
        slice is written, a file when the new one is whole.

    Raises
    ------
    SpellingError
        If an option doesn't take its value, or the format doesn't have it.

    Examples
    --------
    >>> volume = hc.open("slices/", voxel_size=2)
    >>> report = (volume | hc.Stack("out/", format="jp2", ratio=10)).run()
    >>> report.files, hc.open("out/")
    (8, Volume(8 x 16 x 16 uint16, 2 micrometer))
    >>> (volume | hc.Stack("volume.ome.tif", compression="zstd")).run()["volume.ome.tif"].name
    'volume.ome.tif'
    """

    format: str | None = option(
        one_of("format", *SUFFIX),
        "format of the slices: tiff, jp2 or png; default tiff",
        "Output",
        "NAME",
    )
    pattern: str | None = option(
        NAME, f"names of the slices, with one number; default {PATTERN}", "Output", "PATTERN"
    )
    compression: str | None = option(
        COMPRESSION,
        "compression of TIFF: none, deflate:6, zstd:3 or lzw; of PNG: deflate:6",
        "Output",
        "NAME",
    )
    tile: int | tuple[int, int] | str | None = option(
        TILE,
        "rows,columns of a tile: multiples of 16, for JP2 powers of two; default none",
        "Output",
    )
    strip: int | None = option(count_of("strip"), "rows of a TIFF strip", "Output")
    ratio: float | None = option(
        RATIO, "JP2: size of a plane over that of its slice, such as 10; default lossless", "Output"
    )
    resolutions: int | None = option(
        count_of("resolutions"),
        "JP2: number of resolutions, the full one included; default 6",
        "Output",
    )
    overwrite: bool = option(
        FLAG,
        "replace the slices in DST, or the file; slices are removed when the first is written",
        "Output",
        "",
        False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_format()
        self._check_cut()
        if not self.is_file:
            self.names()

    @property
    def is_file(self) -> bool:
        """True if the path names one TIFF file, False for a folder of slices."""
        return Path(self.path).suffix.lower() in _TIFF and not os.path.isdir(self.path)

    @property
    def is_ome(self) -> bool:
        """True for an OME-TIFF."""
        return self.is_file and Path(self.path).stem.lower().endswith(".ome")

    @property
    def slice_format(self) -> str:
        """Format of the slices: as given, or that of the pattern's suffix, else TIFF."""
        if self.format is not None:
            return self.format
        end = Path(self.pattern or "").suffix.lower()
        named = {suffix: name for name, suffix in SUFFIX.items()}
        return "tiff" if self.is_file else named.get(end, "tiff")

    @property
    def coding(self) -> tuple[str, int | None]:
        """The compression without its level, and the level; None for the default."""
        name, _, level = (self.compression or "none").partition(":")
        return name, int(level) if level else None

    def names(self) -> SliceNames:
        """Return the names of the slices. Raises SpellingError for a pattern that isn't one."""
        return SliceNames.parse(self.pattern or PATTERN, SUFFIX[self.slice_format])

    @property
    def what(self) -> str:
        """The kind of output, in words."""
        if self.is_file:
            return "OME-TIFF" if self.is_ome else "TIFF"
        return f"{'TIFF' if self.slice_format == 'tiff' else self.slice_format.upper()} slices"

    @property
    def place(self) -> str:
        """The kind of place that `path` names."""
        return "a folder, or of a .tif file"

    @property
    def title(self) -> str:
        """The name without its suffix: the name of an image if no other is known."""
        return re.sub(r"(\.ome)?\.tiff?$", "", Path(self.path).absolute().name, flags=re.I)

    def check_name(self) -> None:
        """Raise an error if no stack can have this path; see `Output.check_name`."""
        check_path(self.path)
        path = Path(self.path)
        suffix = path.suffix.lower()
        if self.is_file or suffix in _TIFF or os.path.isdir(path):
            return
        if suffix in _ONE_SLICE:
            raise StoreError(
                f"{path} would be one slice, and a stack has many; name a folder, such as "
                f'{path.stem}/, and choose `format="{_ONE_SLICE[suffix]}"`'
            )
        if suffix == ".zarr" or suffix in OTHER_FORMATS:
            raise StoreError(
                f"{path} has the suffix of another format; a stack is a folder of slices, such as "
                f"{path.stem}/, or a file such as {path.stem}.tif"
            )

    def check_free(self) -> None:
        """Raise StoreError if what is there is in the way; change nothing."""
        if self.is_file:
            check_file_free(Path(self.path), overwrite=self.overwrite)
        else:
            check_free(Path(self.path), overwrite=self.overwrite, holds=SLICES)

    def _check_format(self) -> None:
        """Refuse options that the format doesn't have."""
        made = self.slice_format
        if self.is_file and made != "tiff":
            raise SpellingError(
                f'{self.path} is a TIFF file, and `format="{made}"` makes slices: name a folder'
            )
        if self.is_file and self.pattern is not None:
            raise SpellingError(
                f"{self.path} is one file, and `pattern` names slices: name a folder, or drop it"
            )
        for owner, names in _OWN.items():
            for name in names:
                if getattr(self, name) is not None and name not in _OWN[made]:
                    raise SpellingError(
                        f'{made} has no `{name}`: drop it, or choose `format="{owner}"`'
                    )
        if made == "png" and self.coding[0] not in ("none", "deflate"):
            raise SpellingError(f"PNG is compressed by deflate, not {self.coding[0]}: drop it")
        if made == "png" and self.compression == "none":
            raise SpellingError("PNG is always compressed: drop `compression`")
        if (self.resolutions or 1) > MOST_RESOLUTIONS:
            raise SpellingError(
                f"resolutions {self.resolutions}: JPEG 2000 has up to {MOST_RESOLUTIONS}"
            )

    def _check_cut(self) -> None:
        """Refuse both tiles and strips, and tiles that JP2 doesn't halve."""
        if self.tile is None:
            return
        if self.strip is not None:
            raise SpellingError("a TIFF has `tile` or `strip`, not both: drop one of them")
        tile, count = cast("tuple[int, int]", self.tile), self.resolutions or RESOLUTIONS
        halved = all(edge.bit_count() == 1 and edge >= 1 << (count - 1) for edge in tile)
        if self.slice_format == "jp2" and not halved:
            raise SpellingError(
                f"tiles of JP2 are powers of two that can be halved {count - 1} times, and tile is "
                f"{tile[0]},{tile[1]}; take 1024, or fewer `resolutions`"
            )
