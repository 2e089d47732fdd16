"""ngff-zarr: image, multiscales, store, as in the quick start of its documentation."""

# mypy: disallow-untyped-calls=False

from pathlib import Path

import dask
import ngff_zarr
from numcodecs import Blosc

from tests.benchmarks.lazy import volume
from tests.benchmarks.program import Clock, main

CHUNK = 128
LEVELS = 5


def _convert(src: Path, dst: Path, workers: int, clock: Clock) -> None:
    with dask.config.set(scheduler="threads", num_workers=workers), clock("to_ngff_zarr"):
        image = ngff_zarr.to_ngff_image(volume(src), dims=["z", "y", "x"])
        multiscales = ngff_zarr.to_multiscales(
            image,
            scale_factors=[2**k for k in range(1, LEVELS)],
            method=ngff_zarr.Methods.DASK_BIN_SHRINK,
            chunks=CHUNK,
        )
        blosc = Blosc(cname="zstd", clevel=1, shuffle=Blosc.SHUFFLE)
        ngff_zarr.to_ngff_zarr(dst, multiscales, version="0.4", compressor=blosc)


if __name__ == "__main__":
    main(_convert)
