"""SimpleITK: the series in memory, its own filters on all threads, levels by its own BinShrink.

It has no reader for JP2 and no writer for zarr, so zarr-python stores the levels.
"""

# mypy: disallow-untyped-calls=False

from collections.abc import Callable
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from tests.benchmarks.program import Clock, main

CHUNK = 128
LEVELS = 5
BRIGHT = 20000
MOST = 65535

OPS: dict[str, Callable[[Any], Any]] = {
    "median": lambda image: sitk.Median(image, [1, 1, 1]),
    "open": lambda image: sitk.BinaryMorphologicalOpening(
        sitk.BinaryThreshold(image, BRIGHT + 1, MOST), [1, 1, 1], sitk.sitkBox
    ),
}


def _store(image: Any, path: Path) -> None:
    voxels = sitk.GetArrayViewFromImage(image)
    array = zarr.create_array(
        path,
        shape=voxels.shape,
        chunks=tuple(min(CHUNK, n) for n in voxels.shape),
        dtype=voxels.dtype,
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle),
    )
    array[...] = voxels


def _convert(src: Path, dst: Path, workers: int, clock: Clock, op: str) -> None:
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(workers)
    zarr.config.set({"threading.max_workers": workers})
    with clock("read"):
        image = sitk.ReadImage([str(file) for file in sorted(src.iterdir())])
    with clock(op):
        image = OPS[op](image)
    with clock("levels"):
        for level in range(LEVELS):
            _store(image, dst / str(level))
            image = sitk.BinShrink(image, [2, 2, 2])


if __name__ == "__main__":
    main(_convert, op="median")
