"""Disks that are full or read-only, outputs in the way, folders that change during the run."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import numpy as np

from hoaconv.io.zarr import ArrayWriter

from .programs import before_call, here, in_words, run
from .stores import differs, judge, looks_whole, options, tree, volume, write_tiffs
from .trials import Done, Group, Skipped, Try, Unexpected

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

__all__ = ["GROUP"]

STORE = 5
LAYERS = ("--chunks", "8,32,32", "--shards", "none", "--quiet")


def _source(rng: np.random.Generator, folder: Path) -> tuple[Path, np.ndarray]:
    planes = volume(rng, (int(rng.integers(1, 50)), *rng.integers(20, 150, 2)))
    return write_tiffs(folder / "in", planes), planes


def _small_files(rng: np.random.Generator, folder: Path) -> None:
    """No file may be larger than some bytes: what fails is a write in the middle of a file."""
    if resource is None:
        raise Skipped("this system has no RLIMIT_FSIZE")
    src, planes = _source(rng, folder)
    most = int(10 ** rng.uniform(2, 6))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    before, dst = tree(folder), folder / "o.zarr"
    words = (src, dst, "--quiet", *options(rng))
    done = run(*words, note=f" # RLIMIT_FSIZE {most}", preexec_fn=limit)
    judge(done, dst, planes, folder, before, STORE)


@cache
def _mounting() -> tuple[str, ...]:
    """Return the command in whose namespace a disk can be mounted, for this process alone."""
    mount = 'mount -t tmpfs -o size=1m none "$0"'
    for command in (("unshare", "-m"), ("unshare", "-rm")):
        words = [*command, "sh", "-c", mount, tempfile.gettempdir()]
        with suppress(FileNotFoundError):
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                return command
    return ()


def _mounted(how: Callable[[np.random.Generator], str]) -> Try:
    """Convert onto a disk that is there for the run alone; what it leaves is copied from it."""

    def attempt(rng: np.random.Generator, folder: Path) -> None:
        if not _mounting():
            raise Skipped("no disk may be mounted here")
        src, planes = _source(rng, folder)
        disk, left = folder / "disk", folder / "left"
        disk.mkdir()
        left.mkdir()
        before, options_of_disk = tree(folder), how(rng)
        script = (
            f"mount -t tmpfs -o {options_of_disk} none {shlex.quote(str(disk))} || exit 99; "
            f'"$@"; code=$?; cp -a {shlex.quote(str(disk))}/. {shlex.quote(str(left))}; exit $code'
        )
        prefix = (*_mounting(), "sh", "-c", script, "sh")
        done = run(src, disk / "o.zarr", "--quiet", *options(rng), prefix=prefix)
        judge(done, left / "o.zarr", planes, folder, before, STORE)

    return attempt


def _no_permission(rng: np.random.Generator, folder: Path) -> None:
    src, planes = _source(rng, folder)
    closed = folder / "closed"
    closed.mkdir(mode=0o555)
    try:
        if os.access(closed, os.W_OK):
            raise Skipped("this user may write everywhere")
        before = tree(folder)
        done = here(src, closed / "o.zarr", "--quiet", *options(rng))
        judge(done, closed / "o.zarr", planes, folder, before, STORE)
        _not_done(done)
    finally:
        closed.chmod(0o755)


def _not_done(done: Done) -> None:
    if done.code == 0:
        raise Unexpected("exit 0, though it can't be", done)


def _in_the_way(rng: np.random.Generator, folder: Path) -> None:
    """A file, or a folder of somebody's files: all of it stays."""
    src, planes = _source(rng, folder)
    dst = folder / "o.zarr"
    how = int(rng.integers(4))
    if how == 0:
        dst.write_text("precious")
    else:
        theirs = dst / ("photos" if how > 1 else "")
        theirs.mkdir(parents=True)
        (theirs / str(rng.choice(["cat.jpg", "thesis.txt", "0", "c", "zarr.json"]))).write_text("x")
    if how == 3:
        (dst / "zarr.json").write_text("{}")
    before = tree(folder)
    more = ["--overwrite"] if how and "zarr.json" not in os.listdir(dst) else []
    target = dst / "deep" / "er" if rng.random() < 0.2 and how == 0 else dst
    done = here(src, target, "--quiet", *options(rng), *more[: rng.integers(2)])
    judge(done, target, planes, folder, before, STORE)
    _not_done(done)


def _midway(deed: Callable[[np.random.Generator, Path], None]) -> Try:
    """Have something happen to the output before one of its layers is written."""

    def attempt(rng: np.random.Generator, folder: Path) -> None:
        planes = volume(rng, (int(rng.integers(17, 40)), *rng.integers(20, 100, 2)))
        src, parent = write_tiffs(folder / "in", planes), folder / "parent"
        dst = parent / "o.zarr"
        parent.mkdir()
        call = int(rng.integers(1, len(planes) // 8))
        with before_call(ArrayWriter, "write_layer", call, lambda: deed(rng, dst)):
            done = here(src, dst, *LAYERS, "--levels", "1", "--workers", str(rng.integers(1, 4)))
        in_words(done, STORE)
        _judge_midway(done, parent, planes)

    return attempt


def _judge_midway(done: Done, parent: Path, planes: np.ndarray) -> None:
    theirs = [p for p in parent.rglob("theirs*") if p.read_text() == "precious"]
    stores = [p for p in sorted(parent.iterdir()) if looks_whole(p)]
    if done.code == 0 and (not stores or (wrong := differs(stores[0], planes))):
        raise Unexpected(f"exit 0, but {wrong if stores else 'no store is there'}", done)
    if done.code and stores:
        raise Unexpected(f"it fails, but {stores[0].name} looks whole", done)
    if (parent / "expects-theirs").exists() and not theirs:
        raise Unexpected("somebody's file is gone", done)


def _remove(rng: np.random.Generator, dst: Path) -> None:
    shutil.rmtree(dst, ignore_errors=True)


def _rename(rng: np.random.Generator, dst: Path) -> None:
    dst.rename(dst.with_name("moved.zarr"))


def _swap(rng: np.random.Generator, dst: Path) -> None:
    """Rename the folder, and put one of somebody's in its place."""
    _rename(rng, dst)
    dst.mkdir()
    _strange(rng, dst)


def _strange(rng: np.random.Generator, dst: Path) -> None:
    (dst / "theirs.txt").write_text("precious")
    (dst.parent / "expects-theirs").mkdir(exist_ok=True)


def _lose_chunk(rng: np.random.Generator, dst: Path) -> None:
    chunks = sorted(f for f in dst.glob("0/c/*/*/*") if f.is_file())
    if chunks:
        chunks[rng.integers(len(chunks))].unlink()


def _file_in_place(rng: np.random.Generator, dst: Path) -> None:
    _remove(rng, dst)
    dst.write_text("precious")


GROUP = Group(
    "disks",
    {
        "limit of a file's size": _small_files,
        "full disk": _mounted(lambda rng: f"size={rng.integers(4, 400)}k"),
        "no inodes left": _mounted(lambda rng: f"size=9m,nr_inodes={rng.integers(2, 40)}"),
        "read-only disk": _mounted(lambda rng: "size=9m,ro"),
        "folder without permission": _no_permission,
        "somebody's files in the way": _in_the_way,
        "output removed midway": _midway(_remove),
        "output renamed midway": _midway(_rename),
        "output swapped midway": _midway(_swap),
        "output becomes a file midway": _midway(_file_in_place),
        "chunk deleted midway": _midway(_lose_chunk),
        "somebody's file comes midway": _midway(_strange),
    },
)
