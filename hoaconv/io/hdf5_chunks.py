"""Chunks of HDF5 datasets as bytes: packed and unpacked here, in any thread.

The HDF5 library packs and unpacks one chunk at a time. So imagecodecs applies the filters that it
would apply, without a lock, and HDF5 stores and reads what comes of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import imagecodecs
import numpy as np

from hoaconv.engine.spec import Slab
from hoaconv.io.compressor import SHUFFLES, Compressor

__all__ = ["filter_options", "filters_of", "packed", "packing_bytes", "unpacked"]

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


def filters_of(dataset: Any) -> tuple[int, ...] | None:
    """Return the numbers of the filters of a dataset; None if `unpacked` doesn't undo them."""
    made = dataset.id.get_create_plist()
    codes = tuple(made.get_filter(n)[0] for n in range(made.get_nfilters()))
    known = (*_UNPACK, SHUFFLE)
    return codes if all(code in known for code in codes) else None


def unpacked(filters: Sequence[int], data: bytes, nbytes: int, itemsize: int) -> Any:
    """Return the bytes of a chunk as HDF5's filters were given them.

    Parameters
    ----------
    filters
        As of `filters_of`, in the order in which they were applied.
    nbytes
        Bytes of a whole chunk.

    Raises
    ------
    ValueError
        If other bytes come of it; damaged data raise the exceptions of a codec.
    """
    coded: Any = data
    for code in reversed(filters):
        if code == SHUFFLE:
            coded = np.frombuffer(coded, np.uint8).reshape(itemsize, -1).T.tobytes()
        else:
            coded = _UNPACK[code](coded, nbytes)
    if len(coded) != nbytes:
        raise ValueError(f"a chunk holds {len(coded)} bytes, not {nbytes}")
    return coded


DEFLATE, SHUFFLE, LZF = 1, 2, 32000

_UNPACK: Mapping[int, Callable[[Any, int], Any]] = {
    DEFLATE: lambda data, nbytes: imagecodecs.zlib_decode(data, out=nbytes),
    ZSTD: lambda data, nbytes: imagecodecs.zstd_decode(data, out=nbytes),
    BLOSC: lambda data, nbytes: imagecodecs.blosc_decode(data, numthreads=1),  # noqa: ARG005
    LZF: lambda data, nbytes: imagecodecs.lzf_decode(data, out=nbytes),
}
"""By the number of a filter, what undoes it."""
