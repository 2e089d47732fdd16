"""Volumes that a try makes itself, their slices, and whether a store holds them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import zarr

from .programs import in_words
from .trials import Done, Unexpected

__all__ = [
    "DTYPES",
    "differs",
    "judge",
    "levels",
    "looks_whole",
    "options",
    "tree",
    "volume",
    "write_jp2s",
    "write_tiffs",
]

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
MARK = ".hoaconv-unfinished"
Files = Mapping[str, bytes | None]


def volume(
    rng: np.random.Generator, shape: Sequence[int], dtype: str = "uint16", greatest: int = 60000
) -> np.ndarray:
    """Return noise, zyx: no two volumes, and no two slices, are alike."""
    return rng.integers(0, 127 if dtype in DTYPES[:2] else greatest, shape).astype(dtype)


def write_tiffs(folder: Path, planes: np.ndarray, **how: Any) -> Path:
    """Write a TIFF file for each plane."""
    folder.mkdir(parents=True, exist_ok=True)
    for z, plane in enumerate(planes):
        tifffile.imwrite(folder / f"s_{z:04d}.tif", plane, photometric="minisblack", **how)
    return folder


def write_jp2s(folder: Path, planes: np.ndarray) -> Path:
    """Write a lossless JP2 file for each plane."""
    folder.mkdir(parents=True, exist_ok=True)
    for z, plane in enumerate(planes):
        coded = imagecodecs.jpeg2k_encode(plane, reversible=True, codecformat="jp2")
        (folder / f"s_{z:04d}.jp2").write_bytes(coded)
    return folder


def options(rng: np.random.Generator) -> list[str]:
    """Return some options that don't change voxels of level 0."""
    some = (
        *((), (), ("--ngff", "0.4"), ("--shards", "none"), ("--chunks", "8,32,32")),
        *(("--compressor", "none"), ("--compressor", "gzip:1"), ("--levels", "1")),
        ("--chunks", "16,32,32", "--shards", "16,64,64"),
    )
    return [*some[rng.integers(len(some))], "--workers", str(rng.integers(1, 4))]


def levels(path: Path) -> list[np.ndarray]:
    """Return the voxels of every level, as zarr-python reads them."""
    group = zarr.open_group(path, mode="r")
    attributes = dict(group.attrs)
    scales = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
    return [group[scale["path"]][:] for scale in scales]


def differs(path: Path, expected: np.ndarray) -> str:
    """Return in which way a store isn't the right one; empty if it is."""
    try:
        (found, *_) = levels(path)
    except Exception as error:  # of any kind: it is the reader's
        return f"the store can't be read: {type(error).__name__}: {error}"
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return f"level 0 is {found.shape} {found.dtype}, not {expected.shape} {expected.dtype}"
    wrong = int(np.count_nonzero(found != expected))
    if wrong:
        return f"{wrong} of {expected.size} voxels are wrong"
    return "the mark is still there" if (path / MARK).exists() else ""


def looks_whole(path: Path) -> bool:
    """Whether zarr-python opens an image group there, without a mark that says otherwise."""
    if (path / MARK).exists():
        return False
    try:
        return len(levels(path)) > 0
    except Exception:  # of any kind: no image
        return False


def tree(folder: Path) -> Files:
    """Return all that a folder holds, with the contents of files; None stands for folders."""
    return {
        str(entry.relative_to(folder)): entry.read_bytes() if entry.is_file() else None
        for entry in folder.rglob("*")
    }


def _changes(before: Files, after: Files) -> list[str]:
    """Return which entries came, went or changed."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name, 0) != after.get(name, 0))


def judge(
    done: Done, dst: Path, expected: np.ndarray, root: Path, before: Files, *codes: int
) -> None:
    """Check a conversion: a right store and exit 0, or words, one of `codes`, and no traces.

    Parameters
    ----------
    root, before
        A folder that holds all that the try is about, and its `tree` before the run.

    Raises
    ------
    Unexpected
        If the outcome is another one.
    """
    in_words(done, *codes)
    if done.code == 0 and (wrong := differs(dst, expected)):
        raise Unexpected(f"exit 0, but {wrong}", done)
    changed = _changes(before, tree(root))
    if done.code == 0:
        own, made = dst.resolve(), {path.resolve() for path in (dst, *dst.parents)}
        paths = {name: (root / name).resolve() for name in changed}
        changed = [n for n in changed if own not in paths[n].parents and paths[n] not in made]
    if changed:
        raise Unexpected(f"{len(changed)} traces are left, {changed[0]!r} the first", done)
