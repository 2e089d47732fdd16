"""Where an image's voxels lie, after ops that crop, turn or shrink it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hoaconv.engine.contract import Fold, Lengths, Resample, Step
from hoaconv.engine.spec import Spec
from hoaconv.io.voxel_size import VoxelSize

__all__ = ["Placed", "place"]


@dataclass(frozen=True)
class Placed:
    """An image to be.

    Attributes
    ----------
    spec
        Its shape and dtype.
    edges, unit
        Of a voxel, zyx. Edges are None where they are unknown; without a unit they count in
        voxels of the slices.
    origin
        The centre of the first voxel, zyx, where that of the first slice's first is 0.
    """

    spec: Spec
    edges: Lengths | None
    unit: str | None
    origin: Lengths


def place(
    ops: Sequence[Step], spec: Spec, size: VoxelSize | None, spacing: tuple[int, int, int]
) -> Placed:
    """What ops make of slices of `spec` and a voxel `size`, else that many of the stored voxels.

    Raises
    ------
    PlanError
        If an op refuses what it would get.
    """
    ones = (1.0, 1.0, 1.0)
    z, y, x = map(float, spacing)
    edges, origin = size.zyx if size else (z, y, x), (0.0, 0.0, 0.0)
    for op in ops:
        if isinstance(op, Resample):
            edges, origin = op.place(spec, edges, origin)
        spec = spec if isinstance(op, Fold) else op.infer(spec)
    known = size is not None or edges != ones
    return Placed(spec, edges if known else None, size.unit if size else None, origin)
