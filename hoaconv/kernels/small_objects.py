"""Removal of small objects from a mask while its planes stream by, each of them seen once.

This is connected-component labelling by runs and union-find (L. He, X. Ren, Q. Gao, X. Zhao, B. Yao
and Y. Chao, "The connected-component labeling problem: a review of state-of-the-art algorithms",
Pattern Recognition 70 (2017) 25-43), restricted to two planes at a time.

Planes are held as bits. The nodes of the union-find are the runs of set voxels in the rows of the
previous and the current plane. The root of an object has its number of voxels, counted up to one
above the limit, and its first plane. An object without a run in the current plane is complete; if
it is small, a walk over the bits from one of its runs clears it.
"""

from math import prod
from typing import Any, NamedTuple

import numpy as np

from hoaconv.kernels.bit_planes import WORD_BITS, clear_voxel, find_runs, pack_bits, unpack_bits
from hoaconv.kernels.jit import kernel
from hoaconv.kernels.rows import flat_rows
from hoaconv.kernels.types import Array, Plane, Triple

__all__ = [
    "CONNECTIVITIES",
    "Labelling",
    "compile_labelling",
    "flush",
    "label_plane",
    "labelling_bytes",
    "start_labelling",
    "write_plane",
]

CONNECTIVITIES = (6, 18, 26)
"""Neighbours of a voxel: across faces; across faces and edges; across faces, edges and corners."""

_EXTENSIONS = {6: (0, 0, -1), 18: (1, 1, 0), 26: (1, 1, 1)}
"""Two runs are connected if they overlap when one of them is extended by so many voxels at both
ends: in adjacent rows of a plane; in the same row of adjacent planes; in adjacent rows of adjacent
planes. Runs with -1 are never connected."""

_PARENT, _COUNT, _FIRST = range(3)


class Labelling(NamedTuple):
    """The parameters and the state of the labelling.

    Attributes
    ----------
    planes, limit : int
        Planes of the volume; voxels of the largest small object.
    holes : bool
        Whether the objects consist of the voxels that are 0. Objects at the faces of the volume are
        then not small.
    extensions : (int, int, int)
        A value of `_EXTENSIONS`.
    steps : int64 array (connectivity, 3)
        Offsets from a voxel to its neighbours.
    bits : uint64 array (depth, y, words)
        The last planes, plane z at index ``z % depth``. The bits beyond the end of a row are 0.
    nodes : int array (3, runs of two planes)
        Parent of each run, which is itself for a root. For a root also the number of voxels of the
        object, at most ``limit + 1``, and its first plane.
    rows : int array (2, y + 1)
        Number of runs before each row, in the last planes of even and of odd z.
    edges : int array (5, x + 1)
        Starts and stops of the runs of two rows of the current plane, and of three rows of the
        previous one.
    path : uint8 array (limit,)
        Indices of the steps to the current voxel of a walk.
    """

    planes: int
    limit: int
    holes: bool
    extensions: Triple
    steps: Array
    bits: Array
    nodes: Array
    rows: Array
    edges: Array
    path: Array


def start_labelling(shape: Triple, limit: int, connectivity: int, *, holes: bool) -> Labelling:
    """Return the state before the first plane.

    Parameters
    ----------
    shape : (z, y, x) ints
        Shape of the volume.
    limit : int
        Voxels of the largest object that is small, at least 1.
    connectivity : one of `CONNECTIVITIES`
        Neighbours of a voxel that belong to its object.
    holes : bool
        Find holes in the mask instead of objects, and fill them.
    """
    limit = min(limit, prod(shape))
    return _start(shape, limit, connectivity, holes=holes, index=_index_dtype(shape, limit))


def _start(
    shape: Triple, limit: int, connectivity: int, *, holes: bool, index: np.dtype[Any]
) -> Labelling:
    """Return the state with tables of dtype `index`."""
    nz, ny, nx = shape
    bits, nodes, path = _sizes(shape, limit)
    return Labelling(
        nz,
        limit,
        holes,
        _EXTENSIONS[connectivity],
        _steps(connectivity),
        np.empty(bits, np.uint64),
        np.empty(nodes, index),
        np.zeros((2, ny + 1), index),
        np.empty((5, nx + 1), index),
        np.empty(path, np.uint8),
    )


def labelling_bytes(shape: Triple, limit: int) -> int:
    """Return the bytes of the state, which suffices for any mask of this shape (z, y, x)."""
    _, ny, nx = shape
    limit = min(limit, prod(shape))
    bits, nodes, path = _sizes(shape, limit)
    tables = prod(nodes) + 2 * (ny + 1) + 5 * (nx + 1)
    return 8 * prod(bits) + tables * _index_dtype(shape, limit).itemsize + path + 26 * 3 * 8


