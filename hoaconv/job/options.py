"""Options of jobs, in groups: each is Python's keyword, the command line's option, and its help.

This module is light, since help on the command line needs it.
"""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.io.folder import ZARR_FILES
from hoaconv.job.declared import (
    BYTES,
    COMPRESSOR,
    FACTORS,
    FLAG,
    METHODS,
    NAME,
    PATH,
    RANGE,
    REDUCE,
    SAMPLE,
    SHARDS,
    TEXT,
    Options,
    PathLike,
    count_of,
    one_of,
    option,
    triple_of,
)

__all__ = ["Chain", "Labels", "Measuring", "OmeZarr", "Reading", "Running", "Values", "Voxels"]

Triple = tuple[int, int, int]

CHUNKS, UNSHARDED = (64, 64, 64), (128, 128, 128)
SHARD_WIDTH = 1024

_LABEL = re.compile(r"\w(?:[\w .-]*[\w-])?")


@dataclass(frozen=True)
class Chain(Options):
    """The ops of a volume, and where a user's own are declared."""

    ops: Any = option(
        TEXT, "ops to apply on the way, such as 'gaussian 1.5 | threshold 20000'", "Ops", "OPS", ""
    )
    ops_module: Any = option(PATH, "Python file with ops of your own", "Ops")


@dataclass(frozen=True)
class Labels(Options):
    """More outputs of the same sweep."""

    label: Any = option(
        TEXT,
        'also write a label image: NAME="gaussian 1.5 | threshold 20000"; repeatable',
        "Ops",
        'NAME="OPS"',
        (),
    )
    also: Any = option(
        TEXT, 'also write another image: OTHER.zarr="OPS"; repeatable', "Ops", 'PATH="OPS"', ()
    )


@dataclass(frozen=True)
class Reading(Options):
    """Options of reading a source. `hoaconv.open` explains the fields."""

    range: Any = option(
        RANGE,
        "slices to take, START:STOP:STEP as in Python; default all",
        "Input",
    )
    allow_gaps: bool = option(FLAG, "accept missing numbers among the slices", "Input", "", False)
    allow_names: bool = option(
        FLAG, "take all images, even if some names don't fit the others", "Input", "", False
    )
    reduce: int = option(
        REDUCE,
        "decode JP2 at 1/N of its width and height: 2, 4, 8, ... for previews",
        "Input",
        "N",
        1,
    )
    decoder: str = option(
        one_of("decoder", "openjpeg", "nvimgcodec"),
        "what decodes JP2 slices: openjpeg, or nvimgcodec, on a GPU",
        "Input",
        "NAME",
        "openjpeg",
    )


@dataclass(frozen=True)
class Voxels(Options):
    """The size of a voxel, where the source doesn't tell it, or tells it wrong."""

    voxel_size: Any = option(
        TEXT,
        "edge of a voxel, one number or z,y,x; default from the files or the folder's name",
        "Input",
        "SIZE",
    )
    unit: str | None = option(TEXT, "unit of `voxel_size`; default micrometer", "Input", "UNIT")


