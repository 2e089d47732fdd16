"""The script that an able Dask user writes, with an op of dask-image or scikit-image or without.

Of seven arrangements tried for the plain conversion (one slice a block, slabs of 16, 32 or 128
slices; chunk-wise or band-wise stores) slabs of 16 slices cut into chunks were as fast as any,
in the least memory. Ops work on those chunks, as their documentation has it.
"""

# mypy: disallow-untyped-calls=False

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask_image.ndfilters
import dask_image.ndmorph
import numpy as np
import skimage.morphology
import skimage.util
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from tests.benchmarks.lazy import volume
from tests.benchmarks.program import Clock, main

CHUNK = 128
LEVELS = 5
BRIGHT = 20000
BOX = np.ones((3, 3, 3), bool)


def _opened(chunks: Any) -> Any:
    return dask_image.ndmorph.binary_opening(chunks > BRIGHT, BOX).astype(np.uint8)


def _opened_by_skimage(chunks: Any) -> Any:
    opening = partial(skimage.morphology.opening, footprint=BOX)
    bright = (chunks > BRIGHT).astype(np.uint8)
    return skimage.util.apply_parallel(
        opening, bright, depth=2, mode="nearest", dtype=np.uint8, compute=False
    )


OPS: dict[str, Callable[[Any], Any]] = {
    "none": lambda chunks: chunks,
    "gaussian": lambda chunks: dask_image.ndfilters.gaussian_filter(chunks, 1.5),
    "median": lambda chunks: dask_image.ndfilters.median_filter(chunks, size=3),
    "open": _opened,
    "skimage-open": _opened_by_skimage,
}


def _store(planned: Any, path: Path) -> None:
    array = zarr.create_array(
        path,
        shape=planned.shape,
        chunks=tuple(min(CHUNK, n) for n in planned.shape),
        dtype=planned.dtype,
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle),
    )
    da.to_zarr(planned, array)


def _halved(path: Path) -> Any:
    """The next level of a stored one, whose chunks are read eight at a time to make one."""
    stored = da.from_zarr(path, chunks=(2 * CHUNK,) * 3)
    mean = da.coarsen(np.mean, stored, {0: 2, 1: 2, 2: 2}, trim_excess=True)
    return mean.astype(stored.dtype)


def _convert(src: Path, dst: Path, workers: int, clock: Clock, op: str) -> None:
    with dask.config.set(scheduler="threads", num_workers=workers):
        if op == "histogram":
            with clock("histogram"):
                da.histogram(volume(src), 65536, (0, 65536))[0].compute()
            return
        with clock("level 0"):
            _store(OPS[op](volume(src).rechunk((CHUNK,) * 3)), dst / "0")
        with clock("smaller levels"):
            for level in range(1, LEVELS):
                _store(_halved(dst / str(level - 1)), dst / str(level))


if __name__ == "__main__":
    main(_convert, op="none")
