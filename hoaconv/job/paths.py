"""Checks of paths: outputs, scratch and reports lie apart from the source and each other."""

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from glob import has_magic
from itertools import combinations
from pathlib import Path
from secrets import token_hex

from hoaconv.errors import SourceError, SpellingError, StoreError
from hoaconv.io.address import Address
from hoaconv.io.contents import ZARR_FILES
from hoaconv.io.kvstore import refused_name
from hoaconv.io.url import Url, as_path, is_remote
from hoaconv.job.declared import PathLike

__all__ = [
    "check_apart",
    "check_beside",
    "check_path",
    "check_scratch",
    "check_separate",
    "check_store_name",
    "planned_path",
    "replace_text",
    "scratch_folder",
    "take_local",
    "take_module",
    "take_report_path",
    "take_source",
]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one slash, since a Path drops the second
OTHER_FORMATS = (
    *(".h5", ".hdf5", ".nxs", ".nx", ".n5", ".tif", ".tiff", ".jp2", ".j2k", ".jpx", ".png"),
    *(".jpg", ".nii", ".gz", ".nrrd", ".mha", ".mhd", ".raw", ".vol", ".edf", ".npy", ".npz"),
    *(".dcm", ".zip", ".ozx", ".json"),
)
"""Suffixes of other formats than OME-Zarr folders."""

_STORES = (".zarr", ".n5", ".ozx", ".zip")
"""Suffixes of sources that hold arrays, whose paths go on after them."""


def check_path(dst: PathLike) -> None:
    """Raise an error if a path can't be that of any output.

    Raises
    ------
    SpellingError
        If it is empty, or a URL.
    """
    if not os.fspath(dst):
        raise SpellingError("source and output need a name; was a shell variable empty?")
    if _ADDRESS.match(os.fspath(dst)):
        raise SpellingError(
            f"{dst} is an address, and this output lies on a file system; to s3:// and gs:// go "
            "OME-Zarr images and zarr arrays that are made anew"
        )


def check_store_name(path: Path) -> None:
    """Raise an error if no zarr store can be made at a path.

    Raises
    ------
    StoreError
        If its suffix is that of another format, or a store can't have its name.
    """
    refused = refused_name(path.absolute()) or _other_format(path) or _label_alone(path)
    if refused:
        raise StoreError(refused)
    try:
        os.fspath(path).encode()
        os.path.lexists(path)
    except UnicodeEncodeError:
        raise StoreError(f"{os.fspath(path)!r} is not UTF-8; a store's name has to be") from None


def check_beside(output: Path, src: PathLike) -> None:
    """Raise an error if an output lies in the folder of its source, or contains it.

    Raises
    ------
    SpellingError
        If the source has no name.
    StoreError
        If the output lies in the source's folder, contains it, or can't be used.
    """
    if not os.fspath(take_source(src)):
        raise SpellingError("source and output need a name; was a shell variable empty?")
    source = Address.of(src).path
    try:
        if is_remote(source):
            check_apart(output, [as_path(source) / "slice"])
        if os.path.isdir(src):  # unlike Path.is_dir, False for invalid names
            check_apart(output, [Path(src) / "slice"])
    except StoreError:  # which is also an OSError
        raise
    except OSError as error:
        raise StoreError(f"{output} can't be used: {error.strerror}") from error


def _other_format(path: Path) -> str | None:
    """Return a message if the suffix of the output is that of another format; else None."""
    if path.suffix.lower() not in OTHER_FORMATS or os.path.isdir(path):
        return None
    return (
        f"{path} has the suffix of another format, and an OME-Zarr image is a folder; name it "
        f"{path.with_suffix('.zarr').name}; TIFF, JP2 and PNG are written as stacks: see "
        "docs/stacks.md"
    )


def _label_alone(path: Path) -> str | None:
    """Return a message if an output lies where label images of another one are; else None."""
    image = Path(os.path.abspath(path)).parent.parent
    is_store = any(os.path.lexists(image / name) for name in ZARR_FILES)
    if Path(os.path.abspath(path)).parent.name != "labels" or not (
        is_store or image.suffix == ".zarr"
    ):
        return None
    return (
        f"{path} would be a label image of {image.name}, which this run doesn't write, so that "
        f"viewers wouldn't find it; add it with hoaconv add-labels {image.name} SRC "
        f'`name="{path.name}"`, write the image and its labels in one run, or name a place outside'
    )


