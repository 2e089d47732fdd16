"""A join of two streams by a numpy function, which rejoins parallel branches.

It holds a plane of each and one of the result: equations 7 and 1 of Sporring and Stansby (2026).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hoaconv.engine.contract import Join
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError

__all__ = ["Combine"]


@dataclass(frozen=True)
class Combine(Join):
    """Voxel by voxel, ``function(one, other)``; the dtype is numpy's for the two.

    Integers wrap around as numpy's do: cast the branches first where that is not wanted.

    Parameters
    ----------
    function
        A numpy ufunc of two inputs, such as ``numpy.subtract`` or ``numpy.maximum``.

    Examples
    --------
    >>> Combine(np.subtract).infer(Spec((1, 2, 2), "uint8"), Spec((1, 2, 2), "float32")).dtype
    dtype('float32')
    """

    function: np.ufunc

    def infer(self, *specs: Spec) -> Spec:
        """Return the spec of the result.

        Raises
        ------
        PlanError
            If the shapes differ, or the function takes another number of streams.
        """
        if len(specs) != self.function.nin:
            raise PlanError(f"{self} takes {self.function.nin} streams, not {len(specs)}")
        if len({spec.shape for spec in specs}) > 1:
            raise PlanError(f"{self} can't zip {' and '.join(map(str, specs))}: shapes differ")
        return replace(specs[0], dtype=self._dtype(*(spec.dtype for spec in specs)))

    def _dtype(self, *dtypes: np.dtype[Any]) -> np.dtype[Any]:
        found = self.function.resolve_dtypes((*dtypes, None))[-1]
        return np.dtype("uint8") if found == np.bool_ else found

    def apply(self, planes: tuple[Plane, ...], out: Plane) -> None:
        """Write the function's values into `out` (y, x)."""
        self.function(*planes, out=out, casting="unsafe")

    def work(self, *specs: Spec) -> int:
        """Return the bytes of numpy's casting buffers."""
        return np.getbufsize() * 8 * (len(specs) + 1)

    def __str__(self) -> str:
        return self.function.__name__
