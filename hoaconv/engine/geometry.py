"""The size and place of a volume's voxels, which travel with its shape and dtype."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["NOWHERE", "Geometry", "Lengths"]

Lengths = tuple[float, float, float]
"""Three lengths (z, y, x)."""

_ONES = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Geometry:
    """Size and place of the voxels of a volume.

    Attributes
    ----------
    edges
        Edge lengths of a voxel (z, y, x) in `unit`; in stored voxels where the unit is unknown.
    unit
        A unit of length as OME-NGFF spells it, such as ``micrometer``; None where it is unknown.
    origin
        Centre of the first voxel (z, y, x), in the same unit as `edges`.
    told_by
        The source of the voxel size, in words, such as ``OME-XML``.
    orientation
        Direction of each axis (z, y, x) in a body, such as ``superior-to-inferior``; None where
        nobody has told it.
    """

    edges: Lengths = _ONES
    unit: str | None = None
    origin: Lengths = (0.0, 0.0, 0.0)
    told_by: str = "unknown"
    orientation: tuple[str, str, str] | None = None

    @property
    def voxel_size(self) -> Lengths | None:
        """Edge lengths of a voxel (z, y, x); None where nothing is known of them."""
        return None if self.unit is None and self.edges == _ONES else self.edges

    def __str__(self) -> str:
        edges = " x ".join(f"{edge:.6g}" for edge in self.edges)
        return f"{edges} {self.unit or 'voxels'} ({self.told_by})"

    def shifted(self, voxels: Sequence[float]) -> "Geometry":
        """Return the geometry of a volume whose first voxel lies `voxels` (z, y, x) further on."""
        moved = zip(self.origin, self.edges, voxels, strict=True)
        z, y, x = (o + e * n for o, e, n in moved)
        return replace(self, origin=(z, y, x))

    def coarser(self, factors: Sequence[float], middle: float = 0.5) -> "Geometry":
        """Return the geometry of a volume each of whose voxels stands for several.

        Parameters
        ----------
        factors
            Voxels that become one (z, y, x); below 1 where voxels are added.
        middle
            0.5 if the new voxel covers the old ones, so that its centre is theirs; 0 if it is the
            first of them.
        """
        z, y, x = (e * f for e, f in zip(self.edges, factors, strict=True))
        centred = self.shifted([middle * (f - 1) for f in factors])
        return replace(centred, edges=(z, y, x))

    def transposed(self) -> "Geometry":
        """Return the geometry of a volume whose y and x are swapped."""
        (z, y, x), (oz, oy, ox) = self.edges, self.origin
        turned = self.orientation and (self.orientation[0], *self.orientation[:0:-1])
        return replace(self, edges=(z, x, y), origin=(oz, ox, oy), orientation=turned)

    def flipped(self, *axes: int) -> "Geometry":
        """Return the geometry of a volume that is reversed along axes, about its own centre."""
        if self.orientation is None:
            return self
        ways = enumerate(self.orientation)
        z, y, x = (_reversed(way) if axis in axes else way for axis, way in ways)
        return replace(self, orientation=(z, y, x))

    def permuted(self, order: Sequence[int]) -> "Geometry":
        """Return the geometry of a volume whose axis i is axis ``order[i]`` of this one."""
        z, y, x = (self.edges[axis] for axis in order)
        oz, oy, ox = (self.origin[axis] for axis in order)
        ways = self.orientation
        if ways is not None:
            ways = (ways[order[0]], ways[order[1]], ways[order[2]])
        return replace(self, edges=(z, y, x), origin=(oz, oy, ox), orientation=ways)

    def along_z(self, other: "Geometry") -> "Geometry":
        """Return this geometry with `other`'s edge, origin and orientation along z."""
        edges = (other.edges[0], *self.edges[1:])
        ways = self.orientation
        if ways and other.orientation:
            ways = (other.orientation[0], *ways[1:])
        origin = (other.origin[0], *self.origin[1:])
        return replace(self, edges=edges, origin=origin, orientation=ways)


def _reversed(way: str) -> str:
    """Return the opposite direction: left-to-right of right-to-left."""
    return "-to-".join(reversed(way.split("-to-")))


NOWHERE = Geometry()
"""Voxels of unknown size, counted from the first one."""
