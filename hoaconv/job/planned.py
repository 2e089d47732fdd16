"""A plan and the volume that it makes: shape, dtype and geometry are known before it is run."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hoaconv.engine.contract import Source
from hoaconv.engine.geometry import Geometry, Lengths
from hoaconv.engine.informed import Informed
from hoaconv.engine.plan import Node, Plan
from hoaconv.engine.spec import Spec

__all__ = ["Planned"]


@dataclass(frozen=True, eq=False)
class Planned:
    """The volume that a plan makes; axes are z, y, x.

    Attributes
    ----------
    plan
        Source and ops, with one end.
    spec
        Shape, dtype and geometry of the result.
    notes
        Remarks of the readers of the source, for the user.
    """

    plan: Plan
    spec: Spec
    notes: tuple[str, ...] = ()

    @property
    def recipe(self) -> tuple[Any, ...]:
        """The plan and the spec, as a value that compares and hashes."""
        return (self.plan, self.spec)

    def same_as(self, other: "Planned") -> bool:
        """Return whether both are made of the same source by the same ops; nothing is computed.

        Parameters
        ----------
        other
            Another volume; for any other value the result is False.

        Examples
        --------
        >>> volume = hc.open("slices/")
        >>> volume.add(1).same_as(volume | "add 1"), volume.add(1).same_as(volume)
        (True, False)
        """
        return isinstance(other, Planned) and self.recipe == other.recipe

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.spec.shape

    @property
    def ndim(self) -> int:
        """Number of axes, which is 3."""
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of a voxel."""
        return self.spec.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels, decoded."""
        return self.spec.nbytes

    @property
    def geometry(self) -> Geometry:
        """Size and place of the voxels, and the source of both."""
        return self.spec.geometry

    @property
    def voxel_size(self) -> Lengths | None:
        """Edge lengths of a voxel (z, y, x), in `unit`; None if they are unknown."""
        return self.geometry.voxel_size

    @property
    def unit(self) -> str | None:
        """Unit of `voxel_size`, such as ``micrometer``; None if it is unknown."""
        return self.geometry.unit

    @property
    def origin(self) -> Lengths:
        """Centre of the first voxel (z, y, x), in `unit`."""
        return self.geometry.origin

    @property
    def orientation(self) -> tuple[str, str, str] | None:
        """Direction of each axis (z, y, x) in the body; None where nobody has told it."""
        return self.geometry.orientation

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary})"

    @property
    def summary(self) -> str:
        """Shape, dtype, voxel size and ops in one line."""
        words = [str(self.spec)]
        if self.voxel_size:
            edges = [f"{edge:g}" for edge in self.voxel_size]
            size = edges[0] if len(set(edges)) == 1 else " x ".join(edges)
            words.append(f"{size} {self.unit or 'voxels'}")
        return ", ".join(words) + (f": {self.chain}" if self.chain else "")

    @property
    def chain(self) -> str:
        """The ops in one line; the beginning of a long line is left out."""
        texts: dict[int, str] = {}
        for node in self.plan.nodes():
            texts[id(node)] = _text(node, [texts[id(before)] for before in node.inputs])
        return texts[id(self.plan.ends[0])]


LONGEST = 200
"""Characters of a chain that are shown."""


def _text(node: Node, before: list[str]) -> str:
    """Return the ops up to a node, given those up to its inputs."""
    if isinstance(node.part, Source):
        return ""
    if isinstance(node.part, Informed):
        before = before[:1]  # the others only tell a value, which the op names
    if len(before) > 1:
        before = [" & ".join(f"({text or 'source'})" for text in before)]
    text = " | ".join(filter(None, (*before, str(node.part))))
    return text if len(text) <= LONGEST else f"...{text[-LONGEST:]}"
