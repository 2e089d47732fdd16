"""Make one stack: ``python -m tests.benchmarks.make_stack KIND FOLDER Z Y X``.

``jp2`` as in the Human Organ Atlas, 10:1; ``tiff`` uncompressed; ``wide`` JP2 of which but a
few slices are distinct, since encoding is slow.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from hoaconv.io.phantom import Phantom
from hoaconv.io.slice_files import write_jp2_stack, write_tiff_stack

Shape = tuple[int, int, int]
DISTINCT = 16  # equal slices are farther apart than blosc looks back, so they pack no better


def _jp2(folder: Path, shape: Shape) -> None:
    write_jp2_stack(Phantom(shape), folder)


def _tiff(folder: Path, shape: Shape) -> None:
    write_tiff_stack(Phantom(shape), folder)


def _wide(folder: Path, shape: Shape) -> None:
    planes, y, x = shape
    distinct = write_jp2_stack(Phantom((min(DISTINCT, planes), y, x)), folder)
    for z in range(len(distinct), planes):
        shutil.copyfile(distinct[z % len(distinct)], folder / f"slice_{z:06d}.jp2")


KINDS: dict[str, Callable[[Path, Shape], None]] = {"jp2": _jp2, "tiff": _tiff, "wide": _wide}

if __name__ == "__main__":
    kind, folder, *edges = sys.argv[1:]
    z, y, x = (int(edge) for edge in edges)
    KINDS[kind](Path(folder), (z, y, x))
