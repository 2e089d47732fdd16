"""Ops: a window of planes becomes the planes of its core, band by band."""

from functools import partial
from typing import Any

import numpy as np

from hoaconv.engine.bands import bands
from hoaconv.engine.contract import Fold, Op, Use
from hoaconv.engine.part import Part
from hoaconv.engine.ring import Ring
from hoaconv.engine.spec import Plane, Slab, Spec
from hoaconv.engine.stages.fused import Fused, Unbound
from hoaconv.engine.stages.kind import Kind, Share
from hoaconv.engine.stages.memory import in_bands, output
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.stage import At, Counts, Found
from hoaconv.engine.stages.trial import (
    LEAST_COLUMNS,
    TooLargeError,
    Trial,
    Tried,
    fits,
    in_steps,
    rows_of,
    timed,
)
from hoaconv.engine.stream import Window, flatten, map, windowed, zip
from hoaconv.errors import PlanError

__all__ = ["OpKind", "block_spec"]

REACH = 1 << 16
"""Voxels that an op may look far, along each axis."""


class OpKind(Kind[Op]):
    """Answers for ops."""

    name = Op.kind
    is_value = True

    def infer(self, part: Op, inputs: tuple[Spec, ...]) -> Spec:
        """Return the op's result. Raises PlanError if it changes the shape, or looks too far."""
        (taken,) = inputs
        # Weights of such a width alone would fill the memory, and no volume is as large.
        if max(part.halo) > REACH:
            raise PlanError(
                f"{part} would look {max(part.halo)} voxels far, and ops look at most {REACH} "
                "voxels far"
            )
        given = part.infer(taken)
        if taken.shape != given.shape:
            raise PlanError(f"{part} turns {taken} into {given}; an op must keep the shape")
        return given

    def ops(self, part: Op) -> tuple[Op, ...]:
        """Return the ops that are joined to one, or the op."""
        return part.ops if isinstance(part, Fused) else (part,)

    def asks(self, part: Op) -> tuple[tuple[int, Fold], ...]:
        """Return the fold that the op needs, of its own input."""
        return () if part.needs is None else ((0, part.needs),)

    def unbound(self, part: Op, sought: tuple[str, ...]) -> Part:
        """Return the op that waits."""
        return Unbound(part, sought)

    def bound(self, part: Op, found: Found) -> Op:
        """Return the op with its value; of joined ops, each with its own."""
        if isinstance(part, Fused):
            return Fused(tuple(self.bound(op, found) for op in part.ops))
        if isinstance(part, Unbound):
            return part.op.settle(*(found[name] for name in part.sought))
        return part

    def keeps_to_z(self, part: Op, spec: Spec) -> bool:  # noqa: ARG002 - of any input
        """Return whether it has no context along z, and asks for nothing of the whole volume."""
        return part.halo[0] == 0 and part.needs is None

    def keeps_place(self, part: Op, spec: Spec) -> bool:  # noqa: ARG002 - of any input
        """Return whether it has no context, and asks for nothing of the whole volume."""
        return part.halo == (0, 0, 0) and part.needs is None

    def needed(self, at: At[Op], results: Counts) -> Counts:
        """Return what completes the windows in which the results are made."""
        return np.minimum(at.stage.made(results) + at.stage.halo[0], at.taken.planes)

    def dropped(self, at: At[Op], results: Counts) -> Counts:
        """Return what stands before the window that comes next."""
        return np.maximum(at.stage.made(results) - at.stage.halo[0], 0)

    def uses(self, at: At[Op], share: Share) -> tuple[Use, ...]:
        """Count planes of output, and the block of each band that a thread makes."""
        block = block_spec(at)
        own = (block.nbytes if at.stage.window > 1 else 0) + at.part.work(block)
        return (output(at, share.kept), in_bands(at, share.workers, own))

    def lower(self, at: At[Op], inputs: list[Planes], running: Running) -> Planes:
        """Return the planes that are made of windows."""
        stage = at.stage
        windows = windowed(inputs[0], stage.window, stage.stride, stage.halo[0], stage.lead)
        return flatten(map(_Apply(at, running), windows))

    def trial(self, at: At[Op], planes: list[Plane], trial: Trial) -> Tried:  # noqa: ARG002
        """Try one band of one window; return a plane of such bands."""
        (plane,), spec = planes, at.given
        rows, columns = _block(at, plane)
        seconds, out = in_steps(columns, LEAST_COLUMNS, partial(_band, at, plane, rows))
        shares = spec.plane_shape[0] / rows * spec.shape[2] / columns
        sizes = zip((rows_of(spec), spec.shape[2]), out.shape)
        y, x = (np.arange(n) % m for n, m in sizes)
        return seconds * shares, np.ascontiguousarray(out[np.ix_(y, x)])

    def warm(self, part: Op, inputs: tuple[Spec, ...]) -> None:
        """Compile the op's kernels, and those of the fold that it needs."""
        part.warm(inputs[0])
        if part.needs:
            part.needs.warm(inputs[0])


