"""Small objects of a mask, found and cleared while its planes go by, each of them seen once.

A plane is kept as bits. Its runs, the stretches of set voxels in a row, are the nodes of a
union-find over the plane that came last and the one that comes: an object is a root with its
voxels counted, up to one too many, and the plane where it began. What has no run in the new plane
has ended; if it is small it is cleared, by a walk over the bits that begins at one of its runs.
"""

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from hoaconv.kernels.rows import Planes, flat_rows

__all__ = [
    "CONNECTIVITIES",
    "Tracks",
    "finish",
    "follow",
    "give",
    "track",
    "track_bytes",
    "warm",
]

CONNECTIVITIES = (6, 18, 26)
"""How many neighbours a voxel has: through faces; edges as well; corners as well."""

_REACHES = {6: (0, 0, -1), 18: (1, 1, 0), 26: (1, 1, 1)}
"""By how many voxels a run may miss another and still touch it: one in the row before, one in the
same row of the plane before, one in the rows next to that. With -1 they never touch."""

_WORD = 64
_PARENT, _COUNT, _FIRST = range(3)

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, int, int]


class Tracks(NamedTuple):
    """What is asked for, and what is known of the planes that went by.

    Attributes
    ----------
    planes, most : int
        Planes of the volume; voxels of the largest object that is small.
    holes : bool
        Whether objects are made of the voxels that are 0. Those at the volume's faces are then
        never small.
    reaches : three ints
        One row of `_REACHES`.
    steps : (connectivity, 3) array
        From a voxel to its neighbours; step k is the opposite of the k-th from the end.
    bits : (depth, y, words) uint64 array
        The last planes, plane z at z modulo depth. Bits beyond a row's end are 0.
    nodes : (3, runs of two planes) array
        Of each run its parent, the root's being itself; of a root the voxels of its object, held
        at ``most + 1``, and the object's first plane.
    rows : (2, y + 1) array
        How many runs lie before each row, in the last plane of even and of odd z.
    edges : (5, x + 1) array
        Starts and stops of a row's runs: of two rows of one plane, of three of another.
    path : uint8 array
        The steps that lead to where a walk is.
    """

    planes: int
    most: int
    holes: bool
    reaches: tuple[int, int, int]
    steps: Array
    bits: Array
    nodes: Array
    rows: Array
    edges: Array
    path: Array


def track(shape: Shape, most: int, connectivity: int, *, holes: bool) -> Tracks:
    """Begin with a volume (z, y, x), of which no plane has come yet."""
    most = min(most, prod(shape))
    return _tracks(shape, most, connectivity, holes=holes, index=_index(shape, most))


def _tracks(
    shape: Shape, most: int, connectivity: int, *, holes: bool, index: np.dtype[Any]
) -> Tracks:
    nz, ny, nx = shape
    bits, nodes, path = _sizes(shape, most)
    return Tracks(
        nz,
        most,
        holes,
        _REACHES[connectivity],
        _steps(connectivity),
        np.empty(bits, np.uint64),
        np.empty(nodes, index),
        np.zeros((2, ny + 1), index),
        np.empty((5, nx + 1), index),
        np.empty(path, np.uint8),
    )


def track_bytes(shape: Shape, most: int) -> int:
    """Bytes that `track` allocates: enough for a mask with as many runs as there can be."""
    _, ny, nx = shape
    most = min(most, prod(shape))
    bits, nodes, path = _sizes(shape, most)
    tables = prod(nodes) + 2 * (ny + 1) + 5 * (nx + 1)
    return 8 * prod(bits) + tables * _index(shape, most).itemsize + path + 26 * 3 * 8


