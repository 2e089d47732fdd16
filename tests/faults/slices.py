"""Sound and damaged slices, seeded: what may come out of each is known before hoaconv reads it.

`KINDS` has the makers. Of what each writes, hoaconv must give the voxels, or end with one error in
words, soon: never a traceback, never other voxels where somebody could know.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

__all__ = ["ANY", "KINDS", "Make"]

ANY = "any voxels, or a refusal"
"""What is expected where nobody can know: a flipped bit of a voxel, say."""

Expected = np.ndarray | str | None
Make = Callable[[np.random.Generator, Path], Expected]
"""Writes slices into a folder; returns the voxels zyx, None for a refusal alone, or `ANY`."""

_TIFFS = (
    *({}, {"byteorder": ">"}, {"bigtiff": True}, {"compression": "zlib"}, {"compression": "lzw"}),
    *({"compression": "zlib", "predictor": True}, {"compression": "packbits"}, {"tile": (16, 16)}),
    *({"compression": "zstd", "rowsperstrip": 5}, {"photometric": "miniswhite"}, {"imagej": True}),
)
_DTYPES = ("uint8", "uint16", "int16", "float32")


def _planes(rng: np.random.Generator, count: int, *, jp2: bool = False) -> np.ndarray:
    shape = tuple(int(n) for n in rng.integers(20, 80, 2))
    dtype = str(rng.choice(_DTYPES[:2] if jp2 else _DTYPES))
    return rng.integers(0, 200 if dtype == "uint8" else 30000, (count, *shape)).astype(dtype)


def _tiffs(rng: np.random.Generator, folder: Path) -> np.ndarray:
    """Slices of one layout, or a volume of pages of one or many."""
    options = dict(_TIFFS[rng.integers(len(_TIFFS))])
    planes = _planes(rng, int(rng.integers(1, 5)))
    if options.get("imagej") and planes.dtype == "int16":
        planes = planes.astype("uint16")
    told = {"photometric": "minisblack", "metadata": None} | options
    if rng.random() < 0.5 or len(planes) == 1 or options.get("imagej"):
        for z, plane in enumerate(planes):
            tifffile.imwrite(folder / f"s_{z:03d}.tif", plane, **told)
        return planes
    opening = {k: told.pop(k) for k in ("byteorder", "bigtiff", "imagej") if k in told}
    with tifffile.TiffWriter(folder / "v.tif", **opening) as tif:
        for plane in planes:
            own = dict(_TIFFS[rng.integers(len(_TIFFS))]) if not opening else {}
            own = {k: v for k, v in own.items() if k not in ("byteorder", "bigtiff", "imagej")}
            tif.write(plane, contiguous=False, **told | own)
    return planes


def _jp2s(rng: np.random.Generator, folder: Path) -> np.ndarray:
    """Slices as OpenJPEG codes them: whole, in tiles, bare; lossless."""
    planes, bare = _planes(rng, int(rng.integers(1, 4)), jp2=True), bool(rng.integers(2))
    tile = int(rng.choice([16, 32, 200]))
    for z, plane in enumerate(planes):
        file = folder / f"s_{z:03d}.{'j2k' if bare else 'jp2'}"
        if tile < 200 and plane.dtype == np.uint8:
            Image.fromarray(plane).save(file, "JPEG2000", tile_size=(tile, tile), no_jp2=bare)
        else:
            form = "j2k" if bare else "jp2"
            coded = imagecodecs.jpeg2k_encode(plane, reversible=True, codecformat=form)
            file.write_bytes(coded)
    return planes


def _any_file(rng: np.random.Generator, folder: Path) -> Path:
    files = sorted(folder.iterdir())
    return files[rng.integers(len(files))]


def _cut(make: Callable[[np.random.Generator, Path], np.ndarray]) -> Callable[..., Expected]:
    def cut(rng: np.random.Generator, folder: Path) -> Expected:
        planes = make(rng, folder)
        file = _any_file(rng, folder)
        coded = file.read_bytes()
        keep = int(rng.integers(0, len(coded)))
        file.write_bytes(coded[:keep])
        # Only padding may be missing without anybody's knowing, and then nothing is.
        return planes if len(coded) - keep < 16 else None

    return cut


def _flipped(make: Callable[[np.random.Generator, Path], np.ndarray], reach: int) -> Callable:
    """One to four bits of a file's first `reach` bytes; 0 for all of it."""

    def flip(rng: np.random.Generator, folder: Path) -> Expected:
        make(rng, folder)
        file = _any_file(rng, folder)
        coded = bytearray(file.read_bytes())
        for place in rng.integers(0, min(reach or len(coded), len(coded)), rng.integers(1, 5)):
            coded[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(coded)
        return ANY

    return flip


def _hole(rng: np.random.Generator, folder: Path) -> Expected:
    """4096 zeros somewhere in a JP2's coded data."""
    plane = rng.integers(0, 60000, (200, 200)).astype(np.uint16)
    coded = bytearray(imagecodecs.jpeg2k_encode(plane, reversible=True, codecformat="jp2"))
    begin = int(rng.integers(400, len(coded) - 4200))
    coded[begin : begin + 4096] = bytes(4096)
    (folder / "s_0.jp2").write_bytes(coded)


def _lost_tile(rng: np.random.Generator, folder: Path) -> Expected:
    plane = rng.integers(0, 200, (100, 100)).astype(np.uint8)
    file = folder / "s_0.j2k"
    Image.fromarray(plane).save(file, "JPEG2000", tile_size=(16, 16), no_jp2=True)
    coded = file.read_bytes()
    place, places = coded.index(b"\xff\x90\x00\x0a"), []
    while coded[place : place + 2] == b"\xff\x90":
        places.append(place)
        place += int.from_bytes(coded[place + 6 : place + 10], "big")
    lost = int(rng.integers(len(places)))
    file.write_bytes(coded[: places[lost]] + coded[[*places, place][lost + 1] :])


def _loop(rng: np.random.Generator, folder: Path) -> Expected:
    """A TIFF whose last directory leads back."""
    file, count = folder / "v.tif", int(rng.integers(2, 400))
    with tifffile.TiffWriter(file) as tif:
        for _ in range(count):
            tif.write(np.zeros((4, 5), np.uint8), metadata=None, contiguous=False)
    with tifffile.TiffFile(file) as tif:
        places = [page.offset for page in tif.pages]
    data = bytearray(file.read_bytes())
    (tags,) = struct.unpack_from("<H", data, places[-1])
    back = places[rng.integers(len(places))]
    struct.pack_into("<I", data, places[-1] + 2 + 12 * tags, back)
    file.write_bytes(data)


def _stray(rng: np.random.Generator, folder: Path) -> Expected:
    """An image of the right size among the slices, with a name of its own."""
    for z in range(int(rng.integers(12, 20))):
        tifffile.imwrite(folder / f"scan_{z:04d}.tif", np.full((9, 9), z, np.uint16))
    name = str(rng.choice(["overview", "mask_0", "scan_0003 (copy)", "a scan", "zz_1_2"]))
    tifffile.imwrite(folder / f"{name}.tif", np.zeros((9, 9), np.uint16))


def _gap(rng: np.random.Generator, folder: Path) -> Expected:
    for z in range(20):
        tifffile.imwrite(folder / f"scan_{z:04d}.tif", np.full((9, 9), z, np.uint16))
    (folder / f"scan_{rng.integers(1, 19):04d}.tif").unlink()


KINDS: dict[str, Make] = {
    "sound TIFF": _tiffs,
    "sound JP2": _jp2s,
    "TIFF cut short": _cut(_tiffs),
    "JP2 cut short": _cut(_jp2s),
    "TIFF, bits flipped": _flipped(_tiffs, 0),
    "JP2, bits flipped": _flipped(_jp2s, 0),
    "TIFF, header's bits flipped": _flipped(_tiffs, 300),
    "JP2, header's bits flipped": _flipped(_jp2s, 200),
    "JP2 with a hole": _hole,
    "JP2 without a tile": _lost_tile,
    "TIFF, directories that loop": _loop,
    "stray image": _stray,
    "slice missing": _gap,
}