def _sizes(shape: Triple, limit: int) -> tuple[Triple, tuple[int, int], int]:
    """Return the shapes of bits, nodes and path.

    A small object spans at most `limit` planes, and it is complete one plane later.
    """
    nz, ny, nx = shape
    runs = ny * -(-nx // 2)
    return (min(limit + 1, nz), ny, -(-nx // WORD_BITS)), (3, 2 * runs), limit


def _index_dtype(shape: Triple, limit: int) -> np.dtype[Any]:
    """Return a dtype for runs and voxels of a plane, planes, and the sum of two counts."""
    nz, ny, nx = shape
    largest = max(nz, ny * (nx + 1), 2 * (limit + 1))
    return np.dtype(np.int32 if largest < 2**31 else np.int64)


def _steps(connectivity: int) -> Array:
    """Return the offsets (connectivity, 3) from a voxel to its neighbours."""
    around = np.indices((3, 3, 3)).reshape(3, -1).T - 1
    axes = np.abs(around).sum(axis=1)
    return np.asarray(around[(axes > 0) & (axes <= CONNECTIVITIES.index(connectivity) + 1)])


def compile_labelling(shape: Triple, limit: int, dtype: np.dtype[Any]) -> None:
    """Compile the kernels for planes of this dtype, and a volume of this shape (z, y, x)."""
    index = _index_dtype(shape, min(limit, prod(shape)))
    state = _start((1, 1, 1), 1, 6, holes=False, index=index)
    written = label_plane(state, np.zeros((1, 1), dtype), 0, 0)
    flush(state, written)
    write_plane(state, 0, np.empty((1, 1), np.uint8))


def label_plane(state: Labelling, plane: Plane, z: int, written: int) -> int:
    """Label the next plane, and clear the small objects that do not continue in it.

    Parameters
    ----------
    state : Labelling
        Is updated.
    plane : array (y, x) of any dtype
        Its voxels other than 0 are set, NaN among them.
    z : int
        Index of the plane.
    written : int
        The value that the previous call returned, at first 0.

    Returns
    -------
    int
        The number of planes, from plane 0 on, in which all objects are decided: at most ``z + 1``.
    """
    pack_bits(flat_rows(plane), plane.shape, state.bits[z % len(state.bits)], state.holes)
    _label(state, z)
    return int(_clear_complete(state, z, written))


def flush(state: Labelling, written: int) -> None:
    """Clear the small objects that reach the last plane; `written` as for `label_plane`."""
    state.rows[state.planes % 2] = 0
    _clear_complete(state, state.planes, written)


def write_plane(state: Labelling, z: int, out: Plane) -> None:
    """Write the mask of plane `z`, in which all objects are decided, as 0 and 1: uint8 (y, x)."""
    unpack_bits(state.bits[z % len(state.bits)], flat_rows(out), out.shape, state.holes)


@kernel
def _label(state: Labelling, z: int) -> None:
    """Add the runs of plane `z` as nodes behind those of the previous plane, and unite them."""
    nodes, edges, limit = state.nodes, state.edges, state.limit
    bits, previous = state.bits[z % len(state.bits)], state.bits[(z - 1) % len(state.bits)]
    rows, previous_rows = state.rows[z % 2], state.rows[(z - 1) % 2]
    ny, nx = len(rows) - 1, edges.shape[1] - 1
    offset = previous_rows[ny]
    in_plane, in_row, diagonal = state.extensions
    if previous_rows[1]:
        find_runs(previous[0], nx, edges[2])
    for y in range(ny):
        runs = edges[y % 2]
        n = find_runs(bits[y], nx, runs)
        first = offset + rows[y]
        rows[y + 1] = rows[y] + n
        outside = state.holes and (y in (0, ny - 1) or z in (0, state.planes - 1))
        _add_nodes(state, z, first, runs[: 2 * n], nx, outside)
        if y > 0:
            others = edges[(y - 1) % 2][: 2 * (rows[y] - rows[y - 1])]
            begin = offset + rows[y - 1]
            _unite_rows(nodes, runs[: 2 * n], first, others, begin, in_plane, limit)
        if y + 1 < ny and previous_rows[y + 2] > previous_rows[y + 1]:
            find_runs(previous[y + 1], nx, edges[2 + (y + 1) % 3])
        for near in range(max(y - 1, 0), min(y + 2, ny)):
            extension = in_row if near == y else diagonal
            begin = previous_rows[near]
            others = edges[2 + near % 3][: 2 * (previous_rows[near + 1] - begin)]
            if extension >= 0:
                _unite_rows(nodes, runs[: 2 * n], first, others, begin, extension, limit)


@kernel
def _add_nodes(state: Labelling, z: int, first: int, runs: Any, nx: int, outside: bool) -> None:
    """Add the runs of a row as nodes, each of them an object."""
    limit = state.limit
    for k in range(runs.size // 2):
        start, stop = runs[2 * k], runs[2 * k + 1]
        outer = outside or (state.holes and (start == 0 or stop == nx))
        state.nodes[_PARENT, first + k] = first + k
        state.nodes[_COUNT, first + k] = limit + 1 if outer else min(stop - start, limit + 1)
        state.nodes[_FIRST, first + k] = z


@kernel
def _unite_rows(
    nodes: Any, runs: Any, first: int, others: Any, first_other: int, extension: int, limit: int
) -> None:
    """Unite the connected runs of two rows. Both are sorted, so one pass finds all pairs."""
    i = j = 0
    while i < runs.size and j < others.size:
        if runs[i] < others[j + 1] + extension and others[j] < runs[i + 1] + extension:
            _union(nodes, first + i // 2, first_other + j // 2, limit)
        if runs[i + 1] < others[j + 1]:
            i += 2
        else:
            j += 2


@kernel
def _union(nodes: Any, a: int, b: int, limit: int) -> None:
    """Unite the objects of two nodes. The later root remains, so it is in the current plane."""
    parents, counts, firsts = nodes[_PARENT], nodes[_COUNT], nodes[_FIRST]
    a, b = _find(parents, a), _find(parents, b)
    if a == b:
        return
    low, high = min(a, b), max(a, b)
    parents[low] = high
    counts[high] = min(counts[low] + counts[high], limit + 1)
    firsts[high] = min(firsts[low], firsts[high])


@kernel
def _find(parents: Any, node: int) -> int:
    """Return the root of a node, and halve the path to it."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@kernel
def _clear_complete(state: Labelling, z: int, written: int) -> int:
    """Clear the small objects that end before plane `z`, and keep the nodes of plane `z` alone.

    Returns the first plane of an object that is not decided, ``z + 1`` if all are.
    """
    rows = state.rows[z % 2]
    offset = state.rows[(z - 1) % 2][-1]
    for k in range(_find_complete(state, z)):
        y, x = divmod(state.nodes[_FIRST, k], state.edges.shape[1] - 1)
        _clear_object(state, written, z - 1, y, x)
    parents, counts, firsts = state.nodes[_PARENT], state.nodes[_COUNT], state.nodes[_FIRST]
    for node in range(offset + rows[-1] - 1, offset - 1, -1):
        parents[node] = parents[parents[node]]
    undecided = z + 1
    for node in range(rows[-1]):
        old = offset + node
        parents[node] = parents[old] - offset
        counts[node], firsts[node] = counts[old], firsts[old]
        if parents[node] == node and counts[node] <= state.limit:
            undecided = min(undecided, firsts[node])
    return undecided


@kernel
def _find_complete(state: Labelling, z: int) -> int:
    """Find a voxel of each small object that ends in plane ``z - 1``; return the number of them.

    The voxels replace the first planes of the previous plane's nodes, which are no longer needed.
    """
    bits, edges = state.bits[(z - 1) % len(state.bits)], state.edges[0]
    parents, counts, voxels = state.nodes[_PARENT], state.nodes[_COUNT], state.nodes[_FIRST]
    rows, nx = state.rows[(z - 1) % 2], state.edges.shape[1] - 1
    complete = 0
    for y in range(len(rows) - 1):
        has_runs = False
        for node in range(rows[y], rows[y + 1]):
            if parents[node] != node or counts[node] > state.limit:
                continue
            if not has_runs:
                find_runs(bits[y], nx, edges)
                has_runs = True
            voxels[complete] = y * nx + edges[2 * (node - rows[y])]
            complete += 1
    return complete


@kernel
def _clear_object(state: Labelling, written: int, z: int, y: int, x: int) -> None:
    """Clear the object of a voxel, which lies in the planes from `written` to `z`.

    The walk is depth-first and goes back the way it came, so it only stores its path.
    """
    steps, path = state.steps, state.path
    ny, nx = state.bits.shape[1], state.edges.shape[1] - 1
    last = z
    clear_voxel(state.bits, z, y, x)
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
        inside = written <= to_z <= last and 0 <= to_y < ny and 0 <= to_x < nx
        if inside and clear_voxel(state.bits, to_z, to_y, to_x):
            path[n] = k
            z, y, x, n, k = to_z, to_y, to_x, n + 1, 0
        else:
            k += 1
