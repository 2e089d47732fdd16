"""Where the voxels of a volume lie, carried along with it."""

from dataclasses import dataclass

from hoaconv.engine.contract import Lengths, Resample
from hoaconv.engine.spec import Spec

__all__ = ["Geometry"]


@dataclass(frozen=True)
class Geometry:
    """Size and place of a volume's voxels.

    Attributes
    ----------
    voxel_size
        Edge of a voxel (z, y, x), in `unit`; None where it is unknown.
    unit
        A length as OME-NGFF spells it, such as ``micrometer``; None where it is unknown.
    origin
        Centre of the first voxel (z, y, x), in `unit`; in voxels where the size is unknown.
    told_by
        Where the voxel size comes from, in words.
    """

    voxel_size: Lengths | None = None
    unit: str | None = None
    origin: Lengths = (0.0, 0.0, 0.0)
    told_by: str = "unknown"

    def behind(self, step: Resample, spec: Spec) -> "Geometry":
        """Return the geometry of what a step makes of a volume of `spec`."""
        edges = self.voxel_size or (1.0, 1.0, 1.0)
        placed, origin = step.place(spec, edges, self.origin)
        return Geometry(placed if self.voxel_size else None, self.unit, origin, self.told_by)
