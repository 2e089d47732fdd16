"""Search for the files of a stack, in their order."""

import os
import stat
from collections import Counter
from dataclasses import dataclass, replace
from difflib import get_close_matches
from errno import ELOOP
from glob import escape, glob, has_magic
from pathlib import Path

from hoaconv.errors import SourceError
from hoaconv.io.looks import unread_kind
from hoaconv.io.mark import MARK
from hoaconv.io.name_numbers import in_order
from hoaconv.io.names import some
from hoaconv.io.opened import check_regular

__all__ = ["SUFFIXES", "Found", "find_files", "kind_of", "near"]

_JPEG_2000 = (".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c", ".jph", ".jhc")
SUFFIXES = dict.fromkeys(_JPEG_2000, "JPEG 2000")
SUFFIXES |= dict.fromkeys((".tif", ".tiff"), "TIFF") | {".png": "PNG", ".edf": "EDF"}
"""Kind of image for each lower-case suffix."""

_LITTER = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Found:
    """The image files of a stack.

    Attributes
    ----------
    files
        At least one, in natural order, all of one kind.
    path
        The folder or file by which they were found.
    notes
        Messages for the user about files that were left out.
    """

    files: tuple[Path, ...]
    path: Path
    notes: tuple[str, ...]


def kind_of(file: Path) -> str | None:
    """Return ``"JPEG 2000"``, ``"TIFF"`` or ``"PNG"`` by the name's suffix; None for any other."""
    return SUFFIXES.get(file.suffix.lower())


def find_files(src: Path) -> Found:
    """Return the images of a folder or a glob pattern, or the one file `src`.

    Raises
    ------
    SourceError
        If `src` doesn't exist or can't be read, or holds no image or images of several kinds.
    """
    try:
        if os.path.isdir(src):
            return _found(_listed(src), src)
        if _is_there(src):
            check_regular(src)
            return _found([src], src)
        if has_magic(str(src)):
            return _matched(src)
        raise SourceError(f"{src} does not exist{near(src)}")
    except SourceError:
        raise
    except FileNotFoundError:
        raise SourceError(f"{src} is a link to a file that is gone") from None
    except OSError as error:
        reason = "is a link that leads back to itself" if error.errno == ELOOP else None
        raise SourceError(
            f"{error.filename or src} {reason or f'cannot be read: {error.strerror}'}"
        ) from error


def _is_there(src: Path) -> bool:
    """Return True if a file, folder or link has this name; a broken link counts too."""
    try:
        src.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name with a zero byte
        return False
    return True


def _listed(folder: Path) -> list[Path]:
    files: list[Path] = []
    folders: list[Path] = []
    with os.scandir(folder) as entries:  # tells folders from files without a call for each entry
        for entry in entries:
            (folders if _is_folder(entry) else files).append(Path(entry.path))
    if not any(kind_of(file) and not _is_litter(file) for file in files):
        names = [path.name for path in folders if not _is_litter(path)]
        raise SourceError(f"{folder} holds no image{_instead(names, files)}")
    return files


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return True for a folder or a link to one; a link that leads back to itself is neither."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _instead(folders: list[str], files: list[Path]) -> str:
    """Return words on the content of a folder without images, and the advice that follows."""
    wanted = " ".join(SUFFIXES)
    if any(file.name == "attributes.json" for file in files):
        return "; if it is part of an N5 store, write n5:// before its path"
    if folders and not any(unread_kind(file.name) for file in files):
        return f", but {len(folders)} folders ({some(folders)}); name the one with the slices"
    if not files:
        return f": it is empty; expected files ending in {wanted}"
    hint = next(filter(None, map(_hint, files[:100])), f"; expected {wanted}")
    return f" among {len(files)} files ({some(f.name for f in files)}){hint}"


def _hint(file: Path) -> str:
    """Return advice on an image that hoaconv doesn't read; DICOM files often have no suffix."""
    hint = unread_kind(file.name)
    try:
        if hint or not stat.S_ISREG(file.stat().st_mode):
            return hint
        with file.open("rb") as stream:
            return unread_kind("file.dcm") if stream.read(132)[128:] == b"DICM" else ""
    except OSError:
        return f"; {file.name} is a link to nothing" if file.is_symlink() else ""


