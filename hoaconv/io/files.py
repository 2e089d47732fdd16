"""Which files make up a stack, in which order, and whether any is missing."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from glob import glob, has_magic
from itertools import pairwise
from pathlib import Path

from natsort import natsorted

from hoaconv.errors import SourceError

__all__ = ["SUFFIXES", "Found", "check_numbering", "find_files", "kind_of"]

SUFFIXES = dict.fromkeys((".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"), "JPEG 2000")
SUFFIXES |= dict.fromkeys((".tif", ".tiff"), "TIFF")
"""Kind of image by lower-case suffix."""

_LITTER = {"thumbs.db", "desktop.ini"}
_LISTED = 8  # missing numbers that an error lists before it says how many more


@dataclass(frozen=True)
class Found:
    """The image files of a stack.

    Attributes
    ----------
    files
        At least one, in natural order, all of one kind.
    path
        The folder or file that they were found by.
    notes
        What the user should know about files left out.
    """

    files: tuple[Path, ...]
    path: Path
    notes: tuple[str, ...]


def kind_of(file: Path) -> str | None:
    """``"JPEG 2000"`` or ``"TIFF"`` by the name's suffix, None for any other."""
    return SUFFIXES.get(file.suffix.lower())


def find_files(src: Path) -> Found:
    """Find the images of a folder, of a glob pattern, or the one file `src`.

    Raises
    ------
    SourceError
        If there is no such thing, no image in it, or images of both kinds.
    """
    try:
        if src.is_file():
            return _found([src], src)
        if src.is_dir():
            return _found(_listed(src), src)
        if has_magic(str(src)):
            return _matched(src)
        raise SourceError(f"{src} does not exist{_near(src)}")
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{error.filename or src} can't be read: {error.strerror}") from error


def _listed(folder: Path) -> list[Path]:
    files: list[Path] = []
    folders: list[Path] = []
    with os.scandir(folder) as entries:  # it knows folders without asking about each file
        for entry in entries:
            (folders if entry.is_dir() else files).append(Path(entry.path))
    if not any(kind_of(file) and not _is_litter(file) for file in files):
        names = [path.name for path in folders if not _is_litter(path)]
        raise SourceError(f"{folder} holds no image{_instead(names, files)}")
    return files


def _instead(folders: list[str], files: list[Path]) -> str:
    """What a folder without images holds, and so what to do."""
    if folders:
        return f", but {len(folders)} folders ({_some(folders)}); name the one with the slices"
    wanted = " ".join(SUFFIXES)
    if not files:
        return f": it is empty; expected files ending in {wanted}"
    return f" among {len(files)} files ({_some(f.name for f in files)}); expected {wanted}"


def _matched(pattern: Path) -> Found:
    matches = [Path(match) for match in glob(str(pattern), recursive=True)]
    files = [match for match in matches if not match.is_dir()]
    if not files:
        what = (
            f"matches only folders ({_some(map(str, matches))})" if matches else "matches no file"
        )
        raise SourceError(f"the pattern {pattern} {what}; name slices, as in 'folder/*.jp2'")
    parts = pattern.parts
    magic = next(i for i, part in enumerate(parts) if has_magic(part))
    return _found(files, Path(*parts[:magic]))


def _found(files: list[Path], path: Path) -> Found:
    files = [file for file in files if not _is_litter(file)]
    images = [file for file in files if kind_of(file)]
    if not images:
        raise SourceError(
            f"{path}: {_some(f.name for f in files)} is no image that hoaconv reads; expected a "
            f"name ending in {' '.join(SUFFIXES)}"
        )
    kinds = Counter(kind_of(file) for file in images)
    if len(kinds) > 1:
        mix = " and ".join(f"{count} {kind}" for kind, count in kinds.items())
        raise SourceError(
            f"{path} holds {mix} files; choose one kind with a pattern, as in '*.tif'"
        )
    others = [file.name for file in files if not kind_of(file)]
    notes = (f"{len(others)} files that are no images were left out ({_some(others)})",)
    return Found(tuple(natsorted(images, key=str)), path, notes if others else ())


def _is_litter(path: Path) -> bool:
    """Whether a system left it there: .DS_Store, AppleDouble ._x.tif, Thumbs.db."""
    return path.name.startswith(".") or path.name.lower() in _LITTER


def _near(src: Path) -> str:
    """Names like the missing one, to point at a typing error."""
    parent = src.absolute().parent
    while not parent.is_dir():
        src, parent = parent, parent.parent
    close = get_close_matches(src.name, [entry.name for entry in parent.iterdir()], n=3)
    return f"; {parent} holds {_some(close)}" if close else f"; {parent} holds no name like it"


def _some(names: Iterable[str], count: int = 3) -> str:
    chosen = natsorted(names)
    return ", ".join(chosen[:count]) + (", ..." if len(chosen) > count else "")


def check_numbering(
    files: Sequence[Path], chosen: Sequence[int], allow_gaps: bool
) -> tuple[str, ...]:
    """Look for missing and repeated slice numbers; returns notes on what was let through.

    A slice's number is the last integer that varies between the names.

    Parameters
    ----------
    files
        All files of the stack, in natural order.
    chosen
        Indices of the files that will be read; only between these a gap counts.
    allow_gaps
        Whether a gap is a note instead of an error.

    Raises
    ------
    SourceError
        If two names differ only in leading zeros, or numbers are missing or repeated.
    """
    names = [str(file.with_suffix("")) for file in files]
    if len({re.sub(r"\d+", "#", name) for name in names}) > 1:
        return ("the files' names follow no common pattern, so gaps can't be looked for",)
    rows = [tuple(map(int, re.findall(r"\d+", name))) for name in names]
    _check_twins(files, rows)
    varying = [column for column in zip(*rows, strict=True) if len(set(column)) > 1]
    if not varying:
        return ()
    numbers = varying[-1][min(chosen) : max(chosen) + 1]
    trouble = _repeated(numbers) or _missing(numbers)
    if trouble and not allow_gaps:
        raise SourceError(
            f"{files[0].parent}: {trouble}; copy the slices again, or allow gaps (allow_gaps, "
            "--allow-gaps) to join the slices as if none were missing"
        )
    return (f"{trouble}; the slices were joined as if none were missing",) if trouble else ()


def _check_twins(files: Sequence[Path], rows: Sequence[tuple[int, ...]]) -> None:
    seen: dict[tuple[int, ...], Path] = {}
    for file, row in zip(files, rows, strict=True):
        twin = seen.setdefault(row, file)
        if twin is not file:
            raise SourceError(
                f"{twin} and {file.name} have the same slice number; remove one of the two"
            )


def _repeated(numbers: Sequence[int]) -> str:
    twice = [str(number) for number, count in Counter(numbers).items() if count > 1]
    if not twice:
        return ""
    return f"slice numbers come up more than once ({_some(twice)}): is it more than one stack?"


def _missing(numbers: Sequence[int]) -> str:
    """The gaps in words: ``"3 slices are missing: 4, 7 to 8"``."""
    ordered = sorted(numbers)
    gaps = [(a + 1, b - 1) for a, b in pairwise(ordered) if b > a + 1]
    if not gaps:
        return ""
    total = sum(last - first + 1 for first, last in gaps)
    words = [str(a) if a == b else f"{a} to {b}" for a, b in gaps[:_LISTED]]
    more = ", ..." if len(gaps) > _LISTED else ""
    return f"{total} slice{'s are' if total > 1 else ' is'} missing: {', '.join(words)}{more}"
