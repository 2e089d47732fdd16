"""stack_to_chunk, used as its tutorial does: one process a slab, then one level after another."""

# mypy: disallow-untyped-calls=False

from pathlib import Path
from typing import Any

import dask.array as da
import imagecodecs
import numpy as np
import tifffile
from dask.delayed import delayed
from pydantic_zarr.v3 import ArraySpec
from stack_to_chunk import MultiScaleGroup  # type: ignore[import-untyped]

from tests.benchmarks.program import Clock, main

CHUNK = 128
LEVELS = 5
BLOSC = {"cname": "zstd", "clevel": 1, "shuffle": "shuffle", "typesize": 2, "blocksize": 0}


def _volume(src: Path) -> Any:
    """Slices as a lazy array (x, y, z), one slice a block."""
    files = sorted(src.iterdir())
    read = imagecodecs.imread if files[0].suffix == ".jp2" else tifffile.imread
    first = read(files[0])
    planes = [
        da.from_delayed(delayed(read)(file), first.shape, meta=np.empty((0, 0), first.dtype))
        for file in files
    ]
    return da.stack(planes).T


def _convert(src: Path, dst: Path, workers: int, clock: Clock) -> None:
    volume = _volume(src)
    grid: Any = {"name": "regular", "configuration": {"chunk_shape": [CHUNK] * 3}}
    codecs: Any = ({"name": "bytes"}, {"name": "blosc", "configuration": BLOSC})
    spec: Any = ArraySpec.from_array(volume, chunk_grid=grid, codecs=codecs)
    group = MultiScaleGroup(
        dst, name="benchmark", voxel_size=(1, 1, 1), spatial_unit="micrometer", array_spec=spec
    )
    with clock("level 0"):
        group.add_full_res_data(volume, n_processes=workers)
    with clock("smaller levels"):
        for level in range(1, LEVELS):
            group.add_downsample_level(level, n_processes=workers)


if __name__ == "__main__":
    main(_convert)