@dataclass(frozen=True)
class OmeZarr(Options):
    """An OME-Zarr image to write: ``volume | OmeZarr("brain.zarr", chunks=64)`` is a job.

    Parameters
    ----------
    path
        The folder to make, such as ``brain.zarr``; its metadata is written last.
    chunks, shards
        Voxels, one number or (z, y, x). ``shards="none"`` makes every chunk a file.
    ngff
        Version of OME-NGFF: ``0.5`` (zarr v3) or ``0.4`` (zarr v2).
    compressor
        ``zstd:3``, ``blosc-zstd:1:shuffle``, ``lz4``, ``gzip:5`` or ``none``.
    name
        Name of the image; by default that of the source, or of the folder.
    overwrite
        Whether a zarr store that is there is replaced. It is removed when the first part of the
        new one is written.
    levels
        Levels of the pyramid, level 0 included; by default until one fits a chunk.
    downsample
        How voxels become one: ``mean``, ``mode`` (for labels), ``max``, ``min`` or ``nearest``.
    factors
        Downsampling from level to level, one number or (z, y, x); by default 2, where axes with
        longer voxels are halved later.

    Raises
    ------
    SpellingError
        For a value that is not understood.

    Examples
    --------
    >>> OmeZarr("brain.zarr", chunks=32).chunks
    (32, 32, 32)
    """

    path: PathLike = field()
    chunks: Any = option(
        triple_of("chunks"),
        "chunk shape, one number or z,y,x; default 64, or 128 without shards",
        "Output",
    )
    shards: Any = option(
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
        "zstd:3, blosc-zstd:1:shuffle, lz4, gzip:5 or none",
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
        "pyramid levels, level 0 included; default until one fits a chunk",
        "Pyramid",
    )
    downsample: str = option(
        one_of("downsample method", *METHODS),
        "how voxels become one: mean, mode (labels), max, min, nearest",
        "Pyramid",
        "METHOD",
        "mean",
    )
    factors: Any = option(
        FACTORS,
        "downsampling per level, z,y,x; default 2; axes with longer voxels are halved later",
        "Pyramid",
    )
    is_label: bool = field(default=False, kw_only=True)
    """Whether it is a label image that lies in another image's store."""

    __array_ufunc__ = None  # NumPy leaves ``array | OmeZarr(...)`` to `__ror__`

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.path, str | os.PathLike):
            kind = type(self.path).__name__
            raise SpellingError(f"the output is a {kind}; expected the path of a folder")
        object.__setattr__(self, "path", Path(self.path) if os.fspath(self.path) else self.path)
        if self.is_label and Path(self.path).parent.name != "labels":
            raise SpellingError(
                "is_label is no option: a label image is made by that of its image, as in "
                f'OmeZarr({str(self.path)!r}).label("tissue")'
            )
        self.grid()

    def grid(self) -> tuple[Triple, Triple | None]:
        """Return chunks and shards as asked, else the defaults; shards hold whole chunks.

        Raises
        ------
        SpellingError
            If they don't, or NGFF 0.4 is to have shards.
        """
        if self.shards not in (None, "none") and self.ngff == "0.4":
            raise SpellingError('NGFF 0.4 has no shards; drop `shards`, or take `ngff="0.5"`')
        if self.shards == "none" or self.ngff == "0.4":
            return self.chunks or UNSHARDED, None
        inner = self.chunks or CHUNKS
        if self.shards is None:  # one chunk thick, since the layer is; whole chunks, about as wide
            y, x = (max(c, SHARD_WIDTH // c * c) for c in inner[1:])
            return inner, (inner[0], y, x)
        if any(s % c for s, c in zip(self.shards, inner, strict=True)):
            raise SpellingError(
                f"shards {self.shards} don't hold whole chunks {inner}; write multiples"
            )
        return inner, self.shards

    @property
    def title(self) -> str:
        """Name of the image where nothing tells more: that of the folder."""
        name = Path(self.path).absolute().name
        return re.sub(r"(\.ome)?\.zarr$", "", name, flags=re.I) or "image"

    def label(self, name: str) -> "OmeZarr":
        """Return a label image in this store, on the same grid; levels take the commonest value.

        Raises
        ------
        SpellingError
            If the name can't be that of a folder.
        """
        if not _LABEL.fullmatch(name) or name in ZARR_FILES:
            raise SpellingError(
                f"label {name!r} can't be the name of a folder in a store; take letters, digits, "
                "spaces, and . _ - inside"
            )
        path = Path(self.path) / "labels" / name
        return replace(self, path=path, name=name, downsample="mode", is_label=True)

    def __ror__(self, array: Any) -> Any:
        """Refuse what is no volume; a volume's own ``|`` makes a job."""
        if not isinstance(array, str | os.PathLike) and not getattr(array, "shape", ()):
            raise SpellingError(
                f"a {type(array).__name__} can't be written; if it belongs to a comparison, put "
                f"that in brackets: (volume > 3) | OmeZarr({str(self.path)!r})"
            )
        raise SpellingError(
            f"a {type(array).__name__} can't be written; open it first: "
            f"hoaconv.open(...) | OmeZarr({str(self.path)!r})"
        )


@dataclass(frozen=True)
class Values(Options):
    """Sources of values of the whole volume, such as Otsu's threshold."""

    sample: int | None = option(
        SAMPLE, "slices that values such as Otsu's threshold come from; default all", "Ops"
    )
    from_report: Any = option(PATH, "report of an earlier run, to take such values from", "Ops")


@dataclass(frozen=True)
class Running(Options):
    """Limits of a run, and the file of its report."""

    budget: Any = option(
        BYTES, "memory that the process may hold; default 60 % of what is free", "Run"
    )
    scratch: Any = option(
        PATH,
        "where to keep what doesn't fit in memory; default inside the output",
        "Run",
        "DIR",
    )
    workers: int | None = option(
        count_of("workers"), "threads; default all CPUs of this process", "Run"
    )
    report: Any = option(PATH, "write the report here, as JSON", "Run")


@dataclass(frozen=True)
class Measuring(Options):
    """Options of ``hoaconv stats``."""

    sample: int | None = option(
        SAMPLE, "slices to measure, drawn at random along z; default all", "Input"
    )
    plot: Any = option(PATH, "draw the histogram here, as PNG", "Output")
    budget: Any = option(
        BYTES, "memory that the process may hold; default 60 % of what is free", "Run"
    )
    workers: int | None = option(
        count_of("workers"), "threads; default all CPUs of this process", "Run"
    )
