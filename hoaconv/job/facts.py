"""Facts of a volume as it is stored: what ``hoaconv info`` tells, gathered from headers and files.

No voxel is decoded. Large stores are looked at for `SECONDS` a level; what is then told is marked
as estimated.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import tifffile

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import HoaconvError, SourceError
from hoaconv.io.address import Address
from hoaconv.io.colour import Pick
from hoaconv.io.files import kind_of
from hoaconv.io.formats.registry import Format, format_of
from hoaconv.io.mark import MARK
from hoaconv.io.stack import Stack, open_stack
from hoaconv.io.stored_array import StoredArray, view_of
from hoaconv.io.stored_objects import Objects
from hoaconv.job.options import Reading

__all__ = ["facts_of", "stores_in"]

SECONDS = 2.0
"""Time for which the files of a level are looked at."""

KEYS = (
    *("path", "kind", "format", "name", "shape", "axes", "dtype", "chunks", "shards", "codecs"),
    *("voxel_size", "unit", "origin", "orientation", "labels", "window", "levels", "slices"),
    *("bytes", "files", "estimated", "missing", "lost", "unfinished", "notes"),
)
"""Names of the facts; each is always there, None or empty where nothing is known."""


def facts_of(path: str, reading: Reading) -> dict[str, Any]:
    """Return the facts of what a path names, by `KEYS`.

    Parameters
    ----------
    reading
        Shape and dtype of a raw file, credentials of a URL.

    Raises
    ------
    SourceError
        If there is nothing that can be read.
    """
    address = Address.of(
        path, shape=reading.shape, dtype=reading.dtype, credentials=reading.credentials
    )
    format = format_of(address)
    if format is not None:
        found = _of_array(address, format)
    elif _is_unfinished(address.path):
        found = {"kind": "unfinished output", "notes": [_UNFINISHED]}
    else:
        found = _of_slices(address)
    facts: dict[str, Any] = dict.fromkeys(KEYS)
    empty = {"codecs": [], "labels": [], "levels": [], "notes": [], "estimated": False}
    facts |= empty | {"path": os.fspath(path), "unfinished": _is_unfinished(address.path)} | found
    return facts


def stores_in(folder: str) -> list[str]:
    """Return the stores that lie in a folder, in order of their names; none if it is one itself."""
    if not os.path.isdir(folder) or format_of(Address.of(folder)) is not None:
        return []
    entries = sorted(entry.path for entry in os.scandir(folder) if not entry.name.startswith("."))
    return [entry for entry in entries if format_of(Address.of(entry)) is not None]


_UNFINISHED = (
    "a run is writing here, or has ended without removing its mark: run it again with "
    "`overwrite=True`"
)


def _is_unfinished(path: str) -> bool:
    return os.path.lexists(os.path.join(path, MARK))


# Arrays


def _of_array(address: Address, format: Format) -> dict[str, Any]:
    array = format.opens(address)
    own = dict(array.facts())
    levels = [*_levels(address, format, array)]
    main = next((row for row in levels if row["path"] == _name(array)), levels[0])
    place = _geometry(array)
    lost = [row["lost"] for row in levels if row["lost"]]
    return {
        "kind": "image" if array.levels else "array",
        "format": own.get("format") or format.name,
        "name": array.image_name,
        **{name: main[name] for name in ("shape", "dtype", "chunks", "shards", "codecs")},
        "axes": list(array.axes) or None,
        "voxel_size": list(place.edges) if place else None,
        "unit": place.unit if place else None,
        "origin": list(place.origin) if place else None,
        "orientation": own.get("orientation"),
        "labels": list(array.labels),
        "window": own.get("window"),
        "levels": levels,
        "bytes": _sum(row["bytes"] for row in levels),
        "files": _sum(row["files"] for row in levels),
        "estimated": any(row["estimated"] for row in levels),
        "missing": _sum(row["missing"] for row in levels),
        "lost": sum(lost) if lost else (0 if own.get("recorded") else None),
        "notes": [*array.notes, *_unopened(array, levels)],
    }


def _levels(address: Address, format: Format, first: StoredArray) -> Iterator[dict[str, Any]]:
    """Yield the facts of each level of the image, or of the lone array."""
    for path in first.levels or (str(first.path),):
        if path == str(first.path):
            yield _level(first)
            continue
        with suppress(SourceError):  # told as a note
            yield _level(format.opens(address.beside(path, first.scheme)))


def _unopened(array: StoredArray, levels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    missing = len(array.levels) - len(levels)
    if array.levels and missing:
        yield f"{missing} of the {len(array.levels)} levels of the image can't be opened"


def _level(array: StoredArray) -> dict[str, Any]:
    own, objects = dict(array.facts()), array.objects(SECONDS)
    recorded, place = own.get("recorded"), _geometry(array)
    missing = objects.missing if objects else None
    return {
        "path": _name(array),
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "chunks": list(array.chunks),
        "shards": own.get("shards"),
        "codecs": list(own.get("codecs") or []),
        "fill_value": own.get("fill_value"),
        "voxel_size": list(place.edges) if place else None,
        "origin": list(place.origin) if place else None,
        "raw_bytes": prod(array.shape) * array.dtype.itemsize,
        "bytes": objects.nbytes if objects else array.stored_bytes,
        "files": objects.present if objects else _one_file(array),
        "estimated": bool(objects and objects.is_estimated),
        "objects": objects.total if objects else None,
        "missing": missing,
        "empty_recorded": recorded["empty"] if recorded else None,
        "lost": _lost(objects, recorded),
    }


def _lost(objects: Objects | None, recorded: Mapping[str, int] | None) -> int | None:
    """Return the missing files beyond the empty ones that hoaconv has recorded; None if unknown."""
    if objects is None or recorded is None or objects.is_estimated:
        return None
    return max(0, objects.missing - recorded["empty"])


def _one_file(array: StoredArray) -> int | None:
    return 1 if len(array.files) == 1 and array.files[0].is_file() else None


def _name(array: StoredArray) -> str:
    """Return the path of an array in its image; its own path where there is no image."""
    if not array.levels:
        return array.name
    with suppress(ValueError):
        first = os.path.commonpath(array.levels) if len(array.levels) > 1 else ""
        return os.path.relpath(array.path, first) if first else Path(array.path).name
    return str(array.path)


def _geometry(array: StoredArray) -> Geometry | None:
    """Return size and place of the voxels, of the first channel and time if there are several."""
    for channel, time in ((None, None), (0, None), (None, 0), (0, 0)):
        with suppress(HoaconvError):
            return array.geometry(view_of(array, None, channel, time).axes)
    return None


def _sum(numbers: Iterator[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


# Slices


def _of_slices(address: Address) -> dict[str, Any]:
    stack, told = _stack(address)
    files, place = stack.files, stack.geometry
    known = place.unit is not None
    return {
        "kind": "slices",
        "format": _kind_of(files[0]),
        "shape": list(stack.spec.shape),
        "axes": ["z", "y", "x"],
        "dtype": stack.spec.dtype.name,
        "codecs": [_compression(files[0])],
        "voxel_size": list(place.edges) if known else None,
        "unit": place.unit,
        "origin": list(place.origin) if known else None,
        "slices": {
            "count": stack.spec.planes,
            "first": files[0].name,
            "last": files[-1].name,
            "gaps": [note for note in stack.notes if "missing" in note],
        },
        "bytes": _bytes(stack, files),
        "files": len(files),
        "notes": [*told, *stack.notes],
    }


def _stack(address: Address) -> tuple[Stack, tuple[str, ...]]:
    """Open slices; of several channels or times take the first, and return what would be asked."""
    tolerant = partial(open_stack, address.given, allow_gaps=True, allow_names=True)
    try:
        return tolerant(), ()
    except SourceError as asked:
        try:
            return tolerant(pick=Pick(channel=0, time=0)), (str(asked),)
        except HoaconvError:
            raise asked from None


def _bytes(stack: Stack, files: Sequence[Path]) -> int:
    return files[0].stat().st_size if len(files) == 1 else stack.stored_bytes


def _kind_of(file: Path) -> str:
    return kind_of(file) or "image"


def _compression(file: Path) -> str:
    """Return the compression of the first slice, in words."""
    if _kind_of(file) != "TIFF":
        return {"JPEG 2000": "jpeg2000", "PNG": "deflate"}.get(_kind_of(file), "none")
    with tifffile.TiffFile(file) as tif:
        page: Any = tif.pages[0].aspage()
        return str(getattr(page.compression, "name", page.compression)).lower()
