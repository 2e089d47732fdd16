"""ome-zarr-py: `write_image` on a lazy array, as its documentation shows for large images.

In the format 0.4, whose writer lets the compressor be chosen: the one that all jobs use.
"""

# mypy: disallow-untyped-calls=False

from pathlib import Path

import dask
from numcodecs import Blosc
from ome_zarr.format import FormatV04
from ome_zarr.scale import Methods
from ome_zarr.writer import write_image

from tests.benchmarks.lazy import volume
from tests.benchmarks.program import Clock, main

CHUNK = 128
LEVELS = 5


def _convert(src: Path, dst: Path, workers: int, clock: Clock) -> None:
    with dask.config.set(scheduler="threads", num_workers=workers), clock("write_image"):
        write_image(
            volume(src).rechunk((CHUNK,) * 3),
            str(dst),
            scale_factors=[dict.fromkeys("zyx", 2**k) for k in range(1, LEVELS)],
            method=Methods.LOCAL_MEAN,
            fmt=FormatV04(),
            axes="zyx",
            storage_options={
                "chunks": (CHUNK,) * 3,
                "compressor": Blosc(cname="zstd", clevel=1, shuffle=Blosc.SHUFFLE),
            },
        )


if __name__ == "__main__":
    main(_convert)
