"""The floor: what any conversion must do at least, with nobody waiting for anybody.

Every slice is decoded, then every chunk of every level is compressed and written, each on all
threads, one layer at a time; the two times are added. Making the smaller levels is not counted.
With shards, the chunks of each are appended to one file.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from tests.benchmarks.program import Clock, main

LEVELS = 5
BLOCK = 1 << 18
"""Bytes of a blosc block in what hoaconv writes by default."""

Voxels = np.ndarray[Any, np.dtype[Any]]
Read = Callable[[int, Voxels], object]


@dataclass(frozen=True)
class Store:
    """Edge of a chunk and of a shard (0 for none); zstd, lz4 or none, and its block in bytes."""

    chunk: int
    shard: int
    codec: str
    block: int


class Floor:
    """A stack on its way to the chunks of all levels."""

    def __init__(self, src: Path, dst: Path, workers: int, clock: Clock, store: Store) -> None:
        self.store = store
        self.files = sorted(src.iterdir())
        first, self.read = _open(self.files)
        shape = (len(self.files), *first.shape)
        self.levels = [_Level(dst / str(k), shape, k, first.dtype, store) for k in range(LEVELS)]
        self.threads, self.clock = ThreadPoolExecutor(workers), clock
        self.spare: SimpleQueue[Voxels] = SimpleQueue()
        for _ in range(workers):
            self.spare.put(np.empty(store.chunk**3, first.dtype))

    def run(self) -> None:
        full = self.levels[0]
        for z in range(0, len(self.files), self.store.chunk):
            planes = full.layer[: len(self.files) - z]
            with self.clock("decode"):
                self._all(self.read, range(z, z + len(planes)), planes)
            full.filled = len(planes)
            self._pass_on(self.levels)
        self.threads.shutdown()

    def _pass_on(self, levels: list["_Level"]) -> None:
        """Compress the first level's layer, once it is full, and halve it into the next."""
        level = levels[0]
        if not level.ready:
            return
        with self.clock("compress"):
            self._all(lambda yx: level.store(yx, self.spare), level.chunks())
        if levels[1:]:
            with self.clock("halve"):
                self._all(_halve, *levels[1].room_for(level.layer[: level.filled]))
            self._pass_on(levels[1:])
        level.done += level.filled
        level.filled = 0

    def _all(self, function: Callable[..., object], *arguments: Iterable[Any]) -> None:
        for _ in self.threads.map(function, *arguments):
            pass


class _Level:
    """The layer of one level that is being gathered; sizes are halved rounding down."""

    def __init__(
        self, folder: Path, shape: tuple[int, ...], k: int, dtype: np.dtype[Any], to: Store
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.to = folder, to
        self.planes, *edges = (n >> k for n in shape)
        self.layer = np.empty((min(to.chunk, self.planes), *edges), dtype)
        self.chunk = tuple(min(to.chunk, n) for n in self.layer.shape)
        self.filled = self.done = 0

    @property
    def ready(self) -> bool:
        return self.filled in (len(self.layer), self.planes - self.done)

    def chunks(self) -> Iterable[tuple[int, int]]:
        _, y, x = self.layer.shape
        return product(range(0, y, self.to.chunk), range(0, x, self.to.chunk))

    def store(self, yx: tuple[int, int], spare: "SimpleQueue[Voxels]") -> None:
        """Compress and write the chunk at (y, x) of this layer; one of zeros is left out."""
        y, x = yx
        edge, unit = self.to.chunk, self.to.shard or self.to.chunk
        part = self.layer[: self.filled, y : y + edge, x : x + edge]
        buffer = spare.get()
        chunk = buffer[: prod(self.chunk)].reshape(self.chunk)
        if part.shape != chunk.shape:
            chunk[...] = 0
        chunk[tuple(slice(n) for n in part.shape)] = part
        if chunk.any():
            with (self.folder / f"{self.done}.{y // unit}.{x // unit}").open("ab", 0) as file:
                file.write(_packed(chunk, self.to))
        spare.put(buffer)

    def room_for(self, planes: Voxels) -> tuple[Iterable[Voxels], Iterable[Voxels]]:
        """Pairs of planes of the level before, and where the plane made of each pair goes."""
        start = self.filled
        self.filled += len(planes) // 2
        pairs = (planes[2 * i : 2 * i + 2] for i in range(len(planes) // 2))
        return pairs, self.layer[start : self.filled]


def _packed(chunk: Voxels, to: Store) -> Any:
    if to.codec == "none":
        return chunk.data
    return imagecodecs.blosc_encode(
        chunk,  # type: ignore[arg-type]  # the stub says bytes, the codec takes any buffer
        level=1,
        compressor=to.codec,
        shuffle=1,
        blocksize=to.block,
        typesize=chunk.itemsize,
        numthreads=1,
    )


def _halve(pair: Voxels, out: Voxels) -> None:
    y, x = out.shape
    pair = pair[:, : 2 * y, : 2 * x]
    rows = np.add(pair[0], pair[1], dtype=np.uint32)
    rows = rows[0::2] + rows[1::2]
    out[...] = (rows[:, 0::2] + rows[:, 1::2]) >> 3


def _open(files: list[Path]) -> tuple[Voxels, Read]:
    """The first plane, for its shape and dtype, and what reads a plane by number."""
    if files[0].suffix == ".jp2":
        return imagecodecs.jpeg2k_decode(files[0].read_bytes()), _jp2(files)
    return tifffile.imread(files[0]), _tiff(files)


def _jp2(files: list[Path]) -> Read:
    def read(z: int, out: Voxels) -> object:
        return imagecodecs.jpeg2k_decode(files[z].read_bytes(), out=out, numthreads=1)

    return read


def _tiff(files: list[Path]) -> Read:
    """One writer made all files, so the first tells whether and where the voxels lie raw."""
    with tifffile.TiffFile(files[0]) as file:
        page = file.pages.first
        offset = page.dataoffsets[0] if page.is_final else None

    def decode(z: int, out: Voxels) -> None:
        tifffile.imread(files[z], out=out, maxworkers=1)

    def read(z: int, out: Voxels) -> None:
        with files[z].open("rb", buffering=0) as file:
            file.seek(offset or 0)
            if file.readinto(out.data) != out.nbytes:
                raise OSError(f"{files[z]} is cut short")

    return decode if offset is None else read


def _floor(
    src: Path, dst: Path, workers: int, clock: Clock, chunk: int, shard: int, codec: str, block: int
) -> None:
    Floor(src, dst, workers, clock, Store(chunk, shard, codec, block)).run()


if __name__ == "__main__":
    main(_floor, uncounted="halve", chunk=128, shard=0, codec="zstd", block=BLOCK)
