"""Chunks of HDF5 datasets as bytes: packed here, in any thread, and stored as they are.

The HDF5 library packs one chunk at a time. So the filters that it would apply are applied by
imagecodecs, without a lock, and HDF5 is given what comes of it.
"""

from collections.abc import Mapping
from typing import Any

import imagecodecs
import numpy as np

from hoaconv.engine.spec import Slab
from hoaconv.io.compressor import SHUFFLES, Compressor

__all__ = ["filter_options", "packed", "packing_bytes"]

BLOSC, ZSTD = 32001, 32015
"""Numbers of registered filters: https://github.com/HDFGroup/hdf5_plugins."""

_CNAMES = ("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd")
"""Inner compressors of blosc, by their number."""


def filter_options(compressor: Compressor) -> Mapping[str, Any]:
    """Return the options of ``h5py.Group.create_dataset`` that say how chunks are packed."""
    if compressor.codec == "none":
        return {}
    if compressor.codec == "gzip":
        return {"compression": "gzip", "compression_opts": compressor.level, "shuffle": True}
    if compressor.codec == "zstd":
        return {"compression": ZSTD, "compression_opts": (compressor.level,)}
    shuffle, cname = SHUFFLES.index(compressor.shuffle), _CNAMES.index(compressor.cname)
    # The first four are reserved for the filter itself.
    options = (0, 0, 0, 0, compressor.level, shuffle, cname)
    return {"compression": BLOSC, "compression_opts": options}


def packed(compressor: Compressor, chunk: Slab) -> bytes:
    """Return a whole chunk (z, y, x), C-contiguous, as HDF5 stores it."""
    data = chunk.tobytes()
    itemsize = chunk.dtype.itemsize
    if compressor.codec == "gzip":
        # The shuffle of HDF5: first bytes of all voxels, then second bytes, and so on.
        shuffled = np.frombuffer(data, np.uint8).reshape(-1, itemsize).T.tobytes()
        coded: Any = imagecodecs.zlib_encode(shuffled, level=compressor.level)
    elif compressor.codec == "zstd":
        coded = imagecodecs.zstd_encode(data, level=compressor.level)
    elif compressor.codec == "blosc":
        coded = imagecodecs.blosc_encode(
            data,
            level=compressor.level,
            compressor=compressor.cname,
            shuffle=compressor.shuffle,
            typesize=itemsize,
            blocksize=compressor.block or None,
            numthreads=1,
        )
    else:
        return data
    return bytes(coded)


def packing_bytes(chunk_bytes: int) -> int:
    """Return the bytes that a thread holds while it packs a chunk: the chunk, copies, the result.

    What is packed may be a little larger than the chunk.
    """
    return 4 * chunk_bytes + chunk_bytes // 8 + (1 << 16)
