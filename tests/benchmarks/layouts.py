"""Layouts against their floors: rechunk, shards, levels that are added, slices, another axis.

``python -m tests.benchmarks.layouts [--edge 1024] [--rounds 3] [CASE ...]`` prints, for each case,
the median seconds of hoaconv and of its floor, and their ratio. Each run is a process of its own, of
which the second time counts: nothing is imported or compiled then. The two take turns. The floor
decodes every chunk, and encodes and writes every chunk or plane, each on all threads, and does
nothing else.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from time import perf_counter
from typing import Any

import imagecodecs
import numcodecs
import numpy as np
import zarr

import hoaconv as hc
from hoaconv.io.phantom import Phantom

WORKERS = 2
CHUNK = 128
Voxels = np.ndarray[Any, np.dtype[Any]]


def encode(chunk: Voxels) -> Any:
    return imagecodecs.blosc_encode(
        np.ascontiguousarray(chunk),
        level=1,
        compressor="zstd",
        shuffle=1,
        blocksize=1 << 18,
        typesize=chunk.itemsize,
        numthreads=1,
    )


def write_chunks(threads: ThreadPoolExecutor, layer: Voxels, edge: int, dst: Path, z: int) -> None:
    """Encode the chunks of a layer, and write each as a file."""

    def write(yx: tuple[int, int]) -> None:
        y, x = yx
        (dst / f"{z}.{y}.{x}").write_bytes(encode(layer[:, y : y + edge, x : x + edge]))

    list(threads.map(write, product(*(range(0, n, edge) for n in layer.shape[1:]))))


def floor_of_chunks(src: Path, dst: Path, edge: int) -> None:
    """Decode every chunk by zarr's own codec, and write chunks of another edge."""
    dst.mkdir()
    array = zarr.open_array(src, mode="r")
    nz, ny, nx = array.shape
    cz, cy, cx = array.chunks
    threads = ThreadPoolExecutor(WORKERS)
    layer = np.empty((min(CHUNK, nz), ny, nx), array.dtype)
    for z in range(0, nz, CHUNK):
        boxes = product(range(z, min(z + CHUNK, nz), cz), range(0, ny, cy), range(0, nx, cx))

        def read(at: tuple[int, int, int], z: int = z) -> None:
            k, y, x = at
            coded = (src / file_of(src, k // cz, y // cy, x // cx)).read_bytes()
            chunk = np.frombuffer(imagecodecs.blosc_decode(coded), array.dtype).reshape(cz, cy, cx)
            part = layer[k - z : k - z + cz, y : y + cy, x : x + cx]
            part[...] = chunk[tuple(slice(n) for n in part.shape)]

        list(threads.map(read, boxes))
        for at in range(0, len(layer), edge):
            write_chunks(threads, layer[at : at + edge], edge, dst, z + at)


def file_of(src: Path, *where: int) -> str:
    v3 = (src / "zarr.json").exists()
    return "/".join(["c", *map(str, where)]) if v3 else ".".join(map(str, where))


def floor_of_levels(src: Path, dst: Path) -> None:
    """Decode every chunk of level 0; encode and write as many bytes as the next level has."""
    dst.mkdir()
    array = zarr.open_array(src / "0", mode="r")
    nz, ny, nx = array.shape
    threads = ThreadPoolExecutor(WORKERS)
    layer = np.empty((min(CHUNK, nz), ny, nx), array.dtype)
    for z in range(0, nz, CHUNK):

        def read(yx: tuple[int, int], z: int = z) -> None:
            y, x = yx
            coded = (
                src / "0" / file_of(src / "0", z // CHUNK, y // CHUNK, x // CHUNK)
            ).read_bytes()
            raw = np.frombuffer(imagecodecs.blosc_decode(coded), array.dtype)
            layer[:, y : y + CHUNK, x : x + CHUNK] = raw.reshape(CHUNK, CHUNK, CHUNK)

        list(threads.map(read, product(range(0, ny, CHUNK), range(0, nx, CHUNK))))
        smaller = np.ascontiguousarray(layer[::2, : ny // 2, : nx // 2])
        write_chunks(threads, smaller, CHUNK, dst, z)


def floor_of_jp2(src: Path, dst: Path) -> None:
    """Encode every plane, lossless, in a pool."""
    dst.mkdir()
    volume = zarr.open_array(src / "0", mode="r")[:]

    def write(z: int) -> None:
        coded = imagecodecs.jpeg2k_encode(
            volume[z], level=0, reversible=True, codecformat="jp2", resolutions=6, numthreads=1
        )
        (dst / f"{z:06}.jp2").write_bytes(coded)

    list(ThreadPoolExecutor(WORKERS).map(write, range(len(volume))))


def along_x(src: Path, dst: Path) -> None:
    hc.stats(src / "0", source_axes="xyz", workers=WORKERS, watcher=hc.Watcher())


def along_z(src: Path, dst: Path) -> None:
    hc.stats(src / "0", workers=WORKERS, watcher=hc.Watcher())


def rechunk(src: Path, dst: Path, **options: Any) -> None:
    hc.rechunk(src, dst, workers=WORKERS, watcher=hc.Watcher(), **options)


def shards(src: Path, dst: Path) -> None:
    rechunk(src, dst, chunks=64, shards=(64, 1024, 1024))


def stack(src: Path, dst: Path, format: str) -> None:
    volume = hc.open(src / "0")
    (volume | hc.Stack(dst, format=format)).run(workers=WORKERS, progress=False)


def add_levels(src: Path, dst: Path) -> None:
    hc.add_pyramid(src, levels=5, overwrite=True, workers=WORKERS, watcher=hc.Watcher())


Part = Callable[[Path, Path], object]
CASES: dict[str, tuple[str, Part, Part]] = {
    "rechunk": ("planes", partial(rechunk, chunks=CHUNK), partial(floor_of_chunks, edge=CHUNK)),
    "shards": ("image/0", shards, partial(floor_of_chunks, edge=64)),
    "add-pyramid": ("bare", add_levels, floor_of_levels),
    "to-jp2": ("image", partial(stack, format="jp2"), floor_of_jp2),
    "along-x": ("image", along_x, along_z),
}
"""For each case its source, hoaconv's run, and what it is compared with."""


def make(folder: Path, edge: int) -> None:
    """Make a phantom as zarr v2 planes, and as OME-Zarr images with one level."""
    volume = hc.open(Phantom((256, edge, edge))).compute()
    planes = zarr.create_array(
        folder / "planes",
        shape=volume.shape,
        chunks=(1, edge, edge),
        dtype="u2",
        zarr_format=2,
        compressors=numcodecs.Blosc("zstd", 1, 1),
    )
    planes[...] = volume
    for name in ("image", "bare"):
        image = hc.OmeZarr(folder / name, chunks=CHUNK, shards="none", levels=1)
        (hc.open(volume, voxel_size=1) | image).run(progress=False)


def run_one(case: str, who: str, folder: Path) -> None:
    name, ours, floor = CASES[case]
    seconds = 0.0
    for _ in range(2):
        dst = Path(mkdtemp(dir=folder)) / "out"
        start = perf_counter()
        (ours if who == "hoaconv" else floor)(folder / name, dst)
        seconds = perf_counter() - start
        shutil.rmtree(dst.parent)
    print(json.dumps({"seconds": seconds}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], default=[])
    parser.add_argument("--edge", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given.one[0], given.one[1], Path(given.one[2]))
        return
    folder = Path(mkdtemp(prefix="hoaconv-layouts-"))
    try:
        make(folder, given.edge)
        for case in given.cases or CASES:
            told: dict[str, list[float]] = {"hoaconv": [], "floor": []}
            for _ in range(given.rounds):
                for who, seconds in told.items():
                    words = [sys.executable, "-m", "tests.benchmarks.layouts", "--one", case, who]
                    done = subprocess.run(
                        [*words, folder], capture_output=True, text=True, check=True
                    )
                    seconds.append(json.loads(done.stdout.splitlines()[-1])["seconds"])
            ours, floor = (median(told[who]) for who in told)
            print(f"{case:<12} {ours:7.2f} s  floor {floor:7.2f} s  {ours / floor:5.2f} x")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