def _matched(pattern: Path) -> Found:
    unlisted = set[str]()
    matches = [Path(match) for match in _glob(str(pattern), unlisted)]
    note = f"folders that can't be listed were left out ({some(unlisted)})"
    files = [match for match in matches if not os.path.isdir(match)]
    if not files:
        what = f"matches only folders ({some(map(str, matches))})" if matches else "matches no file"
        more = f"; {note}" if unlisted else ""
        raise SourceError(f"the pattern {pattern} {what}{more}; name slices, as in 'folder/*.jp2'")
    parts = pattern.parts
    magic = next(i for i, part in enumerate(parts) if has_magic(part))
    found = _found(files, Path(*parts[:magic]))
    return replace(found, notes=(*found.notes, note)) if unlisted else found


def _glob(pattern: str, unlisted: set[str]) -> list[str]:
    """Return the matches of `glob`, but enter no folder twice for ``**``: links may form loops.

    Folders below ``**`` that can't be listed are added to `unlisted`.
    """
    before, deep, after = _split(pattern)
    if not deep:
        return glob(pattern)
    found: dict[str, None] = {}
    met = set[tuple[int, int]]()
    for top in glob(before) if before else [""]:
        for folder in _folders(top, met, unlisted):
            place = os.path.join(escape(folder), after)
            found |= dict.fromkeys(_glob(place, unlisted))
    return list(found)


def _split(pattern: str) -> tuple[str, bool, str]:
    """Return the parts before and after the first ``**``, and between them True if there is one."""
    parts = pattern.split(os.sep)
    if "**" not in parts:
        return pattern, False, ""
    i = parts.index("**")
    before = os.sep.join(parts[:i]) or (os.sep if i else "")
    return before, True, os.sep.join(parts[i + 1 :]) or "*"


def _folders(top: str, met: set[tuple[int, int]], unlisted: set[str]) -> list[str]:
    """Return a folder and all folders below it, each once; links last, since they may lead to any.

    The list is empty if `top` is a file or a broken link.
    """
    todo = [top] if os.path.isdir(top or ".") else []
    found, links = list[str](), list[str]()
    while todo or links:
        folder = todo.pop() if todo else links.pop()
        try:
            status = os.stat(folder or ".")
            if (status.st_dev, status.st_ino) in met:
                continue
            met.add((status.st_dev, status.st_ino))
            with os.scandir(folder or ".") as entries:
                below = [e for e in entries if _is_folder(e) and not e.name.startswith(".")]
        except OSError:
            unlisted.add(folder or ".")
            continue
        found.append(folder)
        for entry in below:
            (links if entry.is_symlink() else todo).append(os.path.join(folder, entry.name))
    return found


def _found(files: list[Path], path: Path) -> Found:
    files = [file for file in files if not _is_litter(file)]
    images = [file for file in files if kind_of(file)]
    if not images:
        hint = next(filter(None, map(_hint, files)), "")
        names = path if files == [path] else f"{path}: {some(f.name for f in files)}"
        raise SourceError(
            f"{names} is no image that hoaconv reads"
            f"{hint or f'; expected a name ending in {chr(32).join(SUFFIXES)}'}"
        )
    for folder in {file.parent for file in images}:
        if os.path.lexists(folder / MARK):
            raise SourceError(
                f"{folder} is being written, or was left by a run that did not finish: it holds "
                f"{MARK}; write it again with `overwrite=True`"
            )
    kinds = Counter(kind_of(file) for file in images)
    if len(kinds) > 1:
        mix = " and ".join(f"{count} {kind}" for kind, count in kinds.items())
        raise SourceError(
            f"{path} holds {mix} files; choose one kind with a pattern, as in '*.tif'"
        )
    others = [file.name for file in files if not kind_of(file)]
    notes = (f"{len(others)} files that are no images were left out ({some(others)})",)
    return Found(tuple(in_order(images)), path, notes if others else ())


def _is_litter(path: Path) -> bool:
    """Return True for files that systems leave: .DS_Store, AppleDouble ._x.tif, Thumbs.db."""
    return path.name.startswith(".") or path.name.lower() in _LITTER


def near(src: Path) -> str:
    """Return words that list names like the missing one, to point at a typing error."""
    parent = src.absolute().parent
    while not parent.is_dir():
        src, parent = parent, parent.parent
    close = get_close_matches(src.name, [entry.name for entry in parent.iterdir()], n=3)
    return f"; {parent} holds {some(close)}" if close else f"; {parent} holds no name like it"
