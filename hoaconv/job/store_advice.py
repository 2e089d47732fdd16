"""Advice on how a volume is stored, each with the command that mends it."""

import shlex
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from hoaconv.units import format_bytes

__all__ = ["advice_on"]

LARGE = 256 << 20
"""Bytes, decoded, from which on a volume should have several levels."""

MOST_CHUNK = 10 << 20
"""Bytes of a decoded chunk that viewers load at once without a delay that is noticed."""

MOST_FILES = 100_000
LEAST_FILE = 100_000
"""Most files, and the least mean bytes of a file, that file systems and archives cope well with."""

FEW_FILES = 1000
"""Files that do no harm, however small they are."""

ORDER = "tczyx"


def advice_on(facts: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield what could be better about a volume, and the command for it.

    Parameters
    ----------
    facts
        As `hoaconv.job.facts.facts_of` returns them.
    """
    if not facts["levels"]:
        return
    source = str(facts["path"])
    first = facts["levels"][0]
    shape, chunks = first["shape"], first["chunks"]
    if len(facts["levels"]) == 1 and first["raw_bytes"] > LARGE:
        told = f"there is one level of {format_bytes(first['raw_bytes'])}: viewers need several"
        yield _row("levels", told, f"hoaconv add-pyramid {shlex.quote(source)}")
    chunk = prod(chunks) * _itemsize(facts["dtype"])
    if chunk > MOST_CHUNK:
        told = f"a chunk of {_shape(chunks)} takes {format_bytes(chunk)}: viewers load it whole"
        yield _row("chunks", told, _rechunk(source))
    elif _are_flat(facts["axes"], shape, chunks):
        told = f"chunks of {_shape(chunks)} are planes: other cuts read far more than they show"
        yield _row("flat chunks", told, _rechunk(source))
    axes = [axis for axis in facts["axes"] or () if axis]
    if axes != [axis for axis in ORDER if axis in axes]:
        told = f"the axes are {','.join(axes)}, and most programs take z,y,x"
        yield _row(
            "axes", told, f"hoaconv stack-to-omezarr {shlex.quote(source)} {_beside(source)}"
        )
    files, nbytes = facts["files"], facts["bytes"]
    if files and nbytes is not None and files > FEW_FILES:
        mean = nbytes / files
        if files > MOST_FILES or mean < LEAST_FILE:
            told = f"{files} files of {format_bytes(mean)} on average: shards hold many chunks each"
            command = f'hoaconv rechunk {shlex.quote(source)} {_beside(source)} `ngff="0.5"`'
            yield _row("files", told, command)


def _row(about: str, told: str, command: str) -> dict[str, str]:
    return {"about": about, "what": told, "command": command}


def _rechunk(source: str) -> str:
    return f'hoaconv rechunk {shlex.quote(source)} {_beside(source)} `chunks="128"`'


def _beside(source: str) -> str:
    """Return a name for a better store beside a source."""
    stem = Path(source.rstrip("/")).name.removesuffix(".zarr").removesuffix(".ome") or "volume"
    return shlex.quote(f"{stem}-new.zarr")


def _are_flat(axes: Any, shape: list[int], chunks: list[int]) -> bool:
    """Return whether chunks are one voxel thick along an axis of space that is longer."""
    by_place = ([None] * (len(shape) - 3) + ["z", "y", "x"])[-len(shape) :]
    names = axes if axes and len(axes) == len(shape) else by_place  # metadata may name too few
    three = zip(names, shape, chunks, strict=True)
    return any(c == 1 < n for name, n, c in three if name in ("z", "y", "x"))


def _itemsize(dtype: str) -> int:
    digits = "".join(c for c in dtype if c.isdigit())
    return int(digits) // 8 if digits else 1


def _shape(values: list[int]) -> str:
    return "x".join(map(str, values))
