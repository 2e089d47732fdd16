"""A source, ops, a fold and a sink that live in memory: the engine knows no others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import (
    Core,
    Economy,
    Fold,
    Hold,
    HoldWriter,
    LayeredSource,
    Op,
    Piece,
    Pieces,
    Resample,
    Scan,
    Scanner,
    Scratch,
    Sink,
    Source,
    Use,
    Writer,
)
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.errors import SourceError


@dataclass(frozen=True, eq=False)
class InMemory(Source):
    """A volume (z, y, x); plane `bad` can't be read."""

    volume: Slab
    bad: int = -1
    reads: list[int] = field(default_factory=list)

    @property
    def spec(self) -> Spec:
        return Spec(self.volume.shape, self.volume.dtype)

    @property
    def stored_bytes(self) -> int:
        return self.volume.nbytes

    def read(self, z: int, out: Plane) -> None:
        self.reads.append(z)
        if z == self.bad:
            raise SourceError(f"slice {z} is bad")
        out[...] = self.volume[z]

    def scratch(self) -> int:
        return 0

    def __str__(self) -> str:
        return "memory"


@dataclass(frozen=True, eq=False)
class Layered(LayeredSource):
    """A volume in layers of `thick` planes, in pieces of rows and columns; read `bad` fails."""

    volume: Slab
    thick: int
    rows: int
    taken: tuple[int, ...]
    bad: int = -1
    columns: int = 10_000
    reads: list[tuple[int, ...]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def spec(self) -> Spec:
        return Spec((len(self.taken), *self.volume.shape[1:]), self.volume.dtype)

    @property
    def stored_bytes(self) -> int:
        return self.volume.nbytes

    @property
    def depth(self) -> int:
        return self.thick

    @property
    def planes(self) -> Sequence[int]:
        return self.taken

    @property
    def pieces(self) -> Sequence[Piece]:
        ny, nx = self.volume.shape[1:]
        return list(product(bands(ny, self.rows), bands(nx, self.columns)))

    def piece_bytes(self, planes: int) -> int:
        return 0

    def read_piece(self, planes: Sequence[int], piece: Piece, out: Slab) -> None:
        rows, columns = piece
        with self.lock:
            self.reads.append((planes[0] // self.thick, rows.start, columns.start))
            if len(self.reads) - 1 == self.bad:
                raise SourceError("a bad piece")
        out[...] = self.volume[planes][:, rows, columns]

    def __str__(self) -> str:
        return "layered"


@dataclass(frozen=True)
class Box(Op):
    """Sum of a box of voxels cut at the volume's edges: exact, and needs its whole halo."""

    word: ClassVar[str] = "box"
    radius: tuple[int, int, int] = (1, 1, 1)

    @property
    def halo(self) -> tuple[int, int, int]:
        return self.radius

    def infer(self, spec: Spec) -> Spec:
        return Spec(spec.shape, np.dtype("int32"))

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        whole = box_sum(block, self.radius)
        out[...] = whole[core]

    def work(self, spec: Spec) -> int:
        return 12 * int(np.prod(spec.shape))

    def __str__(self) -> str:
        return f"box {self.radius}"


def box_sum(volume: Slab, radius: tuple[int, int, int]) -> Slab:
    """The oracle too: differences of cumulative sums."""
    total = volume.astype(np.int32)
    for axis, r in enumerate(radius):
        n = total.shape[axis]
        sums = np.concatenate([np.zeros_like(total.take([0], axis)), total.cumsum(axis)], axis)
        high = np.minimum(np.arange(n) + r + 1, n)
        low = np.maximum(np.arange(n) - r, 0)
        total = (sums.take(high, axis) - sums.take(low, axis)).astype(np.int32)
    return total


@dataclass(frozen=True)
class Add(Op):
    """Pointwise."""

    word: ClassVar[str] = "add"
    value: int = 1

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        np.add(block[core], self.value, out=out, casting="unsafe")

    def __str__(self) -> str:
        return f"add {self.value}"


@dataclass(frozen=True)
class Spans(Resample):
    """Sums of `length` planes, the first span beginning at plane `first`, the next `every` later.

    Each sum comes `repeat` times, and `most` planes at the most. Thus a crop, every n-th plane, a
    bin, a window; rows are kept.
    """

    word: ClassVar[str] = "spans"
    first: int = 0
    every: int = 1
    length: int = 1
    repeat: int = 1
    most: int = 1000

    def infer(self, spec: Spec) -> Spec:
        first = min(self.first, spec.planes - 1)
        count = -(-(spec.planes - first) // self.every)
        return Spec((min(count * self.repeat, self.most), *spec.plane_shape), spec.dtype)

    def reach(self, spec: Spec, z: int) -> range:
        start = min(self.first, spec.planes - 1) + z // self.repeat * self.every
        return range(start, min(start + self.length, spec.planes))

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:
        out[...] = 0
        for plane in planes:
            out += plane[rows]

    def __str__(self) -> str:
        return f"spans {self.first} {self.every} {self.length} {self.repeat} {self.most}"


def span_sums(volume: Slab, spans: Spans) -> Slab:
    """The oracle."""
    n, first = len(volume), min(spans.first, len(volume) - 1)
    sums = [volume[z : z + spans.length].sum(axis=0) for z in range(first, n, spans.every)]
    return np.repeat(np.stack(sums).astype(volume.dtype), spans.repeat, axis=0)[: spans.most]


@dataclass(frozen=True)
class Lag(Scan):
    """Each plane and all before it, summed up; given as soon as `late` more have come, or all
    that wait at once."""

    word: ClassVar[str] = "lag"
    late: int = 2
    at_once: bool = False

    def infer(self, spec: Spec) -> Spec:
        return Spec(spec.shape, np.dtype("int32"))

    def delay(self, spec: Spec) -> int:
        return min(self.late, spec.planes - 1)

    def state_bytes(self, spec: Spec) -> int:
        return (self.late + 2) * self.infer(spec).plane_bytes

    def open(self, spec: Spec, buffers: Buffers) -> Scanner:
        return _Lagging(self, spec, buffers)

    def warm(self, spec: Spec) -> None:
        pass

    def __str__(self) -> str:
        return f"lag {self.late}"


class _Lagging(Scanner):
    def __init__(self, lag: Lag, spec: Spec, buffers: Buffers) -> None:
        self.lag, self.buffers = lag, buffers
        self.waiting: list[Plane] = []
        self.total = np.zeros(spec.plane_shape, np.int32)

    def take(self, plane: Plane) -> Iterator[Plane]:
        self.total = self.total + plane
        self.waiting.append(self.total)
        full = len(self.waiting) > self.lag.late
        return self.give(len(self.waiting) if full and self.lag.at_once else int(full))

    def end(self) -> Iterator[Plane]:
        return self.give(len(self.waiting))

    def give(self, n: int) -> Iterator[Plane]:
        return map(self.copy, [self.waiting.pop(0) for _ in range(n)])

    def copy(self, plane: Plane) -> Plane:
        out = self.buffers.take(plane.shape, np.int32)
        out[...] = plane
        return out


@dataclass(frozen=True)
class Total(Fold):
    word: ClassVar[str] = "total"

    def init(self, spec: Spec) -> list[int]:
        return [0]

    def step(self, state: list[int], block: Plane, z: int = 0, y: int = 0) -> None:
        state[0] += int(block.sum())

    def merge(self, one: list[int], other: list[int]) -> list[int]:
        return [one[0] + other[0]]

    def finish(self, state: list[int]) -> Mapping[str, Any]:
        return {"sum": state[0]}

    def state_bytes(self, spec: Spec) -> int:
        return 8


@dataclass(frozen=True, eq=False)
class Keep(Sink):
    """Copies every plane; says how it ended."""

    planes: list[Plane] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def infer(self, spec: Spec) -> Spec:
        return spec

    def files(self, spec: Spec) -> int:
        return 0

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:
        return 0

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        return (Use("keep", "everything", spec.nbytes),)

    def trial(self, spec: Spec, plane: Plane) -> float:
        return 0.25

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> Writer:
        return _Keeper(self)

    def warm(self, spec: Spec) -> None:
        pass

    @property
    def volume(self) -> Slab:
        return np.stack(self.planes)

    def __str__(self) -> str:
        return "keep"


class _Keeper(Writer):
    def __init__(self, sink: Keep) -> None:
        self.sink = sink

        self.plane: Plane | None = None
        self.lock = Lock()

    def take(self, plane: Plane, rows: slice) -> None:
        with self.lock:
            if self.plane is None:
                self.plane = np.zeros_like(plane)
        self.plane[rows] = plane[rows]

    def advance(self) -> None:
        self.sink.planes.append(self.plane)
        self.plane = None

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:
        self.sink.ended.append("closed")
        return {"planes": len(self.sink.planes)}

    def release(self) -> None:
        self.sink.ended.append("released")

    def abort(self) -> bool:
        self.sink.ended.append("aborted")
        return True


@dataclass(frozen=True, eq=False)
class Lend(Keep):
    """Lends every plane its place."""

    lent: list[int] = field(default_factory=list)

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> Writer:
        return _Lender(self, np.zeros(spec.shape, spec.dtype))


class _Lender(_Keeper):
    def __init__(self, sink: Lend, places: Slab) -> None:
        super().__init__(sink)
        self.places = places

    def lend(self, z: int) -> Plane:
        self.sink.lent.append(z)
        return self.places[z]

    @property
    def filled(self) -> bool:
        return len(self.sink.planes) in self.sink.lent

    def advance(self) -> None:
        if self.filled:
            self.plane = self.places[len(self.sink.planes)]
        super().advance()


@dataclass(frozen=True)
class SubtractMost(Op):
    """Voxels less the greatest of the whole volume, which has to be found first."""

    word: ClassVar[str] = "subtract-most"
    most: int | None = None

    @property
    def needs(self) -> Fold | None:
        return Most() if self.most is None else None

    def settle(self, found: Mapping[str, Any]) -> "SubtractMost":
        return SubtractMost(found["most"])

    def infer(self, spec: Spec) -> Spec:
        return Spec(spec.shape, np.dtype("int32"))

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        assert self.most is not None
        np.subtract(block[core], self.most, out=out, casting="unsafe")

    def work(self, spec: Spec) -> int:
        return spec.nbytes * 8 // spec.dtype.itemsize

    def __str__(self) -> str:
        return "subtract-most"


@dataclass(frozen=True)
class SubtractMean(SubtractMost):
    word: ClassVar[str] = "subtract-mean"

    @property
    def needs(self) -> Fold | None:
        return Mean() if self.most is None else None

    def settle(self, found: Mapping[str, Any]) -> "SubtractMean":
        return SubtractMean(int(found["mean"]))

    def __str__(self) -> str:
        return "subtract-mean"


@dataclass(frozen=True)
class Mean(Total):
    word: ClassVar[str] = "mean"

    def init(self, spec: Spec) -> list[int]:
        return [0, 0]

    def step(self, state: list[int], block: Plane, z: int = 0, y: int = 0) -> None:
        state[0] += int(block.sum())
        state[1] += block.size

    def merge(self, one: list[int], other: list[int]) -> list[int]:
        return [one[0] + other[0], one[1] + other[1]]

    def finish(self, state: list[int]) -> Mapping[str, Any]:
        return {"mean": state[0] / state[1]}


@dataclass(frozen=True)
class Most(Total):
    word: ClassVar[str] = "most"

    def step(self, state: list[int], block: Plane, z: int = 0, y: int = 0) -> None:
        state[0] = max(state[0], int(block.max()))

    def merge(self, one: list[int], other: list[int]) -> list[int]:
        return [max(one[0], other[0])]

    def finish(self, state: list[int]) -> Mapping[str, Any]:
        return {"most": state[0]}


@dataclass(frozen=True, eq=False)
class Shelf(Keep):
    """Keeps planes as a disk does: in nobody's memory."""

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        return ()


@dataclass(frozen=True)
class Drawer(Hold):
    """Planes that wait for a later sweep: a value, like all holds."""

    name: str
    given: Spec

    @property
    def spec(self) -> Spec:
        return self.given

    @property
    def reading_bytes(self) -> int:
        return 0

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:
        return 0

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        return ()

    def trial(self, spec: Spec, plane: Plane) -> float:
        return 0.25

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> HoldWriter:
        return OpenDrawer(self)

    def __str__(self) -> str:
        return self.name


class OpenDrawer(_Keeper, HoldWriter):
    """A drawer of one run; `opened` remembers all of them."""

    opened: ClassVar[list["OpenDrawer"]] = []

    def __init__(self, drawer: Drawer) -> None:
        super().__init__(Shelf())
        self.drawer = drawer
        self.opened.append(self)

    @property
    def ended(self) -> list[str]:
        return self.sink.ended

    def kept(self) -> Source:
        return FromDrawer(self)


@dataclass(frozen=True, eq=False)
class FromDrawer(Source):
    writer: OpenDrawer
    stored_bytes: ClassVar[int] = 0

    @property
    def spec(self) -> Spec:
        return self.writer.drawer.spec

    def read(self, z: int, out: Plane) -> None:
        out[...] = self.writer.sink.planes[z]

    def scratch(self) -> int:
        return 0

    def __str__(self) -> str:
        return self.writer.drawer.name


@dataclass(frozen=True)
class Desk(Scratch):
    """A scratch that lies in memory."""

    def hold(self, name: str, spec: Spec) -> Drawer:
        return Drawer(name, spec)

    def pieces(self, name: str) -> "Heap":
        return Heap(name)

    @property
    def largest_piece(self) -> int:
        return 1 << 30

    def stored_bytes(self, pieces: int, nbytes: int) -> int:
        return nbytes + pieces

    def packing_bytes(self, nbytes: int) -> int:
        return 0


class Heap(Pieces):
    """Pieces of one run, in memory; `made` remembers all heaps."""

    made: ClassVar[list["Heap"]] = []

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: list[Plane] = []
        self.most = 0
        self.is_removed = False
        self.lock = Lock()
        self.made.append(self)

    def put(self, piece: Plane) -> tuple[int, int]:
        with self.lock:
            assert not self.is_removed
            self.waiting.append(piece.copy())
            self.most = max(self.most, sum(waiting.nbytes + 1 for waiting in self.waiting))
            return len(self.waiting) - 1, piece.nbytes

    def get(self, place: tuple[int, int], out: Plane) -> None:
        out[...] = self.waiting[place[0]]

    def clear(self) -> None:
        self.waiting.clear()

    def remove(self) -> None:
        self.is_removed = True
        self.waiting.clear()


@dataclass(frozen=True)
class Slope(Source):
    """Planes made of where they are: a value, unlike `InMemory`."""

    shape: tuple[int, int, int]

    @property
    def spec(self) -> Spec:
        return Spec(self.shape, np.dtype("int32"))

    @property
    def stored_bytes(self) -> int:
        return self.spec.nbytes

    @property
    def volume(self) -> Slab:
        return np.stack([self.plane(z) for z in range(self.shape[0])])

    def plane(self, z: int) -> Plane:
        count = self.shape[1] * self.shape[2]
        return (np.arange(count, dtype=np.int32) * (z + 3) % 47).reshape(self.shape[1:])

    def read(self, z: int, out: Plane) -> None:
        out[...] = self.plane(z)

    def scratch(self) -> int:
        return 0

    def __str__(self) -> str:
        return "slope"


@dataclass(frozen=True)
class Tray(Sink):
    """Gives the planes away as a run's output: a value, unlike `Keep`."""

    name: str

    def infer(self, spec: Spec) -> Spec:
        return spec

    def files(self, spec: Spec) -> int:
        return 0

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:
        return 0

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        return ()

    def trial(self, spec: Spec, plane: Plane) -> float:
        return 0.25

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> Writer:
        return _Giver(Keep())

    def warm(self, spec: Spec) -> None:
        pass

    def __str__(self) -> str:
        return self.name


class _Giver(_Keeper):
    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"volume": self.sink.volume}
