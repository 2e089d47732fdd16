"""JP2 files for tests: encoded by imagecodecs, lossless unless said otherwise."""

import imagecodecs
import numpy as np

__all__ = ["random_plane", "write"]


def write(path, plane, **options):
    coded = imagecodecs.jpeg2k_encode(plane, **{"reversible": True, "codecformat": "jp2"} | options)
    path.write_bytes(coded)
    return path


def random_plane(dtype, bits, shape=(37, 53)):
    low = -(2 ** (bits - 1)) if np.dtype(dtype).kind == "i" else 0
    rng = np.random.default_rng(bits)
    return rng.integers(low, low + 2**bits, shape).astype(dtype)