def _sizes(shape: Shape, most: int) -> tuple[Shape, tuple[int, int], int]:
    """Shapes of bits, nodes and path.

    A small object spans `most` planes or fewer, and that it has ended shows one plane later.
    """
    nz, ny, nx = shape
    runs = ny * -(-nx // 2)
    return (min(most + 1, nz), ny, -(-nx // _WORD)), (3, 2 * runs), most


def _index(shape: Shape, most: int) -> np.dtype[Any]:
    """The dtype of nodes: it holds any run and voxel of a plane, any plane, and two counts."""
    nz, ny, nx = shape
    largest = max(nz, ny * (nx + 1), 2 * (most + 1))
    return np.dtype(np.int32 if largest < 2**31 else np.int64)


def _steps(connectivity: int) -> Array:
    around = np.indices((3, 3, 3)).reshape(3, -1).T - 1
    axes = np.abs(around).sum(axis=1)
    return np.asarray(around[(axes > 0) & (axes <= CONNECTIVITIES.index(connectivity) + 1)])


def warm(shape: Shape, most: int, dtype: np.dtype[Any]) -> None:
    """Compile what following planes of this dtype through a volume calls."""
    index = _index(shape, min(most, prod(shape)))
    tracks = _tracks((1, 1, 1), 1, 6, holes=False, index=index)
    given = follow(tracks, np.zeros((1, 1), dtype), 0, 0)
    finish(tracks, given)
    give(tracks, 0, np.empty((1, 1), np.uint8))


def follow(tracks: Tracks, plane: Array, z: int, given: int) -> int:
    """Take plane `z` (y, x) of any dtype, whose voxels other than 0 are set; NaN is one of them.

    Clears the small objects that don't go on in it. Returns the first plane that is undecided
    still, if only it and those after it may be; `given` is what the call before returned, 0 at
    first. Plane z itself is the last one, so that z + 1 means all are decided.
    """
    _pack(flat_rows(plane), plane.shape, tracks.bits[z % len(tracks.bits)], tracks.holes)
    _label(tracks, z)
    return int(_settle(tracks, z, given))


def finish(tracks: Tracks, given: int) -> None:
    """All planes have come: clear the small objects that reach the last one."""
    tracks.rows[tracks.planes % 2] = 0
    _settle(tracks, tracks.planes, given)


def give(tracks: Tracks, z: int, out: Array) -> None:
    """Write plane `z`, which must be decided, into `out` (y, x) uint8: 0 and 1 of the mask."""
    _unpack(tracks.bits[z % len(tracks.bits)], flat_rows(out), out.shape, tracks.holes)


@njit(nogil=True, cache=True, error_model="numpy")
def _pack(source: Planes, shape: Any, bits: Any, holes: bool) -> None:
    flat, _, step = source
    ny, nx = shape
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for i in range(nx // _WORD):
            voxels = row[i * _WORD : (i + 1) * _WORD]
            word = np.uint64(0)
            for k in range(_WORD):
                word |= np.uint64((voxels[k] != 0) != holes) << np.uint64(k)
            bits[y, i] = word
        if nx % _WORD:
            word = np.uint64(0)
            for k in range(nx % _WORD):
                set_ = (row[nx // _WORD * _WORD + k] != 0) != holes
                word |= np.uint64(set_) << np.uint64(k)
            bits[y, nx // _WORD] = word


@njit(nogil=True, cache=True, error_model="numpy")
def _unpack(bits: Any, target: Planes, shape: Any, holes: bool) -> None:
    flat, _, step = target
    ny, nx = shape
    flip = np.uint64(holes)
    for y in range(ny):
        row = flat[y * step : y * step + nx]
        for x in range(nx):
            bit = bits[y, x // _WORD] >> np.uint64(x % _WORD) & np.uint64(1)
            row[x] = bit ^ flip


@intrinsic
def _trailing_zeros(_: Any, word: Any) -> Any:
    """How many zeros stand below the lowest one of a word that has one."""

    def code(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.cttz(args[0], context.get_constant(types.boolean, True))

    return types.uint64(word), code


@njit(nogil=True, cache=True, error_model="numpy")
def _find_edges(words: Any, nx: int, edges: Any) -> int:
    """Write start, stop, start, stop ... of the runs of a row; returns how many runs."""
    n, carry = 0, np.uint64(0)
    for i in range(words.size):
        word = words[i]
        changes = word ^ (word << np.uint64(1) | carry)
        carry = word >> np.uint64(_WORD - 1)
        while changes:
            edges[n] = i * _WORD + np.int64(_trailing_zeros(changes))  # type: ignore[call-arg]
            n += 1
            changes &= changes - np.uint64(1)
    if n % 2:
        edges[n] = nx
        n += 1
    return n // 2


@njit(nogil=True, cache=True, error_model="numpy")
def _label(tracks: Tracks, z: int) -> None:
    """Make nodes of the runs of plane z, behind those of the plane before, and unite them."""
    nodes, edges = tracks.nodes, tracks.edges
    bits, before = tracks.bits[z % len(tracks.bits)], tracks.bits[(z - 1) % len(tracks.bits)]
    rows, rows_before = tracks.rows[z % 2], tracks.rows[(z - 1) % 2]
    ny, nx = len(rows) - 1, edges.shape[1] - 1
    behind = rows_before[ny]
    here, up, beside = tracks.reaches
    if rows_before[1]:
        _find_edges(before[0], nx, edges[2])
    for y in range(ny):
        runs = edges[y % 2]
        n = _find_edges(bits[y], nx, runs)
        first = behind + rows[y]
        rows[y + 1] = rows[y] + n
        outside = tracks.holes and (y in (0, ny - 1) or z in (0, tracks.planes - 1))
        _begin(tracks, z, first, runs[: 2 * n], nx, outside)
        if y > 0:
            last = edges[(y - 1) % 2][: 2 * (rows[y] - rows[y - 1])]
            _unite(nodes, runs[: 2 * n], first, last, behind + rows[y - 1], here, tracks.most)
        if y + 1 < ny and rows_before[y + 2] > rows_before[y + 1]:
            _find_edges(before[y + 1], nx, edges[2 + (y + 1) % 3])
        for near in range(max(y - 1, 0), min(y + 2, ny)):
            reach = up if near == y else beside
            last = edges[2 + near % 3][: 2 * (rows_before[near + 1] - rows_before[near])]
            if reach >= 0:
                _unite(nodes, runs[: 2 * n], first, last, rows_before[near], reach, tracks.most)


@njit(nogil=True, cache=True, error_model="numpy")
def _begin(tracks: Tracks, z: int, first: int, runs: Any, nx: int, outside: bool) -> None:
    """Make nodes of a row's runs, each an object of its own."""
    most = tracks.most
    for k in range(runs.size // 2):
        start, stop = runs[2 * k], runs[2 * k + 1]
        outer = outside or (tracks.holes and (start == 0 or stop == nx))
        tracks.nodes[_PARENT, first + k] = first + k
        tracks.nodes[_COUNT, first + k] = most + 1 if outer else min(stop - start, most + 1)
        tracks.nodes[_FIRST, first + k] = z


@njit(nogil=True, cache=True, error_model="numpy")
def _unite(
    nodes: Any, runs: Any, first: int, others: Any, first_other: int, reach: int, most: int
) -> None:
    """Unite the runs of two rows that touch. Both are in order, so one pass finds all pairs."""
    i = j = 0
    while i < runs.size and j < others.size:
        if runs[i] < others[j + 1] + reach and others[j] < runs[i + 1] + reach:
            _join(nodes, first + i // 2, first_other + j // 2, most)
        if runs[i + 1] < others[j + 1]:
            i += 2
        else:
            j += 2


@njit(nogil=True, cache=True, error_model="numpy")
def _join(nodes: Any, one: int, other: int, most: int) -> None:
    """Make one object of two. The later root stays, so that one in the new plane is found there."""
    parents, counts, firsts = nodes[_PARENT], nodes[_COUNT], nodes[_FIRST]
    one, other = _root(parents, one), _root(parents, other)
    if one == other:
        return
    low, high = min(one, other), max(one, other)
    parents[low] = high
    counts[high] = min(counts[low] + counts[high], most + 1)
    firsts[high] = min(firsts[low], firsts[high])


@njit(nogil=True, cache=True, error_model="numpy")
def _root(parents: Any, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@njit(nogil=True, cache=True, error_model="numpy")
def _settle(tracks: Tracks, z: int, given: int) -> int:
    """Clear what is small and has ended before plane z; keep the nodes of plane z alone."""
    rows = tracks.rows[z % 2]
    behind = tracks.rows[(z - 1) % 2][-1]
    for k in range(_find_ended(tracks, z)):
        y, x = divmod(tracks.nodes[_FIRST, k], tracks.edges.shape[1] - 1)
        _clear(tracks, given, z - 1, y, x)
    parents, counts, firsts = tracks.nodes[_PARENT], tracks.nodes[_COUNT], tracks.nodes[_FIRST]
    for node in range(behind + rows[-1] - 1, behind - 1, -1):
        parents[node] = parents[parents[node]]
    undecided = z + 1
    for node in range(rows[-1]):
        old = behind + node
        parents[node] = parents[old] - behind
        counts[node], firsts[node] = counts[old], firsts[old]
        if parents[node] == node and counts[node] <= tracks.most:
            undecided = min(undecided, firsts[node])
    return undecided


@njit(nogil=True, cache=True, error_model="numpy")
def _find_ended(tracks: Tracks, z: int) -> int:
    """Find a voxel of every small object that ended in plane z - 1; returns how many.

    They go where the first planes of the nodes before stood, which nobody needs any more.
    """
    bits, edges = tracks.bits[(z - 1) % len(tracks.bits)], tracks.edges[0]
    parents, counts, voxels = tracks.nodes[_PARENT], tracks.nodes[_COUNT], tracks.nodes[_FIRST]
    rows, nx = tracks.rows[(z - 1) % 2], tracks.edges.shape[1] - 1
    ended = 0
    for y in range(len(rows) - 1):
        known = False
        for node in range(rows[y], rows[y + 1]):
            if parents[node] != node or counts[node] > tracks.most:
                continue
            if not known:
                _find_edges(bits[y], nx, edges)
                known = True
            voxels[ended] = y * nx + edges[2 * (node - rows[y])]
            ended += 1
    return ended


@njit(nogil=True, cache=True, error_model="numpy")
def _clear(tracks: Tracks, given: int, z: int, y: int, x: int) -> None:
    """Clear the object of a voxel, which lies within the planes `given` to `z`.

    Walks from voxel to voxel and back again, so that all it must remember is its path.
    """
    steps, path = tracks.steps, tracks.path
    ny, nx = tracks.bits.shape[1], tracks.edges.shape[1] - 1
    last = z
    _take(tracks.bits, z, y, x)
    n = k = 0
    while True:
        if k == len(steps):
            if n == 0:
                return
            n -= 1
            k = path[n] + 1
            z, y, x = z - steps[k - 1, 0], y - steps[k - 1, 1], x - steps[k - 1, 2]
            continue
        to_z, to_y, to_x = z + steps[k, 0], y + steps[k, 1], x + steps[k, 2]
        inside = given <= to_z <= last and 0 <= to_y < ny and 0 <= to_x < nx
        if inside and _take(tracks.bits, to_z, to_y, to_x):
            path[n] = k
            z, y, x, n, k = to_z, to_y, to_x, n + 1, 0
        else:
            k += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _take(bits: Any, z: int, y: int, x: int) -> bool:
    """Clear a voxel; returns whether it was set."""
    words = bits[z % len(bits), y]
    bit = np.uint64(1) << np.uint64(x % _WORD)
    was_set = bool(words[x // _WORD] & bit)
    words[x // _WORD] &= ~bit
    return was_set
