"""Options of rechunking: the form of the arrays that are written.

This module imports no kernels, so that the help of the command line appears at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.job.declared import COMPRESSOR, FLAG, Options, one_of, option
from hoaconv.ops.kinds import Kind

__all__ = ["Replacing", "Storage"]

Sides = tuple[int, ...]


def _sides(what: str, *, none: bool = False) -> Kind:
    """Return the kind of a shape: one whole number, or one for each of the last axes."""

    def accept(value: Any) -> Sides | str:
        if none and value == "none":
            return "none"
        parts = value.split(",") if isinstance(value, str) else value
        parts = list(parts) if isinstance(parts, Iterable) else [parts]
        try:
            sides = tuple(int(part) for part in parts)
            exact = all(float(p) == n and n > 0 for p, n in zip(parts, sides, strict=True))
        except (TypeError, ValueError):
            exact, sides = False, ()
        if not exact or not sides or any(isinstance(part, bool) for part in parts):
            or_none = ", or none" if none else ""
            raise SpellingError(
                f"{what} {value!r}: expected whole numbers, one, or one for each of the last axes, "
                f"as in 128 or 1,128,128{or_none}"
            )
        return sides

    return Kind("SHAPE", accept, lambda value: ",".join(map(str, value)))


@dataclass(frozen=True)
class Storage(Options):
    """The form of the arrays that are written.

    Parameters
    ----------
    chunks
        Shape of a chunk in voxels: one number for each of the last three axes, or a number for each
        of the last axes, such as (z, y, x). Along all axes before these it is 1. By default as in
        the source. A chunk is never larger than the array.
    shards
        Shape of a shard in voxels, in the same form, a multiple of `chunks`. By default as in the
        source where `chunks` aren't given, and otherwise none: every chunk is a file.
    ngff
        Version of OME-NGFF: ``0.5`` (zarr v3) or ``0.4`` (zarr v2, which has no shards); of a plain
        array the zarr format alone. By default as in the source.
    compressor
        ``zstd:3``, ``blosc-zstd:1:shuffle``, ``lz4``, ``gzip:5`` or ``none``. By default the codecs
        of the source, or ``blosc-zstd:1:shuffle`` where the format that is written hasn't them.
    overwrite
        If True, a zarr store that exists at the output's path is replaced.
    """

    chunks: Any = option(
        _sides("chunks"),
        "chunk shape, one number or one for each of the last axes; default as in SRC",
        "Output",
    )
    shards: Any = option(
        _sides("shards", none=True),
        "shard shape, or none; default none, or as in SRC where `chunks` isn't given",
        "Output",
    )
    ngff: str | None = option(
        one_of("NGFF version", "0.5", "0.4"),
        "version of OME-NGFF: 0.5 (zarr v3) or 0.4 (zarr v2); default as in SRC",
        "Output",
        "VERSION",
    )
    compressor: str | None = option(
        COMPRESSOR,
        "compressor: zstd:3, blosc-zstd:1:shuffle, lz4, gzip:5 or none; default as in SRC",
        "Output",
        "NAME",
    )
    overwrite: bool = option(
        FLAG,
        "replace DST if it is a zarr store; it is removed when the new one begins to be written",
        "Output",
        "",
        False,
    )


@dataclass(frozen=True)
class Replacing(Options):
    """The option that replaces an output that is there.

    Parameters
    ----------
    overwrite
        If True, a file at the output's path is replaced when the new one is whole.
    """

    overwrite: bool = option(
        FLAG, "replace DST if it is there, when the new file is whole", "Output", "", False
    )
