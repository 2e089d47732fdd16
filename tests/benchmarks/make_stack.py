"""Make one stack: ``python -m tests.benchmarks.make_stack KIND FOLDER Z Y X``.

``jp2`` as in the Human Organ Atlas, 10:1; ``jp2-lossless``; ``tiff`` uncompressed;
``tiff-deflate``; ``wide`` and ``long``: JP2 of which but a few slices are distinct, since encoding
is slow.
"""

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np

from hoaconv.engine.machine import cpus
from hoaconv.io.phantom import Phantom
from hoaconv.io.slice_files import write_jp2_stack, write_tiff_stack

Shape = tuple[int, int, int]
DISTINCT = 64  # so that equal slices never lie in one blosc block


def _jp2(folder: Path, shape: Shape) -> None:
    write_jp2_stack(Phantom(shape), folder)


def _jp2_lossless(folder: Path, shape: Shape) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    source = Phantom(shape)

    def write(z: int) -> None:
        plane = np.empty(source.spec.plane_shape, source.spec.dtype)
        source.read(z, plane)
        coded = imagecodecs.jpeg2k_encode(plane, reversible=True, codecformat="jp2", numthreads=1)
        (folder / f"slice_{z:06d}.jp2").write_bytes(coded)

    with ThreadPoolExecutor(cpus()) as threads:
        list(threads.map(write, range(shape[0])))


def _tiff(folder: Path, shape: Shape, compression: str | None = None) -> None:
    write_tiff_stack(Phantom(shape), folder, compression=compression)


def _few_distinct(folder: Path, shape: Shape) -> None:
    planes, y, x = shape
    distinct = write_jp2_stack(Phantom((min(DISTINCT, planes), y, x)), folder)
    for z in range(len(distinct), planes):
        shutil.copyfile(distinct[z % len(distinct)], folder / f"slice_{z:06d}.jp2")


KINDS: dict[str, Callable[[Path, Shape], None]] = {
    "jp2": _jp2,
    "jp2-lossless": _jp2_lossless,
    "tiff": _tiff,
    "tiff-deflate": partial(_tiff, compression="deflate"),
    "wide": _few_distinct,
    "long": _few_distinct,
}

if __name__ == "__main__":
    kind, folder, *edges = sys.argv[1:]
    z, y, x = (int(edge) for edge in edges)
    KINDS[kind](Path(folder), (z, y, x))