def scratch_folder(path: PathLike | None) -> Path | None:
    """Return the folder for scratch; None if none is given.

    Raises
    ------
    StoreError
        If the path is no folder, or files can't be made in it.
    """
    if path is None:
        return None
    folder = Path(path)
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for invalid names
        raise StoreError(f"scratch {folder} is not a folder; make it first, or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"scratch {folder} can't be used: no permission; name another folder")
    return folder


def _real(path: Path) -> Path:
    """Return the path with links resolved; unlike `Path.resolve`, accept a link to itself."""
    return path if isinstance(path, Url) else Path(os.path.realpath(path))


def check_scratch(scratch: Path | None, output: Path, files: Sequence[Path]) -> None:
    """Raise an error if scratch lies in the output, which may be erased, or among the slices.

    Raises
    ------
    StoreError
        If scratch lies there. It may lie beside a source that is a single file.
    """
    if scratch is None:
        return
    alone = len(files) == 1 and files[0].is_file()
    for folder in {output, *(file.parent for file in files if not alone)}:
        if _real(scratch).is_relative_to(_real(folder)):
            raise StoreError(f"scratch {scratch} lies inside {folder}; name a folder beside it")


def check_separate(outputs: Sequence[Path]) -> None:
    """Raise an error if outputs of one run lie inside each other.

    Raises
    ------
    StoreError
        If one output lies inside another, or two are the same.
    """
    for one, other in combinations(outputs, 2):
        here, there = _real(one), _real(other)
        if here.is_relative_to(there) or there.is_relative_to(here):
            how = "are one folder" if here == there else "lie inside each other"
            raise StoreError(f"{one} and {other} {how}; write beside it")


def check_apart(output: Path, files: Sequence[Path]) -> None:
    """Raise an error if an output lies among the slices, or contains slices and would erase them.

    Raises
    ------
    StoreError
        If it does. It may lie beside a source that is a single file, such as a multi-page TIFF.
    """
    there = _real(output)
    if any(_real(file) == there for file in files):
        raise StoreError(f"{output} is the source itself; name another output")
    for folder in {_real(file.parent) for file in files}:
        if folder.is_relative_to(there):
            raise StoreError(f"the slices in {folder} lie inside {output}, which would be replaced")
        if there.is_relative_to(folder) and (len(files) > 1 or not files[0].is_file()):
            raise StoreError(f"{output} lies inside the source {folder}; write beside it")


def take_report_path(path: PathLike | None) -> Path | None:
    """Return the path of the report with links resolved; None if none is given.

    Raises
    ------
    StoreError
        If it is clear before the run that the file can't be written, or its name doesn't end in
        ``.json``: a report must never replace a slice.
    """
    if path is None:
        return None
    if not os.fspath(path).lower().endswith(".json"):
        raise StoreError(f"the report {path} has to end in .json; nothing else is replaced by one")
    file = _real(Path(path))
    if file.name in ZARR_FILES:
        raise StoreError(f"the report {path} would replace metadata of a store; name it otherwise")
    try:
        mode = file.stat().st_mode if os.path.lexists(file) else stat.S_IFREG
        os.lstat(file.parent / file.name[:-1])  # raises if the name is too long
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StoreError(f"the report {path} can't be written: {error.strerror}") from error
    if not file.parent.is_dir():
        raise StoreError(f"the report {path} can't be written: there is no folder {file.parent}")
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise StoreError(f"the report {path} can't be written: it is {kind}; name a file")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise StoreError(f"the report {path} can't be written: no permission")
    return file


def replace_text(path: Path, text: str) -> None:
    """Write a text file completely, or leave an existing file as it is.

    If no file can be made in the folder, an existing file is overwritten in place.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    if path.exists() and not os.access(path.parent, os.W_OK | os.X_OK):
        path.write_text(text, encoding="utf-8")
        return
    beside = path.with_name(f".hoaconv-{token_hex(4)}.tmp")  # a short name, even for long ones
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def take_module(path: PathLike) -> PathLike:
    """Return the path of the user's module of ops.

    Raises
    ------
    SpellingError
        If the path exists and isn't a regular file, such as a folder or a pipe.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder" if os.path.isdir(path) else "a pipe or a device"
        raise SpellingError(f"{path} is {kind}; `ops_module` takes a Python file with ops")
    return path


def planned_path(src: PathLike) -> Path:
    """Return a free path beside the source, for the plan of an output without a name."""
    found = Address.of(take_source(src)).path
    source = Path(os.path.abspath(Path(found).name)) if is_remote(found) else Path(found)
    while has_magic(str(source)) and not os.path.lexists(source):
        source = source.parent
    source = next((p for p in source.parents if p.suffix in _STORES), source)  # brain.zarr/1
    stem = source.stem if source.suffix in _STORES or os.path.isfile(source) else source.name
    stem = stem.removesuffix(".nii").removesuffix(".vol")  # of scan.nii.gz and scan.vol.info
    names = (f"{stem or 'volume'}{end}.zarr" for end in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(source.parent / n for n in names if not os.path.lexists(source.parent / n))


def take_source(src: PathLike) -> PathLike:
    """Return the path of the source.

    Raises
    ------
    SpellingError
        If it is empty, which would mean the current folder, or a URL that has lost a slash.
    SourceError
        If it isn't a path, but an array of voxels, for example.
    """
    if not isinstance(src, str | os.PathLike):
        raise SourceError(
            f"the source is a {type(src).__name__}; expected a path. Of an array or a volume write "
            "hoaconv.open(array).stats(), or job = hoaconv.open(array) | "
            "hoaconv.OmeZarr('brain.zarr'), and job.plan() or job.run()"
        )
    text = os.fspath(src)
    if _ADDRESS.match(text) and "://" not in text:
        raise SpellingError(f"{text} has one slash where an address has two; give it as a text")
    if not os.fspath(src):
        raise SpellingError("the source needs a name; was a shell variable empty?")
    return src


def take_local(src: PathLike) -> PathLike:
    """Return the path of a source on a file system.

    Raises
    ------
    SpellingError, SourceError
        As `take_source` does, and if it is an address.
    """
    if is_remote(Address.of(take_source(src)).path):
        raise SourceError(
            f"{os.fspath(src)} is an address, and only file systems are read here: "
            "stack-to-omezarr reads addresses too"
        )
    return src
