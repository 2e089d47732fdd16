"""The script that an able Dask user writes.

Of seven arrangements tried (one slice a block, slabs of 16, 32 or 128 slices; chunk-wise or
band-wise stores) slabs of 16 slices cut into chunks were as fast as any, in the least memory.
"""

# mypy: disallow-untyped-calls=False

from pathlib import Path
from typing import Any

import dask
import dask.array as da
import imagecodecs
import numpy as np
import tifffile
import zarr
from dask.delayed import delayed
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BloscShuffle

from tests.benchmarks.program import Clock, main

CHUNK = 128
LEVELS = 5
SLAB = 16


def _read(file: Path) -> NDArray[np.uint16]:
    if file.suffix == ".jp2":
        return imagecodecs.jpeg2k_decode(file.read_bytes(), numthreads=1)
    return tifffile.imread(file)


def _read_slab(files: list[Path]) -> NDArray[np.uint16]:
    return np.stack([_read(file) for file in files])


def _volume(src: Path) -> Any:
    """Slices as a lazy array (z, y, x), `SLAB` slices a block."""
    files = sorted(src.iterdir())
    first = _read(files[0])
    slabs = [files[z : z + SLAB] for z in range(0, len(files), SLAB)]
    blocks = [
        da.from_delayed(
            delayed(_read_slab)(slab),
            (len(slab), *first.shape),
            meta=np.empty((0, 0, 0), first.dtype),
        )
        for slab in slabs
    ]
    return da.concatenate(blocks)


def _store(volume: Any, path: Path) -> None:
    array = zarr.create_array(
        path,
        shape=volume.shape,
        chunks=tuple(min(CHUNK, n) for n in volume.shape),
        dtype=volume.dtype,
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle),
    )
    da.to_zarr(volume, array)


def _halved(path: Path) -> Any:
    """The next level of a stored one, whose chunks are read eight at a time to make one."""
    stored = da.from_zarr(path, chunks=(2 * CHUNK,) * 3)
    mean = da.coarsen(np.mean, stored, {0: 2, 1: 2, 2: 2}, trim_excess=True)
    return mean.astype(stored.dtype)


def _convert(src: Path, dst: Path, workers: int, clock: Clock) -> None:
    with dask.config.set(scheduler="threads", num_workers=workers):
        with clock("level 0"):
            _store(_volume(src).rechunk((CHUNK,) * 3), dst / "0")
        with clock("smaller levels"):
            for level in range(1, LEVELS):
                _store(_halved(dst / str(level - 1)), dst / str(level))


if __name__ == "__main__":
    main(_convert)