def block_spec(at: At[Any]) -> Spec:
    """Return what one call of an op's `apply` gets: a window of a band and its halo."""
    spec, stage = at.taken, at.stage
    rows = min(stage.rows + 2 * stage.halo[1], spec.plane_shape[0])
    return Spec((min(stage.window, spec.planes), rows, spec.shape[2]), spec.dtype)


class _Apply:
    """One op on one window of planes: cut into bands, done by the pool, made into planes."""

    def __init__(self, at: At[Op], running: Running) -> None:
        self._op, self._pool, self._buffers = at.part, running.pool, running.buffers
        self._rows, self._halo = at.given.plane_shape[0], at.stage.halo[1]
        self._ring = Ring(running.buffers, at.given, running.kept[at.i])
        self._block = block_spec(at).shape
        self._bands = bands(self._rows, at.stage.rows)

    def __call__(self, window: Window) -> tuple[Plane, ...]:
        slabs, planes = self._ring.take(window.core.stop - window.core.start)
        self._pool.map(str(self._op), partial(self._band, window, slabs), self._bands)
        return planes

    def _band(self, window: Window, slabs: tuple[Slab, ...], rows: slice) -> None:
        above = max(0, rows.start - self._halo)
        below = min(self._rows, rows.stop + self._halo)
        block = self._gather(window.items, slice(above, below))
        core = slice(rows.start - above, rows.stop - above)
        z = window.core.start
        for out in slabs:
            self._op.apply(block, (slice(z, z + len(out)), core, slice(None)), out[:, rows])
            z += len(out)

    def _gather(self, planes: tuple[Plane, ...], rows: slice) -> Slab:
        """Return rows of the planes as one slab: a view of a single plane, else a copy."""
        if len(planes) == 1:
            return planes[0][None, rows]
        shape = (len(planes), rows.stop - rows.start, planes[0].shape[1])
        block = self._buffers.take(shape, planes[0].dtype, self._block)
        for plane, place in zip(planes, block):
            place[...] = plane[rows]
        return block


def _block(at: At[Op], plane: Plane) -> tuple[int, int]:
    """Return the rows and columns of a band that a trial has memory for."""
    halo_z, halo_y, _ = at.stage.halo
    rows, columns = min(at.stage.rows, len(plane)), plane.shape[1]
    while True:
        block = Spec((2 * halo_z + 1, rows + 2 * halo_y, columns), plane.dtype)
        if fits(block.nbytes + at.part.work(block)):
            return rows, columns
        if columns > LEAST_COLUMNS:
            columns = max(LEAST_COLUMNS, columns // 2)
        elif rows > 1:
            rows //= 2
        else:
            raise TooLargeError


def _band(at: At[Op], plane: Plane, rows: int, columns: int) -> Tried:
    halo_z, halo_y, _ = at.stage.halo
    tall, depth = rows + 2 * halo_y, 2 * halo_z + 1
    block = np.repeat(np.resize(plane[:tall, :columns], (1, tall, columns)), depth, axis=0)
    core = (slice(halo_z, halo_z + 1), slice(halo_y, halo_y + rows), slice(None))
    shape = (rows, columns)
    return timed(shape, at.given.dtype, lambda out: at.part.apply(block, core, out[None]))
