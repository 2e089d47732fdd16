"""A pyramid as it is written: one layer buffer a level, planes halved as they arrive.

A plane is copied into the layer of level 0; when a group of planes is whole it is downsampled
straight into the layer of the next level, and so on; a full layer is written at once. Nothing
that was written is read again.
"""

from functools import partial

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane
from hoaconv.io.zarr import ArraySpec, ArrayWriter
from hoaconv.kernels.downsample import downsample
from hoaconv.pyramid.levels import Level

__all__ = ["Cascade", "layer_planes"]

BAND_ROWS = 256


def layer_planes(array: ArraySpec, group: int) -> int:
    """Planes that a level's buffer holds: one layer, or more where a group is thicker.

    `group` planes make one of the next level. A buffer that is a multiple of the layer and
    holds a group never overwrites a plane that has yet to be downsampled.
    """
    depth, planes = array.unit[0], array.shape[0]
    return min(depth * -(-group // depth), planes)


class Cascade:
    """The writer of one level, which feeds the next.

    Parameters
    ----------
    array
        Where its layers go.
    below
        The next, smaller level and its cascade.
    method
        How groups of voxels become one: see `hoaconv.kernels.downsample`.
    """

    def __init__(
        self,
        array: ArrayWriter,
        pool: Pool,
        buffers: Buffers,
        method: str,
        below: "tuple[Level, Cascade] | None" = None,
    ) -> None:
        self._array, self._pool, self._method = array, pool, method
        self._step = below[0].step if below else (1, 1, 1)
        self._below = below[1] if below else None
        spec = array.spec
        planes = layer_planes(spec, self._step[0])
        self._layer = buffers.take((planes, *spec.shape[1:]), spec.dtype)
        self.planes = 0
        """Planes taken so far."""

    def put(self, plane: Plane) -> None:
        """Take a plane (y, x); it is copied."""
        slot = self.slot()

        def copy(rows: slice) -> None:
            slot[rows] = plane[rows]

        self._pool.map("gather", copy, bands(len(plane), BAND_ROWS))
        self.filled()

    def slot(self) -> Plane:
        """Where the next plane goes."""
        slot: Plane = self._layer[self.planes % len(self._layer)]
        return slot

    def filled(self) -> None:
        """The plane in `slot` is whole: pass on and write what is complete with it."""
        self.planes += 1
        last = self.planes == self._array.spec.shape[0]
        group, depth = self._step[0], self._array.spec.unit[0]
        if self._below and (last or self.planes % group == 0):
            self._shrink((self.planes - 1) % group + 1)
        if last or self.planes % depth == 0:
            self._write((self.planes - 1) % depth + 1)

    def _shrink(self, count: int) -> None:
        """Downsample the last `count` planes into the next level's slot."""
        if self._below is None:
            return
        fz, fy, fx = self._step
        newest = range(self.planes - count, self.planes)
        planes = [self._layer[z % len(self._layer)] for z in newest]
        planes += planes[-1:] * (fz - count)
        slot = self._below.slot()

        def shrink(rows: slice) -> None:
            taken = tuple(plane[rows.start * fy : rows.stop * fy] for plane in planes)
            downsample(self._method, taken, count, fy, fx, slot[rows])

        self._pool.map("downsample", shrink, bands(len(slot), BAND_ROWS // fy))
        self._below.filled()

    def _write(self, count: int) -> None:
        """Write the layer's last `count` planes, which are whole."""
        start = (self.planes - count) % len(self._layer)
        layer = self._layer[start : start + count]
        self._pool.timed("store", partial(self._array.write_layer, self.planes - count, layer))
