"""Options of jobs, in groups: each is a keyword in Python and an option on the command line.

The docstring of a group explains its options in Python, their declarations do so on the command
line. This module imports no kernels, so that the help of the command line appears at once.
"""

from dataclasses import dataclass
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.job.declared import (
    BYTES,
    FLAG,
    LEVEL,
    ORIENTATION,
    PATH,
    PATHS,
    RANGE,
    REDUCE,
    SAMPLE,
    TEXT,
    VALUE,
    VOXEL_TYPE,
    Options,
    count_of,
    index_of,
    one_of,
    option,
    triple_of,
)
from hoaconv.job.store_paths import CREDENTIALS
from hoaconv.ops.kinds import Kind

__all__ = [
    "Chain",
    "Cutting",
    "Labels",
    "Measuring",
    "Reading",
    "Running",
    "Turning",
    "Values",
    "Voxels",
]


def _letters(value: Any) -> str:
    """Return letters of axes in one spelling, so that ``"z,y,x"`` and ``"ZYX"`` compare equal."""
    parts = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(part, str) for part in parts):
        raise SpellingError(f"source_axes {value!r} is no text; write letters, such as 'xyz'")
    return "".join(parts).replace(",", "").lower()


LETTERS = Kind("AXES", _letters, str)


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
        Other images to write: ops by the path of the image. In place of ops there may be a mapping
        with options of that image, and with ``ops``, as in
        ``{"small.zarr": {"ops": "bin 2", "chunks": 32, "ngff": "0.4"}}``; other options are those
        of the main image. As a text: ``"small.zarr[chunks=32 ngff=0.4]=bin 2"``.
    """

    label: Any = option(
        TEXT,
        'also write a label image: NAME="gaussian 1.5 | threshold 20000"; repeatable',
        "Ops",
        'NAME="OPS"',
        (),
    )
    also: Any = option(
        TEXT,
        'also write another image: OTHER.zarr="OPS", or with options of its own '
        "'OTHER.zarr\\[chunks=32 ngff=0.4]=OPS'; repeatable",
        "Ops",
        'PATH="OPS"',
        (),
    )


@dataclass(frozen=True)
class Reading(Options):
    """Options of reading a source.

    Parameters
    ----------
    range
        Slices to take, in natural order, as a slice or as ``"START:STOP:STEP"``; of a zarr array,
        planes. By default all. A step makes the voxels longer along z.
    level
        Level to read of an image with several; by default the one that `src` names, or level 0.
    source_axes
        A letter out of t, c, z, y, x for each stored axis of an array, such as ``"xyz"``, where its
        metadata names none or the wrong ones.
    channel
        The channel to take, counted from 0, of a source with several.
    time
        The time to take, counted from 0, of a source with several.
    series
        The image to take, counted from 0, of an OME-TIFF with several; by default the first one.
    rgb
        ``"luminance"`` makes slices in RGB grey, by the weights of ITU-R BT.601.
    shape
        Numbers of voxels of a raw file, (z, y, x).
    dtype
        Kind of the voxels of a raw file, as NumPy spells it: ``"uint16"``, or ``">u2"`` if the byte
        of the higher value comes first.
    allow_gaps
        If True, numbers may be missing among the slices.
    allow_names
        If True, all images of the folder or glob are slices, whatever their names are.
    append
        Other sources whose planes follow those of the first along z, in this order. Each may be of
        another kind; their planes must be alike in shape and dtype. The voxel size and the origin
        are those of the first.
    missing
        What is read where chunks of a store are missing: ``fill`` takes its fill value, and notes
        how many are missing; ``error`` makes it an error that names the chunk.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height, which takes
        a small part of the time. The voxels become as many times larger.
    decoder
        The decoder of JP2 slices: ``openjpeg`` on the CPUs, or ``nvimgcodec`` on a GPU. Without a
        GPU or nvImageCodec, ``nvimgcodec`` is an error.
    credentials
        How a store behind ``s3://`` or ``gs://`` is asked: ``anonymous``; ``environment``, which is
        AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or GOOGLE_APPLICATION_CREDENTIALS; or
        ``profile:NAME`` of the file ``~/.aws/credentials``. By default anonymous, but for S3 the
        keys in the environment where there are any.
    """

    range: Any = option(
        RANGE,
        "slices to take, START:STOP:STEP as in Python; default all",
        "Input",
    )
    level: int | None = option(LEVEL, "level of an image to read; default 0", "Input")
    source_axes: str | None = option(
        LETTERS,
        "a letter for each stored axis of an array, such as xyz or tczyx; default its metadata's",
        "Input",
        "AXES",
    )
    channel: int | None = option(index_of("channel"), "channel to take, from 0 on", "Input")
    time: int | None = option(index_of("time"), "time to take, from 0 on", "Input")
    series: int | None = option(
        index_of("series"), "image to take of an OME-TIFF with several, from 0 on", "Input"
    )
    rgb: str | None = option(
        one_of("rgb", "luminance"), "luminance makes RGB slices grey", "Input", "WAY"
    )
    shape: Any = option(triple_of("shape"), "voxels of a raw file, z,y,x", "Input")
    dtype: str | None = option(
        VOXEL_TYPE, "kind of the voxels of a raw file: uint16, or >u2 for big-endian", "Input"
    )
    allow_gaps: bool = option(FLAG, "accept missing numbers among the slices", "Input", "", False)
    allow_names: bool = option(
        FLAG, "take all images, even if some names don't fit the others", "Input", "", False
    )
    append: Any = option(
        PATHS, "another source, whose planes follow along z; repeatable", "Input", "SRC", ()
    )
    missing: str = option(
        one_of("missing", "fill", "error"),
        "what to read where chunks of a store are missing: fill, or error",
        "Input",
        "WAY",
        "fill",
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
    credentials: str | None = option(
        CREDENTIALS,
        "access to s3:// and gs://: anonymous, environment or profile:NAME; default anonymous, for "
        "s3:// the keys in the environment",
        "Input",
    )


@dataclass(frozen=True)
class Cutting(Options):
    """Options of a cutout.

    Parameters
    ----------
    fill
        Value of voxels of the box that lie beyond the volume, rounded and saturated. By default a
        box that goes beyond the volume is an error.
    """

    fill: float | None = option(
        VALUE, "value of voxels beyond the volume; default: such a box is an error", "Input"
    )


@dataclass(frozen=True)
class Turning(Options):
    """Options of a transposition.

    Parameters
    ----------
    order
        The old axes that become z, y and x: with ``"yxz"`` the new z is the old y.
    """

    order: str | None = option(
        TEXT, "the old axes that become z, y and x, such as yxz", "Output", "ORDER"
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
    orientation
        Direction of the axes z, y and x in the body, such as
        ``"superior-to-inferior,anterior-to-posterior,right-to-left"``, in the words of RFC-4 of
        OME-NGFF. By default as the source tells it; it is never guessed. `flip`, `rotate90` and
        `transpose-xy` turn it with the volume.
    """

    voxel_size: Any = option(
        TEXT,
        "edge of a voxel, one number or z,y,x; default from the files or the folder's name",
        "Input",
        "SIZE",
    )
    unit: str | None = option(TEXT, "unit of `voxel_size`; default micrometer", "Input", "UNIT")
    orientation: Any = option(
        ORIENTATION,
        "directions of z,y,x in the body: superior-to-inferior,anterior-to-posterior,right-to-left",
        "Input",
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
