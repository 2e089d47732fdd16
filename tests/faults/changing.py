"""A slice changes while the run is at work: words that name it, or voxels as they were."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from hoaconv.io.stack import Stack

from .programs import before_call, here
from .stores import judge, options, tree, volume, write_jp2s, write_tiffs
from .trials import Group, Try, Unexpected

__all__ = ["GROUP"]

SOURCE = 3
Deed = Callable[[np.random.Generator, Path], None]


def _changed(deed: Deed, *, racing: bool = False) -> Try:
    def attempt(rng: np.random.Generator, folder: Path) -> None:
        planes = volume(rng, (int(rng.integers(2, 30)), *rng.integers(20, 200, 2)))
        src, file = _written(rng, folder / "in", planes)
        dst = folder / "o.zarr"
        words = [src, dst, "--quiet", *options(rng)]

        def change() -> None:
            time.sleep(float(rng.uniform(0, 0.02)) if racing else 0)
            deed(rng, file)

        def begin() -> None:
            if racing:
                threads.append(threading.Thread(target=change))
                threads[0].start()
            else:
                change()

        threads: list[threading.Thread] = []
        with before_call(Stack, "read", int(rng.integers(len(planes))), begin):
            done = here(*words)
        for thread in threads:
            thread.join()
        before = {name: got for name, got in tree(folder).items() if not name.startswith("o.zarr")}
        judge(done, dst, planes, folder, before, SOURCE)
        if done.code and file.name not in done.stderr:
            raise Unexpected(f"the message doesn't name {file.name}", done)

    return attempt


def _written(rng: np.random.Generator, folder: Path, planes: np.ndarray) -> tuple[Path, Path]:
    """Write slices, or one file of pages; return the source and the file that will change."""
    how = int(rng.integers(4))
    if how == 3:
        folder.mkdir()
        src = folder / "v.tif"
        with tifffile.TiffWriter(src) as tif:
            for plane in planes:
                tif.write(plane, contiguous=False, metadata=None, photometric="minisblack")
    elif how == 2:
        src = write_jp2s(folder, planes)
    else:
        src = write_tiffs(folder, planes, **({"compression": "zlib"} if how else {}))
    files = sorted(folder.iterdir())
    for file in files:  # as of a minute ago: a change now is one that the file's time tells
        os.utime(file, (time.time() - 60,) * 2)
    return src, files[rng.integers(len(files))]


def _truncate(rng: np.random.Generator, file: Path) -> None:
    os.truncate(file, int(rng.integers(0, file.stat().st_size)))


def _delete(rng: np.random.Generator, file: Path) -> None:
    file.unlink()


def _append(rng: np.random.Generator, file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(rng.bytes(int(rng.integers(1, 5000))))


def _touch(rng: np.random.Generator, file: Path) -> None:
    os.utime(file)


def _rewrite(rng: np.random.Generator, file: Path) -> None:
    """Write other bytes in place, as many as there were."""
    with file.open("r+b") as stream:
        stream.write(rng.bytes(file.stat().st_size))


def _replace(rng: np.random.Generator, file: Path) -> None:
    """Put another sound slice in its place: other voxels, perhaps of another layout."""
    shape: tuple[int, ...] = (50, 60)
    if file.suffix == ".tif":
        with tifffile.TiffFile(file) as tif:
            shape = tif.pages[0].shape
    beside = file.with_name("beside")
    layouts = ({}, {"byteorder": ">"}, {"description": "x" * 99}, {"compression": "zlib"})
    layout = layouts[rng.integers(len(layouts))]
    tifffile.imwrite(beside, volume(rng, shape), photometric="minisblack", metadata=None, **layout)
    beside.replace(file)


def _folder(rng: np.random.Generator, file: Path) -> None:
    file.unlink()
    file.mkdir()


def _link(rng: np.random.Generator, file: Path) -> None:
    """Put a link to another slice in its place."""
    other = next((f for f in sorted(file.parent.iterdir()) if f != file), file)
    if other == file:
        return
    file.unlink()
    file.symlink_to(other)


def _add(rng: np.random.Generator, file: Path) -> None:
    """Put one more slice beside it."""
    shutil.copy(file, file.with_name(f"s_9999{file.suffix}"))


_DEEDS: dict[str, Deed] = {
    "truncated": _truncate,
    "deleted": _delete,
    "appended to": _append,
    "touched": _touch,
    "rewritten in place": _rewrite,
    "replaced": _replace,
    "a folder in its place": _folder,
    "a link in its place": _link,
    "another slice comes": _add,
}

GROUP = Group(
    "changing",
    {name: _changed(deed) for name, deed in _DEEDS.items()}
    | {f"{name}, racing": _changed(_DEEDS[name], racing=True) for name in list(_DEEDS)[:6]},
)
