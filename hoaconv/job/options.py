"""Options of jobs, in groups: each is a keyword in Python and an option on the command line.

The docstring of a group explains its options in Python, their declarations do so on the command
line. This module imports no kernels, so that the help of the command line appears at once.
"""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

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
    """The ops of a volume, and the file that declares a user's own.

    Parameters
    ----------
    ops
        Ops to apply on the way, as text, such as ``"gaussian 1.5 | threshold otsu"``, or as a list
        of ops or texts; see `hoaconv.ops`.
    ops_module
        A Python file that declares ops of your own; see ``examples/your_own_op.py``. It is run.
    """

    ops: Any = option(
        TEXT, "ops to apply on the way, such as 'gaussian 1.5 | threshold 20000'", "Ops", "OPS", ""
    )
    ops_module: Any = option(PATH, "Python file with ops of your own", "Ops")


@dataclass(frozen=True)
class Labels(Options):
    """More outputs of the same sweep.

    Parameters
    ----------
    label
        Label images to write under ``labels/`` of the output: ops by the name of the image, as in
        ``{"tissue": "threshold otsu"}``. The ops start from the slices, as `ops` does. What several
        outputs have in common is computed once.
    also
        Other images to write: ops by the path of the image.
    """

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
    """Options of reading a source.

    Parameters
    ----------
    range
        Slices to take, in natural order, as a slice or as ``"START:STOP:STEP"``; of a zarr array,
        planes. By default all. A step makes the voxels longer along z.
    allow_gaps
        If True, numbers may be missing among the slices.
    allow_names
        If True, all images of the folder or glob are slices, whatever their names are.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height, which takes
        a small part of the time. The voxels become as many times larger.
    decoder
        The decoder of JP2 slices: ``openjpeg`` on the CPUs, or ``nvimgcodec`` on a GPU. Without a
        GPU or nvImageCodec, ``nvimgcodec`` is an error.
    """

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
        "decode JP2 slices at 1/N of their width and height, for previews: 2, 4, 8, ...",
        "Input",
        "N",
        1,
    )
    decoder: str = option(
        one_of("decoder", "openjpeg", "nvimgcodec"),
        "decoder of JP2 slices: openjpeg, or nvimgcodec on a GPU",
        "Input",
        "NAME",
        "openjpeg",
    )


@dataclass(frozen=True)
class Voxels(Options):
    """The size of a voxel, if the source doesn't tell it, or tells it wrong.

    Parameters
    ----------
    voxel_size
        Edge lengths of a stored voxel in `unit`, one number or (z, y, x). By default as the source
        tells it. `range` and `reduce` make the voxels that are written larger.
    unit
        Unit of `voxel_size`, as OME-NGFF spells it; by default ``micrometer``.
    """

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
        ``max``, ``min`` or ``nearest``.
    factors
        Downsampling factors from level to level, one number or (z, y, x). By default 2; if voxels
        are longer along an axis, this axis is halved later.
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

    path: PathLike = field()
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
        "how voxels are combined: mean, mode (for labels), max, min or nearest",
        "Pyramid",
        "METHOD",
        "mean",
    )
    factors: int | tuple[int, int, int] | str | None = option(
        FACTORS,
        "downsampling from level to level, z,y,x; default 2, later along axes with longer voxels",
        "Pyramid",
    )
    is_label: bool = field(default=False, kw_only=True)

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
        """Return the shapes of chunks and shards, in voxels (z, y, x); None for no shards.

        Raises
        ------
        SpellingError
            If a shard doesn't hold whole chunks, or shards are given for NGFF 0.4.
        """
        chunks, shards = cast(Triple | None, self.chunks), self.shards
        if shards not in (None, "none") and self.ngff == "0.4":
            raise SpellingError('NGFF 0.4 has no shards; drop `shards`, or take `ngff="0.5"`')
        if shards == "none" or self.ngff == "0.4":
            return chunks or UNSHARDED, None
        inner = chunks or CHUNKS
        if shards is None:  # one chunk thick, since the layer is; whole chunks, about as wide
            y, x = (max(c, SHARD_WIDTH // c * c) for c in inner[1:])
            return inner, (inner[0], y, x)
        whole = cast(Triple, shards)
        if any(s % c for s, c in zip(whole, inner, strict=True)):
            raise SpellingError(f"shards {whole} don't hold whole chunks {inner}; write multiples")
        return inner, whole

    @property
    def title(self) -> str:
        """Name of the folder without its suffix: the name of an image if no other is known."""
        name = Path(self.path).absolute().name
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
        if not _LABEL.fullmatch(name) or name in ZARR_FILES:
            raise SpellingError(
                f"label {name!r} can't be the name of a folder in a store; take letters, digits, "
                "spaces, and . _ - inside"
            )
        path = Path(self.path) / "labels" / name
        return replace(self, path=path, name=name, downsample="mode", is_label=True)

    def __ror__(self, array: Any) -> Any:
        """Raise SpellingError: only a volume can be written, and its own ``|`` makes a job."""
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
    """Sources of values of the whole volume, such as Otsu's threshold.

    Parameters
    ----------
    sample
        Number of slices, drawn at random along z, that values such as Otsu's threshold are measured
        on; by default all. The report tells their confidence intervals.
    from_report
        The report of an earlier run, from which such values are taken instead.
    """

    sample: int | None = option(
        SAMPLE, "number of slices to find values such as Otsu's threshold in; default all", "Ops"
    )
    from_report: Any = option(
        PATH, "report of an earlier run from which such values are taken", "Ops"
    )


@dataclass(frozen=True)
class Running(Options):
    """Limits of a run, and the file of its report.

    Parameters
    ----------
    budget
        Memory that the process may hold, in bytes or as text such as ``"8GiB"``. By default 60 % of
        the free memory.
    scratch
        A folder for what doesn't fit in memory; by default inside the output. What is written there
        is compressed, and removed when the run ends, however it ends.
    workers
        Number of threads; by default one for each CPU of this process.
    report
        A file, ending in ``.json``, in which to write the report.
    """

    budget: Any = option(
        BYTES, "memory that the process may hold; default 60 % of the free memory", "Run"
    )
    scratch: Any = option(
        PATH,
        "folder for what doesn't fit in memory; default inside the output",
        "Run",
        "DIR",
    )
    workers: int | None = option(
        count_of("workers"), "number of threads; default one for each CPU of this process", "Run"
    )
    report: Any = option(PATH, "file in which to write the report, as JSON", "Run")


@dataclass(frozen=True)
class Measuring(Options):
    """Options of ``hoaconv stats``; `Running` explains `budget` and `workers`.

    Parameters
    ----------
    sample
        Number of slices to measure, each drawn at random from one of as many equal parts of the
        stack; by default all. The result has confidence intervals of about 95 %, for which only the
        slices count as independent. A sample is likely to miss a few slices that differ much from
        all others, and then no interval covers them: draw more slices, or measure all.
    plot
        A PNG file in which to draw the histogram; needs matplotlib.
    """

    sample: int | None = option(
        SAMPLE, "number of slices to measure, drawn at random along z; default all", "Input"
    )
    plot: Any = option(PATH, "PNG file in which to draw the histogram", "Output")
    budget: Any = option(
        BYTES, "memory that the process may hold; default 60 % of the free memory", "Run"
    )
    workers: int | None = option(
        count_of("workers"), "number of threads; default one for each CPU of this process", "Run"
    )
