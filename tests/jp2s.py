"""JP2 files for tests: encoded by imagecodecs, lossless unless said otherwise."""

import imagecodecs
import numpy as np
from PIL import Image

__all__ = ["random_plane", "tile_parts", "write", "write_tiles"]


def write(path, plane, **options):
    coded = imagecodecs.jpeg2k_encode(plane, **{"reversible": True, "codecformat": "jp2"} | options)
    path.write_bytes(coded)
    return path


def random_plane(dtype, bits, shape=(37, 53)):
    low = -(2 ** (bits - 1)) if np.dtype(dtype).kind == "i" else 0
    rng = np.random.default_rng(bits)
    return rng.integers(low, low + 2**bits, shape).astype(dtype)


def write_tiles(path, plane, tile, **options):
    """In tiles, which imagecodecs doesn't write; a bare codestream by its suffix."""
    options |= {"no_jp2": path.suffix == ".j2k"}
    Image.fromarray(plane).save(path, "JPEG2000", tile_size=(tile, tile), **options)
    return path


def tile_parts(coded):
    """Where the tile-parts of a codestream begin, and where the last ends."""
    place = coded.index(b"\xff\x90\x00\x0a")
    places = []
    while coded[place : place + 2] == b"\xff\x90":
        places.append(place)
        place += int.from_bytes(coded[place + 6 : place + 10], "big")
    return [*places, place]
