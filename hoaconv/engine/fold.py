"""The contract of folds, which find a value of all planes while these flow on."""

from abc import abstractmethod
from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.part import Part
from hoaconv.engine.spec import Plane, Spec

__all__ = ["Fold"]


class Fold(Part):
    """Planes to one value, tapped while the planes flow on.

    A state is any object that only one thread changes; `merge` joins the workers' states. The
    value must not depend on who has seen what, in which order: sums of floats have to be exact.
    """

    kind: ClassVar[str] = "fold"
    word: ClassVar[str]

    shared: ClassVar[bool] = False
    """True if all threads change one state, each the rows of its own band alone."""

    draws: ClassVar[bool] = False
    """True if it also makes a picture."""

    def __str__(self) -> str:
        return self.word

    @abstractmethod
    def init(self, spec: Spec) -> Any:
        """Return a state that has seen nothing."""

    @abstractmethod
    def step(self, state: Any, block: Plane, z: int = 0, y: int = 0) -> None:
        """Take in rows `y` and on of plane `z`, without the GIL; whole along x.

        Every row of a plane comes once, to a `shared` state before any of the next plane.
        """

    @abstractmethod
    def merge(self, one: Any, other: Any) -> Any:
        """Return one state that has seen what both have seen; neither of them is changed."""

    @abstractmethod
    def finish(self, state: Any) -> Mapping[str, Any]:
        """Return the value, in JSON's types."""

    def ends(self, name: str, spec: Spec) -> tuple[float, float]:  # noqa: ARG002 - the contract's
        """Return the least and the greatest that a number of the value can be, for any voxels."""
        return -inf, inf

    def draw(self, state: Any) -> Plane | None:  # noqa: ARG002 - the parameter is the contract
        """Return the picture, if it `draws` one."""
        return None

    @abstractmethod
    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of one state and the picture; each worker has one, or all share it."""

    def warm(self, spec: Spec) -> None:
        """Compile the kernels that `step` calls for planes of this spec."""
        voxel = Spec((1, 1, 1), spec.dtype)
        self.step(self.init(voxel), np.zeros((1, 1), spec.dtype))
